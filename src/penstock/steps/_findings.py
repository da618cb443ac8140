"""Findings of a run's steps about data; apart, so that listing them imports no table library."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from penstock.core import PenstockError
from penstock.data import LEVELS, Finding
from penstock.stores import Store

SNAPSHOT = "Snapshot"
_SPLIT = "Split"


def list_findings(run_id: str, *, store: Store) -> list[tuple[str, Finding]]:
    """List the findings of a run's steps about the data, the worst first, each with the step.

    ```python
    for step, finding in list_findings(store, result.run_id):
        print(step, finding.level, finding.message)
    ```

    Args:
        run_id: Id of the run.
        store: Store that has the run.
    """
    findings: dict[Finding, str] = {}
    for step, value in outputs_of(store, run_id, SNAPSHOT, _SPLIT):
        leakage = getattr(value, "leakage", ())
        for finding in (*leakage, *value.findings):
            findings.setdefault(finding, step)
    pairs = [(step, finding) for finding, step in findings.items()]
    return sorted(pairs, key=lambda pair: LEVELS.index(pair[1].level))


def outputs_of(store: Store, run_id: str, *types: str) -> Iterator[tuple[str, Any]]:
    """Load the step outputs of some types; an output whose bytes are gone is skipped."""
    for step in store.metadata.steps.list(run_id):
        for content in step.outputs.values():
            address = step.addresses.get(content, content)
            with suppress(PenstockError):
                record = store.metadata.artifacts.get(address)
                if record.type_name.rpartition(".")[2] in types:
                    yield step.step, store.load(record)
