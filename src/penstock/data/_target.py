"""Task of a target: two classes, several, labels or a number; separate, as encoders use this."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from penstock.core import DataError
from penstock.data._labels import labels_of

if TYPE_CHECKING:
    import polars as pl

Task: TypeAlias = Literal["binary", "multiclass", "regression", "multilabel"]

_CODES = 20
"""Largest number of values of integers, without gaps, that are codes of classes."""

_MAX_CLASSES = 1_000


def guess_task(target: "pl.Series") -> Task:
    """Return the task that the values of a target suggest.

    Booleans, texts and two different numbers are classes. So are integers from 0 or 1 upwards
    without a gap, if there are at most 20 and they occur twice on average. Lists of texts or
    integers are several labels per row. All else is a number.

    >>> import polars as pl
    >>> guess_task(pl.Series(["no", "yes"])), guess_task(pl.Series([1, 2, 3, 1, 2]))
    ('binary', 'multiclass')
    >>> guess_task(pl.Series([16, 40, 32]))
    'regression'

    Raises:
        DataError: If the target cannot be predicted: dates, lists of numbers, or a single value.
    """
    return guess_of_values(TargetValues.of(target))


@dataclass(frozen=True, slots=True)
class TargetValues:
    """Facts of a target's values from which the task follows.

    Args:
        name: Name of the column.
        dtype: Type of the values.
        rows: Number of values that are not missing.
        distinct: Number of different values.
        first: A value; None without any.
        low: The smallest of integers, else None.
        high: The largest of integers, else None.
    """

    name: str
    dtype: "pl.DataType"
    rows: int
    distinct: int
    first: Any
    low: Any = None
    high: Any = None

    @classmethod
    def of(cls, target: "pl.Series") -> "TargetValues":
        """Return the facts of a column."""
        values = target.drop_nulls()
        distinct = values.n_unique() if len(values) else 0
        ends = (values.min(), values.max()) if target.dtype.is_integer() else (None, None)
        first = values[0] if len(values) else None
        return cls(target.name, target.dtype, len(values), distinct, first, *ends)


def guess_of_values(target: TargetValues) -> Task:
    """Return the task that facts of a target's values suggest; see `guess_task`."""
    import polars as pl

    if is_labels(target.dtype):
        require_variety(target, target.distinct)
        return "multilabel"
    if not target.dtype.is_numeric() and target.dtype not in (
        pl.Boolean,
        pl.String,
        pl.Categorical,
        pl.Enum,
    ):
        raise DataError(
            what=f"The target {target.name!r} is {target.dtype}.",
            why="A model predicts classes (text, boolean, integer) or numbers.",
            fix="Make a column of one of these types from it first, or lists of texts for labels.",
        )
    distinct = target.distinct
    require_variety(target, distinct)
    if distinct == 2:  # noqa: PLR2004 - two classes
        return "binary"
    if target.dtype.is_integer():
        low, high = target.low, target.high
        dense = low in {0, 1} and distinct <= _CODES and high - low + 1 == distinct
        return "multiclass" if dense and distinct * 2 <= target.rows + 1 else "regression"
    if target.dtype.is_numeric():
        return "regression"
    if distinct > _MAX_CLASSES or (distinct == target.rows and distinct > _CODES):
        raise DataError(
            what=f"The target {target.name!r} has {distinct:,} different texts in {target.rows:,} rows.",
            why="Such a column names rows rather than classes.",
            fix="Choose another target, or turn it into a number first.",
        )
    return "multiclass"


def choose_task(target: "pl.Series | TargetValues", requested: Task | None) -> Task:
    """Return the requested task if the values allow that, else the guess.

    Raises:
        DataError: If the target does not allow the task.
    """
    values = target if isinstance(target, TargetValues) else TargetValues.of(target)
    if requested is None:
        return guess_of_values(values)
    distinct = values.distinct
    fits = {
        "binary": distinct == 2,  # noqa: PLR2004 - two classes
        "multiclass": not target.dtype.is_float() or distinct <= _CODES,
        "regression": target.dtype.is_numeric(),
        "multilabel": is_labels(target.dtype),
    }
    if not fits.get(requested, False):
        raise DataError(
            what=f"task={requested!r} does not fit the target {target.name!r}: {target.dtype} with "
            f"{distinct:,} different values.",
            fix="Give binary, multiclass, multilabel (lists) or regression as the values allow, or leave task= out.",
        )
    return requested


def require_variety(target: "pl.Series | TargetValues", distinct: int) -> None:
    """Check that the target has two values or more.

    Raises:
        DataError: If the target has a single value, or none.
    """
    if distinct > 1:
        return
    values = target if isinstance(target, TargetValues) else TargetValues.of(target)
    variety = (
        f"one value, {values.first!r}, in {values.rows:,} rows" if values.rows else "no values"
    )
    raise DataError(
        what=f"The target {target.name!r} has {variety}.",
        why="A model has nothing to distinguish.",
        fix="Choose another target, or rows in which it varies (a wider since and cutoff).",
        target=target.name,
    )


def classes_of(target: "pl.Series", task: Task) -> tuple[Any, ...]:
    """List the classes in sorted order; empty for regression."""
    if task == "regression":
        return ()
    if task == "multilabel":
        return labels_of(target)
    return tuple(_sortable(target.drop_nulls()).unique().sort().to_list())


def is_labels(dtype: "pl.DataType") -> bool:
    """Return whether a column holds lists of labels."""
    import polars as pl

    if not isinstance(dtype, pl.List | pl.Array):
        return False
    inner = dtype.inner
    return inner in (pl.String, pl.Categorical, pl.Enum) or bool(inner.is_integer())


def _sortable(target: "pl.Series") -> "pl.Series":
    import polars as pl

    # Categories otherwise sort by their codes, which depend on the rows' order.
    return target.cast(pl.String) if target.dtype in (pl.Categorical, pl.Enum) else target
