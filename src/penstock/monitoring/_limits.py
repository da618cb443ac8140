"""Limits: minimum effects and the significance level; apart because users set them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from penstock.core import (
    ParameterError,
    did_you_mean,
    require_number,
)
from penstock.monitoring._feature_skew import LIMIT

_ABOVE_ZERO = frozenset({"alpha", "min_truth", "max_rows"})
_OF_A_COLUMN = ("w1", "tvd", "ratio", "ratio_floor", "missing", "new")


@dataclass(frozen=True, slots=True)
class Limits:
    """The alarm limits: evidence beyond ``alpha`` and an effect significantly above the minimum.

    >>> limits = Limits(w1=0.2, columns={"amount": {"w1": 0.05}})
    >>> limits.w1, limits.of("amount").w1
    (0.2, 0.05)

    Args:
        alpha: Chance (0 to 1) of any false alarm in a report, over all columns.
        w1: Minimum move of a number: mean distance between quantiles in robust standard deviations.
        tvd: Minimum move of a category: share of rows (0 to 1) that changed their category.
        ratio: Minimum factor by which the share of a rare category (below 20 %) rises or falls.
        ratio_floor: Minimum difference of such a share, 0.0005 is a twentieth of a point.
        missing: Minimum rise of the share of missing values, 0.01 is one point.
        new: Minimum share of values absent from training.
        errors: Minimum share of rows that the model failed on.
        performance: Minimum loss of a metric between 0 and 1.
        performance_share: Minimum loss of all further metrics, as a share of the value at
            registration.
        skew: Minimum share of rows on which a feature differs from the history at that time.
        metric: The metric whose loss raises an alarm; None for the task's headline metric.
        min_truth: Ground truth values needed before performance is judged.
        max_rows: Number of newest rows compared.
        columns: Limits of single columns by name: w1, tvd, ratio, ratio_floor, missing, new.

    Raises:
        ParameterError: If a limit is out of range.
    """

    alpha: float = 0.01
    w1: float = 0.1
    tvd: float = 0.05
    ratio: float = 1.25
    ratio_floor: float = 0.0005
    missing: float = 0.01
    new: float = 0.01
    errors: float = 0.01
    performance: float = 0.02
    performance_share: float = 0.1
    skew: float = LIMIT
    metric: str | None = None
    min_truth: int = 50
    max_rows: int = 100_000
    columns: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name in {"metric", "columns"}:
                continue
            above = 0 if each.name in _ABOVE_ZERO else None
            require_number(
                each.name, value, low=0, above=above, why="A lower limit would alarm always."
            )
        for column, limits in self.columns.items():
            for name in limits:
                if name not in _OF_A_COLUMN:
                    raise ParameterError(
                        what=f"Column {column!r} has no limit {name!r}.",
                        fix=did_you_mean(name, _OF_A_COLUMN),
                    )
            self.of(column)

    def of(self, column: str) -> "Limits":
        """Return the limits of a column.

        Args:
            column: The column's name; ``prediction`` and ``score`` have limits too.
        """
        own = self.columns.get(column)
        return replace(self, columns={}, **own) if own else self  # type: ignore[arg-type] # names are checked

    def to_json(self) -> dict[str, Any]:
        """Return the limits as plain JSON."""
        return asdict(self)
