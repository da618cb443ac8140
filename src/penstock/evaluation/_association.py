"""Groups of columns that tell the same: the loss of a shuffled column is made up by the rest.

Strength of association, 0 to 1: Spearman's rank correlation of two numbers, Cramér's V of two
categories, correlation ratio of a category and the ranks of a number.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import polars as pl

Floats = NDArray[np.float64]
STRONG = 0.8
"""Strength from which on two columns tell the same."""
_MOST_LEVELS = 50  # of a category; with more, any two columns look associated in few rows
_FEWEST_ROWS = 30


def find_groups(table: "pl.DataFrame") -> list[tuple[str, ...]]:
    """Return the groups of two or more columns that are strongly associated.

    >>> import polars as pl
    >>> x = list(range(40))
    >>> find_groups(pl.DataFrame({"x": x, "double": [2 * v for v in x], "odd": [v % 2 for v in x]}))
    [('x', 'double')]

    Args:
        table: The columns, n rows.
    """
    if table.height < _FEWEST_ROWS:
        return []
    numbers, levels = _numbers(table), _levels(table)
    linked = {name: name for name in (*numbers, *levels)}

    def root(name: str) -> str:
        while linked[name] != name:
            name = linked[name]
        return name

    for first, second in _strong_pairs(numbers, levels):
        linked[root(second)] = root(first)
    groups: dict[str, list[str]] = {}
    for name in table.columns:
        if name in linked:
            groups.setdefault(root(name), []).append(name)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def _numbers(table: "pl.DataFrame") -> dict[str, Floats]:
    """Return ranks of numbers and times, centred and scaled to length 1; constant ones left out."""
    from scipy.stats import rankdata

    numbers = {}
    for series in table:
        if not (series.dtype.is_numeric() or series.dtype.is_temporal() or series.dtype == bool):
            continue
        values = series.to_physical().cast(float, strict=False).fill_null(float("nan")).to_numpy()
        known = np.isfinite(values)
        if known.sum() < _FEWEST_ROWS:
            continue
        ranks = rankdata(np.where(known, values, np.median(values[known])))
        centred = ranks - ranks.mean()
        length = float(np.sqrt(centred @ centred))
        if length > 0:
            numbers[series.name] = centred / length
    return numbers


def _levels(table: "pl.DataFrame") -> dict[str, NDArray[np.int64]]:
    """Return codes of categories with a few levels."""
    import polars as pl

    levels = {}
    for series in table:
        if series.dtype not in (pl.String, pl.Categorical, pl.Enum):
            continue
        codes = np.unique(series.cast(pl.String).fill_null("").to_numpy(), return_inverse=True)[1]
        if 1 < len(np.unique(codes)) <= min(_MOST_LEVELS, table.height // 5):
            levels[series.name] = codes.astype(np.int64)
    return levels


def _strong_pairs(
    numbers: dict[str, Floats], levels: dict[str, NDArray[np.int64]]
) -> list[tuple[str, str]]:
    pairs = []
    names = list(numbers)
    if names:
        matrix = np.stack([numbers[name] for name in names])
        strong = np.argwhere(np.triu(np.abs(matrix @ matrix.T) >= STRONG, 1))
        pairs += [(names[first], names[second]) for first, second in strong]
    known = list(levels)
    for at, first in enumerate(known):
        codes = levels[first]
        pairs += [
            (first, second)
            for second in known[at + 1 :]
            if _cramers_v(codes, levels[second]) >= STRONG
        ]
        pairs += [
            (first, name) for name in names if _correlation_ratio(codes, numbers[name]) >= STRONG
        ]
    return pairs


def _cramers_v(first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    """Compute Cramér's V with Bergsma's (2013) correction of the bias."""
    rows, shape = len(first), (first.max() + 1, second.max() + 1)
    table = np.zeros(shape)
    np.add.at(table, (first, second), 1.0)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / rows
    square = float(((table - expected) ** 2 / np.where(expected > 0, expected, 1)).sum()) / rows
    high, wide = shape
    square = max(square - (high - 1) * (wide - 1) / (rows - 1), 0.0)
    least = min(high - (high - 1) ** 2 / (rows - 1), wide - (wide - 1) ** 2 / (rows - 1)) - 1
    return float(np.sqrt(square / least)) if least > 0 else 0.0


def _correlation_ratio(codes: NDArray[np.int64], ranks: Floats) -> float:
    """Compute the root of the share of a number's variance that lies between the levels."""
    sizes = np.bincount(codes)
    sums = np.bincount(codes, weights=ranks)
    return float(np.sqrt((sums**2 / np.maximum(sizes, 1)).sum()))
