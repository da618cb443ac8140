"""MLflow's calls on artifacts: files by name, whose bytes the store keeps by digest."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.core import ArtifactRecord, DocumentRecord, now
from penstock.server.mlflow._desk import Desk
from penstock.server.mlflow._errors import MlflowError, invalid, missing
from penstock.server.mlflow._fields import Fields, compact
from penstock.server.mlflow._kinds import LOGGED, VERSION
from penstock.server.mlflow._paths import ArtifactPlace, locate, safe_path
from penstock.server.mlflow._rules import check_run_id

LOOSE, LOOSE_KEY = "mlflow.folder", "loose"


@dataclass(frozen=True, slots=True)
class FileDownload:
    """A file on its way to a client.

    Args:
        name: The file's name.
        size_bytes: Its length.
        parts: Its bytes.
    """

    name: str
    size_bytes: int
    parts: Iterator[bytes]


def list_of_run(desk: Desk, fields: Fields) -> dict[str, Any]:
    """List a folder of a run's artifacts; paths are relative to the run's root."""
    run = desk.run(check_run_id(fields.require("run_id", "run_uuid")))
    path = safe_path(fields.text("path"))
    files = _children(files_of(desk, ArtifactPlace("run", run.run_id, path)), path)
    root = f"{desk.scheme}:/{desk.number(run.experiment)}/{run.run_id}/artifacts"
    return {"root_uri": root, **compact(files=files)}


def list_of_model(desk: Desk, fields: Fields) -> dict[str, Any]:
    """List a folder of a logged model's artifacts."""
    model_id = fields.require("model_id")
    document = desk.find(LOGGED, model_id)
    if document is None:
        raise missing(f"Logged model with ID '{model_id}' not found.")
    path = safe_path(fields.text("artifact_directory_path"))
    files = _children(files_of(desk, ArtifactPlace("model", model_id, path)), path)
    root = f"{desk.scheme}:/{document.owner}/models/{model_id}/artifacts"
    return {"root_uri": root, **compact(files=files)}


def list_proxied(desk: Desk, fields: Fields) -> dict[str, Any]:
    """List a folder under the root of all artifacts, with the names in it alone."""
    place = locate(fields.text("path"))
    children = _children(_files_if_any(desk, place), place.path)
    named = [{**each, "path": each["path"].rpartition("/")[2]} for each in children]
    return compact(files=named)


def read_proxied(desk: Desk, path: str) -> FileDownload:
    """Return a file under the root of all artifacts."""
    return _download(desk, locate(path), path)


def read_of_run(desk: Desk, fields: Fields) -> FileDownload:
    """Return a file of a run."""
    run = desk.run(check_run_id(fields.require("run_id", "run_uuid")))
    path = fields.require("path")
    return _download(desk, ArtifactPlace("run", run.run_id, safe_path(path)), path)


def read_of_model(desk: Desk, fields: Fields) -> FileDownload:
    """Return a file of a logged model."""
    model_id, path = fields.require("model_id"), fields.require("artifact_file_path")
    if desk.find(LOGGED, model_id) is None:
        raise missing(f"Logged model with ID '{model_id}' not found.")
    return _download(desk, ArtifactPlace("model", model_id, safe_path(path)), path)


def write_of_run(desk: Desk, fields: Fields, file: Path) -> None:
    """Store a file of a run.

    Args:
        desk: The desk.
        fields: The run and the path.
        file: A local file with the bytes.
    """
    for name in ("run_uuid", "path"):
        if not fields.text(name):
            raise invalid(f"Request must specify {name}.")
    path = safe_path(fields.text("path"))
    if not file.stat().st_size:
        raise invalid("Request must specify data.")
    run = desk.run(check_run_id(fields.text("run_uuid")))
    number = desk.number(run.experiment)
    write_proxied(desk, f"{number}/{run.run_id}/artifacts/{path}", file)


