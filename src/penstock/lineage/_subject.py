"""find_subject: from a name to a prediction, version, run or node; apart from the graph."""

from dataclasses import dataclass

from penstock.core import ModelVersionRecord, NotFoundError, PredictionRecord, RunRecord
from penstock.lineage._batch_prediction import find_batch_prediction
from penstock.registry import Registry, parse_ref
from penstock.stores import Store


@dataclass(frozen=True, slots=True)
class Subject:
    """The meaning of a name.

    Args:
        node: The node in the lineage graph, ``kind:id``.
        prediction: The prediction of this name.
        version: The model version of this name, or of the prediction.
        run: The run of this name.
        batch: Id of the run of the batch that the prediction is of.
    """

    node: str
    prediction: PredictionRecord | None = None
    version: ModelVersionRecord | None = None
    run: RunRecord | None = None
    batch: str | None = None


_OTHER_KINDS = {
    "source",
    "view",
    "step",
    "code",
    "environment",
}  # known by their lineage edges only


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
        return Subject(subject)
    if kind == "deployment" and rest:
        deployed = store.metadata.deployments.get(rest)
        return _of_version(store, f"{deployed.model}@{deployed.control}")
    if kind in {"version", "artifact", "prediction", "run"} and rest:
        subject = rest
    if kind == "version" or "@" in subject:
        return _of_version(store, subject)
    if kind == "artifact" or subject.startswith("sha256:"):
        return _artifact(store, subject)
    batch = None
    try:
        prediction = store.metadata.predictions.get(subject)
    except NotFoundError:
        batch_row = find_batch_prediction(store, subject)
        if batch_row is None:
            return _run(store, subject)
        prediction, batch = batch_row, subject.rpartition("-")[0]
    version = store.metadata.models.get_version(prediction.model, prediction.version)
    return Subject(f"prediction:{prediction.prediction_id}", prediction, version, batch=batch)


def _artifact(store: Store, digest: str) -> Subject:
    try:
        return Subject(f"artifact:{store.metadata.artifacts.get(digest).content_digest}")
    except NotFoundError:
        node = f"artifact:{digest}"
        _require_arrows(store, node)  # the value was removed; its edges tell what it came from
        return Subject(node)


def _require_arrows(store: Store, node: str) -> None:
    if not any(
        store.metadata.artifacts.list_edges(node, direction=way, depth=1) for way in ("up", "down")
    ):
        raise _nothing(node)


def _run(store: Store, subject: str) -> Subject:
    try:
        run = store.metadata.runs.get(subject)
    except NotFoundError as error:
        if subject in store.metadata.models.list():
            raise _whole_model(subject) from error
        raise _nothing(subject, error.what) from error
    return Subject(f"run:{run.run_id}", run=run)


def _whole_model(model: str) -> NotFoundError:
    return NotFoundError(
        what=f"{model!r} is a model.",
        why="Each of its versions has a lineage.",
        fix=f"Name a version: {model}@latest, {model}@champion or {model}@1.",
        subject=model,
    )


def _nothing(subject: str, why: str = "") -> NotFoundError:
    return NotFoundError(
        what=f"{subject!r} is not recorded.",
        why=why,
        fix="Give a prediction id, MODEL@VERSION, a run id or a digest; "
        "`penstock runs` and `penstock models` list them.",
        subject=subject,
    )


def _of_version(store: Store, ref: str) -> Subject:
    model, number = parse_ref(ref)
    version = Registry(store=store).get(model, number)
    return Subject(f"version:{version.ref}", version=version)
