"""Kinds of predictions of an estimator: labels and numbers, clusters, outliers, several targets.

Read off scikit-learn's tags and fitted attributes; apart from the signature, which only stores
them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.core import DataError
from penstock.models._targets import Target, is_row_of_values
from penstock.tables import plain_value

OUTLIER_LABELS = (-1, 1)
"""Predictions of an outlier detector: -1 for an outlier, 1 for an inlier."""

# Further outputs by task, in the order in which they are described.
_EXTRAS: Mapping[str, tuple[str, ...]] = {
    "clustering": ("score_samples", "transform"),
    "outliers": ("decision_function", "score_samples"),
}


@dataclass(frozen=True, slots=True)
class ExtraOutput:
    """An output beside the prediction, computed on request.

    >>> ExtraOutput("transform", 3).shape
    [-1, 3]

    Args:
        name: Name of the estimator's method: ``decision_function``, ``score_samples`` or
            ``transform``.
        width: Values per row; 0 for a single number.
    """

    name: str
    width: int = 0

    @property
    def shape(self) -> list[int]:
        """Shape of the output for any number of rows."""
        return [-1, self.width] if self.width else [-1]


def special_task(estimator: Any) -> str | None:
    """Return ``clustering`` or ``outliers`` for such an estimator, else None.

    >>> from sklearn.ensemble import IsolationForest
    >>> special_task(IsolationForest())
    'outliers'
    """
    kind = _estimator_type(estimator)
    if kind == "outlier_detector":
        return "outliers"
    # Mixtures are density estimators that predict the likeliest component.
    return "clustering" if kind in {"clusterer", "density_estimator"} else None


def cluster_labels(estimator: Any, predicted: Sequence[Any]) -> tuple[Any, ...]:
    """Return all labels that a fitted clusterer can predict, in order.

    Args:
        estimator: The clusterer, or a pipeline that ends with a clusterer.
        predicted: Predicted labels, where the attributes do not show them.
    """
    last = _last(estimator)
    count = next((size for size in map(_count, _sizes(last)) if size), 0)
    if count:
        return tuple(range(count))
    known = getattr(last, "subcluster_labels_", getattr(last, "labels_", None))
    seen = {plain_value(label) for label in (() if known is None else _list(known))}
    return tuple(sorted(seen | {*predicted}))


def find_extras(estimator: Any, table: Any, task: str) -> tuple[ExtraOutput, ...]:
    """Find the further outputs of an estimator by computing each for some rows.

    Args:
        estimator: The fitted estimator.
        table: The rows, in the frame type of the estimator.
        task: The model's task.
    """
    extras = []
    for name in _EXTRAS.get(task, ()):
        method = getattr(estimator, name, None)
        if method is None:
            continue
        try:
            shape: tuple[int, ...] = getattr(method(table), "shape", ())
        except Exception:  # noqa: BLE001, S112 - some have the method and refuse to answer
            continue
        if len(shape) in {1, 2}:
            extras.append(ExtraOutput(name, shape[1] if len(shape) == 2 else 0))  # noqa: PLR2004
    return tuple(extras)


def find_targets(estimator: Any, output: Any, truth: Any) -> tuple[Target, ...]:
    """Return the targets of an estimator that predicts several; empty for a single target.

    Args:
        estimator: The fitted estimator.
        output: The estimator's predictions of some rows.
        truth: True values of some rows: a frame has the names of the targets; None if unknown.

    Raises:
        DataError: If the true values have a different number of columns.
    """
    if not is_row_of_values(output):
        return ()
    width = output.shape[1]
    names = _target_names(truth, width)
    classes = _classes_of_targets(estimator, width)
    return tuple(
        Target(name, tuple(map(plain_value, _list(labels))))
        for name, labels in zip(names, classes, strict=True)
    )


def why_no_predict(estimator: Any) -> str:
    """Return how to use an estimator without ``predict``; empty if nothing particular is known.

    >>> from sklearn.neighbors import LocalOutlierFactor
    >>> why_no_predict(LocalOutlierFactor())
    'Create it with novelty=True: without, it labels only the rows that it was fitted on.'
    """
    name = type(_last(estimator)).__name__
    if name == "LocalOutlierFactor":
        return (
            "Create it with novelty=True: without, it labels only the rows that it was fitted on."
        )
    if _estimator_type(estimator) == "clusterer":
        return (
            f"{name} labels only the rows that it was fitted on. Use KMeans, GaussianMixture or"
            " Birch, or train a classifier on the labels that it found."
        )
    return ""


def _estimator_type(estimator: Any) -> str | None:
    from sklearn.utils import get_tags

    try:
        kind: str | None = get_tags(estimator).estimator_type
    except Exception:  # noqa: BLE001 - a foreign class has no tags, or of an older form
        kind = None
    return kind or getattr(_last(estimator), "_estimator_type", None)


def _last(estimator: Any) -> Any:
    steps = getattr(estimator, "steps", None)
    return steps[-1][1] if steps else estimator


def _sizes(last: Any) -> list[Any]:
    if hasattr(last, "subcluster_labels_"):
        return []  # Birch: centres of subclusters, which are joined
    centres = getattr(last, "cluster_centers_", None)
    return [centres, getattr(last, "means_", None)]


def _count(values: Any) -> int:
    return 0 if values is None else len(values)


def _list(values: Any) -> list[Any]:
    return values.tolist() if hasattr(values, "tolist") else list(values)


def _target_names(truth: Any, width: int) -> list[str]:
    names = [str(name) for name in getattr(truth, "columns", ())]
    if truth is not None and not names:
        first = next(iter(truth), ())
        columns = len(first) if hasattr(first, "__len__") and not isinstance(first, str) else 1
        names = [f"target_{place}" for place in range(columns)]
    if truth is None:
        return [f"target_{place}" for place in range(width)]
    if len(names) != width:
        raise DataError(
            what=f"The model predicts {width} values per row, but y has {len(names)}.",
            why="Each prediction is compared with the true value of its target.",
            fix="Give y with the columns that the model was fitted on, in that order.",
        )
    return names


def _classes_of_targets(estimator: Any, width: int) -> list[Any]:
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        return [()] * width
    if isinstance(classes, list) and len(classes) == width:
        return classes
    return [(0, 1)] * width  # one label set a column: an indicator matrix
