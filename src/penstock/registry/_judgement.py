"""Judge a version's gates against today's champion; here because registration and promotion share it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from penstock.core import DataError, GateResult, ModelVersionRecord, Verdict
from penstock.evaluation import Comparison, compare, judge
from penstock.models import Model

if TYPE_CHECKING:
    from penstock.evaluation import EvaluationReport
    from penstock.stores import Store


def judge_candidate(
    store: "Store",
    report: "EvaluationReport",
    gates: Sequence[str],
    *,
    champion: ModelVersionRecord | None,
    facts: Mapping[str, Any] | None = None,
) -> tuple[tuple[GateResult, ...], Comparison | None]:
    """Judge gates over a report, scoring the champion on the same rows if there is one.

    Args:
        store: Where the champion's model is kept.
        report: What the candidate's evaluation found, with its holdout rows.
        gates: Rules as text.
        champion: The version in production; None if there is none.
        facts: ``{"verified": bool, "verified_reason": text}`` where it is known.

    Returns:
        The answers in the order of the gates, and the comparison (None without a champion).
    """
    comparison, known = None, dict(facts or {})
    if champion is not None:
        try:
            comparison = compare(report, Model.load(store, champion).estimator)
        except DataError as error:
            # A champion that cannot score these rows (columns changed) is no reason to crash:
            # the gates that name it fail with this sentence.
            known["champion_error"] = f"{champion.ref} cannot score the candidate's rows: {error}"
    return judge(gates, report, comparison=comparison, facts=known), comparison


def needs_proof(record: ModelVersionRecord) -> bool:
    """Say whether one of the version's gates asks for a proof of its run."""
    return any("verified" in gate.gate for gate in record.gates)


def judge_version(store: "Store", record: ModelVersionRecord) -> ModelVersionRecord:
    """Judge a registered version's gates again, with today's champion and the proofs known now.

    Returns:
        The version with its new answers, already stored.
    """
    if not record.gates or record.report is None:
        return record
    champion = _champion(store, record)
    report = store.get(record.report)
    results, _ = judge_candidate(
        store,
        report,
        [gate.gate for gate in record.gates],
        champion=champion,
        facts=_facts(store, record),
    )
    return store.metadata.update_model_version(
        record.model, record.version, expected_revision=record.revision, gates=results
    )


def _champion(store: "Store", record: ModelVersionRecord) -> ModelVersionRecord | None:
    versions = store.metadata.list_model_versions(record.model)
    return next(
        (
            version
            for version in versions
            if version.stage.value == "production" and version.version != record.version
        ),
        None,
    )


def _facts(store: "Store", record: ModelVersionRecord) -> dict[str, Any]:
    proofs = store.metadata.list_proofs(record.run_id) if record.run_id else []
    verified = [proof for proof in proofs if proof.kind == "verified"]
    if not verified:
        return {}
    proof = max(verified, key=lambda proof: proof.at)
    good = proof.verdict in {Verdict.BITWISE, Verdict.WITHIN_TOLERANCE}
    reason = f"run {proof.run_id} executed again: {proof.verdict.value}"
    first = proof.details.get("first_difference")
    if first:
        reason += f", first at step {first['step']!r}"
    return {"verified": good, "verified_reason": reason}
