"""Sources of a run: how their texts were read, and columns that a model may not take."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from penstock.data import Snapshot
from penstock.steps._feature_inputs import FEATURES
from penstock.steps._findings import SNAPSHOT, outputs_of
from penstock.stores import Store
from penstock.tables.reading import ReadingRule


@dataclass(frozen=True, slots=True)
class RunSources:
    """Columns of the Snapshots of a run, and how they were read.

    Attributes:
        rules: How texts were read, by column; columns that two sources read differently are left
            out.
        columns: All columns, in order.
        joined: The Snapshots that have features of views.
    """

    rules: Mapping[str, ReadingRule] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    joined: tuple[Snapshot, ...] = ()

    def derived(self, inputs: "list[str]") -> list[str]:
        """Return the inputs that no source has: made by a step, so callers would have to make them."""
        return [name for name in inputs if self.columns and name not in self.columns]


def find_sources(store: Store, run_id: str) -> RunSources:
    """Collect the columns of the Snapshots among a run's step outputs, cached outputs included."""
    rules: dict[str, ReadingRule] = {}
    columns: dict[str, None] = {}
    doubtful: set[str] = set()
    joined = []
    for snapshot in find_snapshots(store, run_id):
        if snapshot.source.get("type") == FEATURES:
            joined.append(snapshot)
        columns |= dict.fromkeys(snapshot.columns)
        for name, rule in snapshot.reading.items():
            if rules.setdefault(name, rule) != rule:
                doubtful.add(name)
    kept = {name: rule for name, rule in rules.items() if name not in doubtful}
    return RunSources(kept, tuple(columns), tuple(joined))


def find_snapshots(store: Store, run_id: str) -> list[Snapshot]:
    """Load the Snapshots that a run's steps returned, in order, without their rows."""
    return [
        value for _, value in outputs_of(store, run_id, SNAPSHOT) if isinstance(value, Snapshot)
    ]
