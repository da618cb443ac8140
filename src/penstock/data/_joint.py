"""JointProfile: how columns go together, to tell columns apart whose own values look alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from penstock.data._moments import as_moments
from penstock.tables import without_nan

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from penstock.data._snapshot import Snapshot

    Matrix = np.ndarray[Any, np.dtype[np.float64]]

_SAMPLE_ROWS = 20_000
_MOST_COLUMNS = 60
_MOST_LEVELS = 50
_LEAST_ROWS = 50
_DIGITS = 4
_HOUR_US = 3_600_000_000
_NOISE = 3.0  # standard errors of a rank correlation that two columns must differ by
_SURE = 0.5  # of the usual difference


@dataclass(frozen=True, slots=True)
class JointProfile:
    """The rank correlations of a table's columns.

    Args:
        columns: Names of the columns: numbers, booleans and texts with few values, at most 60;
            and last, with an empty name, the hour of the day of the time column, if it has one.
        rows: Number of rows in the sample.
        correlations: Spearman's correlation of each column with each that stands before it.
    """

    columns: tuple[str, ...]
    rows: int
    correlations: tuple[tuple[float, ...], ...]

    @classmethod
    def of(cls, snapshot: "Snapshot") -> Self:
        """Compute the correlations of a snapshot's rows, of many rows from an even sample."""
        import numpy as np

        names = _usable(snapshot)
        time = snapshot.time if isinstance(snapshot.time, str) else None
        wanted = [*names, *([time] if time is not None else [])]
        if not names or snapshot.rows <= 1:  # of a single row nothing varies
            return cls((), snapshot.rows, ())
        rows = np.unique(np.linspace(0, snapshot.rows - 1, _SAMPLE_ROWS).astype(np.int64))
        table = snapshot.chunks.take(rows, wanted)
        columns = {name: _ranks(table[name]) for name in names}
        if time is not None and table[time].dtype.is_temporal():
            columns[""] = _ranks(as_moments(table[time]).to_physical() % (24 * _HOUR_US))
        with np.errstate(all="ignore"):
            matrix = np.atleast_2d(np.corrcoef(np.stack(list(columns.values()))))
        # A column that does not vary goes together with none.
        matrix = np.nan_to_num(matrix)
        lower = tuple(
            tuple(round(float(value), _DIGITS) for value in matrix[place, :place])
            for place in range(len(columns))
        )
        return cls(tuple(columns), len(rows), lower)

    def matrix(self, columns: Sequence[str]) -> "Matrix":
        """Return the correlations of some of the columns, shape (n, n)."""
        import numpy as np

        whole = np.eye(len(self.columns))
        for place, row in enumerate(self.correlations):
            whole[place, :place] = whole[:place, place] = row
        chosen = [self.columns.index(name) for name in columns]
        return whole[np.ix_(chosen, chosen)]

    def to_json(self) -> dict[str, Any]:
        """Return plain values for storing."""
        return {
            "columns": list(self.columns),
            "rows": self.rows,
            "correlations": [list(row) for row in self.correlations],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Create a profile from the result of to_json."""
        rows = tuple(tuple(row) for row in value["correlations"])
        return cls(tuple(value["columns"]), value["rows"], rows)


def find_exchanged(
    new: JointProfile, before: Sequence[JointProfile], names: Sequence[str]
) -> dict[tuple[str, str], bool]:
    """Return the pairs of columns that go together with the others as the other one did.

    A pair counts if every accepted version is nearer to the others as it is than with the two
    exchanged: then the two can be told apart, and how well.

    Args:
        new: The new rows.
        before: Accepted versions, 2 or more.
        names: Columns that may be exchanged.

    Returns:
        By pair whether it is sure.
    """
    import numpy as np

    known = [each for each in (new, *before) if each.rows >= _LEAST_ROWS]
    shared = [n for n in new.columns if all(n in each.columns for each in known)]
    if len(known) < 3 or known[0] is not new or len(shared) < 3:  # noqa: PLR2004 - a third to compare with
        return {}
    matrices = [each.matrix(shared) for each in known]
    # Above 0: nearer to the most similar other version with the two exchanged.
    gaps = np.stack([_gaps(own, matrices[1:], place - 1) for place, own in enumerate(matrices)])
    usual = -np.median(gaps[1:], axis=0)
    error = _NOISE / np.sqrt(min(each.rows for each in known))
    distinct = (gaps[1:].max(axis=0) < 0) & (usual > error / np.sqrt(2 * max(len(shared) - 2, 1)))
    pairs = [
        (
            float(gaps[0, place, other]),
            b,
            a,
            bool(gaps[0, place, other] > _SURE * usual[place, other]),
        )
        for place, a in enumerate(shared)
        for other, b in enumerate(shared[:place])
        if a in names and b in names and distinct[place, other] and gaps[0, place, other] > 0
    ]
    # Of pairs that have a column in common the most evident counts: it makes the others look odd.
    found: dict[tuple[str, str], bool] = {}
    for _, a, b, is_sure in sorted(pairs, key=lambda pair: -pair[0]):
        if not any({a, b} & {*pair} for pair in found):
            found[a, b] = is_sure
    return found


def _gaps(own: "Matrix", others: "Sequence[Matrix]", left_out: int) -> "Matrix":
    """Return for each pair how much farther a version is from the others as it is than exchanged.

    The distance is the mean difference of the correlations with all columns but the two.
    """
    import numpy as np

    straight, crossed = [], []
    for place, other in enumerate(others):
        if place == left_out:
            continue
        apart = np.abs(own[:, None, :] - other[None, :, :])  # [a, b, c] of a here and b there
        index = np.arange(len(own))
        across = apart.sum(axis=2) - apart[index, :, index] - apart[:, index, index]
        same = apart[index, index, :]  # [a, c]
        whole = same.sum(axis=1) - same[index, index]
        straight.append(whole[:, None] + whole[None, :] - same - same.T)
        crossed.append(across + across.T)
    apart_by = np.min(straight, axis=0) - np.min(crossed, axis=0)
    gaps: Matrix = apart_by / (2 * max(len(own) - 2, 1))
    return gaps


def _usable(snapshot: "Snapshot") -> list[str]:
    times = (snapshot.time,) if isinstance(snapshot.time, str) else snapshot.time or ()
    names = [
        column.name
        for column in snapshot.schema
        if column.name not in times
        and (
            column.kind in ("number", "integer", "boolean")
            or (column.kind == "category" and (column.distinct or 0) <= _MOST_LEVELS)
        )
    ]
    return names[:_MOST_COLUMNS]


def _ranks(series: "pl.Series") -> "np.ndarray[Any, Any]":
    """Return ranks, equal values the mean of theirs; missing values stand in the middle."""
    import polars as pl

    if not series.dtype.is_numeric():
        series = series.cast(pl.String)
    ranks = without_nan(series).rank()
    middle = ranks.mean()
    return ranks.cast(pl.Float64).fill_null(middle if middle is not None else 0.0).to_numpy()
