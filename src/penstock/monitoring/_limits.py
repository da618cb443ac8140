"""Limits: how large a change must be to matter, and how sure one must be; apart because users set them."""

from dataclasses import asdict, dataclass
from typing import Any

from penstock.core import ParameterError


@dataclass(frozen=True, slots=True)
class Limits:
    """What raises an alarm: evidence beyond ``alpha`` and an effect surely beyond its minimum.

    >>> Limits(w1=0.2).w1
    0.2

    Args:
        alpha: Chance (0 to 1) of any false alarm in one report, over all columns.
        w1: Least move of a number: mean distance between quantiles in robust standard deviations.
        tvd: Least move of a category: share of rows (0 to 1) that changed their category.
        missing: Least rise of the share of missing values, 0.01 is one point.
        new: Least share of values that training never saw.
        errors: Least share of rows that the model failed on.
        performance: Least loss of a metric between 0 and 1.
        performance_share: Least loss of another metric, as a share of its value at registration.
        metric: The metric whose loss raises an alarm; None for the task's headline metric.
        min_truth: Truths needed before performance is judged.
        max_rows: The newest rows that are looked at.

    Raises:
        ParameterError: If a limit is out of range.
    """

    alpha: float = 0.01
    w1: float = 0.1
    tvd: float = 0.05
    missing: float = 0.01
    new: float = 0.01
    errors: float = 0.01
    performance: float = 0.02
    performance_share: float = 0.1
    metric: str | None = None
    min_truth: int = 50
    max_rows: int = 100_000

    def __post_init__(self) -> None:
        for name, value in self.to_json().items():
            if name == "metric":
                continue
            if value < 0 or (name in {"alpha", "min_truth", "max_rows"} and value == 0):
                raise ParameterError(
                    what=f"The limit {name} is {value!r}.",
                    why="A limit below nothing would alarm always.",
                    fix=f"Give {name} a value above 0.",
                )

    def to_json(self) -> dict[str, Any]:
        """Give the limits as plain JSON."""
        return asdict(self)
