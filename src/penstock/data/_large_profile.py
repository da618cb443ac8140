"""describe_table: schema and profile of a table in chunks, of any size.

Up to 2^24 rows every column is loaded whole, in order, but for long texts. Above, two passes over the chunks
(see decision 0044): the first takes every k-th row, the extremes and the number of distinct values;
the second counts all rows against the bins and levels of the sample. The results depend on the
rows only, not on the chunks.
"""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from penstock.core import side_by_side
from penstock.data._long_columns import LongColumn, long_columns
from penstock.data._moments import as_moments
from penstock.data._profile import ColumnProfile, TableProfile
from penstock.data._profiling import count_bins, describe_columns, level_places, profile_column
from penstock.data._row_hashes import column_hashes
from penstock.data._schema import Schema
from penstock.stores import ChunkedTable
from penstock.tables import Column, dtype_name, has_missing, kind_of_sample, without_nan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    import polars as pl

_WHOLE_ROWS = 1 << 24
_SAMPLE_ROWS = 1 << 20
_STRETCH = 100_000
_HASHES = 4096
_MANY = 16


def describe_table(table: ChunkedTable) -> tuple[Schema, TableProfile]:
    """Infer the schema and compute the profile of a table in chunks.

    >>> import polars as pl
    >>> schema, profile = describe_table(ChunkedTable.of(pl.DataFrame({"a": [1.5, 2.5]})))
    >>> schema.names, profile.columns["a"].mean
    (['a'], 2.0)
    """
    rows = table.rows
    if rows <= _WHOLE_ROWS:
        known = {name: _describe_long(table, name) for name in long_columns(table)}
        return describe_columns(table.columns, rows, table.column, known)
    columns = {name: _LargeColumn(rows) for name in table.columns}
    _pass(table.batches(), lambda series, *, start: columns[series.name].sample(series, start))
    for column in columns.values():
        column.describe()
    _pass(table.batches(), lambda series, **_: columns[series.name].count(series))
    facts = [column.finish() for column in columns.values()]
    profiles = {fact.name: profile for fact, profile in facts}
    return Schema(tuple(fact for fact, _ in facts)), TableProfile(rows, profiles)


def _describe_long(table: ChunkedTable, name: str) -> tuple[Column, ColumnProfile]:
    def batches() -> "Iterator[pl.Series]":
        return (batch.to_series() for batch in table.batches([name]))

    column = LongColumn(batches())
    return column.fact, column.profile(batches())


def _pass(batches: "Iterator[pl.DataFrame]", work: "Callable[..., None]") -> None:
    start = 0
    for batch in batches:
        side_by_side(partial(work, start=start), batch.get_columns())
        start += batch.height


def infer_large(
    rows: int, names: "Sequence[str]", batches: "Callable[[], Iterator[pl.DataFrame]]"
) -> Schema:
    """Infer the schema of very many rows, from one pass; numbers of distinct values are estimates.

    Args:
        rows: Number of rows.
        names: Columns in order.
        batches: Returns the rows in batches.
    """
    columns = {name: _LargeColumn(rows) for name in names}
    _pass(batches(), lambda series, *, start: columns[series.name].sample(series, start))
    for column in columns.values():
        column.describe()
    return Schema(tuple(column.fact for column in columns.values()))


