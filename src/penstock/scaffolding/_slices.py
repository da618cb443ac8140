"""Columns to evaluate a model by, value for value; apart because the test rows decide."""

from typing import TYPE_CHECKING

from penstock.data import Split
from penstock.scaffolding._columns import is_sensitive
from penstock.tables import Column

if TYPE_CHECKING:
    import polars as pl

_MOST = 3
_MANY_LEVELS = 20
_FEW_CODES = 12
# A smaller group carries no information about a model.
_MIN_ROWS = 30
_FIRST = ("sex", "gender", "race", "ethnic", "age")
_CALENDAR = {"year", "yr", "month", "mnth", "day", "hour", "hr", "minute", "week", "weekday"}


def choose_slices(split: Split, columns: tuple[Column, ...], group: str | None) -> tuple[str, ...]:
    """Choose at most three columns: columns about people first, then the group, then categories.

    Args:
        split: The split whose test rows will be evaluated.
        columns: Candidates: the features.
        group: The column that groups rows; None without a group.
    """
    test = split.test.table
    people = [column.name for column in columns if is_sensitive(column.name)]
    groups = [group] if group is not None else []
    texts = [c.name for c in columns if c.kind in {"category", "boolean"} and _is_low(c)]
    codes = [c for c in columns if c.kind == "integer" and _is_code(c)]
    codes.sort(key=lambda c: (c.distinct or 0) < 3)  # noqa: PLR2004 - yes or no tells least
    order = list(dict.fromkeys([*_closest(people), *groups, *texts, *(c.name for c in codes)]))
    return tuple([name for name in order if _is_told_apart(test[name])][:_MOST])


def _closest(people: list[str]) -> list[str]:
    """Sort the properties named by law first: sex and race before marital status."""

    def place(name: str) -> int:
        places = [at for at, word in enumerate(_FIRST) if name.lower().startswith(word)]
        return places[0] if places else len(_FIRST)

    return sorted(people, key=place)


def _is_low(column: Column) -> bool:
    return column.distinct is not None and column.distinct <= _MANY_LEVELS


def _is_code(column: Column) -> bool:
    words = set(column.name.lower().replace("-", "_").split("_"))
    few = column.distinct is not None and 1 < column.distinct <= _FEW_CODES
    return few and not words & _CALENDAR


def _is_told_apart(values: "pl.Series") -> bool:
    """Check whether at least two values have enough test rows; numbers become ranges later."""
    if values.dtype.is_numeric() and values.n_unique() > _MANY_LEVELS:
        return len(values) >= 2 * _MIN_ROWS
    sizes = values.drop_nulls().value_counts()["count"]
    return int((sizes >= _MIN_ROWS).sum()) > 1
