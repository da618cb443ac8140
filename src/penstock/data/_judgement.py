"""judge_rows: whether rows may be ingested, by the recorded schema and by expectations."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from penstock.core import ExpectationError, PenstockError, SchemaError, short
from penstock.data._acceptance import find_acceptance
from penstock.data._dataset import list_versions
from penstock.data._expectations import RULE, Expectations
from penstock.data._finding import Finding
from penstock.data._pandera import PanderaExpectations
from penstock.data._references import Reference
from penstock.data._snapshot import Snapshot
from penstock.stores import Store

if TYPE_CHECKING:
    from penstock.data._learned import Expected

_SHOWN = 5
_CELLS = frozenset({"number_text", "mixed_units"})
_SCHEMA = frozenset({"missing", "retyped"})


def judge_rows(
    snapshot: Snapshot, name: str, expected: "Sequence[Expected | Reference]", store: Store | None
) -> Snapshot:
    """Return the snapshot with the deviations as findings.

    Args:
        snapshot: The rows, with findings of the comparison with the recorded schema.
        name: Name of the source.
        expected: Expectations.
        store: Store of accepted versions and acceptances; None if nothing is recorded.

    Raises:
        SchemaError: If columns differ from the recorded schema, and that was not accepted.
        ExpectationError: If rows are not as expected, and were not accepted.
        NotFoundError: If an expectation names a column that does not exist.
    """
    snapshot = snapshot.with_findings(_check(snapshot, name, expected, store))
    failures = [finding for finding in snapshot.findings if finding.level == "fail"]
    if not failures:
        return snapshot
    acceptance = store and find_acceptance(store, name, snapshot.ordered_digest)
    if not acceptance:
        raise _refusal(name, failures, snapshot, is_recorded=store is not None)
    accepted = f" Accepted by {acceptance.by}: {acceptance.reason}"
    return replace(
        snapshot,
        findings=tuple(
            replace(finding, level="warn", message=finding.message + accepted)
            if finding.level == "fail"
            else finding
            for finding in snapshot.findings
        ),
    )


def _check(
    snapshot: Snapshot, name: str, expected: "Sequence[Expected | Reference]", store: Store | None
) -> list[Finding]:
    findings: list[Finding] = []
    versions = list_versions(store, name) if store is not None and expected else []
    for each in expected:
        if isinstance(each, Expectations | PanderaExpectations | Reference):
            findings += each.check(snapshot)
        elif store is None:
            text = "Learned expectations need a store: nothing was compared."
            findings.append(Finding("info", RULE, "", text))
        elif all(one.ordered_digest != snapshot.ordered_digest for one in versions):
            findings += each.check(snapshot, versions, store=store)
    return findings


def _refusal(
    name: str, failures: Sequence[Finding], snapshot: Snapshot, *, is_recorded: bool
) -> PenstockError:
    by_schema = [finding for finding in failures if finding.rule in _SCHEMA]
    shown = by_schema or failures
    columns = [finding.column for finding in shown]
    # The findings of the reading on these columns name the cells that do not fit.
    cells = [
        one.message for one in snapshot.findings if one.column in columns and one.rule in _CELLS
    ]
    summary = " ".join([*(finding.message for finding in shown[:_SHOWN]), *cells[:3]])
    more = f" And {len(shown) - _SHOWN} more." if len(shown) > _SHOWN else ""
    accept = (
        f"if these rows are right: penstock data accept {name} {short(snapshot.ordered_digest)}"
        ' --reason "…"'
    )
    if by_schema:
        return SchemaError(
            what=f"Source '{name}' has changed since it was last read. {summary}{more}",
            why="The steps after it expect the columns they were written for.",
            fix="Fix the source, declare types= if the change is meant, or give it another name=; "
            f"{accept}",
            columns=columns,
        )
    return ExpectationError(
        what=f"The rows of '{name}' are not as expected. {summary}{more}",
        why="Nothing was stored.",
        fix=f"Fix the source; {accept}" if is_recorded else "Fix the source, or the expectation.",
        columns=columns,
    )
