"""Metric points: written as chunks with their summaries, read as columns."""
# ruff: noqa: S608 - statements are made of our own names; values are always bound

import math
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from penstock.core import (
    MetricColumns,
    MetricPoint,
    ParameterError,
    StoreError,
    now,
    require_label,
    require_number,
)
from penstock.stores.metadata._chunks import MOST, decode, encode_chunks, read_outline, thin
from penstock.stores.metadata._codec import to_micros
from penstock.stores.metadata._database import Database, Transaction
from penstock.stores.metadata._runs import SQLRunStore
from penstock.stores.metadata._summaries import add_points

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_INSERT = (
    'INSERT INTO metric_chunks (run_id, "key", chunk_id, "count", points, outline)'
    " VALUES (?, ?, ?, ?, ?, ?)"
)
_SET_MARK = (
    'INSERT INTO journals (journal, "position", at) VALUES (?, ?, ?) ON CONFLICT (journal)'
    ' DO UPDATE SET "position" = excluded."position", at = excluded.at'
)
# A chunk below this size is merged with others; a larger chunk stays.
_SMALL = MOST // 2
_SMALL_CHUNKS = 16
# At a run's end fewer of them stay: merging writes every point again to save readers a row or two.
_WORTH_MERGING = 4
_STRETCH = 256  # points per point of an outline
_EXISTING = 500
_ALWAYS = (-(2**63), 2**63 - 1)


class SQLMetricStore:
    """MetricStore on SQL."""

    def __init__(self, database: Database, runs: SQLRunStore) -> None:
        self._database, self._runs = database, runs
        # Number of small chunks that this process has added to a series since the last merge.
        self._small: dict[tuple[str, str], int] = defaultdict(int)

    def log(self, run_id: str, points: Sequence[MetricPoint]) -> None:
        """See MetricStore."""
        with self._database.read() as transaction:
            run_id = self._runs.full_id(transaction, run_id)
        self.append(list(_columns(run_id, points)))

    def append(
        self, columns: Sequence[MetricColumns], *, journal: str | None = None, position: int = 0
    ) -> None:
        """See MetricStore."""
        for key in {part.key for part in columns}:
            require_label(key, "metric")
        with self._database.write() as transaction:
            if journal is not None:
                if position <= _mark(transaction, journal):
                    return
                transaction.execute(_SET_MARK, (journal, position, to_micros(now())))
            known = _existing(transaction, {part.run_id for part in columns})
            kept = [part for part in columns if part.run_id in known and len(part)]
            # In a fixed order, so that two writers never wait for each other.
            kept.sort(key=lambda part: (part.run_id, part.key))
            _add_chunks(transaction, kept)
            add_points(transaction, kept)
            grown = [part for part in kept if self._has_many_small(part)]
            for part in grown:
                self._merge(transaction, part.run_id, part.key)

    def journal_position(self, journal: str) -> int:
        """See MetricStore."""
        with self._database.read() as transaction:
            return _mark(transaction, journal)

    def forget_journal(self, journal: str) -> None:
        """See MetricStore."""
        with self._database.write() as transaction:
            transaction.execute("DELETE FROM journals WHERE journal = ?", (journal,))

    def merge(self, run_id: str) -> None:
        """See MetricStore."""
        with self._database.read() as transaction:
            run_id = self._runs.full_id(transaction, run_id)
            rows = transaction.execute(
                'SELECT "key" FROM metric_chunks WHERE run_id = ? AND "count" < ?'
                ' GROUP BY "key" HAVING COUNT(*) >= ?',
                (run_id, _SMALL, _WORTH_MERGING),
            ).fetchall()
        for (key,) in rows:
            with self._database.write() as transaction:
                self._merge(transaction, run_id, key)
        self._small = defaultdict(int, {k: n for k, n in self._small.items() if k[0] != run_id})

    def history(self, run_id: str, key: str, *, most: int | None = None) -> MetricColumns:
        """See MetricStore."""
        if most is not None:
            require_number("most", most, low=1, whole=True)
        with self._database.read() as transaction:
            run_id = self._runs.full_id(transaction, run_id)
            count = transaction.execute(
                'SELECT "count" FROM metric_summaries WHERE run_id = ? AND "key" = ?', (run_id, key)
            ).fetchone()
            outlined = most is not None and count is not None and count[0] >= _STRETCH * most
            rows = transaction.execute(
                f"SELECT {_points_or_outline(outlined=outlined)} FROM metric_chunks"
                ' WHERE run_id = ? AND "key" = ? ORDER BY chunk_id',
                (run_id, key),
            ).fetchall()
        return _thinned(_read(run_id, key, rows), most)

    def copy(
        self,
        source: str,
        target: str,
        *,
        keys: Sequence[str] | None = None,
        until_step: float = math.inf,
        between: tuple[int, int] = _ALWAYS,
    ) -> int:
        """See MetricStore."""
        with self._database.read() as transaction:
            source = self._runs.full_id(transaction, source)
            target = self._runs.full_id(transaction, target)
            if source == target:
                raise ParameterError(
                    what=f"The run {source} is the source and the target.",
                    why="Its points would be there twice.",
                    fix="Name two runs.",
                )
            rows = transaction.execute(
                'SELECT "key" FROM metric_summaries WHERE run_id = ? ORDER BY "key"', (source,)
            ).fetchall()
        histories = [self.history(source, key) for (key,) in rows if keys is None or key in keys]
        copied = [_some(part, target, until_step, between) for part in histories]
        self.append(copied)
        return sum(len(part) for part in copied)

    def _merge(self, transaction: Transaction, run_id: str, key: str) -> None:
        self._database.alone(transaction, f"merge:{run_id}:{key}")
        _merge(transaction, run_id, key)

    def _has_many_small(self, part: MetricColumns) -> bool:
        if len(part) >= _SMALL:
            return False
        series = part.run_id, part.key
        self._small[series] += 1
        if self._small[series] < _SMALL_CHUNKS:
            return False
        del self._small[series]
        return True


