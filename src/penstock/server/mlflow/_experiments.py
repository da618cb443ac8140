"""MLflow's calls on experiments."""

from typing import Any

from penstock.core import ConflictError, DocumentRecord, ExperimentRecord, now
from penstock.server.mlflow import _grammar as grammar
from penstock.server.mlflow._desk import EVERY, Desk, to_ms
from penstock.server.mlflow._errors import EXISTS, MlflowError, invalid, missing
from penstock.server.mlflow._fields import Fields, compact, page, pairs
from penstock.server.mlflow._kinds import EXPERIMENT
from penstock.server.mlflow._rules import (
    EXPERIMENT_TAG_LENGTH,
    check_experiment_id,
    check_experiment_name,
    check_key,
    check_length,
)

_MOST = 50_000
_ALL = 1_000_000
_VIEWS = dict(enumerate(("ACTIVE_ONLY", "DELETED_ONLY", "ALL"), 1))


def create(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Create an experiment without runs."""
    name = check_experiment_name(fields.require("name"))
    tags = _read_tags(fields)
    fields.text("artifact_location")  # where artifacts are is decided here; a text it has to be
    try:
        desk.metadata.runs.create_experiment(name, tags=tags)
    except ConflictError:
        found = desk.find_experiment(name)
        deleted = found is not None and found.deleted_at is not None
        state = "deleted" if deleted else "active"
        raise _taken(name, f" in {state} state") from None
    return {"experiment_id": desk.number(name)}


def get(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Return an experiment by its number."""
    record, document = _named(desk, fields)
    return {"experiment": _write(desk, record, document)}


def get_by_name(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Return an experiment by its name, deleted or not."""
    name = fields.require("experiment_name")
    record = desk.find_experiment(name)
    if record is None:
        raise missing(f"Could not find experiment with name '{name}'")
    return {"experiment": _write(desk, record, desk.experiment(desk.number(name))[1])}


def search(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Search experiments."""
    if not fields.has("max_results"):
        raise invalid("Missing value for required parameter 'max_results'.")
    most = fields.most(0, _MOST)
    view = read_view(fields, "view_type")
    wanted = grammar.EXPERIMENTS.read(fields.text("filter"))
    terms = grammar.EXPERIMENTS.order(fields.texts("order_by"))
    numbers = desk.numbers()
    found = [
        _write(desk, record, numbers[record.name])
        for record in desk.metadata.runs.search_experiments(EVERY, limit=_ALL)
        if record.name in numbers and is_in_view(view, deleted=record.deleted_at is not None)
    ]
    found = [each for each in found if all(grammar.matches(c, _reader(each)) for c in wanted)]
    # What is equal by the wanted order comes with the newest first, as MLflow's has it.
    found.sort(key=lambda each: -int(each["experiment_id"]) if terms else _by_default(each))
    grammar.sort(found, terms, _reader)
    rows, token = page(found, fields, most)
    return compact(experiments=rows, next_page_token=token)


def update(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Rename an experiment."""
    record, document = _named(desk, fields)
    name = fields.text("new_name")
    if record.deleted_at is not None:
        raise invalid("Cannot rename experiment in non-active lifecycle stage: it is deleted.")
    if not name or name == record.name:
        return {}
    check_experiment_name(name)
    try:
        desk.metadata.runs.rename_experiment(record.name, name)
    except ConflictError:
        raise _taken(name) from None
    renamed = DocumentRecord(EXPERIMENT, document.key, name, now(), document.body)
    desk.metadata.documents.save(renamed, expected_revision=document.revision)
    desk.forget_open()
    return {}


def delete(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Delete an experiment; its runs count as deleted while it is."""
    record, document = _named(desk, fields)
    if record.deleted_at is not None:
        raise missing(f"No active Experiment with id={document.key} exists")
    desk.metadata.runs.update_experiment(record.name, deleted_at=now())
    _touch(desk, document.key)
    desk.forget_open()
    return {}


def restore(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Restore a deleted experiment."""
    record, document = _named(desk, fields)
    if record.deleted_at is None:
        raise missing(f"No deleted Experiment with id={document.key} exists")
    desk.metadata.runs.update_experiment(record.name, deleted_at=None)
    _touch(desk, document.key)
    desk.forget_open()
    return {}


def set_tag(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Set a tag of an experiment."""
    tags = dict([_read_tag(fields)])
    record, document = _named(desk, fields)
    if record.deleted_at is not None:
        raise invalid(f"The experiment {document.key} must be in the 'active' state.")
    desk.metadata.runs.set_experiment_tags(record.name, tags)
    _touch(desk, document.key)
    return {}


def delete_tag(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Delete a tag of an experiment."""
    key = fields.require("key")
    record, document = _named(desk, fields)
    if key not in record.tags:
        raise missing(f"No tag with name: {key} in experiment with id {document.key}")
    desk.metadata.runs.delete_experiment_tags(record.name, [key])
    _touch(desk, document.key)
    return {}


def read_view(fields: Fields, name: str) -> str:
    """Return whether active objects are wanted, deleted ones, or both."""
    view = fields.choice(name, _VIEWS) or "ACTIVE_ONLY"
    if view not in _VIEWS.values():
        raise invalid(f"Invalid value {view[:100]!r} for parameter '{name}' supplied.")
    return view


def is_in_view(view: str, *, deleted: bool) -> bool:
    """Return whether an object belongs to a view."""
    return view == "ALL" or deleted == (view == "DELETED_ONLY")


def _by_default(written: dict[str, Any]) -> tuple[int, int]:
    return -written["creation_time"], int(written["experiment_id"])


def _named(desk: Desk, fields: Fields) -> tuple[ExperimentRecord, DocumentRecord]:
    return desk.experiment(check_experiment_id(fields.require("experiment_id")))


def _taken(name: str, state: str = "") -> MlflowError:
    return MlflowError(EXISTS, f"Experiment(name={name}) already exists{state}.")


def _touch(desk: Desk, experiment_id: str) -> None:
    desk.change(EXPERIMENT, experiment_id, lambda body: body)


def _read_tags(fields: Fields) -> dict[str, str]:
    return dict(_read_tag(part) for part in fields.parts("tags"))


def _read_tag(fields: Fields) -> tuple[str, str]:
    key = check_key(fields.require("key"), "tag", fields.place)
    return key, check_length(fields.text("value"), EXPERIMENT_TAG_LENGTH, fields.place + "value")


def _write(desk: Desk, record: ExperimentRecord, document: DocumentRecord) -> dict[str, Any]:
    created = document.body.get("created_ms") or to_ms(record.created_at)
    return {
        "experiment_id": document.key,
        "name": record.name,
        "artifact_location": f"{desk.scheme}:/{document.key}",
        "lifecycle_stage": "active" if record.deleted_at is None else "deleted",
        "creation_time": created,
        "last_update_time": max(created or 0, to_ms(document.updated_at) or 0),
        **compact(tags=pairs(record.tags)),
    }


def _reader(written: dict[str, Any]) -> Any:
    tags = {tag["key"]: tag["value"] for tag in written.get("tags", ())}

    def read(group: str, name: str) -> Any:
        return tags.get(name) if group == "tags" else written.get(name)

    return read