def write_proxied(desk: Desk, path: str, file: Path) -> None:
    """Store a file under the root of all artifacts.

    Args:
        desk: The desk.
        path: The client's path.
        file: A local file with the bytes.
    """
    place = locate(path)
    if not place.path or path.endswith("/"):
        raise invalid(f"Invalid path: {path[:200]!r} names a folder.")
    _require_owner(desk, place)
    _require_open_place(place)
    under = ArtifactPlace(place.kind, place.owner, place.path + "/")
    if _find(desk, under):
        raise invalid(f"Invalid path: {path[:200]!r} is a folder.")
    record = desk.store.pack_file(file)
    match place.kind:
        case "run":
            desk.metadata.artifacts.log(place.owner, place.path, record)
        case "model":
            desk.metadata.documents.add_files(LOGGED, place.owner, {place.path: record})
        case _:
            desk.metadata.documents.add([DocumentRecord(LOOSE, LOOSE_KEY, "", now(), {})])
            desk.metadata.documents.add_files(LOOSE, LOOSE_KEY, {place.path: record})


def delete_proxied(desk: Desk, path: str) -> None:
    """Remove a file, or a folder with all files in it; what is not there is no error."""
    place = locate(path)
    _require_open_place(place)
    names = list(_files_if_any(desk, place))
    match place.kind:
        case "run":
            desk.metadata.artifacts.drop(place.owner, names)
        case "model":
            desk.metadata.documents.drop_files(LOGGED, place.owner, names)
        case _:
            desk.metadata.documents.drop_files(LOOSE, LOOSE_KEY, names)


def files_of(desk: Desk, place: ArtifactPlace) -> dict[str, ArtifactRecord]:
    """Return the files at a place and in the folder there, by their whole names."""
    found = _find(desk, place)
    path = place.path
    return {
        name: record
        for name, record in found.items()
        if not path or name == path or name.startswith(path + "/")
    }


def _files_if_any(desk: Desk, place: ArtifactPlace) -> dict[str, ArtifactRecord]:
    try:
        return files_of(desk, place)
    except MlflowError:  # no such run: then nothing is there
        return {}


def _find(desk: Desk, place: ArtifactPlace) -> Mapping[str, ArtifactRecord]:
    match place.kind:
        case "run":
            found = desk.metadata.artifacts.list(desk.run(place.owner).run_id)
            return {name: r for name, r in found.items() if name.startswith(place.path)}
        case "model":
            return desk.metadata.documents.list_files(LOGGED, place.owner, under=place.path)
        case "version":
            return desk.metadata.documents.list_files(VERSION, place.owner, under=place.path)
    return desk.metadata.documents.list_files(LOOSE, LOOSE_KEY, under=place.path)


def _require_owner(desk: Desk, place: ArtifactPlace) -> None:
    if place.kind == "run":
        desk.require_open(place.owner)
    elif place.kind == "model" and desk.find(LOGGED, place.owner) is None:
        raise missing(f"Logged model with ID '{place.owner}' not found.")


def _require_open_place(place: ArtifactPlace) -> None:
    if place.kind == "version":
        raise invalid(f"The files of version {place.owner} never change.")


def _download(desk: Desk, place: ArtifactPlace, path: str) -> FileDownload:
    record = _files_if_any(desk, place).get(place.path)
    if record is None:
        raise missing(f"No such artifact: {path[:200]!r}.")
    return FileDownload(place.path.rpartition("/")[2], record.size_bytes, desk.store.stream(record))


def _children(files: Mapping[str, ArtifactRecord], path: str) -> list[dict[str, Any]]:
    """Return the files and folders directly in a folder, by their whole names."""
    start = f"{path}/" if path else ""
    found: dict[str, dict[str, Any]] = {}
    for name, record in files.items():
        if not name.startswith(start):
            continue
        first, slash, _ = name[len(start) :].partition("/")
        if slash:
            found[first] = {"path": start + first, "is_dir": True}
        else:
            found[first] = {"path": name, "is_dir": False, "file_size": record.size_bytes}
    return [found[name] for name in sorted(found)]
