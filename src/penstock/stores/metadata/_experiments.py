"""Experiments, which group runs, with notes and tags."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from penstock.core import ExperimentRecord
from penstock.stores.metadata._codec import from_micros
from penstock.stores.metadata._database import Database
from penstock.stores.metadata._fields import EXPERIMENTS
from penstock.stores.metadata._search import SearchQuery, find
from penstock.stores.metadata._tagged import read_tags, require_row, update_row, write_tags

_COLUMNS = ", ".join(
    EXPERIMENTS.attributes[name].sql
    for name in ("name", "created_at", "note", "archived_at", "deleted_at", "runs", "last_run_at")
)


class SQLExperiments:
    """The experiment methods of RunStore."""

    _database: Database

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
            asked = SearchQuery(EXPERIMENTS, filter, order_by, limit, after=after)
            rows = find(transaction, _COLUMNS, asked)
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
        update_row(self._database, "experiments", "name", name, changes)

    def set_experiment_tags(self, name: str, tags: Mapping[str, str]) -> None:
        """See RunStore."""
        with self._database.write() as transaction:
            require_row(transaction, "experiments", "name", name)
            write_tags(transaction, "experiment_tags", ("experiment",), (name,), tags)


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)