def _mark(transaction: Transaction, journal: str) -> int:
    row = transaction.execute(
        'SELECT "position" FROM journals WHERE journal = ?', (journal,)
    ).fetchone()
    return -1 if row is None else int(row[0])


def _existing(transaction: Transaction, run_ids: set[str]) -> set[str]:
    """Return the runs that still exist: a run can be removed before the points arrive."""
    existing: set[str] = set()
    ids = sorted(run_ids)
    for part in (ids[start : start + _EXISTING] for start in range(0, len(ids), _EXISTING)):
        marks = ", ".join("?" * len(part))
        rows = transaction.execute(f"SELECT run_id FROM runs WHERE run_id IN ({marks})", part)
        existing.update(row[0] for row in rows.fetchall())
    return existing


def _add_chunks(transaction: Transaction, columns: Iterable[MetricColumns]) -> None:
    # Nanoseconds, counted on: chunks of a series are in the order of their writing.
    first_id = time.time_ns()
    rows = [
        (part.run_id, part.key, chunk.count, chunk.points, chunk.outline)
        for part in columns
        for chunk in encode_chunks(part.steps, part.values, part.times)
    ]
    transaction.executemany(
        _INSERT,
        [(run_id, key, first_id + place, *rest) for place, (run_id, key, *rest) in enumerate(rows)],
    )


