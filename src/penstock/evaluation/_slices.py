"""Slices: the values of a column as groups of test rows, with metrics; any column may be used."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.evaluation._metrics import Estimate

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

SMALL_ROWS = 30  # below this, a figure depends more on chance than on the model
MISSING = "(missing)"
_MOST_VALUES = 10  # a number or time column with more values is cut into bins
_BINS = 5
_MOST_LEVELS = 50


@dataclass(frozen=True, slots=True)
class SliceResult:
    """The metrics of the test rows with a value of a column.

    Args:
        value: The value as text, a bin such as ``[20, 35)``, or ``(missing)``.
        rows: Number of test rows.
        metrics: Metrics that the rows define.
    """

    value: str
    rows: int
    metrics: Mapping[str, Estimate]

    @property
    def small(self) -> bool:
        """True if the slice has too few rows for comparisons; gaps and ratios leave the slice out."""
        return self.rows < SMALL_ROWS

    def to_json(self) -> dict[str, Any]:
        """Return the result as plain JSON."""
        figures = {name: estimate.to_json() for name, estimate in self.metrics.items()}
        return {"value": self.value, "rows": self.rows, "small": self.small, "metrics": figures}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "SliceResult":
        """Return the result that ``to_json`` wrote."""
        figures = {name: Estimate(**figure) for name, figure in document["metrics"].items()}
        return cls(document["value"], document["rows"], figures)


@dataclass(frozen=True)
class Slicing:
    """A column cut into groups.

    Args:
        column: Name of the column.
        labels: Names of the groups, in display order.
        codes: Group of each row, shape (n,).
    """

    column: str
    labels: tuple[str, ...]
    codes: "NDArray[np.int64]"

    def groups(self) -> "Iterator[tuple[str, NDArray[np.intp]]]":
        """Iterate over the groups' names and positions of rows; empty groups are left out."""
        import numpy as np

        for code, label in enumerate(self.labels):
            rows = np.flatnonzero(self.codes == code)
            if len(rows):
                yield label, rows


def cut_column(series: "pl.Series") -> Slicing:
    """Cut a column into groups: values, or five equal-count bins for many numbers or times.

    Levels beyond the 49 most frequent are combined; missing values are a separate group.

    >>> import polars as pl
    >>> cut_column(pl.Series("vendor", ["b", "a", "b", None])).labels
    ('b', 'a', '(missing)')

    Args:
        series: The column, any type, shape (n,).
    """
    if series.dtype.is_float():
        series = series.fill_nan(None)
    ordered = series.dtype.is_numeric() or series.dtype.is_temporal()
    if ordered and series.drop_nulls().n_unique() > _MOST_VALUES:
        return _cut_into_bins(series)
    return _cut_by_value(series, ordered=ordered)


def _cut_by_value(series: "pl.Series", *, ordered: bool) -> Slicing:
    import polars as pl

    texts = _as_text(series)
    counts = texts.drop_nulls().value_counts(sort=False)
    sizes = dict(zip(counts.to_series(0).to_list(), counts.to_series(1).to_list(), strict=True))
    if ordered:
        values = dict(zip(texts.to_list(), series.to_list(), strict=True))
        names = sorted(sizes, key=lambda text: values[text])
    else:
        names = sorted(sizes, key=lambda text: (-sizes[text], text))
    codes = list(range(len(names)))
    if len(names) > _MOST_LEVELS:
        kept = _MOST_LEVELS - 1
        codes = [min(code, kept) for code in codes]
        labels = [*names[:kept], f"(other: {len(names) - kept} values)"]
    else:
        labels = [name or "(empty)" for name in names]
    value_codes = texts.replace_strict(
        pl.Series(names, dtype=pl.String),
        pl.Series(codes, dtype=pl.Int64),
        default=len(labels),
        return_dtype=pl.Int64,
    ).fill_null(len(labels))
    missing = [MISSING] if series.null_count() else []
    return Slicing(series.name, (*labels, *missing), value_codes.to_numpy())


