"""Forecasts of several quantiles: predictions, ready metrics of the intervals, and crossings.

Notation: n rows, Q quantiles lowest first; the interval of level 1 - a lies between the quantiles
a/2 and 1 - a/2. Sources: Winkler (1972) and Gneiting and Raftery (2007) for the interval score,
Koenker and Bassett (1978) for the pinball loss.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from penstock.core import DataError, ParameterError
from penstock.evaluation._prediction import ScoredRows
from penstock.evaluation._user_metrics import Better, UserMetric
from penstock.models import Model, predict_several

if TYPE_CHECKING:
    import polars as pl

Floats = NDArray[np.float64]
Kind = Literal["pinball", "interval_coverage", "interval_width", "interval_score", "crossing"]
_CLOSE = 1e-9  # 1 - 0.9 and 0.1 are the same share
_BETTER: dict[Kind, Better] = {"interval_coverage": "higher"}
_NAME_OF_TARGET = "quantile_"


def read_quantiles(quantiles: Sequence[float]) -> tuple[float, ...]:
    """Return the quantiles of a forecast, checked.

    Raises:
        ParameterError: If there are fewer than two, a quantile is not between 0 and 1, or they do
            not rise.
    """
    levels = tuple(float(each) for each in quantiles)
    if (
        len(levels) == 1
        or any(not 0 < each < 1 for each in levels)
        or list(levels) != sorted({*levels})
    ):
        raise ParameterError(
            what=f"quantiles={tuple(quantiles)!r} are no quantiles of a forecast.",
            why="They name the columns that the model predicts, lowest first.",
            fix="Give two or more rising numbers between 0 and 1: quantiles=(0.05, 0.5, 0.95).",
            quantiles=levels,
        )
    return levels


def target_names(quantiles: Sequence[float]) -> list[str]:
    """Return the names of a model's values by quantile.

    >>> target_names((0.05, 0.5))
    ['quantile_0.05', 'quantile_0.5']
    """
    return [f"{_NAME_OF_TARGET}{each:g}" for each in quantiles]


def predict_quantiles(
    model: Model, frame: "pl.DataFrame", quantiles: Sequence[float]
) -> ScoredRows:
    """Predict the quantiles of rows; the values are those of the middle quantile.

    Args:
        model: A model of Q values per row, lowest quantile first.
        frame: The feature columns.
        quantiles: The Q quantiles.

    Returns:
        The rows, with the quantiles as scores of shape (n, Q).

    Raises:
        DataError: If the model predicts a different number of values, or named them otherwise.
    """
    targets = [target.name for target in model.signature.targets]
    named = [name for name in targets if name.startswith(_NAME_OF_TARGET)]
    if len(targets) != len(quantiles) or (named and named != target_names(quantiles)):
        held = (
            f"{len(targets)} values per row ({', '.join(targets[:5])})" if targets else "one value"
        )
        raise DataError(
            what=f"The model predicts {held}, but {len(quantiles)} quantiles are compared: "
            f"{', '.join(f'{each:g}' for each in quantiles)}.",
            why="Each value of a row is the forecast of one quantile.",
            fix="Give the quantiles that it was trained for, lowest first.",
        )
    forecasts = np.asarray(predict_several(model, frame).values, dtype=np.float64)
    middle = forecasts[:, middle_quantiles(quantiles)].mean(axis=1)
    return ScoredRows(middle.tolist(), forecasts, False, (), quantiles=tuple(quantiles))


def middle_model(model: Model, quantiles: Sequence[float]) -> Model:
    """Return the model of the middle quantile, whose inputs' importance is measured."""
    single = replace(model.signature, task="regression", targets=())
    return Model(MiddleQuantile(model.estimator, quantiles), single)


def crossing_note(forecasts: Floats, quantiles: Sequence[float]) -> tuple[str, ...]:
    """Return a sentence on rows whose quantiles do not rise; nothing if all do."""
    crossed = np.flatnonzero(_crosses(forecasts))
    if not len(crossed):
        return ()
    row = int(crossed[0])
    at = int(np.flatnonzero(np.diff(forecasts[row]) < 0)[0])
    text = (
        f"Quantiles cross in {len(crossed):,} of {len(forecasts):,} rows; the first is row {row}: "
        f"{quantiles[at]:g} is {forecasts[row, at]:.6g}, {quantiles[at + 1]:g} is "
        f"{forecasts[row, at + 1]:.6g}. Sort each row's forecasts, or train for all quantiles at once."
    )
    return (text,)


def middle_note(quantiles: Sequence[float]) -> tuple[str, ...]:
    """Return a sentence on the point prediction where 0.5 is not among the quantiles."""
    if not quantiles or 0.5 in quantiles:  # noqa: PLR2004 - the median
        return ()
    shown = " and ".join(f"{quantiles[at]:g}" for at in middle_quantiles(quantiles))
    return (f"Errors are those of the middle of the forecasts ({shown}): 0.5 is not among them.",)


