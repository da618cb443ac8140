"""``groups``: a table split by the values of a column; apart because execution needs the function too."""

from typing import Any

from penstock.core import DefinitionError, with_article

_SHOWN = 10


def groups(table: object, by: str) -> dict[Any, Any]:
    """Split a table into the rows of each value of a column, in the order of the values.

    >>> import polars as pl
    >>> list(groups(pl.DataFrame({"x": [2, 1, 2]}), "x"))
    [1, 2]

    Args:
        table: A polars or pandas frame, or an object with a polars ``table`` (a Snapshot).
        by: The column. Rows without a value in the column come last, as None.

    Raises:
        DefinitionError: If the value is no table, or has no such column.
    """
    frame: Any = table if hasattr(table, "columns") else getattr(table, "table", None)
    if frame is None:
        raise DefinitionError(
            what=f"Items were to be the rows of each {by!r}, but {with_article(type(table).__name__)} is no"
            " table.",
            fix="Give a table, or map over the items of a list without by.",
        )
    frame = frame.collect() if hasattr(frame, "collect") else frame
    columns = [str(name) for name in frame.columns]
    if by not in columns:
        listed = ", ".join(columns[:_SHOWN]) + (", …" if len(columns) > _SHOWN else "")
        raise DefinitionError(
            what=f"Items were to be the rows of each {by!r}, but the table has no such column.",
            fix=f"Name one of its columns: {listed}.",
            by=by,
        )
    if hasattr(frame, "partition_by"):
        rows_by_value = {key[0]: rows for key, rows in frame.partition_by(by, as_dict=True).items()}
        return _ordered(rows_by_value)
    return {
        None if key != key else _plain(key): rows  # noqa: PLR0124 - pandas has NaN for no value
        for key, rows in frame.groupby(by, dropna=False)
    }


def _ordered(rows_by_value: dict[Any, Any]) -> dict[Any, Any]:
    """Sort groups by key: NaN after numbers, and rows without a value last."""
    last = [key for key in rows_by_value if key is None or key != key]  # noqa: PLR0124 - NaN
    keys = sorted(key for key in rows_by_value if key is not None and key == key)  # noqa: PLR0124 - NaN
    return {key: rows_by_value[key] for key in [*keys, *sorted(last, key=lambda key: key is None)]}


def _plain(key: Any) -> Any:
    """Return a NumPy scalar as Python's number, as people would write the key."""
    return key.item() if type(key).__module__ == "numpy" and hasattr(key, "item") else key
