"""CopySelection: the rows copied to a second store; SelectedRows judges rows that no run owns."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.stores.metadata._database import Transaction
from penstock.stores.metadata._table import Table

_OF_SERVING = frozenset({"deployments", "deployment_events"})


@dataclass(frozen=True, slots=True)
class CopySelection:
    """The selection of a copy.

    Args:
        runs: The runs, oldest first.
        partly: Whether these are not all: then nothing else than their data is copied.
        artifacts: Keys of the artifacts that they name, if these are not all.
        models: Models that are copied.
        without: Models and deployments that are not, since the same names differ in the
            target.
    """

    runs: Sequence[str]
    partly: bool
    artifacts: Collection[tuple[str, str]]
    models: Collection[str]
    without: Collection[str]


class SelectedRows:
    """Test for the rows to copy that belong to no run.

    Args:
        source: A transaction on the source.
        tables: Tables by name.
        chosen: The selection.
    """

    def __init__(
        self, source: Transaction, tables: dict[str, Table], chosen: CopySelection
    ) -> None:
        self._tables, self._chosen = tables, chosen
        self._contents = {content for _, content in chosen.artifacts}
        self._runs = set(chosen.runs) if chosen.partly else set()
        self._names, self._nodes = set[str](), set[str]()
        for run_id in self._runs:
            values = (run_id,)
            [[name]] = source.execute(
                "SELECT experiment FROM runs WHERE run_id = ?", values
            ).fetchall()
            steps = source.execute("SELECT step_run_id FROM step_runs WHERE run_id = ?", values)
            self._names.add(name)
            self._nodes |= {f"run:{run_id}", *(f"step:{row[0]}" for row in steps.fetchall())}

    def __call__(self, name: str, row: Any) -> bool:
        facts = dict(zip(self._tables[name].columns, row, strict=True))
        if not self._chosen.partly:
            names = {facts.get("model"), facts.get("deployment")}
            names |= {facts["name"]} if name in _OF_SERVING else set()
            return not names & set(self._chosen.without)
        if name in {"experiments", "experiment_tags"}:
            return (facts["name"] if name == "experiments" else facts["experiment"]) in self._names
        if name == "snapshots":
            return facts["run_id"] in self._runs
        if name == "edges":
            return self._is_theirs(facts["source"], facts["target"])
        return False  # of models and their deployments

    def _is_theirs(self, source: str, target: str) -> bool:
        if self._nodes & {source, target}:
            return True
        kind, _, content = target.partition(":")
        return source.startswith("source:") and kind == "artifact" and content in self._contents
