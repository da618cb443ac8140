"""``erase_predictions``: removal of the predictions that used the features of given keys, or had them."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from penstock.stores._json import load_json
from penstock.stores._open import open_store
from penstock.stores.metadata._database import Database
from penstock.stores.metadata._sqlite import SQLiteDatabase

if TYPE_CHECKING:
    from penstock.stores._store import Store

_AT_ONCE = 5_000
_READ = "SELECT id, features, inputs FROM predictions WHERE id > ? ORDER BY id LIMIT ?"
_WAIT_S = 120


def erase_predictions(
    keys: Sequence[Mapping[str, Any]], *, store: "Store | str | None" = None
) -> int:
    """Remove the predictions that have keys, and return their number.

    A prediction has a key if features were looked up, or if the inputs have the key columns
    with these values, also as text (``"7"`` for 7).

    Of a SQLite file the bytes go as well: the file is written anew. PostgreSQL overwrites them when
    vacuumed.

    Args:
        keys: Values by key column, as plain JSON; a key with further columns matches, too.
        store: The store with the prediction log; by default the project's.
    """
    database = open_store(store).metadata.database
    last, removed = -1, 0
    while True:
        with database.read() as transaction:
            rows = transaction.execute(_READ, (last, _AT_ONCE)).fetchall()
        if not rows:
            break
        last = rows[-1][0]
        records = [
            number
            for number, features, inputs in rows
            if _has(keys, load_json(features) if features else {}, load_json(inputs))
        ]
        with database.write() as transaction:
            transaction.executemany(
                "DELETE FROM predictions WHERE id = ?", [(number,) for number in records]
            )
        removed += len(records)
    _scrub(database)
    return removed


def _has(keys: Sequence[Mapping[str, Any]], features: Any, inputs: Any) -> bool:
    looked_up = [view["key"] for view in features.values() if "key" in view]
    known = [each for each in (*looked_up, inputs) if isinstance(each, Mapping)]
    return any(_matches(key, each) for key in keys for each in known)


def _matches(key: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    return all(name in row and _is_same(value, row[name]) for name, value in key.items())


def _is_same(value: Any, other: Any) -> bool:
    """Compare as a request may be written: text in the place of a number or a date.

    >>> _is_same(7, "7"), _is_same(7, 7.0), _is_same(1, True), _is_same(None, "None")
    (True, True, False, False)
    """
    if value is None or other is None:
        return value is other
    if isinstance(value, bool) != isinstance(other, bool):
        return str(value).lower() == str(other).strip().lower()
    return bool(value == other) or str(value) == str(other).strip()


def _scrub(database: Database) -> None:
    if isinstance(database, SQLiteDatabase):
        connection = sqlite3.connect(database.path, timeout=_WAIT_S, isolation_level=None)
        try:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()
