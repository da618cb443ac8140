"""Subjects: which names, and so which projects, a call of the store and a record are about."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any

from penstock.core import (
    DeploymentEvent,
    DeploymentRecord,
    Edge,
    ExperimentRecord,
    NotFoundError,
    ScheduleRecord,
    SnapshotRecord,
)
from penstock.stores import STORE_HISTORY, MetadataStore

# Fields of records that are names; a record without one belongs to its run.
_NAMED: Mapping[type, tuple[str, ...]] = {
    ExperimentRecord: ("name",),
    ScheduleRecord: ("name",),
    DeploymentRecord: ("name", "model"),
    DeploymentEvent: ("name",),
    SnapshotRecord: ("source",),
}
_FIELDS = ("experiment", "model", "deployment", "schedule")
# Arguments that are names, in every noun and in some.
_NAMES = frozenset(_FIELDS)
_OWN_NAMES = frozenset(
    {
        ("deployments", "name"),
        ("schedules", "name"),
        ("runs", "name"),
        ("runs", "to"),
        ("artifacts", "source"),
    }
)
_RUNS = frozenset({("metrics", "source"), ("metrics", "target")})
# Nouns that say themselves who may, or that belong to the whole store.
UNSCOPED = frozenset({"users", "tokens", "projects", "audit", "settings", "documents"})


# Settings that belong to a pipeline, a deployment or a data set, and so to its project.
_SETTINGS = (
    re.compile(r"partitions:(.+)", re.DOTALL),
    re.compile(r"trigger:(.+):[^:]*", re.DOTALL),
    re.compile(r"accepted rows \S* of (.+)", re.DOTALL),
)


def owner_of_setting(name: str) -> str | None:
    """Return the pipeline, deployment or data set of a setting; None for the store's own.

    >>> owner_of_setting("trigger:churn:retrain"), owner_of_setting("approvals_needed")
    ('churn', None)

    Args:
        name: Name of the setting.
    """
    found = next((match for form in _SETTINGS if (match := form.fullmatch(name))), None)
    return None if found is None else found[1]


class Subjects:
    """Finds the names that calls and records are about.

    Args:
        metadata: The store, to find the experiment of a run.
    """

    def __init__(self, metadata: MetadataStore) -> None:
        self._metadata = metadata
        self._experiments: dict[str, str | None] = {}

    def of_call(self, noun: str, arguments: Mapping[str, Any]) -> Iterator[str]:
        """Yield the names that a call's arguments are about."""
        of_run = "run_id" in arguments  # whose own name is free
        for argument, value in arguments.items():
            if isinstance(value, str):
                if not (of_run and argument == "name"):
                    yield from self._of_text(noun, argument, value)
            elif argument == "changes":  # the keywords of an update
                yield from self.of_call(noun, {k: v for k, v in value.items() if k != "name"})
            else:
                yield from self.of_value(value)

    def of_value(self, value: Any) -> Iterator[str]:
        """Yield the names that records in a structure are about."""
        if isinstance(value, Mapping):
            for each in value.values():
                yield from self.of_value(each)
        elif isinstance(value, list | tuple | set | frozenset):
            for each in value:
                yield from self.of_value(each)
        elif is_dataclass(value) and not isinstance(value, type):
            yield from self.of_record(value)

    def of_record(self, record: Any) -> Iterator[str]:
        """Yield the names that a record is about; none for one that belongs to the store."""
        if isinstance(record, Edge):
            yield from self._of_node(record.source)
            yield from self._of_node(record.target)
            return
        named = _NAMED.get(type(record))
        if named is None:
            named = tuple(name for name in _FIELDS if isinstance(_get(record, name), str))
        for name in named:
            text = getattr(record, name)
            if text != STORE_HISTORY:
                yield text
        run_id = _get(record, "run_id")
        if not named and isinstance(run_id, str):
            yield from self._of_run(run_id)

    def _of_text(self, noun: str, argument: str, value: str) -> Iterator[str]:
        if argument in _NAMES or (noun, argument) in _OWN_NAMES:
            if value != STORE_HISTORY:
                yield value
        elif argument == "node":
            yield from self._of_node(value)
        elif argument == "step_run_id":
            self._place_step(value)
            yield from self._of_run(value)
        elif argument == "run_id" or (noun, argument) in _RUNS:
            yield from self._of_run(value)

    def _of_node(self, node: str) -> Iterator[str]:
        """Yield the name of a node of the lineage graph; content and code are nobody's."""
        kind, _, rest = node.partition(":")
        if kind == "version":
            yield rest.rpartition("@")[0]
        elif kind in {"deployment", "source"}:
            yield rest
        elif kind == "run":
            yield from self._of_run(rest)

    def experiment_of(self, run_id: str) -> str | None:
        """Return the experiment of a run, by id or prefix; None if there is no such run."""
        if run_id not in self._experiments:
            try:
                self._experiments[run_id] = self._metadata.runs.get(run_id).experiment
            except NotFoundError:
                self._experiments[run_id] = None
        return self._experiments[run_id]

    def runs_of_call(self, noun: str, arguments: Mapping[str, Any]) -> Iterator[str]:
        """Yield the ids of runs that a call's arguments name: as ids, nodes, or in records."""
        for argument, value in arguments.items():
            if isinstance(value, str):
                if argument == "run_id" or (noun, argument) in _RUNS:
                    yield value
                elif argument == "step_run_id":
                    self._place_step(value)
                    yield value
                elif argument == "node" and value.startswith("run:"):
                    yield value.removeprefix("run:")
            else:
                yield from _runs_of_value(value)

    def _place_step(self, step_run_id: str) -> None:
        """Let the id of a step stand for its run; exactly, since a run's id may begin as a step's."""
        run_id = self._metadata.steps.find_run(step_run_id)
        experiment = None if run_id is None else self.experiment_of(run_id)
        self._experiments[step_run_id] = experiment

    def _of_run(self, run_id: str) -> Iterator[str]:
        experiment = self.experiment_of(run_id)
        if experiment is not None:
            yield experiment


def _runs_of_value(value: Any) -> Iterator[str]:
    """Yield the ids of runs of the records that belong to their run and have no name."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from _runs_of_value(each)
    elif is_dataclass(value) and not isinstance(value, type | Edge):
        is_named = type(value) in _NAMED or any(isinstance(_get(value, n), str) for n in _FIELDS)
        run_id = _get(value, "run_id")
        if not is_named and isinstance(run_id, str):
            yield run_id


def _get(record: Any, name: str) -> Any:
    return getattr(record, name, None)
