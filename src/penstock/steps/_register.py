"""The register step: EvaluationReport -> ModelVersion, judged by the gates."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import polars as pl

from penstock.core import ArtifactRecord, SerializationError, require_name
from penstock.data import label_matrix
from penstock.evaluation import EvaluationReport, parse_gate, target_names
from penstock.models import Model, infer_signature, require_model
from penstock.pipelines import step
from penstock.registry import ModelVersion, Registry, judge_candidate
from penstock.steps._feature_inputs import FoundInputs, find_feature_inputs
from penstock.steps._listed import as_tuple
from penstock.steps._sources import RunSources, find_sources
from penstock.stores import open_store
from penstock.tracking import Run, active_run, current_step

_SHOWN = 5
_SAMPLE = 200  # rows on which the model is tried in the same way as in serving


@step(effect=True, input_checks={"model": require_model})
def register(
    name: str,
    model: Any,  # Any: an estimator of any library
    report: EvaluationReport,
    *,
    gates: str | Sequence[str] = (),
    note: str = "",
    extra_fields: Literal["refuse", "ignore"] = "refuse",
    onnx: bool = True,
) -> ModelVersion:
    """Register a model as the next version under a name, with each gate's result and reason.

    A gate that needs the finished run (``verified``) is pending; `penstock promote` runs the proof.
    A version whose gates fail is registered all the same, with the reasons, and cannot be promoted.
    The same model from the same run gives the same version.

    Args:
        name: The model's name.
        model: The fitted estimator; must be storable in a safe format, or be an `UnsafeModel` that
            the store allows.
        report: Output of ``evaluate``.
        gates: Rules, for example ``"roc_auc >= champion.roc_auc - 0.005"``.
        note: Intended use and further remarks, Markdown.
        extra_fields: How serving treats request fields that no source of the run had: ``refuse``
            the row, or ``ignore`` them with a warning. Columns that the model does not take, and
            the target, are always ignored with a warning.
        onnx: Whether an ONNX form is tried, where penstock's extra ``onnx`` is installed; the form
            answers requests if that form agrees with the model on rows of the holdout and beside
            thresholds.

    Raises:
        ParameterError: If the name is not legal or a gate cannot be read.
        SerializationError: If the model cannot be stored in a safe format.
        DataError: If the model cannot predict rows in the form that serving sends.
    """
    require_name(name, "model")
    rules = as_tuple(gates)
    for rule in rules:
        parse_gate(rule, metrics=report.user_metric_names)
    run = active_run()
    store = run.store if run else open_store()
    registry = Registry(store=store)
    results, comparison = judge_candidate(
        report, rules, champion=registry.champion(name), store=store
    )
    sources = find_sources(store, run.run_id) if run else RunSources()
    served = _describe(model, report, sources, extra_fields)
    _warn_derived(sources.derived(served.signature.names))
    record = registry.register(
        name,
        served,
        report=report,
        profile=report.profile,
        metrics={key: estimate.value for key, estimate in report.metrics.items()},
        gates=results,
        run_id=run.run_id if run else None,
        trained_by=run.record.user if run else None,
        note=note,
        stored=_stored_input(run, model),
        onnx=onnx,
    )
    if run is not None and comparison is not None:
        run.log_artifact(comparison.to_json(), name="champion_comparison")
    return ModelVersion.from_record(record)


def _stored_input(run: Run | None, estimator: Any) -> ArtifactRecord | None:
    """Return the record of the input of the running step that is this estimator; None if none is.

    A step of the user's own may call ``register`` with a different estimator than the argument, so the
    content decides, not the argument's name.
    """
    context = current_step()
    if run is None or context is None:
        return None
    metadata = run.store.metadata
    for record in metadata.steps.list(run.run_id):
        if record.step_run_id == context.step_run_id and record.inputs:
            try:
                digest = run.store.digest(estimator)
            except SerializationError:
                return None  # storing it explains why it cannot be stored
            for path, content in record.inputs.items():
                if content == digest:
                    return metadata.artifacts.get(record.input_address(path), content)
    return None


def _describe(
    estimator: Any,
    report: EvaluationReport,
    sources: RunSources,
    extra_fields: Literal["refuse", "ignore"],
) -> Model:
    """Return the evaluated model with the requests that it takes, for serving."""
    holdout = report.holdout
    signature = infer_signature(
        estimator,
        holdout.X.head(_SAMPLE),
        _truth(report),
        columns=report.columns,
        target=report.target,
        positive=report.positive,
        reading=sources.rules,
        ignored=sources.columns,
        extra_fields=extra_fields,
        evaluated=report.signature,
    )
    feature_inputs = find_feature_inputs(sources.joined, signature.names, holdout.table)
    _warn_features(feature_inputs)
    return Model(estimator, replace(signature, features=feature_inputs.features))


def _truth(report: EvaluationReport) -> Any:
    """Return some true values, by quantile or label where the model predicts several."""
    truth = report.holdout.y.head(_SAMPLE)
    if report.task == "multilabel":
        names = [str(label) for label in report.classes]
        return pl.DataFrame(label_matrix(truth, report.classes), schema=names)
    if not report.quantiles:
        return truth.to_list()
    return pl.DataFrame([truth.alias(name) for name in target_names(report.quantiles)])


def _warn_features(inputs: FoundInputs) -> None:
    """Warn of inputs that have a feature's name and that serving cannot look up or compute."""
    log = logging.getLogger(__name__)
    if inputs.changed:
        log.warning(
            "Inputs that a step has changed after join_features: %s. Callers of the server must"
            " send them. Change them inside the model, or in an on-demand view. Views of one name"
            " in two feature stores count as changed: give them different names.",
            _some(inputs.changed),
        )
    if inputs.opaque:
        log.warning(
            "Inputs of on-demand views whose transform is a function: %s. Its code is not stored"
            " with a model, so callers of the server must send them. Write it as polars expressions.",
            _some(inputs.opaque),
        )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _warn_derived(names: list[str]) -> None:
    """Warn of inputs that callers of the server must compute, as a step makes them."""
    if names:
        logging.getLogger(__name__).warning(
            "Inputs that no source holds: %s. A step before the split has made them, so callers of "
            "the server must send them. Make them inside the model to let it do that.",
            _some(names),
        )
