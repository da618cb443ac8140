"""The register step: EvaluationReport -> ModelVersion, judged by its gates."""

from collections.abc import Sequence
from typing import Any

from penstock.core import require_name
from penstock.evaluation import EvaluationReport, parse_gate
from penstock.models import infer_signature
from penstock.pipelines import step
from penstock.registry import ModelVersion, Registry, judge_candidate
from penstock.steps._listed import as_tuple
from penstock.steps._trace import describe_run
from penstock.stores import open_store
from penstock.tracking import current_run

_SAMPLE = 200  # rows that the model is tried on the way serving will


@step(effect=True)
def register(
    name: str,
    model: Any,
    report: EvaluationReport,
    *,
    gates: str | Sequence[str] = (),
    note: str = "",
) -> ModelVersion:
    """Register a model as the next version under a name, with each gate's answer and reason.

    A gate that needs the finished run (``verified``) is pending; `penstock promote` runs it. A
    version whose gates fail is registered all the same, with the reasons, and cannot be promoted.
    The same model from the same run gives the same version back.

    Args:
        name: The model's name.
        model: The fitted estimator; it must be storable in a safe format.
        report: What ``evaluate`` found.
        gates: Rules, for example ``"roc_auc >= champion.roc_auc - 0.005"``.
        note: Intended use and anything else worth knowing, Markdown.

    Raises:
        ParameterError: If the name is not legal or a gate cannot be read.
        SerializationError: If the model cannot be stored in a safe format.
        DataError: If the model cannot answer rows the way serving asks.
    """
    require_name(name, "model")
    rules = as_tuple(gates)
    for rule in rules:
        parse_gate(rule)
    run = current_run()
    store = run.store if run else open_store()
    registry = Registry(store)
    results, comparison = judge_candidate(store, report, rules, champion=registry.champion(name))
    holdout = report.holdout
    signature = infer_signature(
        report.schema.to_json(),
        report.profile.to_json(),
        model,
        holdout.X.head(_SAMPLE),
        holdout.y.head(_SAMPLE).to_list(),
        target=report.target,
        positive=report.positive,
    )
    record = registry.register(
        name,
        model,
        signature=signature,
        report=report,
        profile=report.profile,
        metrics={key: estimate.value for key, estimate in report.metrics.items()},
        gates=results,
        run_id=run.run_id if run else None,
        trained_by=run.record.user if run else None,
        note=note,
        provenance=describe_run(store, run.record) if run else None,
    )
    if run is not None and comparison is not None:
        run.log_artifact(comparison.to_json(), name="champion_comparison")
    return ModelVersion.from_record(record)
