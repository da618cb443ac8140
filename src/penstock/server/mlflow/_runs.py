"""MLflow's calls on runs: their life, parameters and tags."""

import uuid
from collections.abc import Mapping
from typing import Any

from penstock.core import (
    ConflictError,
    RunRecord,
    RunState,
    current_actor,
    current_identity,
    new_id,
    now,
)
from penstock.server.mlflow._desk import Desk, from_ms, to_ms
from penstock.server.mlflow._errors import invalid, missing
from penstock.server.mlflow._fields import Fields, compact, number, pairs
from penstock.server.mlflow._kinds import INPUT, MODEL_INPUT, MODEL_OUTPUT
from penstock.server.mlflow._rules import (
    BATCH_PARAMS,
    PARAM_LENGTH,
    TAG_LENGTH,
    check_experiment_id,
    check_key,
    check_run_id,
)
from penstock.server.mlflow._values import param_text

NAME_TAG = "mlflow.runName"
_USER_TAG, _PARENT_TAG, _NOTE_TAG = "mlflow.user", "mlflow.parentRunId", "mlflow.note.content"
STATUS: Mapping[RunState, str] = {
    RunState.QUEUED: "SCHEDULED",
    RunState.RUNNING: "RUNNING",
    RunState.FINISHED: "FINISHED",
    RunState.FAILED: "FAILED",
    RunState.KILLED: "KILLED",
}
_STATE = {status: state for state, status in STATUS.items()}
_STATUS_NUMBERS = dict(enumerate(("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"), 1))
_ENDED = frozenset({"FINISHED", "FAILED", "KILLED"})


