"""Models without a target, judged by a target: outliers as the positive class; checks of comparability."""

from dataclasses import replace
from typing import Any

from penstock.core import DataError
from penstock.data import Split
from penstock.evaluation._prediction import ScoredRows


def require_comparable(task: str, split: Split) -> None:
    """Check that a model's predictions can be compared with the target of a split.

    Args:
        task: The model's task.
        split: The split that the model is evaluated on.

    Raises:
        DataError: If the model predicts clusters, or outliers for a target without exactly two
            classes.
    """
    if task == "clustering":
        raise DataError(
            what=f"The model predicts numbers of clusters, not values of {split.target!r}.",
            why="Cluster 0 is no class 0: a comparison would be chance.",
            fix="Measure it without a target, for example by sklearn.metrics.silhouette_score, log"
            " that with ps.log_metric, and register it by Registry().register(name, model,"
            " metrics=…).",
        )
    if task == "outliers" and split.task != "binary":
        raise DataError(
            what=f"An outlier detector cannot be compared with {split.target!r}: {split.task}.",
            why="Its predictions are outlier or not, to be compared with two classes.",
            fix="Split by a target of two classes, such as fraud or not.",
        )


def outliers_as_classes(scored: ScoredRows, classes: tuple[Any, ...], *, named: bool) -> ScoredRows:
    """Return predictions of an outlier detector as classes: an outlier is the positive class.

    Args:
        scored: Predictions -1 and 1, decision values below 0 for outliers.
        classes: The labels, (negative, positive).
        named: Whether the second is known to be the positive class.

    Raises:
        DataError: If the positive class is not known.
    """
    if not named:
        raise DataError(
            what=f"Which class are the outliers is not known: {classes[0]!r} or {classes[1]!r}.",
            why="The detector predicts outliers, and the labels do not tell which class these are.",
            fix=f"Declare it: evaluate(…, positive={classes[1]!r}).",
        )
    negative, positive = classes
    values = [positive if value == -1 else negative for value in scored.values]
    scores = None if scored.scores is None else -scored.scores
    return replace(scored, values=values, scores=scores, probability=False, classes=classes)
