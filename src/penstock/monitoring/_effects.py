"""Distances between two distributions, with intervals; apart as pure mathematics.

Notation: F reference, G current, with quantile functions F^-1 and G^-1; p and q shares by bin;
n and m effective rows; scale is a robust standard deviation of the reference.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from penstock.data import ColumnProfile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]

_DRAWS = 400
_SEED = 20_260_101
_LEVELS = 19  # 5, 10, … 95 %: not affected by outliers
_TABLE = 801
_TAIL = 2.0
_CONFIDENCE = 0.95  # a one-sided bound on the noise holds for either end
_NORMAL_IQR = 1.349
_NORMAL_90 = 3.290


@dataclass(frozen=True, slots=True)
class Measure:
    """A distance with a 95 % interval.

    Args:
        value: The distance between the two samples.
        low: Lower bound of the distance between the two populations.
        high: Upper bound.
    """

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, float]:
        """Return the figures as plain JSON, rounded to 6 digits."""
        return {name: round(getattr(self, name), 6) for name in ("value", "low", "high")}


def wasserstein(profile: ColumnProfile, ordered: "Floats", *, n: float, m: float) -> Measure:
    """Compute how far a number has moved: mean |F^-1(u) - G^-1(u)| / scale over u = 5, …, 95 %.

    For a pure shift the distance is the shift in robust standard deviations. Outliers do not affect
    the distance.

    Args:
        profile: The reference, with quantiles.
        ordered: Current values without NaN, sorted, shape (rows,), never empty.
        n: Effective reference rows.
        m: Effective current rows.

    Source:
        Both quantile functions are resampled by their Brownian bridges (Csörgő and Révész, 1978).
    """
    import numpy as np

    scale = robust_scale(profile)
    reference = _tamed(np.asarray(profile.quantiles))
    reach = 100 * scale
    # Clipped, so that an absurd value cannot dominate the interpolation.
    current = np.clip(ordered, reference[0] - reach, reference[-1] + reach)
    grid = np.linspace(0.0, 1.0, len(reference))
    fine = np.linspace(0.0, 1.0, _TABLE)
    table = np.quantile(current, fine) if len(current) > 1 else np.full(_TABLE, current[0])
    levels = np.arange(1, _LEVELS + 1) / (_LEVELS + 1)
    value = np.abs(np.interp(levels, grid, reference) - np.interp(levels, fine, table)).mean()
    one, two = _bridges()
    noisy_reference = np.interp(np.clip(levels + one / np.sqrt(n), 0, 1), grid, reference)
    noisy_current = np.interp(np.clip(levels + two / np.sqrt(m), 0, 1), fine, table)
    moved = (np.interp(levels, grid, reference) - np.interp(levels, fine, table))[None]
    noise = np.abs(noisy_reference - noisy_current - moved).mean(axis=1)
    return _triangle(float(value) / scale, noise / scale)


def robust_scale(profile: ColumnProfile) -> float:
    """Compute a spread that outliers do not affect: IQR / 1.349, with fallbacks where that is 0.

    Args:
        profile: The reference, with 21 quantiles.
    """
    q = profile.quantiles
    candidates = (
        (q[15] - q[5]) / _NORMAL_IQR,
        (q[19] - q[1]) / _NORMAL_90,
        profile.std or 0.0,
        abs(q[10]),
    )
    return next((width for width in candidates if width > 0), 1.0)


def _tamed(quantiles: "Floats") -> "Floats":
    """Limit the reference's extremes: a single outlier must not stretch the outer cells."""
    import numpy as np

    tamed = quantiles.copy()
    tamed[0] = max(tamed[0], tamed[1] - _TAIL * (tamed[2] - tamed[1]))
    tamed[-1] = min(tamed[-1], tamed[-2] + _TAIL * (tamed[-2] - tamed[-3]))
    return np.maximum.accumulate(tamed)