def _merge(transaction: Transaction, run_id: str, key: str) -> None:
    """Write the small chunks of a series as few large chunks."""
    series = run_id, key
    rows = transaction.execute(
        "SELECT chunk_id, points FROM metric_chunks"
        ' WHERE run_id = ? AND "key" = ? AND "count" < ? ORDER BY chunk_id',
        (*series, _SMALL),
    ).fetchall()
    if len(rows) < 2:  # noqa: PLR2004 - nothing to merge
        return
    try:
        steps, values, times = _join([decode(points) for _, points in rows])
    except ValueError:
        return  # damaged: readers get an error, and logging goes on
    transaction.executemany(
        'DELETE FROM metric_chunks WHERE run_id = ? AND "key" = ? AND chunk_id = ?',
        [(*series, chunk_id) for chunk_id, _ in rows],
    )
    # There are never more new chunks than old: each takes the id of a removed chunk.
    transaction.executemany(
        _INSERT,
        [
            (*series, chunk_id, chunk.count, chunk.points, chunk.outline)
            for (chunk_id, _), chunk in zip(rows, encode_chunks(steps, values, times), strict=False)
        ],
    )


def _points_or_outline(*, outlined: bool) -> str:
    if not outlined:
        return "points, NULL"
    # A chunk that is too small for an outline is read in full.
    return "CASE WHEN LENGTH(outline) > 0 THEN NULL ELSE points END, outline"


def _read(run_id: str, key: str, rows: Sequence[Any]) -> MetricColumns:
    import numpy as np

    try:
        parts = [_part(points, outline) for points, outline in rows]
    except ValueError as error:
        raise StoreError(
            what=f"Metric {key!r} of run {run_id} is damaged ({error}).",
            why="What was stored is not what is there now: a failing disk, or another program.",
            fix="Restore the store from a backup; see what else is damaged: penstock store check",
            run_id=run_id,
            key=key,
        ) from error
    if not parts:
        nothing = np.zeros(0)
        return MetricColumns(run_id, key, nothing, nothing, np.zeros(0, np.int64))
    return _sorted(MetricColumns(run_id, key, *_join(parts)))


def _part(
    points: bytes | None, outline: bytes
) -> "tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]":
    import numpy as np

    if points is not None:
        return decode(points)
    steps, values = read_outline(outline)
    return steps, values, np.zeros(len(steps), np.int64)


def _join(
    parts: "Sequence[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]]",
) -> "tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]":
    import numpy as np

    steps, values, times = zip(*parts, strict=True)
    return np.concatenate(steps), np.concatenate(values), np.concatenate(times)


def _sorted(columns: MetricColumns) -> MetricColumns:
    """Order points by step, then time, then order of writing."""
    import numpy as np

    steps, times = columns.steps, columns.times
    # Compared, not subtracted: a difference of far steps or times has no room in their type.
    if (steps[1:] > steps[:-1]).all():
        return columns
    if (steps[1:] >= steps[:-1]).all() and (times[1:] >= times[:-1]).all():
        return columns
    return _chosen(columns, np.lexsort((columns.times, columns.steps)))


def _thinned(columns: MetricColumns, most: int | None) -> MetricColumns:
    if most is None or len(columns) <= most:
        return columns
    return _chosen(columns, thin(columns.steps, columns.values, most))


def _chosen(columns: MetricColumns, places: "NDArray[Any]") -> MetricColumns:
    return MetricColumns(
        columns.run_id,
        columns.key,
        columns.steps[places],
        columns.values[places],
        columns.times[places],
    )


def _some(
    columns: MetricColumns, run_id: str, until_step: float, between: tuple[int, int]
) -> MetricColumns:
    since, until = between
    kept = (columns.steps <= until_step) & (columns.times >= since) & (columns.times <= until)
    return replace(_chosen(columns, kept.nonzero()[0]), run_id=run_id)


def _columns(run_id: str, points: Sequence[MetricPoint]) -> Iterable[MetricColumns]:
    import numpy as np

    by_key: dict[str, list[MetricPoint]] = defaultdict(list)
    for point in points:
        by_key[point.key].append(point)
    for key, group in by_key.items():
        yield MetricColumns(
            run_id,
            key,
            np.array([point.step for point in group], np.float64),
            np.array([point.value for point in group], np.float64),
            np.array([to_micros(point.time) for point in group], np.int64),
        )
