"""``erase_predictions``: removal of the predictions that used the features of given keys."""

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
_READ = (
    "SELECT id, features FROM predictions WHERE id > ? AND features IS NOT NULL ORDER BY id LIMIT ?"
)
_WAIT_S = 120


def erase_predictions(
    keys: Sequence[Mapping[str, Any]], *, store: "Store | str | None" = None
) -> int:
    """Remove the predictions for which features of keys were looked up, and return their number.

    Of a SQLite file the bytes go as well: it is written anew. PostgreSQL overwrites them when
    it vacuums.

    Args:
        keys: Values by key column, as plain JSON; a key with further columns matches, too.
        store: The store with the prediction log; by default the project's.
    """
    database = open_store(store).metadata.database
    wanted = [frozenset(key.items()) for key in keys]
    last, removed = -1, 0
    while True:
        with database.read() as transaction:
            rows = transaction.execute(_READ, (last, _AT_ONCE)).fetchall()
        if not rows:
            break
        last = rows[-1][0]
        found = [number for number, text in rows if _used(load_json(text), wanted)]
        with database.write() as transaction:
            transaction.executemany(
                "DELETE FROM predictions WHERE id = ?", [(number,) for number in found]
            )
        removed += len(found)
    _scrub(database)
    return removed


def _used(features: Any, wanted: "list[frozenset[tuple[str, Any]]]") -> bool:
    looked_up = [set(view["key"].items()) for view in (features or {}).values() if "key" in view]
    return any(key <= each for key in wanted for each in looked_up)


def _scrub(database: Database) -> None:
    if isinstance(database, SQLiteDatabase):
        connection = sqlite3.connect(database.path, timeout=_WAIT_S, isolation_level=None)
        try:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()
