"""ReadingRule: how the texts of a column become values; apart because models store rules."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, TypeAlias

ValueType: TypeAlias = Literal["text", "integer", "number", "boolean", "date", "datetime", "json"]
"""Type of a column's values; ``json`` where they are of several types and stand as JSON."""

MARKS = ("", "NA", "N/A", "?", "null", "NULL", "nan", "NaN")
"""Texts that mean "no value" in a CSV file, unless they stand in quotes."""

_WORDS = (
    {
        "-",
        "--",
        "---",
        "\u2013",
        "\u2014",
        ".",
        "..",
        "...",
        "*",
        "?",
        "na",
        "n/a",
        "n.a.",
        "#n/a",
        "#na",
    }
    | {"<na>", "nan", "nat", "none", "null", "nil", "(null)", "\\n", "unknown", "missing"}
    | {"not available", "tbd", "k.a.", "#value!", "#div/0!", "#ref!", "#num!"}
)
EXTRA_MARKS = frozenset(
    change(word) for word in _WORDS for change in (str, str.upper, str.title, str.capitalize)
)
"""Texts that mean "no value" in columns of numbers, times or booleans."""


@dataclass(frozen=True, slots=True)
class ReadingRule:
    """The rule for reading the texts of a column.

    >>> ReadingRule("number", thousands=",", prefix="$").words
    'numbers such as $1,234.5'

    Args:
        type: Type of the column's values.
        decimal: Decimal mark of numbers.
        thousands: The mark that groups digits by three; empty for none, a blank for any kind of
            blank.
        prefix: Optional text before a number: a currency.
        suffix: Optional text behind a number: a unit, a percent sign, a currency.
        times: Format of times: ``iso``, ``compact`` (20160630), ``epoch_s``, ``epoch_ms``,
            ``epoch_us``, ``epoch_ns``, or strftime codes.
        zone: ``UTC`` where times have an offset; empty where they have none.
        missing: Texts that mean "no value".
    """

    type: ValueType
    decimal: str = "."
    thousands: str = ""
    prefix: str = ""
    suffix: str = ""
    times: str = ""
    zone: str = ""
    missing: tuple[str, ...] = ()

    @property
    def is_number(self) -> bool:
        """Whether the column holds numbers."""
        return self.type in {"integer", "number"}

    @property
    def is_time(self) -> bool:
        """Whether the column holds dates or times."""
        return self.type in {"date", "datetime"}

    @property
    def is_plain(self) -> bool:
        """Whether numbers are in Python's notation."""
        return (self.decimal, self.thousands, self.prefix, self.suffix) == (".", "", "", "")

    @property
    def words(self) -> str:
        """The notation of the values, for people."""
        if self.is_number:
            fraction = f"{self.decimal}5" if self.type == "number" else ""
            return f"numbers such as {self.prefix}1{self.thousands}234{fraction}{self.suffix}"
        return f"{self.type}s written {self.times}" if self.times else f"{self.type}s"

    def to_json(self) -> dict[str, Any]:
        """Return plain values for storing."""
        return {**asdict(self), "missing": list(self.missing)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read the values of to_json."""
        return cls(**{**value, "missing": tuple(value.get("missing", ()))})


def rules_to_json(rules: Mapping[str, ReadingRule]) -> dict[str, Any]:
    """Return plain values of the rules of several columns."""
    return {name: rule.to_json() for name, rule in rules.items()}


def rules_from_json(values: Mapping[str, Any]) -> dict[str, ReadingRule]:
    """Read the values of rules_to_json."""
    return {name: ReadingRule.from_json(value) for name, value in values.items()}
