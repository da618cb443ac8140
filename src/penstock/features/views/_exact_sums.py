"""Sums of floats that do not depend on order or grouping: tiles of any cut add up to the same bits.

A sum is a list of a few floats with the same exact sum (``math.fsum`` rounds correctly, so the rest
after each is exact again). Any grouping of the same values ends in the same float: the exact sum,
rounded once. Source: Shewchuk (1997), Adaptive Precision Floating-Point Arithmetic.
"""

import math
from collections.abc import Iterable
from fractions import Fraction


def exact_parts(values: Iterable[float]) -> list[float]:
    """Return a few floats with the same exact sum, the largest first; infinities and NaN once each.

    >>> exact_parts([1e100, 1.0, -1e100, 2.0])
    [3.0]
    >>> exact_parts([0.1] * 10)
    [1.0, 5.551115123125783e-17]
    """
    rest = list(values)
    odd = _odd(rest)
    if odd:
        rest = [each for each in rest if math.isfinite(each)]
    parts: list[float] = []
    while (rounded := _rounded(rest)) != 0.0:
        if math.isinf(rounded):  # beyond all floats: its parts are the values themselves
            return [*parts, *rest, *odd]
        parts.append(rounded)
        rest.append(-rounded)
    return parts + odd


def exact_sum(parts: Iterable[float]) -> float:
    """Return the exact sum of floats, rounded once; NaN of infinities of both signs.

    >>> exact_sum([0.1] * 10), exact_sum([])
    (1.0, 0.0)
    """
    values = list(parts)
    odd = _odd(values)
    if odd:
        return odd[0] if len(odd) == 1 else math.nan
    return _rounded(values) + 0.0  # never -0.0: its sign would depend on the grouping


def exact_mean(parts: Iterable[float], count: int) -> float:
    """Return the exact sum divided by a count, rounded once.

    >>> exact_mean([1e308, 1e308], 2)
    1e+308
    """
    values = list(parts)
    if _odd(values):
        return exact_sum(values)
    return float(sum(map(Fraction, values), Fraction(0)) / count)


def _rounded(values: list[float]) -> float:
    try:
        return math.fsum(values)
    except OverflowError:  # on the way; the sum itself may be finite
        exact = sum(map(Fraction, values), Fraction(0))
    try:
        return float(exact)
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


def _odd(values: list[float]) -> list[float]:
    """Return infinities and NaN, each once."""
    odd = [each for each in values if not math.isfinite(each)]
    if any(math.isnan(each) for each in odd):
        return [math.nan]
    return sorted(set(odd))
