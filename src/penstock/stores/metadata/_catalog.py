"""What groups runs and versions: experiments and models, with their notes and tags."""
# ruff: noqa: S608 - statements are made of our own names; values are always bound

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from penstock.core import (
    ExperimentRecord,
    ModelRecord,
    ModelVersionRecord,
    NotFoundError,
    ParameterError,
    did_you_mean,
)
from penstock.stores.metadata._codec import from_micros, to_micros
from penstock.stores.metadata._database import Database, Transaction
from penstock.stores.metadata._fields import EXPERIMENTS, MODELS, VERSIONS
from penstock.stores.metadata._registry import VERSIONS as VERSION_ROWS
from penstock.stores.metadata._registry import read_versions
from penstock.stores.metadata._search import Asked, find

_EXPERIMENT_COLUMNS = ", ".join(
    EXPERIMENTS.attributes[name].sql
    for name in ("name", "created_at", "note", "archived_at", "deleted_at", "runs", "last_run_at")
)
_MODEL_COLUMNS = ", ".join(
    MODELS.attributes[name].sql for name in ("model", "created_at", "note", "versions", "champion")
)
_TIMES = frozenset({"archived_at", "deleted_at"})
_CHANGEABLE = {"experiments": ("note", "archived_at", "deleted_at"), "models": ("note",)}


class Catalog:
    """The part of MetadataStore about experiments and models."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def search_experiments(
        self,
        filter: str = "",  # noqa: A002 - the field's word
        *,
        order_by: str = "created_at desc",
        limit: int = 100,
        after: str | None = None,
    ) -> list[ExperimentRecord]:
        """See MetadataStore."""
        with self._database.read() as transaction:
            asked = Asked(EXPERIMENTS, filter, order_by, limit, after=after)
            rows = find(transaction, _EXPERIMENT_COLUMNS, asked)
            tags = _tags(transaction, "experiment_tags", "experiment", [row[0] for row in rows])
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
        """See MetadataStore."""
        self._update("experiments", "name", name, changes)

    def set_experiment_tags(self, name: str, tags: Mapping[str, str]) -> None:
        """See MetadataStore."""
        with self._database.write() as transaction:
            _require(transaction, "experiments", "name", name)
            _set_tags(transaction, "experiment_tags", ("experiment",), (name,), tags)

    def search_models(
        self,
        filter: str = "",  # noqa: A002 - the field's word
        *,
        order_by: str = "model",
        limit: int = 100,
        after: str | None = None,
    ) -> list[ModelRecord]:
        """See MetadataStore."""
        with self._database.read() as transaction:
            asked = Asked(MODELS, filter, order_by, limit, after=after)
            rows = find(transaction, _MODEL_COLUMNS, asked)
            tags = _tags(transaction, "model_tags", "model", [row[0] for row in rows])
        return [
            ModelRecord(model, from_micros(created_at), note, tags[model], versions, champion)
            for model, created_at, note, versions, champion in rows
        ]

    def update_model(self, model: str, **changes: Any) -> None:
        """See MetadataStore."""
        self._update("models", "model", model, changes)

    def set_model_tags(self, model: str, tags: Mapping[str, str]) -> None:
        """See MetadataStore."""
        with self._database.write() as transaction:
            _require(transaction, "models", "model", model)
            _set_tags(transaction, "model_tags", ("model",), (model,), tags)

    def search_versions(
        self,
        filter: str = "",  # noqa: A002 - the field's word
        *,
        order_by: str = "created_at desc",
        limit: int = 100,
        offset: int = 0,
    ) -> list[ModelVersionRecord]:
        """See MetadataStore."""
        columns = ", ".join(f'model_versions."{name}"' for name in VERSION_ROWS.fields)
        with self._database.read() as transaction:
            rows = find(transaction, columns, Asked(VERSIONS, filter, order_by, limit, offset))
            return read_versions(transaction, rows)

    def set_version_tags(self, model: str, version: int, tags: Mapping[str, str]) -> None:
        """See MetadataStore."""
        with self._database.write() as transaction:
            _require(transaction, "model_versions", "model", model, "version", version)
            key = ("model", "version"), (model, version)
            _set_tags(transaction, "version_tags", *key, tags)

    def _update(self, table: str, key: str, name: str, changes: Mapping[str, Any]) -> None:
        for change in changes:
            if change not in _CHANGEABLE[table]:
                raise ParameterError(
                    what=f"{change!r} of {name!r} cannot be changed.",
                    fix=did_you_mean(change, _CHANGEABLE[table]),
                )
        with self._database.write() as transaction:
            _require(transaction, table, key, name)
            for change, value in changes.items():
                moment = change in _TIMES and value is not None
                transaction.execute(
                    f'UPDATE {table} SET "{change}" = ? WHERE "{key}" = ?',
                    (to_micros(value) if moment else value, name),
                )


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)


def _tags(
    transaction: Transaction, table: str, of: str, names: Sequence[str]
) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {name: {} for name in names}
    if names:
        marks = ", ".join("?" * len(names))
        sql = f'SELECT {of}, "key", value FROM {table} WHERE {of} IN ({marks}) ORDER BY "key"'
        for name, key, value in transaction.execute(sql, names).fetchall():
            found[name][key] = value
    return found


def _set_tags(
    transaction: Transaction,
    table: str,
    columns: Sequence[str],
    key: Sequence[Any],
    tags: Mapping[str, str],
) -> None:
    names = ", ".join(columns)
    marks = ", ".join("?" * (len(columns) + 2))
    transaction.executemany(
        f'INSERT INTO {table} ({names}, "key", value) VALUES ({marks})'
        f' ON CONFLICT ({names}, "key") DO UPDATE SET value = excluded.value',
        [(*key, name, value) for name, value in tags.items()],
    )


def _require(transaction: Transaction, table: str, *pairs: Any) -> None:
    columns, values = pairs[::2], pairs[1::2]
    condition = " AND ".join(f'"{column}" = ?' for column in columns)
    if transaction.execute(f"SELECT 1 FROM {table} WHERE {condition}", values).fetchone():
        return
    rows = transaction.execute(f'SELECT DISTINCT "{columns[0]}" FROM {table}').fetchall()
    shown = "@".join(str(value) for value in values)
    raise NotFoundError(
        what=f"There is no {shown!r} among the {table.replace('_', ' ')}.",
        fix=did_you_mean(str(values[0]), [row[0] for row in rows]),
        name=shown,
    )
