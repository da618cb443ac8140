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
    def task(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def subset(self) -> str: ...
    @property
    def classes(self) -> tuple[Any, ...]: ...
    @property
    def metrics(self) -> "Mapping[str, Estimate]": ...
    @property
    def headline(self) -> str | None: ...
    @property
    def slices(self) -> "Mapping[str, tuple[SliceResult, ...]]": ...
    @property
    def calibration(self) -> "Calibration | None": ...
    @property
    def importance(self) -> "Importances | None": ...
    def outcomes(self) -> Outcomes: ...
