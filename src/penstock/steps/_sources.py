"""What a run's sources held: how their texts were read, and columns that a model may not take."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from penstock.core import PenstockError
from penstock.data import LEVELS, Finding, Snapshot
from penstock.reading import ReadingRule
from penstock.stores import Store

_SNAPSHOT, _SPLIT = "Snapshot", "Split"


@dataclass(frozen=True, slots=True)
class RunSources:
    """What the Snapshots of a run say of their columns.

    Attributes:
        rules: How texts were read, by column; columns that two sources read in two ways are left
            out.
        columns: All columns, in order.
    """

    rules: Mapping[str, ReadingRule] = field(default_factory=dict)
    columns: tuple[str, ...] = ()

    def derived(self, inputs: "list[str]") -> list[str]:
        """List the inputs that no source has: a step has made them, and callers would have to."""
        return [name for name in inputs if self.columns and name not in self.columns]


def find_sources(store: Store, run_id: str) -> RunSources:
    """Collect what the Snapshots among a run's step outputs say, cached ones included."""
    rules: dict[str, ReadingRule] = {}
    columns: dict[str, None] = {}
    doubtful: set[str] = set()
    for snapshot in find_snapshots(store, run_id):
        columns |= dict.fromkeys(snapshot.columns)
        for name, rule in snapshot.reading.items():
            if rules.setdefault(name, rule) != rule:
                doubtful.add(name)
    kept = {name: rule for name, rule in rules.items() if name not in doubtful}
    return RunSources(kept, tuple(columns))


def find_snapshots(store: Store, run_id: str) -> list[Snapshot]:
    """Load the Snapshots that a run's steps returned, in order, without their rows."""
    return [value for _, value in _outputs(store, run_id, _SNAPSHOT) if isinstance(value, Snapshot)]


def list_findings(store: Store, run_id: str) -> list[tuple[str, Finding]]:
    """List what a run's steps found about its data, the worst first, each with its step.

    ```python
    for step, finding in list_findings(store, result.run_id):
        print(step, finding.level, finding.message)
    ```

    Args:
        store: Where the run is recorded.
        run_id: The run.
    """
    found: dict[Finding, str] = {}
    for step, value in _outputs(store, run_id, _SNAPSHOT, _SPLIT):
        leakage = getattr(value, "leakage", ())
        for finding in (*leakage, *value.findings):
            found.setdefault(finding, step)
    pairs = [(step, finding) for finding, step in found.items()]
    return sorted(pairs, key=lambda pair: LEVELS.index(pair[1].level))


def _outputs(store: Store, run_id: str, *types: str) -> Iterator[tuple[str, Any]]:
    """Load the step outputs of some types; one whose bytes are gone says nothing."""
    for step in store.metadata.list_steps(run_id):
        for content in step.outputs.values():
            address = step.addresses.get(content, content)
            with suppress(PenstockError):
                record = store.metadata.get_artifact(address)
                if record.type_name.rpartition(".")[2] in types:
                    yield step.step, store.load(record)
