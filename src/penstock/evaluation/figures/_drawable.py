"""Drawable: the part of a report that figures need; apart so that figures know no report."""

from typing import TYPE_CHECKING, Any, Protocol

from penstock.evaluation._outcomes import Outcomes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.evaluation._calibration import Calibration
    from penstock.evaluation._importance import Importances
    from penstock.evaluation._metrics import Estimate
    from penstock.evaluation._slices import SliceResult


class Drawable(Protocol):
    """The attributes of a report that figures need."""

    @property
    def task(self) -> str:
        """``binary``, ``multiclass``, ``multilabel`` or ``regression``."""
        ...

    @property
    def target(self) -> str:
        """The target column."""
        ...

    @property
    def subset(self) -> str:
        """Subset of the split that was used."""
        ...

    @property
    def classes(self) -> tuple[Any, ...]:
        """All labels, sorted; empty for regression."""
        ...

    @property
    def metrics(self) -> "Mapping[str, Estimate]":
        """Estimates by name."""
        ...

    @property
    def headline(self) -> str | None:
        """Name of the task's first metric that the report has."""
        ...

    @property
    def slices(self) -> "Mapping[str, tuple[SliceResult, ...]]":
        """Results of a column's values, by column."""
        ...

    @property
    def calibration(self) -> "Calibration | None":
        """Scores against ground truth; None without probabilities."""
        ...

    @property
    def importance(self) -> "Importances | None":
        """Permutation importance of the inputs; None if not measured."""
        ...

    def outcomes(self) -> Outcomes:
        """Return truth, predictions and scores of the holdout as arrays."""
        ...
