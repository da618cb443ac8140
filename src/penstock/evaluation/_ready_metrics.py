"""Ready metrics of rankings and quantile forecasts, for ``metrics=`` of evaluate.

A ranking is judged by query: metrics are means over queries, and so are the intervals, since
the rows of a query are ranked among themselves.

Source: Järvelin and Kekäläinen (2002) for NDCG; Koenker and Bassett (1978) for the pinball loss.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from penstock.core import ParameterError
from penstock.evaluation._user_metrics import Better, UserMetric

if TYPE_CHECKING:
    import polars as pl

Floats = NDArray[np.float64]
RankingKind = Literal["ndcg", "average_precision", "reciprocal_rank"]


@dataclass(frozen=True)
class RankedByQuery:
    """A figure per query of the ranks of the relevant rows.

    Args:
        kind: ``ndcg``, ``average_precision`` or ``reciprocal_rank``.
        by: Column of the queries.
        k: Number of ranks that count.
    """

    kind: RankingKind
    by: str
    k: int

    def __call__(
        self, truth: Any, prediction: Any, scores: "Floats | None", rows: "pl.DataFrame"
    ) -> Floats:
        """Return the figure of each query that has a relevant row."""
        if self.by not in rows.columns:
            raise ValueError(f"the table has no column {self.by!r} of queries")
        relevance = np.asarray(truth, dtype=np.float64)  # labels that are no numbers fail here
        score = np.asarray(prediction if scores is None else scores, dtype=np.float64)
        queries = np.unique(rows[self.by].cast(str).fill_null("").to_numpy(), return_inverse=True)[
            1
        ]
        order = np.argsort(queries, kind="stable")
        cuts = np.flatnonzero(np.diff(queries[order])) + 1
        judge = _KINDS[self.kind]
        gains = [
            judge(relevance[query], score[query], self.k)
            for query in np.split(order, cuts)
            if (relevance[query] > 0).any()
        ]
        return np.array(gains)

    def recipe(self) -> dict[str, Any]:
        """Return the function and arguments that make the metric again."""
        name = {"ndcg": "ndcg", "average_precision": "mean_average_precision"}.get(
            self.kind, "mean_reciprocal_rank"
        )
        return {"maker": name, "arguments": {"by": self.by, "k": self.k}}


def _ndcg(relevance: Floats, score: Floats, k: int) -> float:
    from sklearn.metrics import ndcg_score

    if len(relevance) == 1:
        return 1.0  # a single row is ranked first
    return float(ndcg_score(relevance[None, :], score[None, :], k=k))


def _average_precision(relevance: Floats, score: Floats, k: int) -> float:
    hits = (relevance[np.argsort(-score, kind="stable")] > 0)[:k]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float((precision * hits).sum() / min(int((relevance > 0).sum()), k))


def _reciprocal_rank(relevance: Floats, score: Floats, k: int) -> float:
    hits = np.flatnonzero((relevance[np.argsort(-score, kind="stable")] > 0)[:k])
    return float(1 / (hits[0] + 1)) if len(hits) else 0.0


_KINDS: dict[str, Callable[[Floats, Floats, int], float]] = {
    "ndcg": _ndcg,
    "average_precision": _average_precision,
    "reciprocal_rank": _reciprocal_rank,
}


def ndcg(by: str, k: int = 10) -> UserMetric:
    """Make the normalised discounted cumulative gain of the first k ranks, the mean over queries.

    >>> ndcg("query", 5).name
    'ndcg_at_5'

    Args:
        by: Column of the queries; the target is the relevance, a number of 0 or more.
        k: Number of ranks that count.
    """
    return _ranking("ndcg", "ndcg", by, k)


def mean_average_precision(by: str, k: int = 10) -> UserMetric:
    """Make the mean over queries of the average precision in the first k ranks.

    >>> mean_average_precision("query").name
    'map_at_10'

    Args:
        by: Column of the queries; rows with a target above 0 are relevant.
        k: Number of ranks that count.
    """
    return _ranking("average_precision", "map", by, k)


def mean_reciprocal_rank(by: str, k: int = 10) -> UserMetric:
    """Make the mean over queries of 1 / rank of the first relevant row; 0 beyond rank k.

    >>> mean_reciprocal_rank("query").name
    'mrr_at_10'

    Args:
        by: Column of the queries; rows with a target above 0 are relevant.
        k: Number of ranks that count.
    """
    return _ranking("reciprocal_rank", "mrr", by, k)


def _ranking(kind: RankingKind, title: str, by: str, k: int) -> UserMetric:
    if k < 1:
        raise ParameterError(what=f"k is {k}.", fix="Count at least the first rank: k=1.")
    return UserMetric(f"{title}_at_{k}", RankedByQuery(kind, by, k), by=by)


@dataclass(frozen=True)
class QuantileFigure:
    """A figure per row of a forecast of a quantile.

    Args:
        kind: ``pinball`` (loss) or ``coverage`` (whether the truth is at most the forecast).
        quantile: The forecast quantile, 0 to 1.
    """

    kind: Literal["pinball", "coverage"]
    quantile: float

    def __call__(self, truth: Any, prediction: Any) -> Floats:
        """Return the figure of each row."""
        over = np.asarray(truth, dtype=np.float64) - np.asarray(prediction, dtype=np.float64)
        if self.kind == "coverage":
            return np.asarray(over <= 0, dtype=np.float64)
        return np.asarray(np.maximum(self.quantile * over, (self.quantile - 1) * over))

    def recipe(self) -> dict[str, Any]:
        """Return the function and arguments that make the metric again."""
        return {"maker": self.kind, "arguments": {"quantile": self.quantile}}


def pinball(quantile: float) -> UserMetric:
    """Make the pinball loss of a quantile's forecast; lower is better.

    >>> pinball(0.9).name
    'pinball_90'

    Args:
        quantile: The forecast quantile, between 0 and 1.
    """
    return _quantile("pinball", quantile, "lower")


def coverage(quantile: float) -> UserMetric:
    """Make the share of true values at or below a quantile's forecast; best at the quantile.

    >>> coverage(0.9).name
    'coverage_90'

    Args:
        quantile: The forecast quantile, between 0 and 1.
    """
    return _quantile("coverage", quantile, "higher")


def _quantile(kind: Literal["pinball", "coverage"], quantile: float, better: Better) -> UserMetric:
    if not 0 < quantile < 1:
        raise ParameterError(
            what=f"The quantile is {quantile}.", fix="Give a number between 0 and 1, such as 0.9."
        )
    name = f"{kind}_{100 * quantile:g}".replace(".", "_")
    return UserMetric(name, QuantileFigure(kind, quantile), better)