@lru_cache(maxsize=1)
def _bridges() -> "tuple[Floats, Floats]":
    """Return two fixed sets of Brownian bridges at the levels, shape (draws, levels)."""
    import numpy as np

    generator = np.random.default_rng(_SEED)
    steps = generator.standard_normal((2, _DRAWS, _LEVELS + 1)) / np.sqrt(_LEVELS + 1)
    walks = steps.cumsum(axis=2)
    levels = np.arange(1, _LEVELS + 1) / (_LEVELS + 1)
    one, two = walks[:, :, :-1] - walks[:, :, -1:] * levels
    return one, two


def share_measures(
    reference: Sequence[int], current: Sequence[int], *, name: str, tau: float = 1.0
) -> dict[str, Measure]:
    """Compute how far shares by bin have moved: tvd, js and psi.

    >>> found = share_measures([50, 50], [90, 10], name="city")
    >>> round(found["tvd"].value, 2), found["tvd"].low > 0.2
    (0.4, True)

    Args:
        reference: Counts by bin.
        current: Counts by bin, a row or more.
        name: The column; seeds the resamples, so that a column's figures never depend on further
            columns.
        tau: Autocorrelation time, 1 or more.

    Returns:
        Total variation distance (0 to 1), Jensen-Shannon distance (0 to 1, base 2) and population
        stability index (0 or more), each with the interval of a multinomial bootstrap.
    """
    import numpy as np

    then, now = np.asarray(reference, dtype=float), np.asarray(current, dtype=float)
    # crc32 and not hash(), which differs between processes: equal data has equal figures.
    generator = np.random.default_rng([_SEED, zlib.crc32(name.encode("utf-8", "replace"))])
    n, m = max(round(then.sum() / tau), 1), max(round(now.sum() / tau), 1)
    p, q = then / then.sum(), now / now.sum()
    draws_p = generator.multinomial(n, p, size=_DRAWS) / n
    draws_q = generator.multinomial(m, q, size=_DRAWS) / m
    smooth = (0.5 / n, 0.5 / m)
    noise = np.abs((draws_p - p) - (draws_q - q)).sum(axis=1) / 2
    return {
        "tvd": _triangle(float(np.abs(p - q).sum() / 2), noise),
        **{
            measure: _basic(
                float(function(p[None], q[None], *smooth)[0]), function(draws_p, draws_q, *smooth)
            )
            for measure, function in _SHARES.items()
        },
    }


def _js(p: "Floats", q: "Floats", _p0: float, _q0: float) -> "Floats":
    import numpy as np

    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.where(p > 0, p * np.log2(p / middle), 0.0).sum(axis=1)
        right = np.where(q > 0, q * np.log2(q / middle), 0.0).sum(axis=1)
    distances: Floats = np.sqrt(np.clip((left + right) / 2, 0.0, 1.0))
    return distances


def _psi(p: "Floats", q: "Floats", p0: float, q0: float) -> "Floats":
    import numpy as np

    # Half a row in each bin: an empty bin would make the index infinite.
    p, q = p + p0, q + q0
    index: Floats = ((p - q) * np.log(p / q)).sum(axis=1)
    return index


_SHARES = {"js": _js, "psi": _psi}


def _triangle(value: float, noise: "Floats") -> Measure:
    """Compute bounds of a distance from the difference that chance alone can make.

    The distance of two samples is at most the distance of the populations plus the noise of both,
    by the triangle inequality, so the lower bound also holds where the true distance is 0 and
    samples are small: a percentile of resampled distances would not, as distances are biased
    upwards.
    """
    import numpy as np

    reach = float(np.quantile(noise, _CONFIDENCE))
    return Measure(value, max(value - reach, 0.0), value + reach)


def _basic(value: float, draws: "Floats") -> Measure:
    import numpy as np

    low, high = np.quantile(draws, (0.025, 0.975))
    # Resampled distances exceed the estimate by as much as the estimate exceeds the true distance.
    lower = min(max(2 * value - float(high), 0.0), value)
    return Measure(value, lower, max(2 * value - float(low), value))
