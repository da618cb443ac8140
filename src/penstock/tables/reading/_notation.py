"""The notation of a column of numbers: decimal mark, grouped digits, currency or unit."""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from penstock.tables.reading._numbers import BLANKS, SIGN, body_pattern
from penstock.tables.reading._rule import ReadingRule
from penstock.tables.reading._texts import Texts
from penstock.tables.reading._units import is_currency, is_known_suffix

if TYPE_CHECKING:
    import polars as pl

# (decimal mark, thousands mark), the likelier first where several fit.
DIALECTS = (
    (".", ""),
    (".", ","),
    (",", ""),
    (",", "."),
    (".", " "),
    (",", " "),
    (".", "'"),
    (",", "'"),
)
GROUPS_ONLY = r"^[1-9]\d{0,2}(?:[.,]\d{3})+$"
_MANY = 20
_MANY_DIGITS = 7
_BEFORE = r"[^\d\s.,()'\u2019+\-\u2212]{1,4}\.?"
_BEHIND = r"\+|[^\d\s.,()'\u2019+\-\u2212][^\d\s()]{0,11}"
_BODY = rf"\d[\d.,'\u2019{BLANKS}]*(?:[eE][+\-]?\d+)?|[.,]\d+"
_WRITTEN = (
    rf"^\(?{SIGN}(?P<prefix>{_BEFORE})?\s*{SIGN}(?P<body>{_BODY})\s*(?P<suffix>{_BEHIND})?\)?-?$"
)


@dataclass(frozen=True, slots=True)
class Written:
    """The notation of most numbers of a column.

    Attributes:
        rule: The rule to read them.
        readable: Number of readable values.
        ambiguous: Whether the mark in 1,234 may be a decimal as well as a thousands mark.
    """

    rule: ReadingRule
    readable: int
    ambiguous: bool = False


def guess_numbers(texts: Texts, decimal: str | None) -> Written | None:
    """Infer the notation of a column's numbers, despite any texts among them; None without numbers.

    Args:
        texts: Values, none missing.
        decimal: The decimal mark, if known.
    """
    parts = texts.pieces(_parts_of)
    rows, bodies = 0, set[str]()
    counts: dict[str, Counter[str]] = {"prefix": Counter(), "suffix": Counter()}
    for piece in parts():
        rows += int(piece["rows"].sum())
        bodies |= _two_of(piece["body"])
        for column, counter in counts.items():
            counter.update(_counts_of(piece, column))
    if not rows:
        return None
    prefix, suffix = (_commonest(counter) for counter in counts.values())
    # An affix of only a few values is no unit, but makes them odd: "12abc" among 100 numbers.
    prefix = prefix if not prefix or is_currency(prefix) else ""
    having = counts["suffix"][suffix]
    if suffix and not _is_unit(suffix, having, rows, several=len(bodies) > 1):
        suffix = ""
    found = sum((_Bodies.of(piece, prefix, suffix) for piece in parts()), _Bodies())
    return _guess_dialect(found, prefix, suffix, decimal)


def known_affixes(texts: Texts) -> list[str]:
    """List the currencies and units of a column, the commonest first, if most values have any.

    >>> import polars as pl
    >>> known_affixes(Texts.of(pl.Series(["$5", "€6", "$7"])))
    ['$', '€']
    """
    known: Counter[str] = Counter()
    for piece in texts.pieces(_parts_of)():
        for column, is_known in (("prefix", is_currency), ("suffix", is_known_suffix)):
            counts = _counts_of(piece, column)
            known.update({text: rows for text, rows in counts.items() if is_known(text)})
    if 2 * known.total() <= len(texts):
        return []
    return sorted(known, key=lambda text: (-known[text], text))[:_MANY]


