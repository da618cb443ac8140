"""Models: the versions, and the models themselves with notes and tags."""

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.core import (
    NAME_BYTES,
    ConflictError,
    ModelRecord,
    ModelVersionRecord,
    now,
    require_label,
)
from penstock.stores.metadata._audit import note_change
from penstock.stores.metadata._codec import from_micros, to_micros
from penstock.stores.metadata._fields import MODELS, VERSIONS
from penstock.stores.metadata._model_versions import VERSIONS as VERSION_ROWS
from penstock.stores.metadata._model_versions import ModelVersions, list_models, read_versions
from penstock.stores.metadata._search import SearchQuery, find
from penstock.stores.metadata._tagged import (
    delete_tags,
    read_tags,
    require_row,
    update_row,
    write_tags,
)

_COLUMNS = ", ".join(
    MODELS.attributes[name].sql for name in ("model", "created_at", "note", "versions", "champion")
)


class SQLModelStore(ModelVersions):
    """ModelStore on SQL."""

    def search(
        self,
        filter: str = "",  # noqa: A002 - the field's word
        *,
        order_by: str = "model",
        limit: int = 100,
        after: str | None = None,
    ) -> list[ModelRecord]:
        """See ModelStore."""
        with self._database.read() as transaction:
            query = SearchQuery(MODELS, filter, order_by, limit, after=after)
            rows = find(transaction, _COLUMNS, query)
            tags = read_tags(transaction, "model_tags", "model", [row[0] for row in rows])
        return [
            ModelRecord(model, from_micros(created_at), note, tags[model], versions, champion)
            for model, created_at, note, versions, champion in rows
        ]

    def create(self, model: str, *, note: str = "", tags: Mapping[str, str] | None = None) -> None:
        """See ModelStore."""
        require_label(model, "model", most=NAME_BYTES)
        with self._database.write() as transaction:
            sql = "INSERT INTO models (model, created_at, note) VALUES (?, ?, ?)"
            row = (model, to_micros(now()), note)
            if not transaction.execute(f"{sql} ON CONFLICT DO NOTHING", row).rowcount:
                raise ConflictError(
                    what=f"There is a model {model!r} already.",
                    fix="Use a different name, or register versions under this one.",
                    model=model,
                )
            write_tags(transaction, "model_tags", ("model",), (model,), tags or {})
            note_change(transaction, self._database, "model.create", model)

    def update(self, model: str, **changes: Any) -> None:
        """See ModelStore."""
        update_row(self._database, "models", "model", model, changes, action="model.change")

    def set_tags(self, model: str, tags: Mapping[str, str]) -> None:
        """See ModelStore."""
        with self._database.write() as transaction:
            require_row(transaction, "models", "model", model)
            write_tags(transaction, "model_tags", ("model",), (model,), tags)
            if tags:
                note_change(transaction, self._database, "model.set_tags", model, tags)

    def delete_tags(self, model: str, names: Sequence[str]) -> None:
        """See ModelStore."""
        with self._database.write() as transaction:
            require_row(transaction, "models", "model", model)
            delete_tags(transaction, "model_tags", ("model",), (model,), names)
            facts = {"names": ", ".join(names)}
            note_change(transaction, self._database, "model.delete_tags", model, facts)

    def search_versions(
        self,
        filter: str = "",  # noqa: A002 - the field's word
        *,
        order_by: str = "created_at desc",
        limit: int = 100,
        offset: int = 0,
    ) -> list[ModelVersionRecord]:
        """See ModelStore."""
        columns = ", ".join(f'model_versions."{name}"' for name in VERSION_ROWS.fields)
        with self._database.read() as transaction:
            rows = find(
                transaction, columns, SearchQuery(VERSIONS, filter, order_by, limit, offset)
            )
            return read_versions(transaction, rows)

    def set_version_tags(self, model: str, version: int, tags: Mapping[str, str]) -> None:
        """See ModelStore."""
        with self._database.write() as transaction:
            require_row(transaction, "model_versions", "model", model, "version", version)
            key = ("model", "version"), (model, version)
            write_tags(transaction, "version_tags", *key, tags)
            if tags:
                ref = f"{model}@{version}"
                note_change(transaction, self._database, "version.set_tags", ref, tags)

    def delete_version_tags(self, model: str, version: int, names: Sequence[str]) -> None:
        """See ModelStore."""
        with self._database.write() as transaction:
            require_row(transaction, "model_versions", "model", model, "version", version)
            key = ("model", "version"), (model, version)
            delete_tags(transaction, "version_tags", *key, names)
            subject, facts = f"{model}@{version}", {"names": ", ".join(names)}
            note_change(transaction, self._database, "version.delete_tags", subject, facts)

    def list(self) -> list[str]:
        """See ModelStore."""
        with self._database.read() as transaction:
            return list_models(transaction)
