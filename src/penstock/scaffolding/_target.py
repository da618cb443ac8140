"""The task of a target column, explained in a sentence; apart because unusable targets end here."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from penstock.core import DataError
from penstock.data import guess_task
from penstock.scaffolding._notes import Label
from penstock.scaffolding._splits import Task
from penstock.tables import find_positive

if TYPE_CHECKING:
    import polars as pl

MIN_CLASS = 10
"""Classes with fewer rows can neither be learned nor tested."""

_MAX_CLASSES = 200
_MEAN_ROWS = 5
_SHOWN = 4


def require_target(target: "pl.Series") -> Task:
    """Infer the task, and refuse a target that no model could learn.

    Raises:
        DataError: If the target has lists of labels, a single value, none, or nearly as many classes as rows; or
            dates.
    """
    task = guess_task(target)
    if task == "multilabel":
        raise DataError(
            what=f"The target {target.name!r} is a list of labels in each row.",
            why="The pipeline that is written here has one class or number per row.",
            fix="Write it with ps.split(target=…), which takes lists of labels; see the docs on "
            "evaluation. Or choose another target.",
            target=target.name,
        )
    values = target.drop_nulls()
    classes = values.n_unique()
    if task == "multiclass" and (
        classes > _MAX_CLASSES or (classes > _SHOWN and classes * _MEAN_ROWS > 2 * len(values))
    ):
        raise DataError(
            what=f"The target {target.name!r} has {classes:,} different texts in {len(values):,} rows.",
            why="That is too many classes to learn from so few rows each.",
            fix="Choose a target with fewer classes, or numbers; a step can make one from this column.",
            target=target.name,
        )
    return task


def count_classes(target: "pl.Series") -> tuple[tuple[Label, int], ...]:
    """Count the rows of each class, the largest first and ties by name."""
    import polars as pl

    values = target.drop_nulls()
    if values.dtype in (pl.Categorical, pl.Enum):
        values = values.cast(pl.String)
    counts = values.value_counts(name="rows").sort(["rows", target.name], descending=[True, False])
    return tuple(zip(counts[target.name].to_list(), counts["rows"].to_list(), strict=True))


def find_rare(classes: Sequence[tuple[Label, int]]) -> tuple[Label, ...]:
    """List the classes with too few rows, if at least two classes remain.

    >>> find_rare([("cash", 900), ("card", 500), ("dispute", 2)])
    ('dispute',)
    >>> find_rare([("a", 2), ("b", 1)])
    ()
    """
    rare = tuple(label for label, rows in classes if rows < MIN_CLASS)
    return rare if len(classes) - len(rare) > 1 else ()


def choose_positive(classes: Sequence[tuple[Label, int]]) -> Label | None:
    """Choose the positive class of two classes; None where evaluation infers the class.

    Where the labels do not decide, the rarer class is positive, and the file declares that class.

    >>> choose_positive([("stays", 700), ("moves", 300)])
    'moves'
    >>> choose_positive([(0, 700), (1, 300)]) is None
    True
    """
    labels = [label for label, _ in classes]
    if len(labels) != 2:  # noqa: PLR2004 - two classes
        return None
    positive = find_positive(labels)
    if positive is None:
        return labels[1]
    return positive if isinstance(positive, str) else None


def describe_target(
    target: "pl.Series", task: Task, classes: Sequence[tuple[Label, int]], missing: int
) -> str:
    """Explain the inferred task.

    >>> import polars as pl
    >>> describe_target(pl.Series("paid", [True, False]), "binary", [(True, 1), (False, 1)], 0)
    'paid has two values: True (50 %) and False (50 %): binary classification.'
    """
    name = target.name
    without = f" Rows without it ({missing:,}) are excluded." if missing else ""
    if task == "regression":
        count = target.drop_nulls().n_unique()
        what = "whole numbers" if target.dtype.is_integer() else "numbers"
        return f"{name} has {count:,} different {what}: regression.{without}"
    total = sum(rows for _, rows in classes)
    shares = [f"{label!s:.30} ({_percent(rows / total)})" for label, rows in classes[:_SHOWN]]
    if task == "binary":
        return f"{name} has two values: {' and '.join(shares)}: binary classification.{without}"
    more = f" and {len(classes) - _SHOWN} more" if len(classes) > _SHOWN else ""
    kind = "codes" if target.dtype.is_numeric() else "values"
    sentence = f"{name} has {len(classes)} {kind}: {', '.join(shares)}{more}"
    return f"{sentence}: multi-class classification.{without}"


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %") if share >= 0.01 else "under 1 %"  # noqa: PLR2004
