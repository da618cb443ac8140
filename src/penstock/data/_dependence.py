"""Dependence between rows in order; separate, as training and monitoring both use the estimate.

Notation: m rows in order; rho(k) is the correlation of rows k places apart; tau, the
autocorrelation time, is 1 + 2 sum rho(k): m rows contain as much information as m / tau independent
rows.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_Values = TypeVar("_Values", "NDArray[Any]", "pl.Series")
_SOKAL_WINDOW = 5.0
_TAU_ERRORS = 1.5
_MOST_LAGS = 2_000
STRETCH_ROWS = 100_000
"""A stretch of this length suffices for a long table."""
_SEGMENTS = 8
_LEAST_SEGMENT = 50
_LEAST_ROWS = 10
_SURELY = 2.0  # standard errors


@dataclass(frozen=True, slots=True)
class Dependence:
    """The dependence between a column's rows in order.

    Args:
        lag1: Correlation of neighbouring rows, -1 to 1.
        tau: Autocorrelation time, 1 or more, an upper bound that includes the estimate's error.
        rows: Number of rows of the estimate.
    """

    lag1: float = 0.0
    tau: float = 1.0
    rows: int = 0


def estimate_dependence(codes: "NDArray[np.generic]") -> Dependence:
    """Estimate the dependence of rows that are known to come from the same distribution.

    >>> import numpy as np
    >>> estimate_dependence(np.tile([0.0, 1.0], 500)).tau
    1.0

    Args:
        codes: A number per row in order, shape (m,).

    Source:
        The self-consistent window of Sokal (1997), Monte Carlo Methods in Statistical Mechanics;
        bias and standard error of Wolff (2004), Computer Physics Communications 156.
    """
    import numpy as np

    return _estimate(np.asarray(middle_rows(codes), dtype=np.float64), 1)


def middle_rows(values: _Values) -> _Values:
    """Return the stretch of rows that an estimate is made from: all, or those in the middle."""
    start = max(len(values) - STRETCH_ROWS, 0) // 2
    return values[start : start + STRETCH_ROWS]


def dependence_within(codes: "NDArray[np.generic]") -> Dependence:
    """Estimate the dependence of rows whose distribution may change on the way.

    A change of level looks like dependence to any estimate over all rows. So the rows are cut into
    up to 8 stretches, each is centred separately, and the median over the stretches counts: a
    change lies within a single stretch. Dependence longer than a third of a stretch cannot be
    distinguished from a change here; only the training rows allow that (see
    `ColumnProfile.dependence`).

    >>> import numpy as np
    >>> generator = np.random.default_rng(0)
    >>> changed = np.r_[generator.normal(size=1000), generator.normal(size=3000) + 3]
    >>> dependence_within(changed).tau < 1.5, estimate_dependence(changed).tau > 100
    (True, True)

    Args:
        codes: A number per row in order, shape (m,).
    """
    import numpy as np

    numbers = np.asarray(codes, dtype=np.float64)
    return _estimate(numbers, max(min(len(numbers) // _LEAST_SEGMENT, _SEGMENTS), 1))


def _estimate(numbers: "Floats", segments: int) -> Dependence:
    import numpy as np

    rows = len(numbers)
    length = rows // segments
    if length < _LEAST_ROWS:
        return Dependence(rows=rows)
    table = numbers[: length * segments].reshape(segments, length)
    centred = (table - table.mean(axis=1, keepdims=True)).astype(np.float32)
    variance = np.einsum("ij,ij->i", centred, centred).astype(np.float64)
    varied = variance > 0
    if not varied.any():
        return Dependence(rows=rows)
    centred, variance = centred[varied], variance[varied]

    def correlation(lag: int) -> float:
        products = np.einsum("ij,ij->i", centred[:, :-lag], centred[:, lag:])
        return float(np.median(products / variance))

    first = correlation(1)
    tau, lag = 1.0 + 2 * first, 1
    while lag < min(_MOST_LAGS, length // 4) and lag < _SOKAL_WINDOW * tau:
        lag += 1
        tau += 2 * correlation(lag)
    # Centring by the stretch's own mean lowers every lag (Kendall, 1954, Biometrika 41).
    first = min(first + (1 + 3 * first) / length, 1.0)
    # The estimate is uncertain and must not be too low; independent rows are hardly touched.
    bias, error = (2 * lag + 1) / length, math.sqrt(2 * (2 * lag + 1) / rows)
    bound = 1.0 + max(tau - 1.0, 0.0) * (1.0 + bias + _TAU_ERRORS * error)
    if segments > 1:
        bound = max(min(_first_order(first, length, rows), length / 3), min(bound, length / 3), 1.0)
    return Dependence(first, bound, rows)


def _first_order(first: float, length: int, rows: int) -> float:
    """Compute the autocorrelation time implied by the first lag alone, if surely above 0.

    Short stretches lose their long lags to the centring; the first lag loses least.
    """
    if first < _SURELY / math.sqrt(rows):
        return 1.0
    rho = min(first, 1 - 1 / length)
    return (1 + rho) / (1 - rho)
