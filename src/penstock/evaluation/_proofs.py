"""Proof: a gate without figures, and the judgement of the evidence; a single table for all such gates."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from penstock.core import GateState, ProofRecord, Verdict

if TYPE_CHECKING:
    from penstock.evaluation._report import EvaluationReport

_PROVED = frozenset({Verdict.BITWISE, Verdict.WITHIN_TOLERANCE})
_FINDINGS_SHOWN = 3


class Proof(Protocol):
    """A claim about a model that a gate names as a whole.

    A new proof is a class here and an entry in ``PROOFS``; if the evidence is a record, a function
    in ``penstock.release`` produces the record.

    Attributes:
        gate: The gate's text.
        kind: Kind of the ProofRecord that is the evidence; empty if the report is the evidence.
    """

    gate: str
    kind: str

    def judge(
        self, report: "EvaluationReport", record: ProofRecord | None
    ) -> tuple[GateState, str]:
        """Judge the evidence.

        Args:
            report: The evaluation of the model.
            record: The newest record of this kind; None if there is none yet.

        Returns:
            The state, and the reason as a sentence.
        """
        ...


class NoLeakage:
    """The split's leakage checks found no failure."""

    gate = "leakage == none"
    kind = ""

    def judge(
        self,
        report: "EvaluationReport",
        record: ProofRecord | None,  # noqa: ARG002 - Proof's signature
    ) -> tuple[GateState, str]:
        """Judge the findings that the report carries."""
        failed = [finding for finding in report.leakage if finding.level == "fail"]
        warned = sum(finding.level == "warn" for finding in report.leakage)
        if not failed:
            warning = f"; {warned} warning(s), see the report" if warned else ""
            return GateState.PASSED, f"no leakage found by the checks of the split{warning}"
        shown = " ".join(finding.message for finding in failed[:_FINDINGS_SHOWN])
        rest = len(failed) - _FINDINGS_SHOWN
        return GateState.FAILED, f"leakage found: {shown}{f' And {rest} more.' if rest > 0 else ''}"


class Verified:
    """The run was executed again, and all outputs were the same."""

    gate = "verified"
    kind = "verified"

    def judge(
        self,
        report: "EvaluationReport",  # noqa: ARG002 - Proof's signature
        record: ProofRecord | None,
    ) -> tuple[GateState, str]:
        """Judge the verdict of the newest verification; pending if there is none."""
        if record is None:
            return GateState.PENDING, "needs the finished run; `penstock promote` runs it"
        passed = record.verdict in _PROVED
        detail = _detail(record)
        said = record.verdict.value.replace("_", " ") + (f" ({detail})" if detail else "")
        state = GateState.PASSED if passed else GateState.FAILED
        return state, f"the run was executed again: {said}"


def _detail(record: ProofRecord) -> str:
    """Describe which step differs, or why nothing can be verified."""
    first, notes = record.details.get("first_difference"), record.details.get("notes")
    if first:
        return f"first at step {first['step']!r}"
    if record.verdict is Verdict.CANNOT_VERIFY and notes:
        return str(notes[0])
    return ""


PROOFS: Mapping[str, Proof] = {proof.gate: proof for proof in (NoLeakage(), Verified())}
