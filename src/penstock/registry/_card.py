"""Model card of a version, written from recorded facts: run, code, data and report."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from penstock.core import ApprovalRecord, ModelVersionRecord, NotFoundError, Stage, StoreError
from penstock.models import model_card, refresh_card
from penstock.registry._references import CHOSEN_TAG

if TYPE_CHECKING:
    from penstock.stores import Store

_SNAPSHOT_FACTS = ("rows", "ordered_digest", "order_free_digest")
_SNAPSHOT_TIMES = ("first_time", "last_time")
_SOURCE = "source:"
_ARTIFACT = "artifact:"


def render_card(store: "Store", version: ModelVersionRecord, report: Any) -> str:
    """Return the card of a version.

    Args:
        store: Store that has the version's run.
        version: The version.
        report: EvaluationReport of the version, or None.
    """
    judged = report.to_json() if hasattr(report, "to_json") else None
    facts = {
        "model": version.model,
        "version": version.version,
        "created_at": version.created_at,
        "run_id": version.run_id,
        "trained_by": version.trained_by,
        "content_digest": version.content_digest,
        "signature": version.signature,
        "metrics": version.metrics,
        "gates": _gates(version),
        "note": _with_choice(version),
    }
    return model_card(facts, judged, _recorded(store, version))


def current_card(
    text: str, version: ModelVersionRecord, approvals: Sequence[ApprovalRecord]
) -> str:
    """Return a version's card with the present stage, gates and approvals."""
    facts = {
        "model": version.model,
        "version": version.version,
        "stage": version.stage.value if version.stage is not Stage.NONE else "no stage",
        "gates": _gates(version),
    }
    decisions = [
        {"actor": each.actor, "approved": each.approved, "reason": each.reason}
        for each in approvals
    ]
    return refresh_card(text, facts, decisions)


def _with_choice(version: ModelVersionRecord) -> str:
    """Return the note, with a warning where the rows that chose the model also judge it."""
    chosen = version.tags.get(CHOSEN_TAG)
    if chosen is None:
        return version.note
    warning = (
        f"The model was chosen as {chosen}: its figures are too good, its intervals too narrow."
    )
    return f"{version.note}\n\n{warning}".strip()


def _gates(version: ModelVersionRecord) -> list[dict[str, str]]:
    return [
        {"gate": gate.gate, "state": gate.state.value, "reason": gate.reason}
        for gate in version.gates
    ]


def _recorded(store: "Store", version: ModelVersionRecord) -> dict[str, Any]:
    """Return the facts of the version's run: data, code and environment."""
    if version.run_id is None:
        return {}
    run = store.metadata.runs.get(version.run_id)
    manifest = store.get(run.provenance) if run.provenance else {}
    code = manifest.get("code") or {}
    return {
        "pipeline": run.pipeline,
        "entry": run.entry,
        "seed": run.seed,
        **{name: code.get(name) for name in ("commit", "branch", "dirty")},
        "environment": manifest.get("environment"),
        "data": _data(store, version),
    }


def source_names(store: "Store", version: ModelVersionRecord) -> list[str]:
    """Return the names of the data that a version was made from, by lineage."""
    return list(dict.fromkeys(str(each["source"]) for each in _data(store, version)))


def _data(store: "Store", version: ModelVersionRecord) -> list[dict[str, Any]]:
    """Return the sources of the model's data, by lineage, in the order in which the run read them."""
    edges = store.metadata.artifacts.list_edges(
        f"{_ARTIFACT}{version.content_digest}", direction="up"
    )
    reads = sorted(
        {
            (edge.source.removeprefix(_SOURCE), edge.target.removeprefix(_ARTIFACT))
            for edge in edges
            if edge.source.startswith(_SOURCE) and edge.target.startswith(_ARTIFACT)
        }
    )
    steps = store.metadata.steps.list(version.run_id) if version.run_id else []
    order = [digest for step in steps for digest in step.outputs.values()]
    # Where another run has made an equal value on the way, its sources are upstream too.
    own = sorted(
        (read for read in reads if read[1] in order), key=lambda read: order.index(read[1])
    )
    return [{"source": name, **_snapshot_facts(store, digest)} for name, digest in own or reads]


def _snapshot_facts(store: "Store", digest: str) -> dict[str, Any]:
    try:
        snapshot = store.get(digest)
    except (NotFoundError, StoreError):
        return {}  # the bytes may have been deleted; the card then has no recorded facts
    times = {name: getattr(snapshot, name, None) for name in _SNAPSHOT_TIMES}
    return {
        **{name: getattr(snapshot, name, None) for name in _SNAPSHOT_FACTS},
        **{name: None if time is None else str(time) for name, time in times.items()},
    }