def create(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Create a run, which runs at once."""
    experiment_id = check_experiment_id(fields.text("experiment_id", default="0"))
    experiment, _ = desk.experiment(experiment_id)
    if experiment.deleted_at is not None:
        raise invalid(f"The experiment {experiment_id} must be in the 'active' state.")
    tags = read_tags(fields)
    began = from_ms(fields.integer("start_time", 0), "start_time")
    began = began if fields.integer("start_time", 0) else now()
    name = _name(fields.text("run_name"), tags)
    run = RunRecord(
        run_id=uuid.uuid4().hex,
        name=name,
        experiment=experiment.name,
        pipeline=None,
        entry=tags.get("mlflow.source.name"),
        state=RunState.RUNNING,
        seed=0,
        created_at=began,
        started_at=began,
        parent_run_id=tags.get(_PARENT_TAG),
        user=_user(fields, tags),
        tags={**tags, NAME_TAG: name},
        note=tags.get(_NOTE_TAG, ""),
        process="unwatched",  # no process beats for it: its client may be silent for hours
    )
    desk.metadata.runs.create(run)
    return {"run": write_run(desk, run, experiment_id, deleted=False)}


def _user(fields: Fields, tags: Mapping[str, str]) -> str:
    """Return who runs it: whoever has signed in; a name sent along could hide a trainer."""
    identity = current_identity()
    if identity is not None and identity.attested:
        return identity.actor
    return fields.text("user_id") or tags.get(_USER_TAG) or current_actor()


def get(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Return a run with its last metrics, parameters, tags, inputs and outputs."""
    run = desk.run(_run_id(fields))
    return {"run": write_whole(desk, [run])[0]}


def update(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Change the status, the end or the name of a run; every status may follow every other."""
    run_id = _run_id(fields)
    status = fields.choice("status", _STATUS_NUMBERS)
    ended = from_ms(fields.integer("end_time"), "end_time") if fields.has("end_time") else None
    desk.require_open(run_id)
    if status in _STATE:
        move_run(desk, run_id, _STATE[status], {} if ended is None else {"ended_at": ended})
    name = fields.text("run_name")
    if name:
        _rename(desk, run_id, name)
    run = desk.run(run_id)
    if ended is not None and run.ended_at != ended:
        # An end alone, or one before the beginning, which a change of state would not keep.
        desk.metadata.runs.update(run_id, ended_at=ended)
        run = desk.run(run_id)
    return {"run_info": _info(desk, run, desk.number(run.experiment), deleted=False)}


def delete(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Delete a run; again without effect."""
    run = desk.run(_run_id(fields))
    if run.deleted_at is None:
        desk.metadata.runs.update(run.run_id, deleted_at=now())
    desk.forget_open()
    return {}


def restore(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Restore a deleted run; again without effect."""
    run = desk.run(_run_id(fields))
    if run.deleted_at is not None:
        desk.metadata.runs.update(run.run_id, deleted_at=None)
    desk.forget_open()
    return {}


def log_parameter(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Log a parameter; the same value again is no error."""
    run_id = _run_id(fields)
    params = dict([_read_param(fields)])
    desk.require_open(run_id)
    log_params(desk, run_id, params)
    return {}


def set_tag(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Set a tag of a run."""
    run_id = _run_id(fields)
    tags = dict([_read_tag(fields)])
    desk.require_open(run_id)
    set_tags(desk, run_id, tags)
    return {}


def delete_tag(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Delete a tag of a run."""
    run_id, key = _run_id(fields), fields.require("key")
    desk.require_open(run_id)
    if key not in desk.run(run_id).tags:
        raise missing(f"No tag with name: {key} in run with id {run_id}")
    desk.metadata.runs.delete_tags(run_id, [key])
    return {}


def read_params(fields: Fields) -> dict[str, str]:
    """Return the parameters of a batch.

    Raises:
        MlflowError: If a name is given twice, or a name or value is none.
    """
    found: dict[str, str] = {}
    parts = fields.parts("params")
    for part in parts:
        key, value = _read_param(part)
        if found.get(key, value) != value:
            raise invalid(f"Duplicate parameter keys have been submitted: ['{key}'].")
        found[key] = value
    if len(found) != len(parts):
        raise invalid("Duplicate parameter keys have been submitted.")
    if len(parts) > BATCH_PARAMS:
        raise invalid(
            f"A batch logging request can contain at most {BATCH_PARAMS} params. "
            f"Got {len(parts)} params. Please split up params across multiple requests."
        )
    return found


def read_tags(fields: Fields) -> dict[str, str]:
    """Return the tags of a request."""
    return dict(_read_tag(part) for part in fields.parts("tags"))


def log_params(desk: Desk, run_id: str, params: Mapping[str, str]) -> None:
    """Log parameters of a run.

    Raises:
        MlflowError: If one has another value already; nothing is logged then.
    """
    if not params:
        return
    try:
        desk.metadata.runs.log_params(run_id, params)
    except ConflictError:
        # The same value in another type, as a step of penstock logs it, is the same to MLflow.
        known = {key: param_text(value) for key, value in desk.run(run_id).params.items()}
        for key, value in params.items():
            if known.get(key, value) != value:
                raise invalid(
                    f"Changing param values is not allowed. Param with key='{key}' was already "
                    f"logged with value='{known[key]}' for run ID='{run_id}'. "
                    f"Attempted logging new value '{value}'."
                ) from None
        new = {key: value for key, value in params.items() if key not in known}
        if new:
            desk.metadata.runs.log_params(run_id, new)


def set_tags(desk: Desk, run_id: str, tags: Mapping[str, str]) -> None:
    """Set tags of a run; some of them are fields of penstock's."""
    if not tags:
        return
    desk.metadata.runs.set_tags(run_id, tags)
    fields = {NAME_TAG: "name", _NOTE_TAG: "note", _PARENT_TAG: "parent_run_id"}
    changes: dict[str, Any] = {field: tags[tag] for tag, field in fields.items() if tags.get(tag)}
    if changes:
        desk.metadata.runs.update(run_id, **changes)


def write_whole(desk: Desk, runs: list[RunRecord]) -> list[dict[str, Any]]:
    """Return runs as clients read them."""
    names = {run.experiment for run in runs}
    numbers = {name: desk.number(name) for name in names}
    gone = desk.deleted_experiments(names)
    sides = read_sides(desk, [run.run_id for run in runs])
    written = []
    for run in runs:
        deleted = run.deleted_at is not None or run.experiment in gone
        whole = write_run(desk, run, numbers[run.experiment], deleted=deleted)
        written.append({**whole, **sides.get(run.run_id, {})})
    return written


def write_run(desk: Desk, run: RunRecord, experiment_id: str, *, deleted: bool) -> dict[str, Any]:
    """Return a run as clients read it, without inputs and outputs."""
    tags = {NAME_TAG: run.name, **run.tags} if run.name else dict(run.tags)
    metrics = [
        {
            "key": key,
            "value": number(summary.last),
            "timestamp": summary.last_time // 1000,
            "step": int(summary.last_step),
        }
        for key, summary in run.metrics.items()
    ]
    params = {key: param_text(value) for key, value in run.params.items()}
    data = compact(metrics=metrics, params=pairs(params), tags=pairs(tags))
    return {"info": _info(desk, run, experiment_id, deleted=deleted), "data": data}


def read_sides(desk: Desk, run_ids: list[str]) -> dict[str, dict[str, Any]]:
    """Return the inputs and outputs of runs, as clients read them."""
    found: dict[str, dict[str, Any]] = {}
    for kind, side, entry in (
        (INPUT, "inputs", "dataset_inputs"),
        (MODEL_INPUT, "inputs", "model_inputs"),
        (MODEL_OUTPUT, "outputs", "model_outputs"),
    ):
        for document in desk.metadata.documents.list(kind, owners=run_ids):
            sides = found.setdefault(document.owner, {}).setdefault(side, {})
            sides.setdefault(entry, []).append(dict(document.body))
    return found


def _info(desk: Desk, run: RunRecord, experiment_id: str, *, deleted: bool) -> dict[str, Any]:
    return compact(
        run_id=run.run_id,
        run_uuid=run.run_id,
        run_name=run.name,
        experiment_id=experiment_id,
        user_id=run.user,
        status=STATUS[run.state],
        start_time=to_ms(run.started_at or run.created_at),
        end_time=to_ms(run.ended_at),
        artifact_uri=f"{desk.scheme}:/{experiment_id}/{run.run_id}/artifacts",
        lifecycle_stage="deleted" if deleted else "active",
    )


def move_run(desk: Desk, run_id: str, state: RunState, changes: dict[str, Any]) -> None:
    """Move a run to any state, as MLflow does."""
    run = desk.run(run_id)
    if state.name in _ENDED:
        changes.setdefault("ended_at", run.ended_at or now())
    elif state is RunState.RUNNING:
        changes.setdefault("ended_at", None)
    try:
        desk.metadata.runs.update(run_id, state=state, **changes)
    except ConflictError:
        # By way of running: from there every state follows.
        desk.metadata.runs.update(run_id, state=RunState.RUNNING)
        desk.metadata.runs.update(run_id, state=state, **changes)


def _rename(desk: Desk, run_id: str, name: str) -> None:
    desk.metadata.runs.update(run_id, name=name)
    desk.metadata.runs.set_tags(run_id, {NAME_TAG: name})


def _name(name: str, tags: Mapping[str, str]) -> str:
    tagged = tags.get(NAME_TAG, "")
    if name and tagged and name != tagged:
        raise invalid(
            "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different "
            f"values (run_name='{name}', mlflow.runName='{tagged}')."
        )
    return name or tagged or f"run-{new_id()[-8:]}"


def _run_id(fields: Fields) -> str:
    return check_run_id(fields.require("run_id", "run_uuid"))


def _read_param(fields: Fields) -> tuple[str, str]:
    key = check_key(fields.require("key"), "param", fields.place)
    return key, fields.text("value")[:PARAM_LENGTH]


def _read_tag(fields: Fields) -> tuple[str, str]:
    key = check_key(fields.require("key"), "tag", fields.place)
    return key, fields.text("value")[:TAG_LENGTH]
