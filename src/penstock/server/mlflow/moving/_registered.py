"""Registered models of a store of MLflow's: their numbers stay, their stages go through the gates."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from penstock.core import (
    ArtifactRecord,
    ConflictError,
    DocumentRecord,
    ModelVersionRecord,
    PenstockError,
    Stage,
    current_actor,
    new_id,
    now,
)
from penstock.server.mlflow._artifacts import files_of
from penstock.server.mlflow._desk import Desk, from_ms
from penstock.server.mlflow._errors import MlflowError
from penstock.server.mlflow._fields import compact
from penstock.server.mlflow._kinds import MODEL, VERSION
from penstock.server.mlflow._model_versions import LOGGED_SOURCE
from penstock.server.mlflow._paths import ArtifactPlace
from penstock.server.mlflow._shelf import Shelf
from penstock.server.mlflow._stages import move
from penstock.server.mlflow.moving._running import read_pairs
from penstock.server.mlflow.moving._source import Entry, MlflowSource

if TYPE_CHECKING:
    from penstock.server.mlflow.moving._importing import ImportSummary

StoreFiles = Callable[[str, str], dict[str, ArtifactRecord]]
_ACTIVE = ("Staging", "Archived", "Production")  # in this order: Production archives what was there


def import_registered(
    desk: Desk, source: MlflowSource, summary: "ImportSummary", store_files: StoreFiles
) -> None:
    """Import all registered models with their versions, tags, aliases and stages."""
    for entry in source.registered_models():
        summary.models += 1
        versions = source.versions(entry["name"])
        numbers = {
            int(version["version"]): _version(desk, entry["name"], version, summary, store_files)
            for version in _in_order(desk, entry, versions, summary)
        }
        _name_and_tag(desk, entry, summary)
        for stage in _ACTIVE:
            for version in versions:
                if version.get("current_stage") == stage and int(version["version"]) in numbers:
                    _move(desk, entry["name"], int(version["version"]), stage, summary)


def _in_order(
    desk: Desk, entry: Entry, versions: Sequence[Entry], summary: "ImportSummary"
) -> list[Entry]:
    """Create the model; return the versions that are not here yet, with gaps for deleted ones."""
    name = entry["name"]
    try:
        desk.metadata.models.create(name, note=entry.get("description") or "")
    except ConflictError:
        if desk.find(MODEL, name) is None:
            summary.lost.append(f"Model {name!r}: there is another of that name here")
            return []
    desk.metadata.documents.add([DocumentRecord(MODEL, name, name, now(), {})])
    model = Shelf(desk).find(name)
    known = {v.version for v in _records(desk, name)} if model is not None else set()
    new = [v for v in versions if int(v["version"]) not in known]
    found, following = [], max(known, default=0) + 1
    for version in new:
        while following < int(version["version"]):
            found.append({"version": str(following), "deleted": True})
            following += 1
        found.append(version)
        following += 1
    return found


def _records(desk: Desk, name: str) -> list[ModelVersionRecord]:
    try:
        return desk.metadata.models.list_versions(name)
    except PenstockError:
        return []


def _version(
    desk: Desk, name: str, entry: Entry, summary: "ImportSummary", store_files: StoreFiles
) -> ModelVersionRecord:
    source = entry.get("source") or ""
    files = _files(desk, entry, source, name, store_files)
    digests = {path: record.digest for path, record in files.items()}
    stored = desk.store.put(
        {"mlflow": {"source": source, "files": digests, "registration": new_id()}}
    )
    run_id = entry.get("run_id") or ""
    known = _is_run(desk, run_id)
    created = from_ms(int(entry.get("creation_timestamp") or 0), "creation_timestamp")
    record = ModelVersionRecord(
        model=name,
        version=0,
        stage=Stage.NONE,
        run_id=run_id if known else None,
        trained_by=entry.get("user_id") or current_actor(),
        artifact=stored.digest,
        content_digest=stored.content_digest,
        created_at=created if entry.get("creation_timestamp") else now(),
        note=entry.get("description") or "",
    )
    version = desk.metadata.models.create_version(record, actor=current_actor())
    key = f"{version.model}/{version.version}"
    facts = compact(
        source=source, run_id=run_id, run_link=entry.get("run_link"), deleted=entry.get("deleted")
    )
    desk.metadata.documents.add([DocumentRecord(VERSION, key, version.model, now(), facts)])
    desk.metadata.documents.add_files(VERSION, key, files)
    desk.metadata.models.set_version_tags(name, version.version, read_pairs(entry.get("tags", [])))
    if entry.get("deleted"):
        move(desk, version, "Archived", reason="Deleted in MLflow before the import")
    else:
        summary.versions += 1
    return version


def _files(
    desk: Desk, entry: Entry, source: str, name: str, store_files: StoreFiles
) -> Mapping[str, ArtifactRecord]:
    """Return the files of a version: those of its logged model, or those where its source is."""
    match = LOGGED_SOURCE.fullmatch(source)
    if match is not None:
        place = ArtifactPlace("model", match.group(1), (match.group(2) or "").strip("/"))
        return files_of(desk, place)
    place_of = entry.get("storage_location") or source
    if not place_of or place_of.startswith(("runs:", "models:")):
        return {}
    return store_files(place_of, f"version {entry['version']} of model {name!r}")


def _is_run(desk: Desk, run_id: str) -> bool:
    if not run_id:
        return False
    try:
        desk.run(run_id)
    except MlflowError:
        return False
    return True


def _name_and_tag(desk: Desk, entry: Entry, summary: "ImportSummary") -> None:
    shelf = Shelf(desk)
    model = shelf.find(entry["name"])
    if model is None:
        return
    tags = read_pairs(entry.get("tags", []))
    if tags:
        desk.metadata.models.set_tags(model.record.model, tags)
    alive = {version.record.version for version in model.versions}
    aliases = {
        each["alias"]: int(each["version"])
        for each in entry.get("aliases", [])
        if int(each["version"]) in alive
    }
    own = {alias for alias in aliases if alias in {"champion", "challenger"}}
    plain = {alias: number for alias, number in aliases.items() if alias not in own}
    if plain:
        shelf.touch(model, lambda body: body | {"aliases": {**body.get("aliases", {}), **plain}})
    for alias in sorted(own, reverse=True):
        stage = "Production" if alias == "champion" else "Staging"
        _move(desk, entry["name"], aliases[alias], stage, summary)


def _move(desk: Desk, name: str, number: int, stage: str, summary: "ImportSummary") -> None:
    try:
        _, version = Shelf(desk).version(name, number)
        move(desk, version.record, stage, reason=f"It was in {stage} in MLflow")
    except PenstockError as error:
        summary.lost.append(f"Stage {stage} of {name}@{number}: {error.what}")
