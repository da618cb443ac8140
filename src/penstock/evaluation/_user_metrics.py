"""User metrics: functions of truth and prediction, with intervals, gates and comparison.

A function that returns a value per row is a mean over rows, with the intervals of means. A
function that returns a number gets the bias-corrected and accelerated bootstrap interval.

Source: Efron (1987), Better bootstrap confidence intervals, JASA 82, 171.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from penstock.core import DataError, ParameterError, find_project, summarize_error
from penstock.evaluation._bootstrap import LEVEL
from penstock.evaluation._metrics import METRICS
from penstock.evaluation._outcomes import Outcomes
from penstock.provenance import code_digest

if TYPE_CHECKING:
    import polars as pl

Floats = NDArray[np.float64]
Better = Literal["higher", "lower", "zero"]
MetricFunction = Callable[..., Any]
"""Takes truth and prediction (and by name scores, rows); returns a number, or one per row."""

_BY_NAME = ("scores", "rows")
FEWEST_RESAMPLED = 30
"""Number of rows below which the bootstrap of a function does not hold."""
_BLOCKS = 100  # of the jackknife that estimates the acceleration
_MOST_FAILED = 0.05  # share of resamples on which the function may fail


@dataclass(frozen=True)
class UserMetric:
    """A metric that is a function of the user's own.

    Args:
        name: Name in reports and gates, a Python name.
        function: Takes truth and prediction; returns a number, or a value per row whose mean counts.
        better: ``higher``, ``lower`` or ``zero`` (the nearer to 0 the better).
        by: Column whose groups the function returns a value for, instead of a value per row.
    """

    name: str
    function: MetricFunction = field(compare=False)
    better: Better = "higher"
    by: str = ""

    def __call__(self, *arguments: object, **options: object) -> object:
        """Call the function."""
        return self.function(*arguments, **options)

    @property
    def code(self) -> str:
        """Digest of the function and the user code and values within reach."""
        return code_digest(self.function, find_project()).digest

    @property
    def extras(self) -> tuple[str, ...]:
        """Arguments beyond truth and prediction that the function takes by name."""
        try:
            known = inspect.signature(self.function).parameters
        except (TypeError, ValueError):
            return ()  # compiled functions without a signature
        return tuple(name for name in _BY_NAME if name in known)


@overload
def metric(function: MetricFunction, /) -> UserMetric: ...


@overload
def metric(
    *, name: str | None = None, better: Better = "higher"
) -> Callable[[MetricFunction], UserMetric]: ...


def metric(
    function: MetricFunction | None = None,
    /,
    *,
    name: str | None = None,
    better: Better = "higher",
) -> UserMetric | Callable[[MetricFunction], UserMetric]:
    """Make a metric of a function; a decorator.

    >>> @metric(better="lower")
    ... def cost(truth, prediction):
    ...     return 5.0 * (truth != prediction)
    >>> cost.name, cost.better
    ('cost', 'lower')

    Args:
        function: Takes truth and prediction, two arrays of n labels or numbers (of several labels
            per row two arrays of 0 and 1, shape (n, labels)), and by name
            ``scores`` (as the report stores them) and ``rows`` (the table's columns); returns a
            number, or n values whose mean is the metric.
        name: Name in reports and gates; by default the function's.
        better: ``higher``, ``lower`` or ``zero`` (the nearer to 0 the better).

    Raises:
        ParameterError: If the name is no Python name or that of a metric of penstock.
    """

    def make(function: MetricFunction) -> UserMetric:
        return _checked(
            UserMetric(name or str(getattr(function, "__name__", "")), function, better)
        )

    return make if function is None else make(function)


def read_metrics(
    metrics: Mapping[str, MetricFunction] | Sequence[UserMetric],
) -> tuple[UserMetric, ...]:
    """Return metrics given by name, or as made by ``metric``.

    Args:
        metrics: Functions by name (higher is better unless ``metric`` says otherwise), or a list
            of metrics made by ``metric``.

    Raises:
        ParameterError: If a name is not legal or used twice, or a value is no function.
    """
    if isinstance(metrics, UserMetric):
        return (metrics,)
    if isinstance(metrics, Mapping):
        metrics_read = tuple(
            _checked(
                UserMetric(
                    name,
                    each.function if isinstance(each, UserMetric) else each,
                    each.better if isinstance(each, UserMetric) else "higher",
                    each.by if isinstance(each, UserMetric) else "",
                )
            )
            for name, each in metrics.items()
        )
    else:
        metrics_read = tuple(_checked(each) for each in metrics)
    names = [each.name for each in metrics_read]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ParameterError(
            what=f"Two metrics are called {twice[0]!r}.",
            fix='Name them differently: metrics={"profit": f, "profit_net": g}.',
            metric=twice[0],
        )
    return metrics_read


def _checked(metric: UserMetric) -> UserMetric:
    if not callable(getattr(metric, "function", None)):  # a list may hold anything
        raise ParameterError(
            what=f"A metric is a function, not {type(getattr(metric, 'function', metric)).__name__}.",
            fix='Write metrics={"profit": profit} with def profit(truth, prediction): …',
        )
    if not metric.name.isidentifier() or not metric.name.isascii() or metric.name in METRICS:
        why = "is a metric of penstock" if metric.name in METRICS else "is no Python name"
        raise ParameterError(
            what=f"A metric cannot be called {metric.name!r}: it {why}.",
            why="Gates name the metric.",
            fix='Give a name: metrics={"profit": function}.',
            metric=metric.name,
        )
    if metric.better not in {"higher", "lower", "zero"}:
        raise ParameterError(
            what=f"better={metric.better!r} of metric {metric.name!r} is not known.",
            fix='Use better="higher", better="lower" or better="zero".',
            metric=metric.name,
        )
    return metric


# Values


@dataclass(frozen=True)
class JudgedRows:
    """Rows that a user metric is computed on: the outcomes and the columns of the same rows.

    Args:
        outcomes: n rows.
        table: The columns of the same rows; None if no function needs them.
    """

    outcomes: Outcomes
    table: "pl.DataFrame | None"

    def take(self, rows: NDArray[np.intp]) -> "JudgedRows":
        """Return rows chosen by position."""
        return JudgedRows(
            self.outcomes.take(rows), None if self.table is None else self.table[rows]
        )

    def ordered(self) -> "JudgedRows":
        """Return the rows by content, so that intervals do not depend on their order."""
        return self.take(self.outcomes.canonical_order())

    def __len__(self) -> int:
        return len(self.outcomes)


def values_of(metric: UserMetric, rows: JudgedRows) -> Floats:
    """Call a function on rows.

    Returns:
        Shape (): a number; or shape (n,): a value per row.

    Raises:
        DataError: If the function fails or returns anything else.
    """
    outcomes = rows.outcomes
    truth, prediction = outcomes.truth, outcomes.prediction
    if outcomes.classes and outcomes.task != "multilabel":
        labels = np.array(outcomes.classes)
        labels = labels if len(labels) == len(outcomes.classes) else np.arange(len(labels))
        truth, prediction = labels[truth], labels[prediction]
    known = {"scores": outcomes.scores, "rows": rows.table}
    try:
        value = metric.function(truth, prediction, **{name: known[name] for name in metric.extras})
        floats = np.asarray(value, dtype=np.float64)
    except Exception as error:
        raise DataError(
            what=f"The metric {metric.name!r} fails: {summarize_error(error, 200)}.",
            why=f"It was called with truth and prediction of {len(rows):,} rows as arrays.",
            fix="Let it take two arrays and return a number, or a value per row.",
            metric=metric.name,
        ) from error
    by_group = bool(metric.by) and floats.ndim == 1 and len(floats) > 0
    if floats.shape not in {(), (len(rows),)} and not by_group:
        raise DataError(
            what=f"The metric {metric.name!r} returned shape {floats.shape} for {len(rows):,} rows.",
            why="A metric is a number, or one value per row whose mean counts.",
            fix="Return a number, or an array as long as truth.",
            metric=metric.name,
        )
    return floats


# Bootstrap of a function


def resample(
    call: Callable[[NDArray[np.intp]], float], rows: int, *, resamples: int, seed: int
) -> tuple[Floats, int]:
    """Call a function on resamples of row positions.

    Returns:
        The finite values, and how many resamples gave none.
    """
    generator = np.random.default_rng(seed)
    values = []
    for _ in range(resamples):
        try:
            values.append(call(generator.integers(rows, size=rows)))
        except DataError:
            values.append(np.nan)
    resampled = np.asarray(values)
    return resampled[np.isfinite(resampled)], int((~np.isfinite(resampled)).sum())


def accelerated_ends(
    value: float, resampled: Floats, call: Callable[[NDArray[np.intp]], float], rows: int
) -> tuple[float, float]:
    """Compute bias-corrected and accelerated ends of a bootstrap (Efron 1987).

    Args:
        value: The figure on all rows.
        resampled: The figure on each resample.
        call: Computes the figure on row positions, for the jackknife.
        rows: Number of rows.
    """
    from scipy.special import ndtr, ndtri

    below = np.mean(resampled < value) + np.mean(resampled == value) / 2
    bias = float(ndtri(np.clip(below, 1 / (len(resampled) + 1), 1 - 1 / (len(resampled) + 1))))
    blocks = np.array_split(np.arange(rows), min(_BLOCKS, rows))
    left = np.array([call(np.setdiff1d(np.arange(rows), block)) for block in blocks])
    off = left.mean() - left
    spread = float((off**2).sum()) ** 1.5
    skew = float((off**3).sum()) / (6 * spread) if spread > 0 else 0.0
    tails = ndtri(np.array([(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
    shares = ndtr(bias + (bias + tails) / (1 - skew * (bias + tails)))
    low, high = np.quantile(resampled, shares)
    return min(float(low), value), max(float(high), value)


def why_not_resampled(rows: int, failed: int, resamples: int) -> str:
    """Return the reason why the bootstrap of a function is not valid; empty if valid."""
    if rows < FEWEST_RESAMPLED:
        return f"{rows} rows, {FEWEST_RESAMPLED} are needed"
    if failed > _MOST_FAILED * resamples:
        return f"the function has no value on {failed} of {resamples} resamples"
    return ""