@dataclass(frozen=True, slots=True)
class _Bodies:
    """What the numbers of a column, without currency and unit, tell of its notation.

    Attributes:
        readable: Number of readable values by dialect.
        texts: Two different texts, or all there are.
        lengths: Numbers of digits: the fewest and the most.
        grouped: Whether any has a point or a comma.
        is_unsure: Whether all with a point or a comma have groups of three only.
        is_twice: Whether any has two marks.
        fractions: Signs of a fraction that occur: a mark before a digit, or an exponent.
    """

    readable: "Counter[tuple[str, str]]" = field(default_factory=Counter)
    texts: frozenset[str] = frozenset()
    lengths: frozenset[int] = frozenset()
    grouped: bool = False
    is_unsure: bool = True
    is_twice: bool = False
    fractions: frozenset[str] = frozenset()

    @classmethod
    def of(cls, parts: "pl.DataFrame", prefix: str, suffix: str) -> "_Bodies":
        """Look at the numbers that have these affixes or none."""
        import polars as pl

        parts = parts.filter(
            pl.col("prefix").is_null() | (pl.col("prefix") == prefix),
            pl.col("suffix").is_null() | (pl.col("suffix") == suffix),
        )
        if not parts.height:
            return cls()
        bodies = parts["body"].str.strip_chars()
        readable = {
            (mark, group): parts["rows"]
            .filter(bodies.str.contains(f"^(?:{body_pattern(mark, group)})$"))
            .sum()
            for mark, group in DIALECTS
        }
        lengths = bodies.str.replace_all(r"\D", "").str.len_chars().unique().to_list()
        grouped = bodies.filter(bodies.str.contains(r"[.,]"))
        signs = {".": r"\.\d", ",": r",\d", "e": "[eE]"}
        return cls(
            Counter(readable),
            frozenset(_two_of(parts["text"])),
            frozenset([min(lengths), max(lengths)]),
            bool(len(grouped)),
            bool(grouped.str.contains(GROUPS_ONLY).all()),
            bool(grouped.str.contains(r"[.,]\d+[.,]").any()),
            frozenset(sign for sign, form in signs.items() if bodies.str.contains(form).any()),
        )

    def __add__(self, other: "_Bodies") -> "_Bodies":
        lengths = self.lengths | other.lengths
        return _Bodies(
            self.readable + other.readable,
            frozenset(sorted(self.texts | other.texts)[:2]),
            frozenset([min(lengths), max(lengths)]) if lengths else lengths,
            self.grouped or other.grouped,
            self.is_unsure and other.is_unsure,
            self.is_twice or other.is_twice,
            self.fractions | other.fractions,
        )

    @property
    def are_codes(self) -> bool:
        """Whether they are phone numbers and the like, as opposed to amounts: long, of one length."""
        return len(self.lengths) == 1 and min(self.lengths) >= _MANY_DIGITS and len(self.texts) > 1


def _guess_dialect(found: _Bodies, prefix: str, suffix: str, decimal: str | None) -> Written | None:
    known = [pair for pair in DIALECTS if decimal is None or pair[0] == decimal]
    # The first of equals.
    mark, thousands = max(known, key=lambda pair: found.readable[pair], default=DIALECTS[0])
    readable = found.readable[mark, thousands]
    # Phone numbers and article numbers are grouped in the same way.
    if not readable or (thousands in {" ", "."} and found.are_codes):
        return None
    # With groups of three only, 1,234 may be a whole number or a decimal fraction.
    unsure = found.grouped and found.is_unsure and not found.is_twice
    fraction = not found.fractions.isdisjoint({mark, "e"}) and not (
        thousands == "" and unsure and mark == ","
    )
    rule = ReadingRule(
        "number" if fraction else "integer",
        decimal=mark,
        thousands=thousands,
        prefix=prefix,
        suffix=suffix,
    )
    return Written(rule, readable, ambiguous=unsure and decimal is None)


def _parts_of(texts: "pl.Series") -> "pl.DataFrame":
    """Return prefix, body and suffix of each different number, and how many rows have it."""
    import polars as pl

    # Each distinct text is parsed once.
    counts = texts.rename("text").value_counts(name="rows")
    groups = pl.col("text").str.extract_groups(_WRITTEN).struct.unnest()
    return counts.select("rows", "text", groups).filter(pl.col("body").is_not_null())


def _counts_of(parts: "pl.DataFrame", column: str) -> dict[str, int]:
    import polars as pl

    found = parts.filter(pl.col(column).is_not_null()).group_by(column).agg(pl.col("rows").sum())
    return dict(found.iter_rows())


def _two_of(texts: "pl.Series") -> set[str]:
    """Return the first and the last text of a column in order: two where any two differ."""
    ends = (texts.min(), texts.max())
    return {end for end in ends if isinstance(end, str)}


def _commonest(counts: "Counter[str]") -> str:
    return min(counts, key=lambda text: (-counts[text], text), default="")


def _is_unit(text: str, having: int, rows: int, *, several: bool) -> bool:
    """Check for a unit, as opposed to a code's letter: known, or used by every value.

    Args:
        text: The text behind numbers.
        having: Number of values that have it.
        rows: Number of values.
        several: Whether the numbers before it differ.
    """
    if is_known_suffix(text):
        # "12a" among house numbers is no ampere: a letter is a unit where most values have it.
        return not re.fullmatch("[A-Za-z]", text) or 2 * having > rows
    letters = re.fullmatch(r"[^\W\d_]{2,10}", text) is not None
    return having == rows and letters and several
