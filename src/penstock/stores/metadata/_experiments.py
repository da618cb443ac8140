"""Experiments, which group runs, with notes and tags."""
# ruff: noqa: S608 - statements are made of our own names; values are always bound

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from penstock.core import NAME_BYTES, ConflictError, ExperimentRecord, now, require_label
from penstock.stores.metadata._audit import note_change
from penstock.stores.metadata._codec import from_micros, to_micros
from penstock.stores.metadata._database import Database, Transaction
from penstock.stores.metadata._fields import EXPERIMENTS
from penstock.stores.metadata._search import SearchQuery, find
from penstock.stores.metadata._tagged import (
    delete_tags,
    read_tags,
    require_row,
    update_row,
    write_tags,
)

_COLUMNS = ", ".join(
    EXPERIMENTS.attributes[name].sql
    for name in ("name", "created_at", "note", "archived_at", "deleted_at", "runs", "last_run_at")
)


class SQLExperiments:
    """The experiment methods of RunStore."""

    _database: Database

    def create_experiment(self, name: str, *, tags: Mapping[str, str] | None = None) -> None:
        """See RunStore."""
        require_label(name, "experiment", most=NAME_BYTES)
        with self._database.write() as transaction:
            sql = "INSERT INTO experiments (name, created_at, note) VALUES (?, ?, '')"
            row = (name, to_micros(now()))
            if not transaction.execute(f"{sql} ON CONFLICT DO NOTHING", row).rowcount:
                raise _taken(name)
            write_tags(transaction, "experiment_tags", ("experiment",), (name,), tags or {})

    def rename_experiment(self, name: str, to: str) -> None:
        """See RunStore."""
        require_label(to, "experiment", most=NAME_BYTES)
        with self._database.write() as transaction:
            self._database.alone(transaction, f"experiment:{to}")
            require_row(transaction, "experiments", "name", name)
            _require_free(transaction, to)
            for table, column in (
                ("experiments", "name"),
                ("experiment_tags", "experiment"),
                ("runs", "experiment"),
            ):
                transaction.execute(
                    f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (to, name)
                )
            note_change(transaction, self._database, "experiment.rename", name, {"to": to})

    def list_experiments(self) -> list[str]:
        """See RunStore."""
        with self._database.read() as transaction:
            rows = transaction.execute("SELECT name FROM experiments ORDER BY 1").fetchall()
        return [row[0] for row in rows]

    def search_experiments(
        self,
        filter: str = "",  # noqa: A002 - the field's word
        *,
        order_by: str = "created_at desc",
        limit: int = 100,
        after: str | None = None,
    ) -> list[ExperimentRecord]:
        """See RunStore."""
        with self._database.read() as transaction:
            search = SearchQuery(EXPERIMENTS, filter, order_by, limit, after=after)
            rows = find(transaction, _COLUMNS, search)
            tags = read_tags(transaction, "experiment_tags", "experiment", [row[0] for row in rows])
        return [
            ExperimentRecord(
                name,
                from_micros(created_at),
                note,
                tags[name],
                runs,
                _moment(last_run_at),
                _moment(archived_at),
                _moment(deleted_at),
            )
            for name, created_at, note, archived_at, deleted_at, runs, last_run_at in rows
        ]

    def update_experiment(self, name: str, **changes: Any) -> None:
        """See RunStore."""
        update_row(self._database, "experiments", "name", name, changes, action="experiment.change")

    def set_experiment_tags(self, name: str, tags: Mapping[str, str]) -> None:
        """See RunStore."""
        with self._database.write() as transaction:
            require_row(transaction, "experiments", "name", name)
            write_tags(transaction, "experiment_tags", ("experiment",), (name,), tags)

    def delete_experiment_tags(self, name: str, names: Sequence[str]) -> None:
        """See RunStore."""
        with self._database.write() as transaction:
            require_row(transaction, "experiments", "name", name)
            delete_tags(transaction, "experiment_tags", ("experiment",), (name,), names)


def _require_free(transaction: Transaction, name: str) -> None:
    sql = "SELECT 1 FROM experiments WHERE name = ?"
    if transaction.execute(sql, (name,)).fetchone() is not None:
        raise _taken(name)


def _taken(name: str) -> ConflictError:
    return ConflictError(
        what=f"There is an experiment {name!r} already.",
        why="Runs are grouped by the name of their experiment.",
        fix="Use a different name, or add runs to this one.",
        name=name,
    )


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)
