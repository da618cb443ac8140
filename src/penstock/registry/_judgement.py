"""Judgement of gates against today's champion; apart because registration and promotion share this."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from penstock import evaluation
from penstock.core import (
    ArtifactRecord,
    DataError,
    GateResult,
    GateState,
    ModelVersionRecord,
    NotFoundError,
    ProofRecord,
    SerializationError,
    Stage,
    StoreError,
    with_article,
)
from penstock.models import Model
from penstock.registry._references import in_stage

if TYPE_CHECKING:
    from penstock.evaluation import Comparison, EvaluationReport
    from penstock.stores import Store

# Formats of values that no reader of ours runs code for.
_DATA = frozenset({"bundle", "bytes", "json", "npy", "npz", "parquet"})


def judge_candidate(
    report: "EvaluationReport",
    gates: Sequence[str],
    *,
    champion: ModelVersionRecord | None,
    proofs: Mapping[str, ProofRecord] | None = None,
    store: "Store",
) -> "tuple[tuple[GateResult, ...], Comparison | None]":
    """Judge gates over a report, scoring the champion on the same rows if there is a champion.

    Args:
        report: Evaluation of the candidate, with the holdout rows.
        gates: Rules as text.
        champion: The version in production; None if there is none.
        proofs: The newest proof of the candidate's run by kind.
        store: Store of the champion's model.

    Returns:
        The results in the order of the gates, and the comparison (None without a champion).
    """
    comparison, trouble = None, ""
    if champion is not None:
        try:
            model = Model.load(champion, store=store)
            comparison = evaluation.compare(report, model, trained_on=_trained_on(store, champion))
        except (DataError, SerializationError, StoreError) as error:
            # If a champion cannot score these rows (columns changed), neither crash nor let a gate
            # pass as if there were no champion.
            trouble = f"not known: {champion.ref} cannot be scored on the candidate's rows: {error}"
    results = evaluation.judge(gates, report, comparison=comparison, proofs=proofs)
    if trouble:
        results = tuple(_fail_if_compared(result, trouble) for result in results)
    return results, comparison


def _trained_on(store: "Store", champion: ModelVersionRecord) -> Any:
    """Return the champion's training rows, as recorded by the report; None if not recorded."""
    if champion.report is None:
        return None
    try:
        return getattr(load_report(champion.report, store=store), "trained_on", None)
    except (NotFoundError, SerializationError, StoreError):
        return None


def load_report(digest: str, *, store: "Store") -> "EvaluationReport":
    """Load an evaluation report, which is data in all its parts: a server loads it for anyone.

    Args:
        digest: Stored digest of the report.
        store: Its store.

    Raises:
        NotFoundError: If nothing with this digest is recorded.
        SerializationError: If a part could run code, or it is no evaluation report.
        StoreError: If bytes are gone or damaged.
    """
    record = store.metadata.artifacts.get(digest)
    _require_data(store, record)
    try:
        report = store.load(record)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _no_report(record, f"it cannot be read ({type(error).__name__})") from error
    if not isinstance(report, evaluation.EvaluationReport):
        raise _no_report(record, f"it is {with_article(record.type_name)}")
    return report


def _require_data(store: "Store", record: ArtifactRecord) -> None:
    """Refuse a value with a part of a format that is more than data."""
    waiting = [record]
    while waiting:
        part = waiting.pop()
        if part.unsafe or part.format not in _DATA:
            raise _no_report(record, f"a part is stored as {part.format}, which is more than data")
        waiting += store.parts(part).values()


def _no_report(record: ArtifactRecord, why: str) -> SerializationError:
    return SerializationError(
        what=f"The artifact {record.digest} is no evaluation report: {why}.",
        fix="Register the version with the report of penstock.evaluation.evaluate.",
    )


def list_needed_proofs(record: ModelVersionRecord) -> list[str]:
    """List the kinds of proof of the version's run that gates of the version need."""
    kinds = (evaluation.parse_gate(gate.gate, metrics=None).proof_kind for gate in record.gates)
    return list(dict.fromkeys(kind for kind in kinds if kind))


def judge_gates(
    store: "Store", record: ModelVersionRecord, champion: ModelVersionRecord | None
) -> tuple[GateResult, ...]:
    """Judge a registered version's gates as of now; nothing is stored.

    Without a report the gate results of the registration stand: nothing is left to judge by.

    Args:
        store: Store of the report, the champion and the proofs.
        record: The version.
        champion: The version in production; None if there is none.
    """
    if not record.gates or record.report is None:
        return record.gates
    rules = [gate.gate for gate in record.gates]
    try:
        report = load_report(record.report, store=store)
    except (NotFoundError, SerializationError, StoreError) as error:
        lost = f"not known: the evaluation report cannot be read: {error}"
        return tuple(GateResult(rule, GateState.FAILED, lost) for rule in rules)
    proofs = _newest_proofs(store, record)
    return judge_candidate(report, rules, champion=champion, proofs=proofs, store=store)[0]


def judge_version(
    record: ModelVersionRecord, *, actor: str | None = None, store: "Store"
) -> ModelVersionRecord:
    """Judge a registered version's gates again, with today's champion and the known proofs.

    The gates of the production version are not judged again: there is no champion to compare with.

    Returns:
        The version with the new gate results, already stored.
    """
    if record.stage is Stage.PRODUCTION:
        return record
    champion = in_stage(store.metadata.models.list_versions(record.model), Stage.PRODUCTION)
    results = judge_gates(store, record, champion)
    if results == record.gates:
        return record
    return store.metadata.models.update_version(
        record.model, record.version, expected_revision=record.revision, actor=actor, gates=results
    )


def _fail_if_compared(result: GateResult, reason: str) -> GateResult:
    if not evaluation.parse_gate(result.gate, metrics=None).needs_champion:
        return result
    return GateResult(result.gate, GateState.FAILED, reason)


def _newest_proofs(store: "Store", record: ModelVersionRecord) -> dict[str, ProofRecord]:
    proofs = store.metadata.artifacts.list_proofs(record.run_id) if record.run_id else []
    return {proof.kind: proof for proof in sorted(proofs, key=lambda proof: proof.at)}
