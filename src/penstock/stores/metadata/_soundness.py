"""Consistency of the tables; the SQL of ``penstock store check``."""

import sqlite3
from collections.abc import Iterator

from penstock.core import StoreError
from penstock.stores.metadata._chunks import decode, read_outline
from penstock.stores.metadata._database import Database
from penstock.stores.metadata._protocol import MetadataStore
from penstock.stores.metadata._sqlite import SQLiteDatabase
from penstock.stores.metadata._stage_events import STORE_HISTORY, stage_event_hash


def database_damage(database: Database) -> list[str]:
    """Check a SQLite file for damage; a server checks its own files."""
    if not isinstance(database, SQLiteDatabase):
        return []
    try:
        connection = database.connect()
    except StoreError as error:
        return [error.what]
    try:
        rows = connection.execute("PRAGMA integrity_check(20)").fetchall()
        lost = connection.execute("PRAGMA foreign_key_check").fetchall()
    except sqlite3.DatabaseError as error:
        return [f"SQLite cannot read it: {error}."]
    finally:
        connection.close()
    faults = [f"SQLite says: {row[0]}." for row in rows if row[0] != "ok"]
    return faults + [f"A row of {row[0]} belongs to nothing in {row[2]}." for row in lost[:20]]


def metric_damage(database: Database) -> Iterator[tuple[str, str]]:
    """Decode every chunk, and compare the points with the summary."""
    with database.read() as transaction:
        series = transaction.execute(
            'SELECT run_id, "key", "count", "min", "max", "last" FROM metric_summaries'
            ' ORDER BY run_id, "key"'
        ).fetchall()
        chunked = dict.fromkeys(
            (run_id, key)
            for run_id, key in transaction.execute(
                'SELECT DISTINCT run_id, "key" FROM metric_chunks'
            ).fetchall()
        )
    for run_id, key, *summary in series:
        if (run_id, key) not in chunked:
            continue  # known by summary only, as the runs of an import
        del chunked[run_id, key]
        with database.read() as transaction:
            rows = transaction.execute(
                'SELECT "count", points, outline FROM metric_chunks WHERE run_id = ? AND "key" = ?'
                " ORDER BY chunk_id",
                (run_id, key),
            ).fetchall()
        text = _damage(rows, *summary)
        if text:
            yield run_id, f"Metric {key!r}: {text}"
    for run_id, key in chunked:
        yield run_id, f"Metric {key!r} has points and no summary."


def _damage(
    rows: list[tuple[int, bytes, bytes]],
    count: int,
    low: float | None,
    high: float | None,
    last: float | None,
) -> str:
    import numpy as np

    try:
        columns = [decode(points) for _, points, _ in rows]
        for _, _, outline in rows:
            read_outline(outline)
    except ValueError as error:
        return f"{error}."
    if [len(steps) for steps, _, _ in columns] != [size for size, _, _ in rows]:
        return "a chunk has another number of points than it says."
    steps, values, times = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    if len(steps) != count:
        return f"{len(steps)} points, and its summary says {count}."
    numbers = values[~np.isnan(values)]
    faults = {
        "lowest": (numbers.min() if len(numbers) else np.nan, low),
        "highest": (numbers.max() if len(numbers) else np.nan, high),
        "last": (values[np.lexsort((times, steps))[-1]], last),
    }
    for word, (value, number) in faults.items():
        if not np.array_equal(value, np.nan if number is None else number, equal_nan=True):
            return f"the {word} of its points is {value}, and its summary says {number}."
    return ""


def broken_chains(metadata: MetadataStore) -> Iterator[tuple[str, str]]:
    """Check the hash chain of each model's history, and of the store's own."""
    for model in (*metadata.models.list(), STORE_HISTORY):
        previous = ""
        for place, event in enumerate(metadata.models.list_stage_events(model), start=1):
            if event.hash != stage_event_hash(previous, event):
                yield model, f"Move {place} of its history was changed after it was written."
                break
            previous = event.hash
