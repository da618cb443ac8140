"""Shelf: the registry as MLflow's protocol sees it: names that can change, aliases, deletion.

Names, notes, tags, numbers and stages are penstock's own. What only MLflow has is in documents: a
model's present name, aliases and deletion; a version's source.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.core import (
    DocumentRecord,
    ModelRecord,
    ModelVersionRecord,
    NotFoundError,
    Stage,
    now,
)
from penstock.server.mlflow._desk import Desk, quote, to_ms
from penstock.server.mlflow._errors import missing
from penstock.server.mlflow._fields import compact, pairs
from penstock.server.mlflow._grammar import FilterTest
from penstock.server.mlflow._kinds import MODEL, VERSION

PROMPT_TAG = "mlflow.prompt.is_prompt"
CHAMPION, CHALLENGER = "champion", "challenger"
_ALL = 1_000_000
STAGES = {
    Stage.NONE: "None",
    Stage.STAGING: "Staging",
    Stage.PRODUCTION: "Production",
    Stage.ARCHIVED: "Archived",
    Stage.REJECTED: "Archived",
}


@dataclass(frozen=True, slots=True)
class ShelfModel:
    """A registered model.

    Args:
        name: Its name for MLflow's clients.
        record: Penstock's record.
        versions: Versions that are not deleted, by number.
        aliases: Version by alias, penstock's own among them.
        created: Time when the name was registered, the last time, milliseconds.
        updated: Time of the last change, milliseconds.
    """

    name: str
    record: ModelRecord
    versions: tuple["ShelfVersion", ...]
    aliases: dict[str, int]
    created: int
    updated: int


@dataclass(frozen=True, slots=True)
class ShelfVersion:
    """A version that is not deleted: penstock's record, and what only MLflow has."""

    record: ModelVersionRecord
    facts: DocumentRecord | None


class Shelf:
    """The registered models of a store; reads on each call.

    Args:
        desk: The desk.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk, self._metadata = desk, desk.metadata

    def find(self, name: str) -> ShelfModel | None:
        """Return a registered model; None if there is none, or it is deleted."""
        document = self._desk.find(MODEL, name)
        if document is not None and document.body.get("deleted"):
            return None
        if document is None and self._renamed(name):
            return None
        model = name if document is None else document.owner
        found = self._metadata.models.search(f"model = {quote(model)}", limit=1)
        return self._model(name, found[0], document) if found else None

    def get(self, name: str) -> ShelfModel:
        """Return a registered model.

        Raises:
            MlflowError: If there is none.
        """
        found = self.find(name)
        if found is None:
            raise missing(f"Registered Model with name={name} not found")
        return found

    def version(self, name: str, number: int) -> tuple[ShelfModel, ShelfVersion]:
        """Return a version with its model.

        Raises:
            MlflowError: If there is none.
        """
        model = self.find(name)
        for version in model.versions if model else ():
            if version.record.version == number:
                assert model is not None
                return model, version
        raise missing(f"Model Version (name={name}, version={number}) not found")

    def all(self) -> list[ShelfModel]:
        """Return all registered models, by name."""
        documents = self._metadata.documents.list(MODEL)
        gone = {each.key for each in documents if each.body.get("deleted")}
        named = {each.owner: each for each in documents if each.key not in gone}
        hidden = {each.owner for each in documents} - set(named)
        facts = {each.key: each for each in self._metadata.documents.list(VERSION)}
        found = []
        for record in self._metadata.models.search(limit=_ALL):
            if record.model in hidden:
                continue
            document = named.get(record.model)
            name = record.model if document is None else document.key
            found.append(self._model(name, record, document, facts))
        return sorted(found, key=lambda model: model.name)

    def touch(
        self, model: ShelfModel, edit: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    ) -> None:
        """Record that a model has changed, and change what only MLflow has of it."""
        empty = DocumentRecord(MODEL, model.name, model.record.model, now(), {})
        self._metadata.documents.add([empty])
        self._desk.change(MODEL, model.name, edit or (lambda body: body))

    def touch_version(
        self, version: ShelfVersion, edit: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    ) -> None:
        """Record that a version has changed, and change what only MLflow has of it."""
        record = version.record
        key = f"{record.model}/{record.version}"
        self._metadata.documents.add([DocumentRecord(VERSION, key, record.model, now(), {})])
        self._desk.change(VERSION, key, edit or (lambda body: body))

    def _renamed(self, name: str) -> bool:
        return any(each.key != name for each in self._metadata.documents.list(MODEL, owners=[name]))

    def _model(
        self,
        name: str,
        record: ModelRecord,
        document: DocumentRecord | None,
        facts: dict[str, DocumentRecord] | None = None,
    ) -> ShelfModel:
        versions = self._versions(record, facts)
        body = {} if document is None else document.body
        created = int(body.get("created_ms") or to_ms(record.created_at) or 0)
        times = [created]
        times += [to_ms(document.updated_at) or 0] if document else []
        times += [to_ms(version.record.created_at) or 0 for version in versions]
        aliases = {**body.get("aliases", {}), **_own_aliases(versions)}
        alive = {version.record.version for version in versions}
        aliases = {alias: number for alias, number in aliases.items() if number in alive}
        return ShelfModel(name, record, tuple(versions), aliases, created, max(times))

    def _versions(
        self, record: ModelRecord, facts: dict[str, DocumentRecord] | None
    ) -> list[ShelfVersion]:
        if not record.versions:
            return []
        try:
            records = self._metadata.models.list_versions(record.model)
        except NotFoundError:
            return []
        if facts is None:
            owned = self._metadata.documents.list(VERSION, owners=[record.model])
            facts = {each.key: each for each in owned}
        found = [ShelfVersion(each, facts.get(f"{each.model}/{each.version}")) for each in records]
        return [each for each in found if not (each.facts and each.facts.body.get("deleted"))]


def updated(version: ShelfVersion) -> int:
    """Return the time of a version's last change, milliseconds."""
    created = to_ms(version.record.created_at) or 0
    return max(created, to_ms(version.facts.updated_at) or 0) if version.facts else created


