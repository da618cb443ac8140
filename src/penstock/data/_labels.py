"""Several labels per row: a column of lists, or several 0-1 columns that are folded into one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from penstock.core import DataError, ParameterError
from penstock.data._schema import check_columns

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

FOLDED = "labels"
"""Name of the column that several 0-1 columns are folded into."""
_MOST_LABELS = 500


def fold_targets(frame: "pl.DataFrame", target: str | Sequence[str]) -> "tuple[pl.DataFrame, str]":
    """Return the table with a single target column: several 0-1 columns become lists of their names.

    >>> import polars as pl
    >>> table = pl.DataFrame({"x": [1, 2], "red": [1, 0], "round": [True, True]})
    >>> fold_targets(table, ["red", "round"])[0]["labels"].to_list()
    [['red', 'round'], ['round']]

    A row in which a column is missing has no target.

    Args:
        frame: The table.
        target: A column, or several that hold 0 and 1, or false and true.

    Returns:
        The table, and the name of the target column.

    Raises:
        NotFoundError: If a column does not exist.
        DataError: If a column holds further values.
        ParameterError: If no column is named, or a column twice.
    """
    import polars as pl

    if isinstance(target, str):
        return frame, target
    names = list(target)
    if len(names) != len({*names}) or not names:
        raise ParameterError(
            what=f"target={names!r} names {'a column twice' if names else 'no column'}.",
            fix='Name each label\'s column once: target=["red", "round"].',
        )
    if len(names) == 1:
        return frame, names[0]
    check_columns(frame, names)
    for name in names:
        _require_flags(frame[name])
    folded = FOLDED
    while folded in frame.columns:
        folded += "_"
    flags = [pl.col(name).cast(pl.Int8) == 1 for name in names]
    chosen = [pl.when(flag).then(pl.lit(name)) for name, flag in zip(names, flags, strict=True)]
    known = pl.all_horizontal(pl.col(name).is_not_null() for name in names)
    lists = pl.when(known).then(pl.concat_list(chosen).list.drop_nulls())
    return frame.with_columns(lists.alias(folded)).drop(names), folded


def labels_of(target: "pl.Series") -> tuple[Any, ...]:
    """Return all labels of a column of lists, sorted.

    Raises:
        DataError: If a list has a missing label, or there are fewer than two or too many labels.
    """
    values = target.drop_nulls().explode()
    empty = target.drop_nulls().list.len() == 0
    if values.null_count() > int(empty.sum()):
        raise DataError(
            what=f"A list of {target.name!r} has a missing label.",
            why="Whether the row has a further label is not known.",
            fix=f"Leave it out: pl.col({target.name!r}).list.drop_nulls(), or leave out the row.",
            target=target.name,
        )
    labels = tuple(values.drop_nulls().unique().sort().to_list())
    if not 1 < len(labels) <= _MOST_LABELS:
        raise DataError(
            what=f"The target {target.name!r} has {len(labels):,} different labels.",
            why=f"2 to {_MOST_LABELS} are compared, each in figures of its own.",
            fix="Split by another column, or combine rare labels.",
            target=target.name,
        )
    return labels


def label_matrix(
    target: "pl.Series", labels: Sequence[Any]
) -> "np.ndarray[Any, np.dtype[np.int8]]":
    """Return whether each row has each label, shape (n, labels), as 0 and 1.

    >>> import polars as pl
    >>> label_matrix(pl.Series([["b"], []]), ("a", "b")).tolist()
    [[0, 1], [0, 0]]

    Raises:
        DataError: If a row has a label that is none of these.
    """
    import numpy as np

    code_of = {label: code for code, label in enumerate(labels)}
    matrix = np.zeros((len(target), len(labels)), dtype=np.int8)
    for row, own in enumerate(target.to_list()):
        for label in own or ():
            if label not in code_of:
                raise DataError(
                    what=f"Row {row} has the label {label!r}, which is none of the target's labels.",
                    fix="Split a table in which every label occurs.",
                    label=label,
                )
            matrix[row, code_of[label]] = 1
    return matrix


def rarest_labels(target: "pl.Series") -> "pl.Series":
    """Return each row's rarest label, to spread all labels over the subsets of a random split."""
    import polars as pl

    lists = target.to_list()
    counts: dict[Any, int] = {}
    for own in lists:
        for label in own or ():
            counts[label] = counts.get(label, 0) + 1
    rarest = [
        min(own, key=lambda label: (counts[label], str(label))) if own else None for own in lists
    ]
    return pl.Series([None if label is None else str(label) for label in rarest], dtype=pl.String)


def _require_flags(series: "pl.Series") -> None:
    import polars as pl

    values = series.drop_nulls().unique()
    if series.dtype == pl.Boolean or (
        series.dtype.is_numeric() and all(value in (0, 1) for value in values.to_list())
    ):
        return
    shown = ", ".join(repr(value) for value in values.head(5).to_list())
    raise DataError(
        what=f"The target {series.name!r} is {series.dtype} and holds {shown}.",
        why="Of several targets each is a label that a row has (1) or has not (0).",
        fix="Make 0-1 columns: frame.to_dummies(…); or split by one target.",
        target=series.name,
    )
