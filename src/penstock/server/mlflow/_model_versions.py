"""MLflow's calls on model versions."""

import json
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from penstock.core import (
    ArtifactRecord,
    DocumentRecord,
    Edge,
    ModelVersionRecord,
    Stage,
    current_actor,
    new_id,
    now,
)
from penstock.models import store_mlflow_folder
from penstock.server.mlflow import _grammar as grammar
from penstock.server.mlflow._artifacts import FileDownload, files_of
from penstock.server.mlflow._desk import Desk
from penstock.server.mlflow._errors import MlflowError, invalid, missing
from penstock.server.mlflow._fields import Fields, compact, page
from penstock.server.mlflow._kinds import LOGGED, VERSION
from penstock.server.mlflow._model_folder import folder_of
from penstock.server.mlflow._paths import ArtifactPlace, locate, safe_path
from penstock.server.mlflow._registered_models import read_model_tag, read_model_tags
from penstock.server.mlflow._rules import check_key, check_model_name, check_version
from penstock.server.mlflow._shelf import (
    PROMPT_TAG,
    STAGES,
    Shelf,
    ShelfModel,
    ShelfVersion,
    read_tag,
    write_version,
)
from penstock.server.mlflow._stages import move, read_stage

_MOST, _DEFAULT = 200_000, 10_000
_PROMPT_SOURCES = frozenset({"dummy-source", "prompt-template"})
_VERSIONS_TAG = "mlflow.modelVersions"
LOGGED_SOURCE = re.compile(r"models:/(m-[^/]+)(?:/(.*))?")
_OWN_SOURCE = re.compile(r"(?:mlflow-artifacts|penstock):/+(.*)")
_RUN_SOURCE = re.compile(r"runs:/([^/]+)(?:/(.*))?")
_VERSION_SOURCE = re.compile(r"models:/([^/@]+)/([^/]+)")
_REMOTE = re.compile(r"(?:s3|gs|wasbs?|abfss?|hdfs|viewfs|dbfs|https?|ftp|sftp|azureml|r2|b2)(?:\+\w+)?://", re.IGNORECASE)  # fmt: skip