def constant_forecasts(train: Floats, quantiles: Sequence[float], rows: int) -> Floats:
    """Return the quantiles of the training values for each row, the forecast of the baseline."""
    return np.tile(np.quantile(train[np.isfinite(train)], quantiles), (rows, 1))


# Metrics


@dataclass(frozen=True)
class QuantilesFigure:
    """A figure per row of a forecast of quantiles.

    Args:
        kind: ``pinball``, ``interval_coverage``, ``interval_width``, ``interval_score`` or
            ``crossing``.
        quantiles: All quantiles of the forecast.
        at: Places of the quantiles that the figure is about: a single place, or lower and upper.
    """

    kind: Kind
    quantiles: tuple[float, ...]
    at: tuple[int, ...] = ()

    def __call__(self, truth: Any, prediction: Any, scores: Floats | None) -> Floats:
        """Return the figure of each row."""
        del prediction
        if scores is None or scores.shape != (len(truth), len(self.quantiles)):
            raise ValueError("the model forecasts no quantiles")
        if self.kind == "crossing":
            return _crosses(scores).astype(np.float64)
        if self.kind == "pinball":
            quantile, over = self.quantiles[self.at[0]], truth - scores[:, self.at[0]]
            return np.asarray(np.maximum(quantile * over, (quantile - 1) * over))
        low, high = (scores[:, at] for at in self.at)
        if self.kind == "interval_coverage":
            return np.asarray((truth >= low) & (truth <= high), dtype=np.float64)
        if self.kind == "interval_width":
            return np.asarray(high - low)
        missed = np.maximum(low - truth, 0) + np.maximum(truth - high, 0)
        outside = 2 * self.quantiles[self.at[0]]
        return np.asarray(high - low + 2 / outside * missed)

    def recipe(self) -> dict[str, Any]:
        """Return the function and arguments that make the metric again."""
        arguments = {"kind": self.kind, "quantiles": list(self.quantiles), "at": list(self.at)}
        return {"maker": "quantile_metric", "arguments": arguments}


def quantile_metrics(quantiles: Sequence[float]) -> tuple[UserMetric, ...]:
    """Make the metrics of a forecast of quantiles; ``evaluate(quantiles=…)`` adds them.

    >>> [each.name for each in quantile_metrics((0.05, 0.95))][:4]
    ['interval_coverage_90', 'interval_width_90', 'interval_score_90', 'pinball_5']

    Args:
        quantiles: The quantiles, lowest first. Two at equal distances from 0 and 1 are an interval.
    """
    levels = read_quantiles(quantiles)
    pairs = [
        (low, high)
        for low in range(len(levels))
        for high in range(low + 1, len(levels))
        if abs(levels[low] + levels[high] - 1) < _CLOSE
    ]
    kinds: tuple[Kind, ...] = ("interval_coverage", "interval_width", "interval_score")
    made = [quantile_metric(kind, levels, pair) for pair in pairs for kind in kinds]
    made += [quantile_metric("pinball", levels, (at,)) for at in range(len(levels))]
    return (*made, quantile_metric("crossing", levels, ()))


def quantile_metric(kind: Kind, quantiles: Sequence[float], at: Sequence[int]) -> UserMetric:
    """Make a metric of ``quantile_metrics``."""
    function = QuantilesFigure(kind, tuple(quantiles), tuple(at))
    return UserMetric(_name(function), function, _BETTER.get(kind, "lower"))


def _name(figure: QuantilesFigure) -> str:
    if figure.kind == "crossing":
        return "quantile_crossing"
    levels = [figure.quantiles[at] for at in figure.at]
    share = levels[0] if len(levels) == 1 else levels[1] - levels[0]
    return f"{figure.kind}_{100 * share:.6g}".replace(".", "_")


def _crosses(forecasts: Floats) -> NDArray[np.bool_]:
    return np.asarray((np.diff(forecasts, axis=1) < 0).any(axis=1))


class MiddleQuantile:
    """An estimator of several quantiles that predicts the middle quantile; for evaluation, never stored.

    Args:
        estimator: The estimator of all quantiles, lowest first.
        quantiles: The quantiles; with an even number, the mean of the middle two is predicted.
    """

    def __init__(self, estimator: Any, quantiles: Sequence[float]) -> None:
        self._estimator = estimator
        self._places = middle_quantiles(quantiles)

    def predict(self, rows: Any) -> Any:
        """Predict numbers, shape (n,)."""
        output = self._estimator.predict(rows)
        output = output.to_numpy() if hasattr(output, "to_numpy") else output
        return output[:, self._places].mean(axis=1)


def middle_quantiles(quantiles: Sequence[float]) -> list[int]:
    """Return the places of the point prediction: of 0.5, else of the nearest on each side.

    >>> middle_quantiles([0.1, 0.5, 0.9, 0.95]), middle_quantiles([0.1, 0.2, 0.9])
    ([1], [1, 2])
    >>> middle_quantiles([0.9, 0.95])
    [0]
    """
    median = 0.5
    if median in quantiles:
        return [quantiles.index(median)]
    below = sum(each < median for each in quantiles)
    return [place for place in (below - 1, below) if 0 <= place < len(quantiles)]