def _as_text(series: "pl.Series") -> "pl.Series":
    import polars as pl

    simple = {pl.String, pl.Categorical, pl.Enum, pl.Boolean}
    if series.dtype in simple or series.dtype.is_integer() or series.dtype.is_float():
        return series.cast(pl.String)
    texts = [None if value is None else str(value) for value in series.to_list()]
    return pl.Series(series.name, texts, dtype=pl.String)


def _cut_into_bins(series: "pl.Series") -> Slicing:
    import numpy as np
    import polars as pl

    temporal = series.dtype.is_temporal()
    numbers = series.to_physical() if temporal else series
    values = numbers.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    edges = np.unique(np.quantile(values[np.isfinite(values)], np.linspace(0, 1, _BINS + 1)))
    codes = np.searchsorted(edges[1:-1], values, side="right").astype(np.int64)
    bins = max(len(edges) - 1, 1)
    codes[np.isnan(values)] = bins
    if temporal:
        moments = pl.Series(np.round(edges).astype(np.int64)).cast(numbers.dtype).cast(series.dtype)
        texts = [str(moment) for moment in moments.to_list()]
    else:
        texts = _distinct_texts(edges.tolist(), whole=series.dtype.is_integer())
    labels = [
        f"[{low}, {high}" + ("]" if at == bins - 1 else ")")
        for at, (low, high) in enumerate(zip(texts, texts[1:] or texts, strict=False))
    ]
    missing = [MISSING] if series.null_count() else []
    return Slicing(series.name, (*labels, *missing), codes)


def _distinct_texts(edges: Sequence[float], *, whole: bool) -> list[str]:
    if whole and all(edge.is_integer() for edge in edges):
        return [str(int(edge)) for edge in edges]
    # More digits only where edges would look equal.
    for digits in (4, 8, 17):
        texts = [f"{edge:.{digits}g}" for edge in edges]
        if len(set(texts)) == len(texts):
            break
    return texts


@dataclass(frozen=True, slots=True)
class Spread:
    """The spread of a metric between the values of a column.

    Args:
        gap: Highest minus lowest, 0 or more.
        ratio: Lowest divided by highest; None where meaningless (negative figures, all 0).
        lowest: Value of the column with the lowest estimate, and the estimate.
        highest: Value of the column with the highest estimate, and the estimate.
        small: Number of values left out for too few rows.
        undefined: Number of large values for which the metric is undefined.
    """

    gap: float
    ratio: float | None
    lowest: tuple[str, Estimate]
    highest: tuple[str, Estimate]
    small: int
    undefined: int

    def __str__(self) -> str:
        (low, least), (high, most) = self.lowest, self.highest
        ends = f"{low!r} {least} to {high!r} {most}"
        left_out = []
        if self.small:
            left_out.append(f"{self.small} with fewer than {SMALL_ROWS} rows")
        if self.undefined:
            left_out.append(f"{self.undefined} without this metric")
        return ends + (f"; left out: {', '.join(left_out)}" if left_out else "")


def spread(metric: str, slices: Sequence[SliceResult]) -> Spread | None:
    """Compute the spread of a metric between slices; None if fewer than two can be compared.

    A column with a single value, or with none (all missing), has nothing to compare: a gap of 0
    would let a gate pass without any comparison.

    Args:
        metric: Name of the metric.
        slices: All slices of a column.
    """
    large = [result for result in slices if not result.small]
    if sum(result.value != MISSING for result in slices) < 2:  # noqa: PLR2004 - two are compared
        return None
    figures = [
        (result.value, result.metrics[metric]) for result in large if metric in result.metrics
    ]
    if len(figures) < 2:  # noqa: PLR2004 - two are compared
        return None
    lowest = min(figures, key=lambda pair: pair[1].value)
    highest = max(figures, key=lambda pair: pair[1].value)
    small, undefined = len(slices) - len(large), len(large) - len(figures)
    low, high = lowest[1].value, highest[1].value
    ratio = low / high if low >= 0 and high > 0 else None
    return Spread(high - low, ratio, lowest, highest, small, undefined)
