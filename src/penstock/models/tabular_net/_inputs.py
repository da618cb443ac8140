"""A table's columns as the network's inputs: numbers by two scales, levels as whole numbers.

Everything learned is a plain value or an array, so that every form of an estimator can hold these.
Each result depends on the same row only, bit for bit.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from penstock.core import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNKNOWN, MISSING, FIRST = 0, 1, 2
"""Codes of a level that is rare or new, of no level, and of the first level."""

_KNOTS = 33
_LARGEST = 1e100  # beyond, squares overflow: such a number counts as missing
_FAR = 5.0  # deviations; beyond, a value says no more than that it is far
_RARE = 3  # rows; fewer teach nothing about a level


@dataclass(frozen=True, slots=True)
class Encoded:
    """Rows as the network reads them.

    Args:
        numbers: Shape (rows, numbers).
        codes: Shape (rows, columns of levels).
    """

    numbers: "NDArray[np.float64]"
    codes: "NDArray[np.int64]"


def learn_columns(columns: Sequence[pl.Series]) -> list[dict[str, Any]]:
    """Learn how each column becomes an input.

    Raises:
        DataError: If a column has neither numbers nor texts.
    """
    return [_learn_levels(c) if _has_levels(c) else _learn_numbers(c) for c in columns]


def encode_columns(columns: Sequence[pl.Series], learned: Sequence[dict[str, Any]]) -> Encoded:
    """Return rows as the network reads them.

    Raises:
        DataError: If a column that had numbers has texts.
    """
    rows = len(columns[0])
    numbers: list[NDArray[np.float64]] = []
    codes: list[NDArray[np.int64]] = []
    for column, facts in zip(columns, learned, strict=True):
        if "levels" in facts:
            codes.append(_codes(column, facts["levels"]))
        else:
            numbers += _scaled(_numbers(column), facts)
    return Encoded(
        np.column_stack(numbers) if numbers else np.empty((rows, 0)),
        np.column_stack(codes) if codes else np.empty((rows, 0), dtype=np.int64),
    )


def count_levels(learned: Sequence[dict[str, Any]]) -> list[int]:
    """Return the number of codes of each column of levels."""
    return [len(facts["levels"]) + FIRST for facts in learned if "levels" in facts]


def _has_levels(column: pl.Series) -> bool:
    dtype = column.dtype
    if dtype.is_numeric() or dtype in (pl.Boolean, pl.Null):
        return False
    if dtype == pl.String or isinstance(dtype, pl.Categorical | pl.Enum):
        return True
    raise DataError(
        what=f"Column {column.name!r} is {dtype}: a network reads numbers, booleans and texts.",
        fix="Put table_transformer before it: make_pipeline(table_transformer(schema, scale=True,"
        ' high_cardinality="keep"), TabularNetClassifier()).',
        column=column.name,
    )


def _learn_levels(column: pl.Series) -> dict[str, Any]:
    counts = Counter(text for text in column.cast(pl.String) if text is not None)
    return {"levels": sorted(text for text, count in counts.items() if count >= _RARE)}


def _learn_numbers(column: pl.Series) -> dict[str, Any]:
    values = _numbers(column)
    seen = values[np.isfinite(values)]
    if not len(seen):
        seen = np.zeros(1)
    knots = np.unique(np.quantile(seen, np.linspace(0, 1, _KNOTS)))
    deviation = float(np.std(seen))
    return {
        "knots": knots,
        "median": float(np.median(seen)),
        "mean": float(np.mean(seen)),
        "deviation": deviation if np.isfinite(deviation) and deviation > 0 else 1.0,
        "has_missing": bool(len(seen) < len(values)),
    }


def _codes(column: pl.Series, levels: Sequence[str]) -> "NDArray[np.int64]":
    position = {level: at for at, level in enumerate(levels, start=FIRST)}
    texts = column.cast(pl.String)
    codes = [MISSING if text is None else position.get(text, UNKNOWN) for text in texts]
    return np.asarray(codes, dtype=np.int64)


def _numbers(column: pl.Series) -> "NDArray[np.float64]":
    try:
        values = column.cast(pl.Float64).fill_null(np.nan).to_numpy()
    except pl.exceptions.PolarsError as error:
        raise DataError(
            what=f"Column {column.name!r} holds {column.drop_nulls()[0]!r}, which is no number.",
            why="The network was trained on numbers in it.",
            fix="Give a number, or null.",
            column=column.name,
        ) from error
    return np.where(np.abs(values) < _LARGEST, values, np.nan)


def _scaled(values: "NDArray[np.float64]", facts: dict[str, Any]) -> list["NDArray[np.float64]"]:
    missing = ~np.isfinite(values)
    whole = np.where(missing, facts["median"], values)
    knots = facts["knots"]
    rank = np.interp(whole, knots, np.linspace(-1, 1, len(knots))) if len(knots) > 1 else 0 * whole
    far = np.clip((whole - facts["mean"]) / facts["deviation"], -_FAR, _FAR)
    parts = [far, rank]
    return [*parts, missing.astype(np.float64)] if facts["has_missing"] else parts