class _LargeColumn:
    """Schema and profile of a column that is never in memory as a whole."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._step = -(-rows // _SAMPLE_ROWS)
        self._sampled: list[pl.Series] = []
        self._stretch: list[pl.Series] = []
        self._ends: pl.Series | None = None  # the smallest and the largest value
        self._odd: pl.Series | None = None
        self._distinct = _Distinct()
        self._has_missing = False
        self._present = 0
        self._counts: np.ndarray[Any, Any] | None = None
        self._missing = self._infinite = 0

    def sample(self, series: "pl.Series", start: int) -> None:
        """First pass: collect the samples for cut points and levels.

        Args:
            series: The next values.
            start: Number of the first value, from 0.
        """
        import polars as pl

        self._sampled.append(series.gather_every(self._step, -start % self._step))
        middle = (self._rows - _STRETCH) // 2
        low, high = max(middle - start, 0), min(middle + _STRETCH - start, len(series))
        if low < high:
            self._stretch.append(series[low:high])
        self._has_missing = self._has_missing or has_missing(series)
        self._present += len(series) - without_nan(series).null_count()
        if not series.dtype.is_nested():
            self._distinct.add(_finite(series).drop_nulls())
        if self._odd is None or not len(self._odd):
            # Rare values that the sample may miss: the first of a column, and an infinite one.
            odd = series.filter(series.is_infinite()) if series.dtype.is_float() else series
            self._odd = odd.drop_nulls().head(1)
        if _has_order(series):
            known = _finite(series)
            known = known if self._ends is None else pl.concat([self._ends, known])
            self._ends = pl.concat([known.bottom_k(1), known.top_k(1)])

    @property
    def fact(self) -> Column:
        """Kind, type and number of distinct values."""
        return self._fact

    def describe(self) -> None:
        """Between the passes: cut points, levels and kind from the sample."""
        import polars as pl

        sample = pl.concat(self._sampled)
        if self._ends is not None:
            # With the ends, the outer bins reach as far as the values of all rows.
            sample = _with(sample, self._ends)
        if self._odd is not None and (sample.dtype.is_float() or not sample.count()):
            sample = _with(sample, self._odd)
        kind, distinct = kind_of_sample(sample, self._present, self._distinct.estimate())
        self._fact = Column(
            sample.name,
            kind,
            dtype_name(sample.dtype),
            nullable=self._has_missing,
            distinct=distinct,
        )
        self._profile = profile_column(sample, (kind, distinct))
        self._levels = [level for level, _ in self._profile.top]
        # Neighbours in the sample are no neighbours in the table.
        self._dependence = profile_column(pl.concat(self._stretch)).dependence
        self._sample_rows = len(sample)
        self._sampled, self._stretch, self._ends, self._odd = [], [], None, None

    def count(self, series: "pl.Series") -> None:
        """Second pass: count the values in the bins and levels of the sample."""
        import numpy as np
        import polars as pl

        counted = None
        if series.dtype.is_numeric() or series.dtype in (pl.Date, pl.Datetime):
            numbers = _as_numbers(series)
            self._missing += numbers.null_count()
            values = numbers.drop_nulls().to_numpy()
            self._infinite += int(np.isinf(values).sum())
            if self._profile.edges:
                counted = np.array(count_bins(self._profile.edges, values))
        else:
            self._missing += series.null_count()
        if self._levels:
            texts = series.drop_nulls().cast(pl.String)
            places = level_places(self._levels, texts)
            levels = np.bincount(places, minlength=len(self._levels) + 1)
            counted = levels if counted is None else np.concatenate([counted, levels])
        if counted is not None:
            self._counts = counted if self._counts is None else self._counts + counted

    def finish(self) -> tuple[Column, ColumnProfile]:
        """After the passes: the column's facts and profile."""
        profile, counts = self._profile, self._counts
        bins = max(len(profile.edges) - 1, 0)
        levels = [] if counts is None else counts[bins:].tolist()
        pairs = zip(self._levels, levels, strict=False)
        top = sorted(((text, int(rows)) for text, rows in pairs), key=lambda one: (-one[1], one[0]))
        distinct = self._distinct.estimate()
        return self._fact, replace(
            profile,
            rows=self._rows,
            missing=self._missing,
            infinite=self._infinite,
            unique=max(distinct, profile.unique) if profile.unique else 0,
            counts=tuple(int(rows) for rows in counts[:bins]) if counts is not None else (),
            top=tuple(top),
            other=levels[-1] if levels else 0,
            dependence=self._dependence,
            sample=self._sample_rows,
        )


class _Distinct:
    """Estimate of the number of distinct values from the smallest hashes.

    Source:
        Bar-Yossef et al. (2002), Counting distinct elements in a data stream; the estimator of
        Beyer et al. (2007), doi:10.1145/1247480.1247504. Standard error 1.6 % with 4,096 hashes.
    """

    def __init__(self) -> None:
        self._smallest: np.ndarray[Any, Any] | None = None

    def add(self, series: "pl.Series") -> None:
        import numpy as np

        if self._smallest is None or len(self._smallest) < _HASHES:
            series = series.unique()  # columns of few values: only those are hashed
        hashes = column_hashes(series.to_frame())[0]
        if self._smallest is not None:
            if len(self._smallest) == _HASHES:  # almost no value is below, and sorting is slow
                hashes = hashes[hashes < self._smallest[-1]]
            hashes = np.concatenate([self._smallest, hashes])
        elif len(hashes) > _MANY * _HASHES:
            hashes = _lowest(hashes)
        self._smallest = np.unique(hashes)[:_HASHES]

    def estimate(self) -> int:
        if self._smallest is None or len(self._smallest) < _HASHES:
            return 0 if self._smallest is None else len(self._smallest)
        return round((_HASHES - 1) * 2.0**64 / float(self._smallest[-1]))


def _lowest(hashes: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """Return the lowest hashes, at least as many distinct ones as are kept, or all."""
    import numpy as np

    # Hashes are spread evenly, so that a bound leaves a known share of the distinct ones.
    share = hashes[hashes < np.uint64(2**64 // _MANY * 2)]
    return share if len(np.unique(share)) >= _HASHES else hashes


def _as_numbers(series: "pl.Series") -> "pl.Series":
    import polars as pl

    if series.dtype in (pl.Date, pl.Datetime):
        series = as_moments(series).to_physical() / 1_000_000
    return series.cast(pl.Float64).fill_nan(None)


def _has_order(series: "pl.Series") -> bool:
    import polars as pl

    return series.dtype.is_numeric() or series.dtype in (pl.Date, pl.Datetime, pl.String)


def _finite(series: "pl.Series") -> "pl.Series":
    """Return the values without those that a profile counts apart; 0 and -0 are the same value."""
    if not series.dtype.is_float():
        return series
    finite = series.filter(series.is_finite())
    return finite.set(finite == 0.0, 0.0)


def _with(sample: "pl.Series", more: "pl.Series") -> "pl.Series":
    """Return a sample with the values of a second sample that the first lacks."""
    import polars as pl

    if sample.dtype.is_nested():
        return sample if sample.count() else pl.concat([sample, more])
    lacking = more.unique(maintain_order=True)
    return pl.concat([sample, lacking.filter(~lacking.is_in(sample.unique().implode()))])