def create(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Register the next version of a model."""
    shelf, name = Shelf(desk), check_model_name(fields.require("name"))
    source = fields.require("source")
    run_id, model_id = fields.text("run_id"), fields.text("model_id")
    tags = read_model_tags(fields)
    model = shelf.get(name)
    if tags.get(PROMPT_TAG, "").lower() == "true":
        # A prompt's text is a tag: it has no files, and a word for a source.
        if source not in _PROMPT_SOURCES:
            raise invalid(
                f"Invalid prompt source: {source[:200]!r}. Prompts have a word in its place: "
                f"{', '.join(sorted(_PROMPT_SOURCES))}."
            )
        files = dict[str, ArtifactRecord]()
    else:
        files, run_id, model_id = _resolve(desk, source, run_id, model_id)
    record = _record(desk, model, source, run_id, files)
    created = desk.metadata.models.create_version(record, actor=current_actor())
    key = f"{created.model}/{created.version}"
    facts = compact(
        source=source, run_id=run_id, run_link=fields.text("run_link"), model_id=model_id
    )
    desk.metadata.documents.add([DocumentRecord(VERSION, key, created.model, now(), facts)])
    desk.metadata.documents.add_files(VERSION, key, files)
    desk.metadata.models.set_version_tags(created.model, created.version, tags)
    note = fields.text("description")
    if note:
        desk.metadata.models.update_version(
            created.model, created.version, expected_revision=created.revision, note=note
        )
    _relate(desk, created, run_id, model_id)
    if model_id and desk.find(LOGGED, model_id) is not None:
        desk.change(LOGGED, model_id, partial(_with_version, name, created.version))
    return {"model_version": write_version(*shelf.version(name, created.version))}


def get(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Return a version."""
    return {"model_version": write_version(*_named(Shelf(desk), fields))}


def update(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Change the description of a version."""
    shelf = Shelf(desk)
    _, version = _named(shelf, fields)
    record = version.record
    desk.metadata.models.update_version(
        record.model,
        record.version,
        expected_revision=record.revision,
        note=fields.text("description"),
    )
    shelf.touch_version(version)
    return {"model_version": write_version(*_named(shelf, fields))}


def transition(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Move a version to a stage; see `move`."""
    shelf, stage = Shelf(desk), read_stage(fields.require("stage"))
    model, version = _named(shelf, fields)
    others = fields.flag("archive_existing_versions")
    if others and stage not in {Stage.STAGING, Stage.PRODUCTION}:
        raise invalid(
            f"Model version transition cannot archive existing model versions because "
            f"'{STAGES[stage]}' is not an Active stage. Valid stages are ['Staging', 'Production']."
        )
    number = version.record.version
    move(desk, version.record, STAGES[stage], reason="Stage transition.")
    shelf.touch_version(version)
    shelf.touch(model)
    if others:
        for other in model.versions:
            if other.record.version != number and other.record.stage is stage is Stage.STAGING:
                move(desk, other.record, "Archived", reason=f"Replaced by version {number}.")
                shelf.touch_version(other)
    return {"model_version": write_version(*_named(shelf, fields))}


def delete(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Hide a version; it is archived, and its history stays in penstock."""
    shelf = Shelf(desk)
    model, version = _named(shelf, fields)
    number = version.record.version
    move(desk, version.record, "Archived", reason="The version was deleted.", at_least=True)
    shelf.touch_version(version, lambda body: body | {"deleted": True})
    shelf.touch(
        model,
        lambda body: body | {"aliases": _others(body.get("aliases", {}), number)},
    )
    return {}


def search(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Search versions."""
    most = fields.most(_DEFAULT, _MOST)
    wanted = grammar.VERSIONS.read(fields.text("filter"))
    terms = grammar.VERSIONS.order(fields.texts("order_by"))
    found = [
        (write_version(model, version), version.record)
        for model in Shelf(desk).all()
        for version in model.versions
    ]
    found = [each for each in found if all(grammar.matches(c, _reader(*each)) for c in wanted)]
    found.sort(key=lambda each: (each[0]["name"], -each[1].version))
    if not terms:
        found.sort(key=lambda each: -each[0]["last_updated_timestamp"])
    grammar.sort(found, terms, lambda each: _reader(*each))
    rows, token = page([written for written, _ in found], fields, most)
    return compact(model_versions=rows, next_page_token=token)


def get_download_uri(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Return where a client reads the files of a version."""
    return {"artifact_uri": _uri_of_version(desk, _named(Shelf(desk), fields)[1])}


def _uri_of_version(desk: Desk, version: ShelfVersion) -> str:
    source = _source(version)
    if source:
        return _uri(desk, source)
    record = version.record
    folder_of(desk, record)
    return f"{desk.scheme}:/versions/{record.model}/{record.version}"


def _source(version: ShelfVersion) -> str:
    """Return where a client took a version's files from; empty for one of penstock's own."""
    return str(version.facts.body.get("source") or "") if version.facts else ""


def read_file(desk: Desk, fields: Fields) -> FileDownload:
    """Return a file of a version."""
    path = safe_path(fields.require("path"))
    _, version = _named(Shelf(desk), fields)
    key = f"{version.record.model}/{version.record.version}"
    record = desk.metadata.documents.list_files(VERSION, key).get(path)
    if record is None:
        raise missing(f"No artifact {path!r} in {version.record.ref}.")
    return FileDownload(path.rpartition("/")[2], record.size_bytes, desk.store.stream(record))


def set_tag(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Set a tag of a version."""
    shelf, tags = Shelf(desk), dict([read_model_tag(fields)])
    _, version = _named(shelf, fields)
    desk.metadata.models.set_version_tags(version.record.model, version.record.version, tags)
    return {}


def delete_tag(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Delete a tag of a version; an unknown tag is no error."""
    shelf, key = Shelf(desk), check_key(fields.require("key"), "tag")
    _, version = _named(shelf, fields)
    desk.metadata.models.delete_version_tags(version.record.model, version.record.version, [key])
    return {}


def _named(shelf: Shelf, fields: Fields) -> tuple[ShelfModel, ShelfVersion]:
    name = check_model_name(fields.require("name"))
    return shelf.version(name, check_version(fields.require("version")))


def _resolve(
    desk: Desk, source: str, run_id: str, model_id: str
) -> tuple[dict[str, ArtifactRecord], str, str]:
    """Return the files of a source by their names in it, its run and its logged model.

    Raises:
        MlflowError: If the source is outside of the run's or model's own artifacts.
    """
    if ".." in source.split("/") or "\\" in source:
        raise _foreign(source)
    if (match := LOGGED_SOURCE.fullmatch(source)) is not None:
        named, path = match.group(1), match.group(2) or ""
        if model_id and model_id != named:
            raise _foreign(source)
        place = ArtifactPlace("model", named, path.strip("/"))
        document = desk.find(LOGGED, named)
        run_id = run_id or (str(document.body.get("source_run_id") or "") if document else "")
        return _within(desk, place), run_id, named
    if (match := _RUN_SOURCE.fullmatch(source)) is not None:
        if match.group(1) != run_id:
            raise _foreign(source)
        place = ArtifactPlace("run", run_id, (match.group(2) or "").strip("/"))
        return _within(desk, place), run_id, model_id
    if (match := _OWN_SOURCE.fullmatch(source)) is not None:
        place = locate(match.group(1))
        if place.owner not in {run_id, model_id} or not place.owner:
            raise _foreign(source)
        return _within(desk, place), run_id, model_id
    if (match := _VERSION_SOURCE.fullmatch(source)) is not None:
        return _files_of_version(desk, _copied(desk, match)), run_id, model_id
    if _REMOTE.match(source):
        return {}, run_id, model_id
    raise _foreign(source)


def _copied(desk: Desk, match: re.Match[str]) -> ShelfVersion:
    """Return the version that a source names."""
    return Shelf(desk).version(match.group(1), check_version(match.group(2)))[1]


def _files_of_version(desk: Desk, version: ShelfVersion) -> dict[str, ArtifactRecord]:
    record = version.record
    if not _source(version):
        return folder_of(desk, record)
    return desk.metadata.documents.list_files(VERSION, f"{record.model}/{record.version}")


def _within(desk: Desk, place: ArtifactPlace) -> dict[str, ArtifactRecord]:
    start = f"{place.path}/" if place.path else ""
    try:
        found = files_of(desk, place)
    except MlflowError:  # the run is gone; MLflow registers what will be there, too
        return {}
    return {
        name.removeprefix(start): record for name, record in found.items() if name != place.path
    }


def _foreign(source: str) -> MlflowError:
    return invalid(
        f"Invalid model version source: {source[:200]!r}. To use a local path or the server's own "
        "artifacts as a model version source, the run_id or model_id request parameter has to be "
        "specified and the source has to be within its artifacts."
    )


def _record(
    desk: Desk, model: ShelfModel, source: str, run_id: str, files: Mapping[str, ArtifactRecord]
) -> ModelVersionRecord:
    """Return the version as penstock keeps it: a model where its files are one without code."""
    identity = {"source": source, "registration": new_id()}
    stored = store_mlflow_folder(files, identity, store=desk.store)
    trainer = _trainer(desk, run_id)
    return ModelVersionRecord(
        model=model.record.model,
        version=0,
        stage=Stage.NONE,
        run_id=run_id if trainer is not None else None,
        trained_by=trainer or current_actor(),
        artifact=stored.record.digest,
        content_digest=stored.record.content_digest,
        created_at=now(),
        signature=dict(stored.signature),
    )


def _trainer(desk: Desk, run_id: str) -> str | None:
    if not run_id:
        return None
    try:
        return desk.run(run_id).user
    except MlflowError:
        return None


def _relate(desk: Desk, version: ModelVersionRecord, run_id: str, model_id: str) -> None:
    node = f"version:{version.ref}"
    edges = [Edge(f"artifact:{version.content_digest}", node, "model")]
    edges += [Edge(f"model:{model_id}", node, "model")] if model_id else []
    edges += [Edge(f"run:{run_id}", node, "run")] if run_id else []
    desk.metadata.artifacts.add_edges(edges)


def _uri(desk: Desk, source: str) -> str:
    if (match := LOGGED_SOURCE.fullmatch(source)) is not None:
        document = desk.find(LOGGED, match.group(1))
        if document is not None:
            root = f"{desk.scheme}:/{document.owner}/models/{document.key}/artifacts"
            return f"{root}/{match.group(2)}" if match.group(2) else root
    if (match := _VERSION_SOURCE.fullmatch(source)) is not None:
        return _uri_of_version(desk, _copied(desk, match))
    if (match := _OWN_SOURCE.fullmatch(source)) is not None:
        return f"{desk.scheme}:/{match.group(1)}"  # whichever way it was registered
    return source


def _with_version(name: str, version: int, body: dict[str, Any]) -> dict[str, Any]:
    """Return a logged model's document with a version among those made of it."""
    try:
        known = json.loads(body["tags"].get(_VERSIONS_TAG, "[]"))
    except ValueError:  # a client wrote something else
        known = []
    entry = {"name": name, "version": version}
    known = [each for each in known if each != entry] if isinstance(known, list) else []
    return body | {"tags": {**body["tags"], _VERSIONS_TAG: json.dumps([*known, entry])}}


def _others(aliases: Mapping[str, int], number: int) -> dict[str, int]:
    return {alias: version for alias, version in aliases.items() if version != number}


def _reader(written: dict[str, Any], record: ModelVersionRecord) -> Any:
    def read(group: str, name: str) -> Any:
        if group == "tags":
            return read_tag(record.tags, name)
        if name == "version_number":
            return record.version
        return written.get({"source_path": "source"}.get(name, name))

    return read
