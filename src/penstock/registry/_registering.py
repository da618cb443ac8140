"""Registration: a model with the evidence is stored, numbered, and described on a card."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from penstock.core import (
    ArtifactRecord,
    Edge,
    GateResult,
    ModelVersionRecord,
    Stage,
    now,
    require_name,
)
from penstock.models import Model, holdout_rows, make_onnx_form, require_allowed, unsafe_reason
from penstock.registry._card import render_card
from penstock.registry._changing import change_version
from penstock.registry._references import CHOSEN_TAG

if TYPE_CHECKING:
    import polars as pl

    from penstock.stores import Store


def register_version(
    store: "Store",
    model_name: str,
    model: Model,
    *,
    report: object,
    profile: object,
    metrics: Mapping[str, float] | None,
    gates: Sequence[GateResult],
    run_id: str | None,
    trained_by: str | None,
    card: str | None,
    note: str,
    actor: str,
    stored: ArtifactRecord | None,
    onnx: bool = True,
    rows: "pl.DataFrame | None" = None,
) -> ModelVersionRecord:
    """Register a model as the next version under a name; see `Registry.register`."""
    require_name(model_name, "model")
    stored = (
        _store_estimator(store, model) if stored is None else require_allowed(stored, store=store)
    )
    version = ModelVersionRecord(
        model=model_name,
        version=0,
        stage=Stage.NONE,
        run_id=run_id,
        trained_by=trained_by or _trainer(store, run_id) or actor,
        artifact=stored.digest,
        content_digest=stored.content_digest,
        created_at=now(),
        report=_put(store, report),
        profile=_put(store, profile),
        signature=_signature(model, stored),
        metrics=_headline(metrics, report),
        gates=tuple(gates),
        note=note,
        onnx=_convert(store, model, holdout_rows(report) if rows is None else rows)
        if onnx
        else None,
    )
    registered = store.metadata.models.create_version(version, actor=actor)
    # A repeated registration returns the existing version, which has a card.
    if registered.card is not None:
        return registered
    _add_lineage(store, registered)
    tags = _tags(store, run_id)
    if tags:
        store.metadata.models.set_version_tags(model_name, registered.version, tags)
        registered = replace(registered, tags={**registered.tags, **tags})
    text = card or render_card(store, registered, report)
    return change_version(store.metadata, registered, card=store.put(text).digest)


def _convert(store: "Store", model: Model, rows: "pl.DataFrame | None") -> str | None:
    """Store the result of converting the model to ONNX; None if the packages are not installed."""
    form = make_onnx_form(model.estimator, model.signature, rows)
    return None if form is None else store.put(form).digest


def _store_estimator(store: "Store", model: Model) -> ArtifactRecord:
    artifacts = store.pack(model.estimator)
    whole = require_allowed(artifacts[0], store=store)
    store.metadata.artifacts.add(artifacts)
    return whole


def _signature(model: Model, stored: ArtifactRecord) -> dict[str, Any]:
    """Return the signature, marked if the model is unsafe: every view of a version shows that."""
    return replace(model.signature, unsafe=unsafe_reason(stored)).to_json()


def _trainer(store: "Store", run_id: str | None) -> str:
    return store.metadata.runs.get(run_id).user if run_id else ""


def _put(store: "Store", value: Any) -> str | None:
    if value is None:
        return None
    if not hasattr(value, "bundle_type") and hasattr(value, "to_json"):
        value = value.to_json()
    return store.put(value).digest


def _add_lineage(store: "Store", version: ModelVersionRecord) -> None:
    node = f"version:{version.ref}"
    edges = [Edge(f"artifact:{version.content_digest}", node, "model")]
    if version.report is not None:
        report = store.metadata.artifacts.get(version.report)
        edges.append(Edge(f"artifact:{report.content_digest}", node, "report"))
    store.metadata.artifacts.add_edges(edges)


def _headline(metrics: Mapping[str, float] | None, report: Any) -> dict[str, float]:
    if metrics is None:
        estimates = getattr(report, "metrics", None) or {}
        metrics = {name: estimate.value for name, estimate in estimates.items()}
    plain = {name: float(value) for name, value in metrics.items()}
    return {name: value for name, value in plain.items() if math.isfinite(value)}


def _tags(store: "Store", run_id: str | None) -> dict[str, str]:
    """Return what the run knows of how the model was chosen."""
    tags = store.metadata.runs.get(run_id).tags if run_id is not None else {}
    return {CHOSEN_TAG: tags[CHOSEN_TAG]} if CHOSEN_TAG in tags else {}
