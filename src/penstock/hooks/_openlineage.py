"""Events in OpenLineage form: a pipeline and its steps are jobs, outputs are datasets.

Source: OpenLineage 2-0-2, https://openlineage.io/spec/2-0-2/OpenLineage.json, and the facets.
"""

import uuid
from collections.abc import Mapping
from functools import cache
from typing import Any

from penstock.core import (
    ArtifactRecord,
    EventRecord,
    NotFoundError,
    RunRecord,
    StepRunRecord,
)
from penstock.hooks._messages import subject_of
from penstock.stores import Store

_SPEC = "https://openlineage.io/spec"
_EVENT = f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
_FACETS = {
    "parent": ("1-2-0", "ParentRunFacet"),
    "errorMessage": ("1-0-1", "ErrorMessageRunFacet"),
    "processing_engine": ("1-1-1", "ProcessingEngineRunFacet"),
    "tags": ("1-0-0", "TagsRunFacet"),
    "jobType": ("2-0-4", "JobTypeJobFacet"),
    "schema": ("1-2-0", "SchemaDatasetFacet"),
    "version": ("1-0-1", "DatasetVersionDatasetFacet"),
    "outputStatistics": ("1-0-2", "OutputStatisticsOutputDatasetFacet"),
}
# A waiting run or step continues later, so `waiting` neither begins nor ends an OpenLineage job.
_TYPES = {
    "started": "START",
    "finished": "COMPLETE",
    "cached": "COMPLETE",
    "skipped": "ABORT",
    "failed": "FAIL",
    "killed": "ABORT",
    "waiting": "OTHER",
}
_SOURCE = "source:"
_TOLD = 2000


def run_event(store: Store, event: EventRecord) -> dict[str, Any]:
    """Return an event as a RunEvent.

    Raises:
        NotFoundError: If the run has been deleted.
    """
    run, step = subject_of(store, event)
    inputs, outputs = ([], []) if step is None else _datasets(store, run, step)
    return {
        "eventType": _TYPES.get(event.kind.partition(".")[2], "OTHER"),
        "eventTime": event.at.isoformat(),
        "run": {
            "runId": run_uuid(event.step_run_id or run.run_id),
            "facets": _run_facets(run, event, step),
        },
        "job": _job(run, event.step),
        "inputs": inputs,
        "outputs": outputs,
        "producer": _producer(),
        "schemaURL": _EVENT,
    }


def run_uuid(run_id: str) -> str:
    """Return the OpenLineage UUID of a run or step run; the same id always maps to the same UUID.

    >>> run_uuid("06h1qhs3wa73n27req0h")
    '339879de-90a8-54a6-97ae-38060e22673c'
    """
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"penstock:run:{run_id}"))


def _job(run: RunRecord, step: str | None) -> dict[str, Any]:
    kind = "STEP" if step else ("PIPELINE" if run.pipeline else "SCRIPT")
    facet = {"processingType": "BATCH", "integration": "PENSTOCK", "jobType": kind}
    return {**_job_name(run, step), "facets": {"jobType": _facet("jobType", facet)}}


def _job_name(run: RunRecord, step: str | None = None) -> dict[str, str]:
    name = run.pipeline or run.name
    return {"namespace": run.experiment, "name": f"{name}.{step}" if step else name}


def _run_facets(run: RunRecord, event: EventRecord, step: StepRunRecord | None) -> dict[str, Any]:
    own = _version()
    engine = {"version": own, "name": "penstock", "openlineageAdapterVersion": own}
    tags = [{"key": key, "value": value, "source": "penstock"} for key, value in run.tags.items()]
    facets = {"processing_engine": _facet("processing_engine", engine)}
    if tags:
        facets["tags"] = _facet("tags", {"tags": tags})
    if event.step is not None:
        parent = {"run": {"runId": run_uuid(run.run_id)}, "job": _job_name(run)}
        facets["parent"] = _facet("parent", parent)
    error = event.facts.get("error")
    if error and event.kind.endswith((".failed", ".killed")):
        trace = (step.traceback or "")[-_TOLD:] if step is not None else ""
        failure = {"message": error, "programmingLanguage": "PYTHON", "stackTrace": trace or None}
        facets["errorMessage"] = _facet("errorMessage", failure)
    return facets


def _datasets(
    store: Store, run: RunRecord, step: StepRunRecord
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return a step's input and output datasets; inputs are earlier outputs and sources."""
    made_by = {
        digest: f"{other.step}.{name}"
        for other in store.metadata.steps.list(run.run_id)
        for name, digest in other.outputs.items()
        if other.step_run_id != step.step_run_id
    }
    namespace = f"{run.experiment}/{run.pipeline or run.name}"
    inputs = [
        _dataset(namespace, made_by[digest], digest, _artifact(store, digest))
        for digest in dict.fromkeys(step.inputs.values())
        if digest in made_by
    ]
    inputs += [_source(node) for node in _sources(store, step)]
    outputs = []
    for name, digest in step.outputs.items():
        artifact = _artifact(store, digest)
        dataset = _dataset(namespace, f"{step.step}.{name}", digest, artifact)
        if artifact is not None:
            facet: dict[str, Any] = {"size": artifact.size_bytes}
            if isinstance(artifact.metadata.get("rows"), int):
                facet["rowCount"] = artifact.metadata["rows"]
            dataset["outputFacets"] = {"outputStatistics": _facet("outputStatistics", facet)}
        outputs.append(dataset)
    return inputs, outputs


def _dataset(
    namespace: str, name: str, digest: str, artifact: ArtifactRecord | None
) -> dict[str, Any]:
    facets = {"version": _facet("version", {"datasetVersion": digest})}
    columns = () if artifact is None else artifact.metadata.get("columns", ())
    if columns:
        facets["schema"] = _facet("schema", {"fields": [{"name": each} for each in columns]})
    return {"namespace": namespace, "name": name, "facets": facets}


def _sources(store: Store, step: StepRunRecord) -> list[str]:
    sources = []
    for digest in step.outputs.values():
        for edge in store.metadata.artifacts.list_edges(
            f"artifact:{digest}", direction="up", depth=1
        ):
            if edge.source.startswith(_SOURCE) and edge.source not in sources:
                sources.append(edge.source)
    return sources


def _source(node: str) -> dict[str, Any]:
    return {"namespace": "penstock.source", "name": node.removeprefix(_SOURCE), "facets": {}}


def _artifact(store: Store, digest: str) -> ArtifactRecord | None:
    try:
        return store.metadata.artifacts.get(digest)
    except NotFoundError:
        return None


def _facet(kind: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    number, name = _FACETS[kind]
    url = f"{_SPEC}/facets/{number}/{name}.json#/$defs/{name}"
    known_facts = {key: value for key, value in facts.items() if value is not None}
    return {"_producer": _producer(), "_schemaURL": url, **known_facts}


def gone_event(event: EventRecord) -> dict[str, Any]:
    """Return the RunEvent of an event whose run has been deleted."""
    return {
        "eventType": _TYPES.get(event.kind.partition(".")[2], "OTHER"),
        "eventTime": event.at.isoformat(),
        "run": {"runId": run_uuid(event.step_run_id or event.run_id), "facets": {}},
        "job": {"namespace": "penstock", "name": event.step or event.run_id, "facets": {}},
        "inputs": [],
        "outputs": [],
        "producer": _producer(),
        "schemaURL": _EVENT,
    }


@cache
def _version() -> str:
    from importlib.metadata import version  # 15 ms, and only who has hooks needs it

    return version("penstock")


def _producer() -> str:
    return f"urn:penstock:{_version()}"
