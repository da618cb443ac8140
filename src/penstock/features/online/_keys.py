"""Keys of a question to columns with the declared dtypes; from a dict, dicts or a frame."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.core import SchemaError, did_you_mean, summarize_error
from penstock.features.views import FeatureView, JoinPlan, fit_column, widens
from penstock.tables import columns_of

if TYPE_CHECKING:
    import polars as pl


def columns_asked(plan: JoinPlan) -> "dict[str, pl.DataType]":
    """Return the keys and request inputs that a plan needs, with their dtypes."""
    keys: dict[str, pl.DataType] = {}
    for each in plan.selections:
        for name, kind in each.view.entity.dtypes.items():
            # Of two widths the smaller: it fits both views.
            if name not in keys or widens(kind, keys[name]):
                keys[name] = kind
    request = {name: each.inputs[name] for each in plan.on_demand for name in each.request}
    return {**keys, **request}


def read_asked(rows: Any, declared: "Mapping[str, pl.DataType]", owner: str) -> "pl.DataFrame":
    """Return the declared columns of the arguments, in the order of the rows.

    Args:
        rows: A polars or pandas frame, a dict of values or lists, or a list of dicts.
        declared: Names with their dtypes; further columns are ignored.
        owner: User of the columns, for messages.

    Raises:
        SchemaError: If a column is missing or has the wrong dtype.
    """
    import polars as pl

    columns = {each.name: each for each in _columns(rows, declared, owner)}
    for name in declared:
        if name not in columns:
            raise SchemaError(
                what=f"The keys for {owner} have no column {name!r}.",
                why="Without it no row can be found, or no feature be computed.",
                fix=did_you_mean(name, columns) or f"Give for example {{{name!r}: [...]}}.",
                column=name,
            )
    return pl.DataFrame([fit_column(columns[name], kind, owner) for name, kind in declared.items()])


def read_erased(rows: Any, views: "Sequence[FeatureView]") -> "pl.DataFrame":
    """Return the keys to erase: those columns of the argument that are keys of views.

    Raises:
        SchemaError: If a key has the wrong dtype, or belongs to no view.
    """
    import polars as pl

    known = {name: kind for each in views for name, kind in each.entity.dtypes.items()}
    columns = _columns(rows, known, "an erasure")
    unknown = [each.name for each in columns if each.name not in known]
    if unknown or not columns:
        raise SchemaError(
            what=f"No feature view has the key {unknown[0]!r}."
            if unknown
            else "There are no keys.",
            why="Rows are erased by the keys of their views.",
            fix=did_you_mean(unknown[0] if unknown else "", known) or "Apply the view first.",
        )
    return pl.DataFrame([fit_column(each, known[each.name], "an erasure") for each in columns])


def _columns(rows: Any, declared: "Mapping[str, pl.DataType]", owner: str) -> "list[pl.Series]":
    import polars as pl

    if isinstance(rows, Sequence) and not isinstance(rows, str | bytes):
        names = {name for row in rows if isinstance(row, Mapping) for name in row}
        if len(rows) and not names:
            return columns_of(rows)  # refuses it
        rows = {name: [row.get(name) for row in rows] for name in names or declared}
    if not isinstance(rows, Mapping):
        return columns_of(rows)
    lists = {
        name: value if isinstance(value, list | tuple | pl.Series) else [value]
        for name, value in rows.items()
    }
    return [
        value if isinstance(value, pl.Series) else _series(name, value, declared.get(name), owner)
        for name, value in lists.items()
    ]


def _series(name: str, values: Any, kind: "pl.DataType | None", owner: str) -> "pl.Series":
    import polars as pl

    try:
        return _unchanged(values, pl.Series(name, values, dtype=kind), kind)
    except (TypeError, OverflowError, ValueError, pl.exceptions.PolarsError) as error:
        raise SchemaError(
            what=f"Values of {name!r} for {owner} are no {kind}: {summarize_error(error)}.",
            why="A key that is converted on the way is another key.",
            fix="Give values of the declared dtype.",
            column=name,
        ) from error


def _unchanged(values: Any, column: "pl.Series", kind: "pl.DataType | None") -> "pl.Series":
    """Return a column if polars has taken the values as they are: some are converted in silence.

    Raises:
        ValueError: If a value changed.
    """
    import polars as pl

    for original, stored in zip(values, column, strict=True) if kind is not None else ():
        if isinstance(stored, pl.Series):
            _unchanged(original, stored, kind)
        elif original is not None and not _is_same(original, stored):
            raise ValueError(f"{original!r} would become {stored!r}")
    return column


def _is_same(original: Any, stored: Any) -> bool:
    match stored:
        case bool():
            return isinstance(original, bool | np.bool_)
        case datetime():
            moment = datetime.fromisoformat(original) if isinstance(original, str) else original
            return isinstance(moment, datetime) and moment.tzinfo is not None and moment == stored
        case date():
            return isinstance(original, date | str)
        case Decimal():
            return not isinstance(original, bool) and Decimal(str(original)) == stored
        case int() | float():
            if isinstance(original, bool | np.bool_):
                return False
            return not isinstance(original, int) or original == stored
        case _:
            return True