def write_model(model: ShelfModel) -> dict[str, Any]:
    """Return a registered model as clients read it."""
    return compact(
        name=model.name,
        creation_timestamp=model.created,
        last_updated_timestamp=model.updated,
        description=model.record.note,
        latest_versions=[write_version(model, each) for each in latest(model)],
        tags=pairs(model.record.tags),
        aliases=[{"alias": a, "version": str(v)} for a, v in sorted(model.aliases.items())],
    )


def write_version(model: ShelfModel, version: ShelfVersion) -> dict[str, Any]:
    """Return a version as clients read it."""
    record = version.record
    body = version.facts.body if version.facts else {}
    written = compact(
        name=model.name,
        version=str(record.version),
        creation_timestamp=to_ms(record.created_at),
        last_updated_timestamp=updated(version),
        current_stage=STAGES[record.stage],
        source=body.get("source") or f"penstock:{record.ref}",
        run_id=body.get("run_id") or record.run_id,
        run_link=body.get("run_link"),
        status="READY",
        tags=pairs(record.tags),
        aliases=sorted(a for a, number in model.aliases.items() if number == record.version),
    )
    return written | {"description": record.note or ""}  # clients read none as None


def latest(model: ShelfModel, stages: Sequence[str] = ()) -> list[ShelfVersion]:
    """Return the newest version of each stage."""
    newest = {STAGES[version.record.stage]: version for version in model.versions}
    return [version for stage, version in newest.items() if not stages or stage in stages]


def read_tag(tags: Mapping[str, str], name: str) -> str | None:
    """Return a tag as filters see it: what is no prompt says so, without saying it."""
    return tags.get(name, "false" if name == PROMPT_TAG else None)


def wants_prompts(wanted: Sequence[FilterTest]) -> bool:
    """Return whether a filter says itself what it thinks of prompts; else they are left out."""
    return any(each.group == "tags" and each.name == PROMPT_TAG for each in wanted)


def _own_aliases(versions: Sequence[ShelfVersion]) -> dict[str, int]:
    """Return penstock's aliases: the production version, and the newest in staging."""
    stages = {Stage.PRODUCTION: CHAMPION, Stage.STAGING: CHALLENGER}
    return {
        stages[each.record.stage]: each.record.version
        for each in versions
        if each.record.stage in stages
    }
