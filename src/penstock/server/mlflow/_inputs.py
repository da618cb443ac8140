"""MLflow's calls on a run's inputs and outputs: datasets and logged models."""

from collections.abc import Sequence
from typing import Any

from penstock.core import DocumentRecord, Edge, digest_bytes, now
from penstock.server.mlflow._desk import Desk
from penstock.server.mlflow._errors import invalid
from penstock.server.mlflow._fields import Fields, compact, encode
from penstock.server.mlflow._kinds import INPUT, LOGGED, MODEL_INPUT, MODEL_OUTPUT, SUMMARY
from penstock.server.mlflow._rules import (
    DATASET_LENGTHS,
    check_experiment_id,
    check_length,
    check_run_id,
)

_CONTEXT = "mlflow.data.context"
_MOST_EXPERIMENTS = 20


def log_inputs(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Record datasets and models that a run read; the same twice is one."""
    run_id = check_run_id(fields.require("run_id", "run_uuid"))
    datasets = [_read_dataset(part) for part in fields.parts("datasets")]
    models = [part.require("model_id") for part in fields.parts("models")]
    desk.require_open(run_id)
    add_inputs(desk, run_id, datasets)
    _relate(desk, run_id, MODEL_INPUT, [compact(model_id=model_id) for model_id in models])
    arrows = [Edge(f"model:{model_id}", f"run:{run_id}", "model") for model_id in models]
    desk.metadata.artifacts.add_edges(arrows)
    return {}


def log_outputs(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Record models that a run made."""
    run_id = check_run_id(fields.require("run_id", "run_uuid"))
    models = [
        {"model_id": part.require("model_id"), "step": part.integer("step", 0)}
        for part in fields.parts("models")
    ]
    desk.require_open(run_id)
    _relate(desk, run_id, MODEL_OUTPUT, models)
    arrows = [Edge(f"run:{run_id}", f"model:{each['model_id']}", "model") for each in models]
    desk.metadata.artifacts.add_edges(arrows)
    return {}


def search_datasets(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Return the datasets that runs of experiments read."""
    ids = fields.texts("experiment_ids")
    if not ids:
        raise invalid("SearchDatasets request must specify at least one experiment_id.")
    if len(ids) > _MOST_EXPERIMENTS:
        raise invalid(
            f"SearchDatasets request cannot specify more than {_MOST_EXPERIMENTS} experiment_ids. "
            f"Received {len(ids)} experiment_ids."
        )
    ids = [check_experiment_id(text) for text in ids]
    found = [dict(each.body) for each in desk.metadata.documents.list(SUMMARY, owners=ids)]
    return compact(dataset_summaries=found)


def add_inputs(desk: Desk, run_id: str, datasets: Sequence[dict[str, Any]]) -> None:
    """Record datasets that a run read, in the lineage too."""
    if not datasets:
        return
    experiment_id = desk.number(desk.run(run_id).experiment)
    documents, edges = [], []
    for entry in datasets:
        dataset = entry["dataset"]
        name, digest = dataset["name"], dataset["digest"]
        key = _digest([run_id, name, digest])
        documents.append(DocumentRecord(INPUT, key, run_id, now(), entry))
        for context in [t["value"] for t in entry["tags"] if t["key"] == _CONTEXT] or [""]:
            summary = compact(
                experiment_id=experiment_id, name=name, digest=digest, context=context
            )
            key = _digest([experiment_id, name, digest, context])
            documents.append(DocumentRecord(SUMMARY, key, experiment_id, now(), summary))
        edges.append(Edge(f"source:{name}@{digest}", f"run:{run_id}", "dataset"))
    desk.metadata.documents.add(documents)
    desk.metadata.artifacts.add_edges(edges)


def _relate(desk: Desk, run_id: str, kind: str, models: Sequence[dict[str, Any]]) -> None:
    known = {
        each.key
        for each in desk.metadata.documents.list(LOGGED, keys=[m["model_id"] for m in models])
    }
    unknown = [each["model_id"] for each in models if each["model_id"] not in known]
    if unknown:
        raise invalid(f"Logged model with ID '{unknown[0]}' not found.")
    desk.metadata.documents.add(
        [
            DocumentRecord(kind, f"{run_id}/{each['model_id']}", run_id, now(), each)
            for each in models
        ]
    )


def _read_dataset(fields: Fields) -> dict[str, Any]:
    part = fields.part("dataset")
    dataset = {name: part.text(name) for name in ("name", "digest", "source_type", "source")}
    for name in ("name", "digest", "source_type", "source"):
        if not dataset[name]:
            raise invalid(f"Dataset {name} cannot be None or empty.")
    dataset |= compact(schema=part.text("schema"), profile=part.text("profile"))
    for name, most in DATASET_LENGTHS.items():
        check_length(dataset.get(name, ""), most, f"Dataset {name}")
    tags = []
    for tag in fields.parts("tags"):
        key = check_length(tag.text("key"), 255, "Input tag key")
        tags.append({"key": key, "value": check_length(tag.text("value"), 500, "Input tag value")})
    return {"tags": tags, "dataset": dataset}


def _digest(parts: Sequence[str]) -> str:
    return digest_bytes(encode(list(parts))).removeprefix("sha256:")
