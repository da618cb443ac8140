"""Search for columns that together determine the target: sums, products, copies.

Apart from the single-column check of ``penstock.data``, which checks each column separately: in
``cnt = casual + registered`` neither part alone reveals the count.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

_SAMPLE = 5_000
_MAX_COLUMNS = 200
_MAX_TERMS = 5
_MIN_ROWS = 20
# Share of the target's variance that may remain unexplained by a formula that counts as exact.
_REST = 1e-5
_WHOLE = 1e-3


@dataclass(frozen=True, slots=True)
class Formula:
    """Columns that together determine the target.

    Attributes:
        columns: The columns of the formula, in the order of their weight.
        text: The formula as text, for a comment: ``cnt = registered + casual``.
    """

    columns: tuple[str, ...]
    text: str


def find_formula(table: "pl.DataFrame", target: str, columns: Sequence[str]) -> Formula | None:
    """Search for a sum, difference, weighted sum or product of columns that is a numeric target.

    >>> import polars as pl
    >>> table = pl.DataFrame({"a": range(40), "b": [i * i % 7 for i in range(40)]})
    >>> find_formula(table.with_columns(y=pl.col("a") + pl.col("b")), "y", ["a", "b"]).text
    'y = a + b'

    Args:
        table: The rows.
        target: The column to predict, numeric.
        columns: Numeric columns to try.

    Returns:
        The shortest formula found, or None.
    """
    import polars as pl

    rows = table.select(pl.col(target).cast(pl.Float64).fill_nan(None)).to_series().is_not_null()
    tried = list(columns)[:_MAX_COLUMNS]
    sample = table.filter(rows).head(_SAMPLE).select(pl.col(target, *tried).cast(pl.Float64))
    sample = sample.with_columns(pl.all().fill_nan(None))
    y = sample[target].to_numpy()
    if len(y) < _MIN_ROWS or y.std() == 0 or not tried:
        return None
    x = sample.select(pl.col(tried).fill_null(pl.col(tried).mean()).fill_null(0.0)).to_numpy()
    return _find_sum(x, y, target, tried) or _find_product(x, y, target, tried)


def _find_sum(
    x: "np.ndarray", y: "np.ndarray", target: str, names: Sequence[str]
) -> Formula | None:
    """Fit the target greedily: add the column that explains most of the residual, fit again."""
    import numpy as np

    # Standardized, so that a column's correlation does not depend on the unit.
    scale = x.std(axis=0)
    z = np.where(scale > 0, (x - x.mean(axis=0)) / np.where(scale > 0, scale, 1.0), 0.0)
    total = float(((y - y.mean()) ** 2).sum())
    chosen: list[int] = []
    rest = y - y.mean()
    while len(chosen) < min(_MAX_TERMS, len(names)):
        pull = np.abs(z.T @ rest)
        pull[chosen] = -1.0
        chosen.append(int(pull.argmax()))
        design = np.column_stack([z[:, chosen], np.ones(len(y))])
        weights = np.linalg.lstsq(design, y, rcond=None)[0]
        rest = y - design @ weights
        if float((rest**2).sum()) <= _REST * total:
            used = [(i, float(w) / scale[i]) for i, w in zip(chosen, weights, strict=False)]
            # Columns whose weight vanished in the last fit are no part of the formula.
            used = [(i, w) for i, w in used if abs(w) * scale[i] > _WHOLE * y.std()]
            return Formula(tuple(names[i] for i, _ in used), _describe_sum(target, used, names))
    return None


def _find_product(
    x: "np.ndarray", y: "np.ndarray", target: str, names: Sequence[str]
) -> Formula | None:
    """Search for a product or quotient of positive columns, as a sum of their logarithms."""
    import numpy as np

    if not (y > 0).all():
        return None
    positive = [i for i in range(len(names)) if (x[:, i] > 0).all() and x[:, i].std() > 0]
    if not positive:
        return None
    factors = [names[i] for i in positive]
    formula = _find_sum(np.log(x[:, positive]), np.log(y), target, factors)
    if formula is None:
        return None
    return Formula(
        formula.columns, f"{target} follows from {' and '.join(formula.columns)} by factors"
    )


def _describe_sum(target: str, used: Sequence[tuple[int, float]], names: Sequence[str]) -> str:
    if any(abs(abs(weight) - 1) > _WHOLE for _, weight in used):
        return f"{target} follows from {' and '.join(names[i] for i, _ in used)} by a weighted sum"
    text = f"{target} ="
    for place, (i, weight) in enumerate(used):
        sign = "-" if weight < 0 else ("" if place == 0 else "+")
        text += f" {sign} {names[i]}" if sign else f" {names[i]}"
    return text
