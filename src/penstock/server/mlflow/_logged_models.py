"""MLflow's calls on logged models: what a run saved as a model, before it is registered."""

import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple

from penstock.core import DocumentRecord, now
from penstock.server.mlflow import _grammar as grammar
from penstock.server.mlflow._desk import Desk, to_ms
from penstock.server.mlflow._errors import invalid, lacking, missing
from penstock.server.mlflow._fields import Fields, compact, page, pairs
from penstock.server.mlflow._kinds import LOGGED, MODEL_METRIC, VERSION
from penstock.server.mlflow._rules import (
    PARAM_LENGTH,
    TAG_LENGTH,
    check_experiment_id,
    check_key,
    check_logged_name,
)

_MOST, _DEFAULT = 5000, 100
_STATUS = {  # in the order of their numbers
    "LOGGED_MODEL_STATUS_UNSPECIFIED": "UNSPECIFIED",
    "LOGGED_MODEL_PENDING": "PENDING",
    "LOGGED_MODEL_READY": "READY",
    "LOGGED_MODEL_UPLOAD_FAILED": "FAILED",
}
_STATUS_NUMBERS = dict(enumerate(_STATUS))


def create(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Create a logged model; its files come next."""
    experiment_id = check_experiment_id(fields.require("experiment_id"))
    experiment, _ = desk.experiment(experiment_id)
    if experiment.deleted_at is not None:
        raise invalid(f"The experiment {experiment_id} must be in the 'active' state.")
    model_id = f"m-{uuid.uuid4().hex}"
    body = {
        "name": check_logged_name(fields.text("name")) or f"model-{model_id[2:10]}",
        "created": to_ms(now()),
        "status": "LOGGED_MODEL_PENDING",
        "model_type": fields.text("model_type"),
        "source_run_id": fields.text("source_run_id"),
        "params": _read_params(fields),
        "tags": _read_tags(fields),
    }
    document = DocumentRecord(LOGGED, model_id, experiment_id, now(), body)
    desk.metadata.documents.add([document])
    return {"model": write_models(desk, [document])[0]}


def get(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Return a logged model."""
    return {"model": write_models(desk, [_named(desk, fields)])[0]}


def finalize(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Set the status of a logged model."""
    status = fields.choice("status", _STATUS_NUMBERS)
    if not status:
        raise lacking("status")
    if status not in _STATUS:
        raise invalid(f"Invalid value {status[:100]!r} for parameter 'status' supplied.")
    model_id = _named(desk, fields).key
    changed = desk.change(
        LOGGED,
        model_id,
        lambda body: body | {"status": status, "status_message": fields.text("status_message")},
    )
    return {"model": write_models(desk, [changed])[0]}


def delete(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Delete a logged model; its files stay while a registered version has them."""
    model_id = _named(desk, fields).key
    desk.change(LOGGED, model_id, lambda body: body | {"deleted": True})
    if not _is_registered(desk, model_id):
        files = desk.metadata.documents.list_files(LOGGED, model_id)
        desk.metadata.documents.drop_files(LOGGED, model_id, list(files))
    return {}


def search(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Search the logged models of experiments."""
    ids = [check_experiment_id(text) for text in fields.texts("experiment_ids")]
    most = fields.most(_DEFAULT, _MOST)
    wanted = grammar.LOGGED.read(fields.text("filter"))
    datasets = [
        (part.require("dataset_name"), part.text("dataset_digest"))
        for part in fields.parts("datasets")
    ]
    documents = [
        each
        for each in desk.metadata.documents.list(LOGGED, owners=ids)
        if not each.body.get("deleted")
    ]
    found = write_models(desk, documents)
    found = [each for each in found if _matches(each, wanted, datasets)]
    found.sort(key=lambda each: (-each["info"]["creation_timestamp_ms"], each["info"]["model_id"]))
    terms = [_read_term(part) for part in fields.parts("order_by")]
    _sort(found, terms)
    query = {
        "experiment_ids": ids,
        "filter_string": fields.text("filter"),
        "order_by": [list(term) for term in terms],
        "datasets": [list(each) for each in datasets],
    }
    rows, token = page(found, fields, most, query)
    return compact(models=rows, next_page_token=token)


def log_params(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Log parameters of a logged model; a parameter never changes."""
    params = _read_params(fields)

    def edit(body: dict[str, Any]) -> dict[str, Any]:
        for key, value in params.items():
            if body["params"].get(key, value) != value:
                raise invalid(
                    f"Changing param values is not allowed. Param with key='{key}' was already "
                    f"logged with value='{body['params'][key]}'."
                )
        return body | {"params": body["params"] | params}

    desk.change(LOGGED, _named(desk, fields).key, edit)
    return {}


def set_tags(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Set tags of a logged model."""
    tags = _read_tags(fields)
    changed = desk.change(
        LOGGED, _named(desk, fields).key, lambda body: body | {"tags": body["tags"] | tags}
    )
    return {"model": write_models(desk, [changed])[0]}


def delete_tag(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Delete a tag of a logged model."""
    key = fields.require("tag_key")
    model_id = _named(desk, fields).key

    def edit(body: dict[str, Any]) -> dict[str, Any]:
        if key not in body["tags"]:
            raise missing(f"No tag with key {key!r} found for model with ID {model_id!r}.")
        return body | {"tags": {k: v for k, v in body["tags"].items() if k != key}}

    desk.change(LOGGED, model_id, edit)
    return {}


def write_models(desk: Desk, documents: Sequence[DocumentRecord]) -> list[dict[str, Any]]:
    """Return logged models as clients read them."""
    metrics: dict[str, list[Any]] = {}
    ids = [each.key for each in documents]
    for each in desk.metadata.documents.list(MODEL_METRIC, owners=ids):
        metrics.setdefault(each.owner, []).append(dict(each.body))
    return [_write(desk, each, metrics.get(each.key, [])) for each in documents]


def _write(desk: Desk, document: DocumentRecord, metrics: list[Any]) -> dict[str, Any]:
    body = document.body
    metrics.sort(key=lambda each: (each["key"], each["step"], each["timestamp"]))
    info = compact(
        model_id=document.key,
        experiment_id=document.owner,
        name=body["name"],
        creation_timestamp_ms=body["created"],
        last_updated_timestamp_ms=to_ms(document.updated_at),
        artifact_uri=f"{desk.scheme}:/{document.owner}/models/{document.key}/artifacts",
        status=body["status"],
        status_message=body.get("status_message"),
        model_type=body["model_type"],
        source_run_id=body["source_run_id"],
        tags=pairs(body["tags"]),
    )
    return {"info": info, "data": compact(params=pairs(body["params"]), metrics=metrics)}


def _named(desk: Desk, fields: Fields) -> DocumentRecord:
    model_id = fields.require("model_id")
    found = desk.find(LOGGED, model_id)
    if found is None or found.body.get("deleted"):
        raise missing(f"Logged model with ID '{model_id[:100]}' not found.")
    return found


def _is_registered(desk: Desk, model_id: str) -> bool:
    return any(
        each.body.get("model_id") == model_id for each in desk.metadata.documents.list(VERSION)
    )


def _matches(
    written: dict[str, Any],
    wanted: Sequence[grammar.FilterTest],
    datasets: Sequence[tuple[str, str]],
) -> bool:
    metrics = written["data"].get("metrics", [])
    if datasets:
        # A filter on metrics is about those computed on the datasets.
        metrics = [each for each in metrics if _is_on(each, datasets)]
        if not metrics:
            return False
    read = _reader(written, metrics)
    return all(grammar.matches(comparison, read) for comparison in wanted)


def _is_on(metric: dict[str, Any], datasets: Sequence[tuple[str, str]]) -> bool:
    """Return whether a point was computed on one of the datasets; an empty name or digest is any."""
    name, digest = metric.get("dataset_name", ""), metric.get("dataset_digest", "")
    return any(this in {"", name} and that in {"", digest} for this, that in datasets)


def _reader(written: dict[str, Any], metrics: Sequence[dict[str, Any]]) -> Any:
    info, data = written["info"], written["data"]
    tags = {each["key"]: each["value"] for each in info.get("tags", [])}
    params = {each["key"]: each["value"] for each in data.get("params", [])}

    def read(group: str, name: str) -> Any:
        match group:
            case "metrics":
                return [float(each["value"]) for each in metrics if each["key"] == name] or None
            case "params":
                return params.get(name)
            case "tags":
                return tags.get(name)
        if name == "status":
            return _STATUS[info["status"]]
        return info.get(f"{name}_ms" if name.endswith("timestamp") else name)

    return read


class _Term(NamedTuple):
    """A field of an order.

    Args:
        group: ``attributes`` or ``metrics``.
        name: The attribute or the metric.
        descending: Whether the largest comes first.
        dataset_name: Only values computed on it count; empty for any.
        dataset_digest: Digest of the dataset; empty for any.
    """

    group: str
    name: str
    descending: bool
    dataset_name: str
    dataset_digest: str


def _read_term(part: Fields) -> _Term:
    written = part.require("field_name")
    group, name = grammar.LOGGED.field(written)
    if group not in {"attributes", "metrics"}:
        raise invalid(
            f"Invalid order by field name: {written[:100]}. Only attributes and metrics order."
        )
    descending = part.has("ascending") and not part.flag("ascending")
    return _Term(group, name, descending, part.text("dataset_name"), part.text("dataset_digest"))


def _sort(found: list[dict[str, Any]], terms: Sequence[_Term]) -> None:
    for term in reversed(terms):
        found.sort(
            key=lambda each, term=term: (  # type: ignore[misc] # bound now
                grammar.sort_key(_last(each, term), descending=term.descending)
            )
        )


def _last(written: dict[str, Any], term: _Term) -> Any:
    if term.group != "metrics":
        return _reader(written, ())(term.group, term.name)
    dataset = (term.dataset_name, term.dataset_digest)
    points = [
        each
        for each in written["data"].get("metrics", ())
        if each["key"] == term.name and _is_on(each, [dataset])
    ]
    # The newest by time, as MLflow's own store has it, and not by step as the last of a run.
    newest = max(points, key=lambda each: (each["timestamp"], each["step"]), default=None)
    return None if newest is None else float(newest["value"])


def _read_params(fields: Fields) -> dict[str, str]:
    return {
        check_key(part.require("key"), "param", part.place): part.text("value")[:PARAM_LENGTH]
        for part in fields.parts("params")
    }


def _read_tags(fields: Fields) -> dict[str, str]:
    return {
        check_key(part.require("key"), "tag", part.place): part.text("value")[:TAG_LENGTH]
        for part in fields.parts("tags")
    }
