"""Calibration: whether a score of 0.7 is right in 70 % of cases; apart because this is a curve."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.evaluation._outcomes import Outcomes

_BINS = 10
_Z = 1.959963984540054  # normal quantile of a two-sided 95 % interval


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Rows with similar scores.

    Args:
        rows: Number of rows.
        score: Mean score of the rows, 0 to 1.
        share: Share of the rows in which the scored class is the truth, 0 to 1.
        low: Lower end of the share's 95 % Wilson interval.
        high: Upper end of the interval.
    """

    rows: int
    score: float
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Scores against ground truth, in up to ten bins of equal counts.

    Args:
        bins: Bins by rising score.
        expected_calibration_error: Mean distance of score and share, weighted by rows, 0 to 1.
        brier: Mean squared distance of score and truth; None for several classes.
        subject: Name of the event whose probability the score is, for the axis.
    """

    bins: tuple[CalibrationBin, ...]
    expected_calibration_error: float
    brier: float | None
    subject: str

    def to_json(self) -> dict[str, Any]:
        """Return the calibration as plain JSON."""
        document = asdict(self)
        return {**document, "bins": [asdict(each) for each in self.bins]}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Calibration":
        """Return the calibration that ``to_json`` wrote."""
        bins = tuple(CalibrationBin(**each) for each in document["bins"])
        return cls(**{**document, "bins": bins})


def calibrate(outcomes: "Outcomes") -> Calibration | None:
    """Compare scores with ground truth; None without probabilities.

    For several classes the score is the highest class score, and the event is that this class is
    the truth. Bins are those of scikit-learn's ``calibration_curve`` with ``strategy="quantile"``.

    Args:
        outcomes: The test rows.
    """
    import numpy as np

    if outcomes.scores is None or not outcomes.probability or outcomes.bad_scores:
        return None
    if not len(outcomes):
        return None
    outcomes = outcomes.take(outcomes.canonical_order())
    assert outcomes.scores is not None
    if outcomes.task == "multilabel":
        scores, true = outcomes.scores.reshape(-1), outcomes.truth.reshape(-1) == 1
        subject, brier = "each label", float(np.mean((scores - true) ** 2))
    elif outcomes.task == "binary":
        scores, true = outcomes.scores, outcomes.truth == 1
        subject, brier = f"{outcomes.classes[1]!r}", float(np.mean((scores - true) ** 2))
    else:
        scores, true = outcomes.scores.max(axis=1), outcomes.scores.argmax(axis=1) == outcomes.truth
        subject, brier = "the predicted class", None
    edges = np.quantile(scores, np.linspace(0, 1, _BINS + 1))
    codes = np.searchsorted(edges[1:-1], scores)
    rows = np.bincount(codes, minlength=_BINS)
    totals = np.bincount(codes, weights=scores, minlength=_BINS)
    hits = np.bincount(codes, weights=true, minlength=_BINS)
    bins = tuple(
        _bin(int(count), float(total), int(hit))
        for count, total, hit in zip(rows, totals, hits, strict=True)
        if count
    )
    distance = sum(each.rows * abs(each.score - each.share) for each in bins) / len(scores)
    return Calibration(bins, distance, brier, subject)


def _bin(rows: int, total: float, hits: int) -> CalibrationBin:
    share = hits / rows
    # Wilson (1927): stays inside 0 to 1 and holds for few rows.
    centre = (share + _Z**2 / (2 * rows)) / (1 + _Z**2 / rows)
    half = _Z / (1 + _Z**2 / rows) * (share * (1 - share) / rows + _Z**2 / (4 * rows**2)) ** 0.5
    return CalibrationBin(
        rows,
        total / rows,
        share,
        max(min(centre - half, share), 0.0),
        min(max(centre + half, share), 1.0),
    )
