"""Settings of the store itself, and a counter of changes to models and deployments, for servers."""

from penstock.core import current_actor, now
from penstock.stores.metadata._database import Database, Transaction
from penstock.stores.metadata._stage_events import note_setting

# Settings on which a promotion depends: actor and time of a change stay in the history.
_IN_HISTORY = frozenset({"single_user", "unsafe_models", "approvals_needed", "approvals_expire_s"})

_COUNT = (
    "INSERT INTO counters (name, value) VALUES ('changes', 1)"
    " ON CONFLICT (name) DO UPDATE SET value = counters.value + 1"
)
_READ = "SELECT value FROM counters WHERE name = 'changes'"
_GET = "SELECT value FROM settings WHERE name = ?"
_ADD = "INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING"
_SET = (
    "INSERT INTO settings (name, value) VALUES (?, ?)"
    " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)


def count_change(transaction: Transaction) -> None:
    """Increase the counter."""
    transaction.execute(_COUNT)


class SQLSettingStore:
    """SettingStore on SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def change_counter(self) -> int:
        """See SettingStore."""
        with self._database.read() as transaction:
            row = transaction.execute(_READ).fetchone()
        return 0 if row is None else int(row[0])

    def get(self, name: str) -> str | None:
        """See SettingStore."""
        with self._database.read() as transaction:
            row = transaction.execute(_GET, (name,)).fetchone()
        return None if row is None else str(row[0])

    def add(self, name: str, value: str) -> str:
        """See SettingStore."""
        with self._database.write() as transaction:
            transaction.execute(_ADD, (name, value))
            row = transaction.execute(_GET, (name,)).fetchone()
        return str(row[0])

    def set(self, name: str, value: str, *, actor: str | None = None) -> None:
        """See SettingStore."""
        # Durable transactions wait for each other, so the history's chain never forks.
        with self._database.write(durable=name in _IN_HISTORY) as transaction:
            row = transaction.execute(_GET, (name,)).fetchone()
            transaction.execute(_SET, (name, value))
            before = None if row is None else str(row[0])
            if name in _IN_HISTORY and before != value:
                text = f"Setting {name}: {before or 'not set'} -> {value}"
                note_setting(transaction, text, actor or current_actor(), now())
