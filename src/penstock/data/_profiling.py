"""profile_table: the distribution of each column of a table."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from penstock.core import side_by_side
from penstock.data._dependence import Dependence, estimate_dependence, middle_rows
from penstock.data._moments import as_moments
from penstock.data._profile import ColumnProfile, TableProfile
from penstock.data._schema import Schema, infer_column
from penstock.tables import Column, Kind, kind_of

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

BINS = 10
QUANTILES = 21
TOP = 50
_WORK_BYTES = 1 << 30  # of all columns that are profiled at once
_BYTES_PER_ROW = 64  # of a column: as stored, as floats, in order, and while it is put in order
_MANY_ROWS = 1 << 16  # fewer are profiled faster than threads start


def describe_columns(
    names: Sequence[str],
    rows: int,
    column: "Callable[[str], pl.Series]",
    known: "Mapping[str, tuple[Column, ColumnProfile]] | None" = None,
) -> tuple[Schema, TableProfile]:
    """Compute schema and profile of a table, whose columns are loaded in order.

    Args:
        names: Columns in order.
        rows: Number of rows.
        column: Returns a column by name.
        known: Columns that are described already.
    """
    known = known or {}

    def describe(name: str) -> tuple[Column, ColumnProfile]:
        if name in known:
            return known[name]
        series = column(name)
        fact = infer_column(series)
        return fact, profile_column(series, (fact.kind, fact.distinct))

    at_once = max(1, _WORK_BYTES // (max(rows, 1) * _BYTES_PER_ROW))
    described = side_by_side(describe, names, if_worth=rows > _MANY_ROWS, at_most=at_once)
    profiles = {fact.name: profile for fact, profile in described}
    return Schema(tuple(fact for fact, _ in described)), TableProfile(rows, profiles)


def profile_table(table: "pl.DataFrame") -> TableProfile:
    """Compute the profile of every column.

    >>> import polars as pl
    >>> profile = profile_table(pl.DataFrame({"age": [20, 30, None], "city": ["A", "B", "A"]}))
    >>> profile.columns["age"].mean, profile.columns["city"].top
    (25.0, (('A', 2), ('B', 1)))
    """
    return TableProfile(
        table.height, {series.name: profile_column(series) for series in table.iter_columns()}
    )


def profile_column(
    series: "pl.Series", known: tuple[Kind, int | None] | None = None
) -> ColumnProfile:
    """Compute the profile of a column.

    Args:
        series: The values.
        known: Result of `kind_of`, if known.
    """
    import polars as pl

    kind, levels = known or kind_of(series)
    dtype = series.dtype
    if dtype in (pl.Date, pl.Datetime):
        seconds = as_moments(series).to_physical() / 1_000_000
        return _profile_numbers(seconds, kind)
    if dtype.is_numeric():
        return _profile_numbers(series, kind)
    missing = series.null_count()
    if dtype.is_nested() or dtype in (pl.Object, pl.Binary, pl.Duration, pl.Time, pl.Null):
        return ColumnProfile(kind, len(series), missing, unique=levels or 0)
    # Texts have no mean; for booleans the mean is the share of true.
    share = series.mean() if dtype == pl.Boolean else None
    top, other = _top(series)
    return ColumnProfile(
        kind,
        len(series),
        missing,
        unique=levels or 0,
        mean=share if isinstance(share, float) else None,
        top=top,
        other=other,
        dependence=_dependence_of_texts(series, top),
    )


def bin_places(
    edges: "tuple[float, ...]", values: "np.ndarray[Any, Any]"
) -> "np.ndarray[Any, Any]":
    """Return the index of each value's bin in a profile, 0 for the lowest.

    >>> import numpy as np
    >>> bin_places((0.0, 1.0, 5.0), np.array([-3.0, 1.0, 2.0, 99.0])).tolist()
    [0, 0, 1, 1]

    Args:
        edges: Borders as in ColumnProfile, 2 or more.
        values: Numbers without NaN, shape (n,).
    """
    import numpy as np

    return np.searchsorted(np.asarray(edges[1:-1]), values, side="left")


def level_places(levels: Sequence[str], texts: "pl.Series") -> "np.ndarray[Any, Any]":
    """Return each text's position among levels; an unknown text has the position after the last.

    >>> import polars as pl
    >>> level_places(["a", "b"], pl.Series(["b", "a", "c"])).tolist()
    [1, 0, 2]

    Args:
        levels: Known texts.
        texts: Texts without null, shape (n,).
    """
    import polars as pl

    places = pl.DataFrame({"value": list(levels), "place": range(len(levels))})
    joined = pl.DataFrame({"value": texts}).join(
        places, on="value", how="left", maintain_order="left"
    )
    return joined["place"].fill_null(len(levels)).to_numpy()


def count_bins(edges: "tuple[float, ...]", values: "np.ndarray[Any, Any]") -> list[int]:
    """Count values in a profile's bins; every number belongs to a bin, infinite numbers too.

    >>> import numpy as np
    >>> count_bins((0.0, 1.0, 5.0), np.array([-3.0, 1.0, 2.0, 99.0]))
    [2, 2]

    Args:
        edges: Borders as in ColumnProfile, 2 or more.
        values: Numbers without NaN, shape (n,).
    """
    return _counted(bin_places(edges, values), len(edges) - 1)


def _counted(places: "np.ndarray[Any, Any]", bins: int) -> list[int]:
    import numpy as np

    return [int(count) for count in np.bincount(places, minlength=bins)]


def _dependence_of_texts(
    series: "pl.Series", top: tuple[tuple[str, int], ...]
) -> Dependence | None:
    import polars as pl

    texts = middle_rows(series.drop_nulls()).cast(pl.String)
    if not len(texts):
        return None
    return estimate_dependence(level_places([level for level, _ in top], texts))


def _profile_numbers(series: "pl.Series", kind: Kind) -> ColumnProfile:
    import numpy as np
    import polars as pl

    values = series.cast(pl.Float64).fill_nan(None).drop_nulls()
    ordered = _ordered(values)
    low, high = np.searchsorted(ordered, -np.inf, "right"), np.searchsorted(ordered, np.inf)
    finite = ordered[low:high]
    facts = {
        "kind": kind,
        "rows": len(series),
        "missing": len(series) - len(values),
        "infinite": len(values) - len(finite),
    }
    if not len(finite):
        return ColumnProfile(**facts, unique=values.n_unique())  # type: ignore[arg-type]
    edges = _edges(finite)
    unique = int(np.count_nonzero(finite[1:] != finite[:-1])) + 1
    # Few distinct integers may be codes of categories.
    integers = series.dtype.is_integer() and unique <= TOP
    top, other = _top(series) if integers else ((), 0)
    return ColumnProfile(
        **facts,  # type: ignore[arg-type]
        unique=unique,
        mean=float(finite.mean()),
        std=float(finite.std()),
        min=float(finite[0]),
        max=float(finite[-1]),
        quantiles=quantiles_of(finite),
        edges=edges,
        counts=_count_ordered(edges, finite, int(low), len(ordered) - int(high)),
        top=top,
        other=other,
        dependence=estimate_dependence(bin_places(edges, middle_rows(values).to_numpy())),
    )


def _ordered(values: "pl.Series") -> "np.ndarray[Any, Any]":
    """Return numbers in order; polars sorts several times faster than NumPy."""
    import numpy as np

    ordered: np.ndarray[Any, Any] = values.sort().to_numpy()
    start, end = np.searchsorted(ordered, 0.0), np.searchsorted(ordered, 0.0, "right")
    negative = np.signbit(ordered[start:end])
    if negative.any() and not negative.all():
        # 0 and -0 are equal, so that their order would be left to chance.
        ordered = ordered.copy()
        ordered[start:end] = 0.0
    return ordered


def quantiles_of(ordered: "np.ndarray[Any, Any]") -> tuple[float, ...]:
    """Return the 21 quantiles of numbers in order, bit for bit those of `numpy.quantile`.

    That function would copy the numbers and order them once more.

    >>> import numpy as np
    >>> quantiles_of(np.arange(3.0))[:3]
    (0.0, 0.1, 0.2)
    """
    import numpy as np

    places = (len(ordered) - 1) * np.linspace(0.0, 1.0, QUANTILES)
    before = np.floor(places).astype(np.int64)
    low, high = ordered[before], ordered[np.minimum(before + 1, len(ordered) - 1)]
    share = places - before
    width = high - low
    found = np.where(share < 0.5, low + width * share, high - width * (1 - share))  # noqa: PLR2004 - nearer to the lower one
    return tuple(float(value) for value in found)


def _count_ordered(
    edges: tuple[float, ...], finite: "np.ndarray[Any, Any]", below: int, above: int
) -> tuple[int, ...]:
    """Count values in bins from the finite ones in order, much faster than value by value.

    Args:
        edges: Borders of the bins.
        finite: The finite values in order.
        below: Number of values that are minus infinity; they count in the outer bins.
        above: Number of infinite values.
    """
    import numpy as np

    ends = np.searchsorted(finite, np.asarray(edges[1:-1]), side="right")
    counts = np.diff(np.concatenate([[0], ends, [len(finite)]]))
    counts[0] += below
    counts[-1] += above
    return tuple(int(count) for count in counts)


def _edges(ordered: "np.ndarray[Any, Any]") -> tuple[float, ...]:
    """Return cuts at the values' deciles; a value that fills several deciles has a separate bin."""
    import numpy as np

    places = np.ceil(np.arange(1, BINS) * len(ordered) / BINS).astype(int) - 1
    deciles = ordered[np.clip(places, 0, len(ordered) - 1)]
    heavy = deciles[1:][deciles[1:] == deciles[:-1]]
    # Without the cut just below, a heavy value would share the bin with smaller values.
    below = ordered[np.searchsorted(ordered, heavy) - 1]
    below = below[below < heavy]
    cuts = np.unique(np.concatenate([deciles, below]))
    # The last bin must not be empty.
    cuts = cuts[cuts < ordered[-1]]
    low = min(float(ordered[0]), float(cuts[0]) if len(cuts) else float(ordered[0]))
    return (low, *(float(cut) for cut in cuts), float(ordered[-1]))


def _top(series: "pl.Series") -> tuple[tuple[tuple[str, int], ...], int]:
    import polars as pl

    values = series.drop_nulls().rename("value")
    # Booleans and whole numbers are counted as they are: each has a text of its own.
    if not (values.dtype == pl.Boolean or values.dtype.is_integer()):
        values = values.cast(pl.String)
    counts = values.value_counts(name="rows")
    pairs = tuple((str(text), int(rows)) for text, rows in first_of(counts).iter_rows())
    return pairs, len(values) - sum(rows for _, rows in pairs)


def first_of(counts: "pl.DataFrame") -> "pl.DataFrame":
    """Return the values with most rows, equally frequent ones by their text."""
    import polars as pl

    if counts.height > TOP:
        # Values in millions are not put in order for the sake of the first.
        least = counts["rows"].top_k(TOP).min()
        counts = counts.filter(pl.col("rows") >= least)
    counts = counts.with_columns(pl.col("value").cast(pl.String))
    return counts.sort(["rows", "value"], descending=[True, False]).head(TOP)
