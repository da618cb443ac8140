"""Kinds of columns for a model: number, category, text, time, identifier … by type and values."""

import re
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    import polars as pl

Kind: TypeAlias = Literal[
    "number",
    "integer",
    "boolean",
    "category",
    "text",
    "datetime",
    "date",
    "constant",
    "id",
    "other",
]
"""Meaning of a column for a model; ``other`` is a type that no model can use unchanged."""

HEAD_ROWS = 10_000
"""Number of first values that tell prose from codes."""

MIN_ROWS = 20
"""Number of values below which "all different" does not indicate an identifier."""

_ID_CAMEL = re.compile(r"[a-z](?:Id|ID)$")
_ID_WORD = re.compile(
    r"(?:^|[_\s.-])(?:id|uuid|guid|key|no|nr|number|index|idx|row|instant|serial)$", re.IGNORECASE
)
_ID_ONLY = re.compile(r"(?:^|[_\s.-])(?:id|uuid|guid)$", re.IGNORECASE)
_TEXT_WORDS = 3.0
_TEXT_SHARE = 0.5
_NEARLY = 0.9


def kind_of(series: "pl.Series") -> tuple[Kind, int | None]:
    """Infer the kind of a column and the number of distinct values (None where meaningless).

    >>> import polars as pl
    >>> kind_of(pl.Series("n", [1.5, 2.5]))
    ('number', None)
    """
    import polars as pl

    dtype = series.dtype
    values = without_nan(series).drop_nulls()
    if dtype.is_nested() or dtype in (pl.Object, pl.Binary, pl.Duration, pl.Time):
        return ("constant", 0) if not len(values) else ("other", None)
    if dtype.is_float() or dtype.is_decimal() or dtype in (pl.Date, pl.Datetime):
        distinct = _up_to_two(values)  # how many more does not count
    else:
        distinct = values.n_unique() if len(values) else 0
    if distinct == 0 or (distinct == 1 and 1 < len(series) == len(values)):
        return "constant", distinct
    if dtype == pl.Boolean:
        return "boolean", distinct
    if dtype.is_integer():
        return ("id" if _is_counter(values, distinct) else "integer"), distinct
    if dtype.is_float() or dtype.is_decimal():
        return "number", None
    if dtype == pl.Date:
        return "date", None
    if dtype == pl.Datetime:
        return "datetime", None
    return kind_of_texts(values.head(HEAD_ROWS), len(values), distinct), distinct


def kind_of_sample(sample: "pl.Series", rows: int, distinct: int) -> tuple[Kind, int | None]:
    """Infer the kind of a column from a sample of the values that has the smallest and the largest.

    >>> import polars as pl
    >>> kind_of_sample(pl.Series("n", [1, 500, 999, 1000]), rows=1000, distinct=997)
    ('id', 997)

    Args:
        sample: Values.
        rows: Number of values of the column that are not missing.
        distinct: Estimate of the number of distinct values, within 10 %.
    """
    import polars as pl

    kind, known = kind_of(sample)
    values = sample.drop_nulls()
    distinct = max(distinct, known or 0)
    if kind == "constant" and distinct > 1:
        return ("boolean" if sample.dtype == pl.Boolean else "category"), distinct
    if known is None or kind in {"constant", "boolean"}:
        return kind, known
    all_differ = values.n_unique() == len(values) and distinct > _NEARLY * rows
    if sample.dtype.is_integer():
        low, high = values.min(), values.max()
        assert isinstance(low, int)
        assert isinstance(high, int)
        counter = all_differ and (looks_like_id(sample.name) or high - low + 1 == rows)
        return ("id" if counter else "integer"), distinct
    if distinct <= _TEXT_SHARE * rows:
        return "category", distinct
    return ("category" if kind == "id" and not all_differ else kind), distinct


def without_nan(series: "pl.Series") -> "pl.Series":
    """Return a column in which every missing value is null: NaN counts as missing, too."""
    return series.fill_nan(None) if _has_nan(series) else series


def has_missing(series: "pl.Series") -> bool:
    """Return whether any value is missing: null, or not a number."""
    return series.null_count() > 0 or _has_nan(series)


def _has_nan(series: "pl.Series") -> bool:
    return series.dtype.is_float() and bool(series.is_nan().any())


def looks_like_id(name: str) -> bool:
    """Return whether a column is named like an identifier.

    >>> looks_like_id("customer_id"), looks_like_id("userId"), looks_like_id("paid")
    (True, True, False)
    """
    return bool(_ID_CAMEL.search(name) or _ID_WORD.search(name))


def named_id(name: str) -> bool:
    """Return whether a column is named as the identifier of an object: stricter than a key."""
    return bool(_ID_CAMEL.search(name) or _ID_ONLY.search(name))


def _up_to_two(values: "pl.Series") -> int:
    """Return the number of distinct values without null and NaN, at most 2."""
    if not len(values):
        return 0
    numbers = values if values.dtype.is_decimal() else values.to_physical()
    return 1 if numbers.min() == numbers.max() else 2


def _is_counter(values: "pl.Series", distinct: int) -> bool:
    """Return whether integers are identifiers: all different, and named so or without gaps."""
    if distinct < MIN_ROWS or distinct < len(values):
        return False
    low, high = values.min(), values.max()
    assert isinstance(low, int)
    assert isinstance(high, int)
    return looks_like_id(values.name) or high - low + 1 == distinct


def kind_of_texts(head: "pl.Series", rows: int, distinct: int) -> Kind:
    """Infer the kind of a column of texts that are not all the same.

    Args:
        head: The first values that are not missing, 10,000 or all: enough to distinguish prose from
            codes, at the same cost for every table.
        rows: Number of values that are not missing.
        distinct: Number of different ones.
    """
    import polars as pl

    if distinct < MIN_ROWS or distinct <= _TEXT_SHARE * rows:
        return "category"
    words = head.cast(pl.String).str.count_matches(r"\S+").mean()
    if isinstance(words, float) and words >= _TEXT_WORDS:
        return "text"
    return "id" if distinct == rows else "category"
