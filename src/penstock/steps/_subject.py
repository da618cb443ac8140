"""Resolution of a trace's subject: prediction, version, run or lineage node; apart from it."""

from typing import TypeAlias

from penstock.core import ModelVersionRecord, NotFoundError, PredictionRecord, RunRecord
from penstock.registry import Registry, parse_ref
from penstock.stores import Store

# The known prediction, version and run of a subject, and the node in the lineage graph.
Subject: TypeAlias = tuple[
    PredictionRecord | None, ModelVersionRecord | None, RunRecord | None, str
]

_OTHER_KINDS = {"source", "step", "code", "environment"}  # known by their lineage edges only


def find_subject(store: Store, subject: str) -> Subject:
    """Resolve a name to a subject.

    Args:
        store: Store that has the subject.
        subject: A prediction id, ``model@version``, a run id, a digest or a node ``kind:id``.

    Raises:
        NotFoundError: If nothing of that name is recorded.
    """
    kind, _, rest = subject.partition(":")
    if kind in _OTHER_KINDS and rest:
        _require_arrows(store, subject)
        return None, None, None, subject
    if kind == "deployment" and rest:
        deployed = store.metadata.deployments.get(rest)
        return _of_version(store, f"{deployed.model}@{deployed.control}")
    if kind in {"version", "artifact", "prediction", "run"} and rest:
        subject = rest
    if kind == "version" or "@" in subject:
        return _of_version(store, subject)
    if kind == "artifact" or subject.startswith("sha256:"):
        artifact = store.metadata.artifacts.get(subject)
        return None, None, None, f"artifact:{artifact.content_digest}"
    try:
        prediction = store.metadata.predictions.get(subject)
    except NotFoundError:
        return None, None, *_run(store, subject)
    version = store.metadata.models.get_version(prediction.model, prediction.version)
    return prediction, version, None, f"version:{version.ref}"


def _require_arrows(store: Store, node: str) -> None:
    if not any(
        store.metadata.artifacts.list_edges(node, direction=way, depth=1) for way in ("up", "down")
    ):
        raise _nothing(node)


def _run(store: Store, subject: str) -> tuple[RunRecord, str]:
    try:
        run = store.metadata.runs.get(subject)
    except NotFoundError as error:
        raise _nothing(subject, error.what) from error
    return run, f"run:{run.run_id}"


def _nothing(subject: str, why: str = "") -> NotFoundError:
    return NotFoundError(
        what=f"{subject!r} names nothing that is recorded.",
        why=why,
        fix="Give a prediction id, MODEL@VERSION, a run id or a digest; "
        "`penstock runs` and `penstock models` list them.",
        subject=subject,
    )


def _of_version(store: Store, ref: str) -> Subject:
    model, number = parse_ref(ref)
    version = Registry(store=store).get(model, number)
    return None, version, None, f"version:{version.ref}"
