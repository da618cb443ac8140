"""MLflow's calls on scorers: how a client judges traces, kept as the text that the client wrote.

Nothing here reads that text: it may be code of a client's, and only clients run it.
"""

from typing import Any

from penstock.core import DocumentRecord, new_id, now
from penstock.server.mlflow._desk import Desk, to_ms
from penstock.server.mlflow._errors import MlflowError, invalid, missing
from penstock.server.mlflow._fields import Fields, compact
from penstock.server.mlflow._kinds import SCORER
from penstock.server.mlflow._rules import check_length

_NAME_LENGTH, _TEXT_LENGTH, _TRIES = 256, 1 << 20, 50


def register(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Record the next version of a scorer."""
    owner = fields.require("experiment_id")
    desk.experiment(owner)
    name = check_length(fields.require("name"), _NAME_LENGTH, "name")
    text = check_length(fields.require("serialized_scorer"), _TEXT_LENGTH, "serialized_scorer")
    for _ in range(_TRIES):  # another client may take the number at the same time
        known = _versions(desk, owner, name)
        number = known[-1].body["version"] + 1 if known else 1
        scorer_id = known[-1].body["scorer_id"] if known else new_id()
        body = {"name": name, "version": number, "text": text, "scorer_id": scorer_id,
                "created_ms": to_ms(now())}  # fmt: skip
        document = DocumentRecord(SCORER, f"{owner}/{number}/{name}", owner, now(), body)
        if desk.metadata.documents.add([document])[0]:
            return _told(document, "name", "version")
    raise MlflowError("TEMPORARILY_UNAVAILABLE", "No number was free for the scorer.")


def list_all(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Return the newest version of each scorer of an experiment."""
    owner = fields.require("experiment_id")
    desk.experiment(owner)
    newest = {each.body["name"]: each for each in _versions(desk, owner)}
    return compact(scorers=[_written(newest[name]) for name in sorted(newest)])


def list_versions(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Return all versions of a scorer."""
    return compact(scorers=[_written(each) for each in _found(desk, fields)])


def get(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Return a version of a scorer; by default the newest."""
    return {"scorer": _written(_chosen(desk, fields)[-1])}


def delete(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Delete a version of a scorer; by default all."""
    desk.metadata.documents.delete(SCORER, [each.key for each in _chosen(desk, fields)])
    return {}


def list_online(_desk: Desk, _fields: Fields) -> dict[str, Any]:
    """Return which scorers a server runs by itself: none here, since they are code of clients."""
    return {"configs": []}


def _versions(desk: Desk, owner: str, name: str | None = None) -> list[DocumentRecord]:
    found = desk.metadata.documents.list(SCORER, owners=[owner])
    return sorted(
        (each for each in found if name in {None, each.body["name"]}),
        key=lambda each: (each.body["version"], each.key),
    )


def _found(desk: Desk, fields: Fields) -> list[DocumentRecord]:
    owner, name = fields.require("experiment_id"), fields.require("name")
    desk.experiment(owner)
    found = _versions(desk, owner, name)
    if not found:
        raise missing(f"Scorer with name '{name[:250]}' not found for experiment {owner}.")
    return found


def _chosen(desk: Desk, fields: Fields) -> list[DocumentRecord]:
    found = _found(desk, fields)
    if not fields.has("version"):
        return found
    number = fields.integer("version")
    if number < 1:
        raise invalid(f"Invalid value {number} for parameter 'version' supplied.")
    chosen = [each for each in found if each.body["version"] == number]
    if not chosen:
        name = fields.text("name")[:250]
        raise missing(f"Scorer with name '{name}' and version {number} not found.")
    return chosen


def _written(document: DocumentRecord) -> dict[str, Any]:
    return _told(document, "scorer_name", "scorer_version")


def _told(document: DocumentRecord, name: str, version: str) -> dict[str, Any]:
    body = document.body
    owner = document.owner
    return {
        "experiment_id": int(owner) if name == "scorer_name" else owner,
        name: body["name"],
        version: body["version"],
        "serialized_scorer": body["text"],
        "creation_time": body["created_ms"],
        "scorer_id": body["scorer_id"],
    }
