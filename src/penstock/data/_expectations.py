"""Expectations: conditions of ingested rows, as declared by the user."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from penstock.core import (
    ParameterError,
    now,
    parse_duration,
    require_choice,
    require_number,
    require_type,
    summarize_error,
    with_article,
)
from penstock.data._finding import Finding, Level
from penstock.data._schema import check_columns
from penstock.data._snapshot import Snapshot
from penstock.tables import broad_family

if TYPE_CHECKING:
    import polars as pl

OnFailure: TypeAlias = Literal["stop", "warn"]
LEVELS_OF: dict[str, Level] = {"stop": "fail", "warn": "warn"}
"""Level of a finding by ``on_failure``."""
_EXAMPLES = 3
_TYPES = ("text", "integer", "number", "boolean", "date", "datetime")
RULE = "expectation"
"""Rule of findings about rows that are not as expected."""


@dataclass(frozen=True)
class Expectations:
    """Checks of the rows that ``ingest`` reads; rows that fail one stop the step, or are warned of.

    >>> expected = Expectations(not_null=["id"], between={"tip": (0, 500)})
    >>> import polars as pl
    >>> rows = Snapshot.of(pl.DataFrame({"id": [1, None], "tip": [2.5, 900.0]}))
    >>> [finding.message for finding in expected.check(rows)]
    ["1 of 2 rows have no 'id'.", "1 of 2 rows have a 'tip' outside of 0 to 500, such as 900.0."]

    Args:
        not_null: Columns without missing values.
        missing: Largest share of missing values (0 to 1) by column.
        unique: Columns whose values are all different; a tuple names columns that are together.
        between: Smallest and largest value by column, both included; None is no limit.
        one_of: Allowed values by column.
        matches: Regular expression by column that the whole text matches.
        types: ``text``, ``integer``, ``number``, ``boolean``, ``date`` or ``datetime`` by column.
        rows: Smallest and largest number of rows.
        fresh: Largest age of the newest row, such as ``2d``, before the cutoff (or now).
        on_failure: ``stop`` fails the step, and nothing is stored; ``warn`` is a finding.

    Raises:
        ParameterError: If an expectation cannot be checked.
    """

    not_null: str | Sequence[str] = ()
    missing: Mapping[str, float] = field(default_factory=dict)
    unique: str | Sequence[str | tuple[str, ...]] = ()
    between: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    one_of: Mapping[str, Collection[Any]] = field(default_factory=dict)
    matches: Mapping[str, str] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    rows: tuple[int | None, int | None] = (None, None)
    fresh: str | None = None
    on_failure: OnFailure = "stop"

    def __post_init__(self) -> None:
        for name in ("not_null", "unique"):
            value = getattr(self, name)
            object.__setattr__(self, name, (value,) if isinstance(value, str) else value)
        _require_sense(self)

    def check(self, snapshot: Snapshot) -> list[Finding]:
        """Return a finding for each expectation that the rows do not meet.

        Raises:
            NotFoundError: If a column does not exist, with did-you-mean.
        """
        # Only the named columns are loaded: the others may not fit into memory.
        names = list(dict.fromkeys(self._columns()))
        check_columns(snapshot.chunks.empty(), names, owner="the rows")
        table = snapshot.chunks.read(names)
        level = LEVELS_OF[self.on_failure]
        findings = [*self._check_rows(snapshot), *self._check_values(table)]
        return [Finding(level, RULE, column, message) for column, message in findings]

    def _columns(self) -> list[str]:
        together = [(name,) if isinstance(name, str) else name for name in self.unique]
        named = [*self.not_null, *self.missing, *self.between, *self.one_of, *self.matches]
        return [*named, *self.types, *(name for names in together for name in names)]

    def _check_rows(self, snapshot: Snapshot) -> Iterator[tuple[str, str]]:
        least, most = self.rows
        if least is not None and snapshot.rows < least:
            yield "", f"There are {snapshot.rows:,} rows, fewer than {least:,}."
        if most is not None and snapshot.rows > most:
            yield "", f"There are {snapshot.rows:,} rows, more than {most:,}."
        if self.fresh is not None:
            end = snapshot.cutoff or now()
            last = snapshot.last_time
            if last is None or end - last > parse_duration(self.fresh):
                yield (
                    "",
                    f"The newest row is of {_when(last)}, more than {self.fresh} before {_when(end)}.",
                )

    def _check_values(self, table: "pl.DataFrame") -> Iterator[tuple[str, str]]:
        if not table.width:
            return
        total = table.height
        for name, family in self.types.items():
            group = broad_family(str(table.schema[name]))
            if group != family and not (family == "number" and group == "integer"):
                yield name, f"Column '{name}' is {table.schema[name]}, not {family}."
        for name in self.not_null:
            count = table[name].null_count()
            if count:
                yield name, f"{count:,} of {total:,} rows have no '{name}'."
        for name, limit in self.missing.items():
            share = table[name].null_count() / max(total, 1)
            if share > limit:
                yield name, f"{share:.1%} of the rows have no '{name}', more than {limit:.1%}."
        for key in self.unique:
            names = [key] if isinstance(key, str) else list(key)
            copies = int(table.select(names).is_duplicated().sum())
            if copies:
                yield (
                    names[0],
                    f"{copies:,} of {total:,} rows share their {' and '.join(names)} with another.",
                )
        yield from self._check_each(table)

    def _check_each(self, table: "pl.DataFrame") -> Iterator[tuple[str, str]]:
        for name, (low, high) in self.between.items():
            bad = _comparable(name, "between", table[name], partial(_outside, low=low, high=high))
            words = f"outside of {'…' if low is None else low} to {'…' if high is None else high}"
            yield from _told(name, table[name].filter(bad), table.height, words)
        for name, allowed in self.one_of.items():
            values = table[name]
            bad = _comparable(name, "one_of", values, partial(_foreign, allowed=allowed))
            yield from _told(name, values.filter(bad), table.height, "that is not allowed")
        for name, pattern in self.matches.items():
            values = table[name]
            bad = _comparable(name, "matches", values, partial(_other, pattern=pattern))
            yield from _told(
                name, values.filter(bad), table.height, f"that does not match {pattern}"
            )


def _comparable(
    name: str, option: str, values: "pl.Series", compare: Callable[["pl.Series"], "pl.Series"]
) -> "pl.Series":
    """Compare a column with limits or values; limits of a different type are refused."""
    import polars as pl

    try:
        return compare(values)
    except (pl.exceptions.PolarsError, NotImplementedError, TypeError, ValueError) as error:
        raise ParameterError(
            what=f"{option}= of '{name}' cannot be compared with its values ({values.dtype}).",
            why=summarize_error(error),
            fix="Give values of the column's type.",
            column=name,
        ) from error


def _foreign(values: "pl.Series", allowed: Collection[Any]) -> "pl.Series":
    return ~values.is_in(list(allowed)) & values.is_not_null()


def _other(values: "pl.Series", pattern: str) -> "pl.Series":
    return ~values.cast(str).str.contains(f"^(?:{pattern})$") & values.is_not_null()


def _outside(values: "pl.Series", low: Any, high: Any) -> "pl.Series":
    import polars as pl

    for limit in (low, high):
        # polars would compare texts with numbers, letter by letter.
        if limit is not None and isinstance(limit, str) != (values.dtype == pl.String):
            raise TypeError(f"{limit!r} is of another type")
    inside = pl.Series([True]).new_from_index(0, len(values))
    if low is not None:
        inside &= values >= low
    if high is not None:
        inside &= values <= high
    if values.dtype.is_float():
        inside &= ~values.is_nan()
    return ~inside & values.is_not_null()


def _told(name: str, bad: "pl.Series", total: int, words: str) -> Iterator[tuple[str, str]]:
    if len(bad):
        some = ", ".join(map(str, bad.unique(maintain_order=True).head(_EXAMPLES).to_list()))
        yield (
            name,
            f"{len(bad):,} of {total:,} rows have {with_article(repr(name))} {words}, such as {some}.",
        )


def _when(moment: datetime | None) -> str:
    return "an unknown time" if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def _require_sense(expected: Expectations) -> None:
    require_choice("on_failure", expected.on_failure, LEVELS_OF)
    _require_forms(expected)
    for name, family in expected.types.items():
        require_choice(f"types= of '{name}'", family, _TYPES)
    for name, share in expected.missing.items():
        require_number(f"missing= of '{name}'", share, low=0, high=1)
    if expected.fresh is not None:
        parse_duration(expected.fresh)
    for name, pattern in expected.matches.items():
        _require_pattern(name, pattern)
    _require_range("rows=", expected.rows)
    for limit in expected.rows:
        if limit is not None:
            require_number("rows=", limit, low=0, whole=True)
    for name, limits in expected.between.items():
        _require_range(f"between= of '{name}'", limits)


def _require_forms(expected: Expectations) -> None:
    """Check that lists are lists of columns, and dicts have columns as names."""
    for name in ("not_null", "unique"):
        fix = f'Give columns: {name}=["id", "at"].'
        require_type(f"{name}= of Expectations", getattr(expected, name), (list, tuple, set), fix)
        for each in getattr(expected, name):
            for column in each if isinstance(each, list | tuple) else [each]:
                require_type(f"A column in {name}= of Expectations", column, str, fix)
    for name in ("missing", "between", "one_of", "matches", "types"):
        fix = f"Give a dict by column: {name}={{…}}."
        require_type(f"{name}= of Expectations", getattr(expected, name), Mapping, fix)
        for column in getattr(expected, name):
            require_type(f"A column in {name}= of Expectations", column, str, fix)


def _require_pattern(name: str, pattern: Any) -> None:
    import polars as pl

    require_type(f"matches= of '{name}'", pattern, str, "Give a regular expression.")
    try:
        pl.Series([""]).str.contains(pattern)
    except pl.exceptions.PolarsError as error:
        _, _, reason = str(error).rpartition("\nerror: ")
        raise ParameterError(
            what=f"matches= of '{name}' is no regular expression: {reason.splitlines()[0]}.",
            fix="Correct the pattern; look-around and references to groups are not known.",
        ) from error


def _require_range(name: str, limits: Any) -> None:
    """Check that limits are two, in order, None where there is none."""
    if not isinstance(limits, list | tuple) or len(limits) != 2:  # noqa: PLR2004 - least and most
        raise ParameterError(
            what=f"{name} is {limits!r:.80}.",
            fix="Give the smallest and the largest value, None for no limit: (0, None).",
        )
    low, high = limits
    try:
        is_empty = low is not None and high is not None and not low <= high
    except TypeError as error:
        raise ParameterError(
            what=f"{name} is {low!r} to {high!r}.", fix="Give two values of one type."
        ) from error
    if is_empty or any(isinstance(limit, float) and math.isnan(limit) for limit in limits):
        raise ParameterError(
            what=f"{name} is {low} to {high}, which no value meets.",
            fix="Give the smaller one first, and no NaN.",
        )
