"""The projects that a call is about: a permission must hold in each of them.

A project is a set of names (decision 0058), so what a call is about follows from the experiment,
model, deployment, schedule or data set that its arguments name, directly or through a run. Bytes
and records of artifacts are addressed by what they contain, and belong to no project. A call that
names nothing, such as a search of everything, needs the permission in all projects.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from penstock.core import ANY_PROJECT, Edge, Identity, Permission, current_identity, project_of
from penstock.people import refusal
from penstock.stores import MetadataStore
from penstock.stores.rest import Operation

_NAMES = frozenset({"model", "deployment", "experiment"})
_RUNS = frozenset({"run_id", "source", "target"})
# What the name of a noun's own thing is called; a model's run may be another team's.
_OWN: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "runs": (frozenset({"name", "to"}), frozenset({"run_id"})),
    "metrics": (frozenset(), _RUNS),
    "steps": (frozenset(), frozenset({"run_id"})),
    "artifacts": (frozenset({"source"}), frozenset({"run_id"})),
    "models": (frozenset(), frozenset()),
    "deployments": (frozenset({"name"}), frozenset()),
    "predictions": (frozenset(), frozenset()),
    "schedules": (frozenset({"name", "schedule"}), frozenset()),
}
# Contents, leases, positions of journals and settings: no project's.
_SHARED = frozenset(
    {
        "artifacts.add",
        "artifacts.add_edges",
        "artifacts.get",
        "artifacts.renew",
        "metrics.forget_journal",
        "metrics.journal_position",
        "projects.get",
        "projects.list",
        "runs.kill_dead",
        "steps.drop_lease",
        "steps.find_cached",
        "steps.list_cached",
        "steps.list_holders",
        "steps.take_lease",
    }
)
_SHARED_NOUNS = frozenset({"bytes", "settings"})


def require_call(
    metadata: MetadataStore, operation: Operation, arguments: Mapping[str, Any]
) -> None:
    """Check that whoever has signed in may make a call, wherever it is about.

    Raises:
        AccessError: If a permission is missing in one of the projects.
        NotFoundError: If a run that the call names does not exist.
    """
    identity = current_identity()
    if identity is None:
        return
    for permission in sorted(operation.rule.demands(arguments)):
        if not identity.may(permission, ANY_PROJECT):
            _require(metadata, operation, arguments, identity, permission)


def _require(
    metadata: MetadataStore,
    operation: Operation,
    arguments: Mapping[str, Any],
    identity: Identity,
    permission: Permission,
) -> None:
    for project in _projects(metadata, operation, arguments):
        if not identity.may(permission, project):
            raise refusal(identity, permission, project)


def _projects(
    metadata: MetadataStore, operation: Operation, arguments: Mapping[str, Any]
) -> set[str | None]:
    """Return the projects of a call; ``*`` for all, None for any."""
    name = f"{operation.noun}.{operation.verb}"
    if name in _SHARED or operation.noun in _SHARED_NOUNS:
        return {None}
    if operation.noun not in _OWN:
        return {ANY_PROJECT}
    names = set(_names(metadata, operation, arguments))
    if not names:
        return {ANY_PROJECT}
    projects = metadata.projects.list()
    return {project_of(each, projects) for each in names}


def _names(
    metadata: MetadataStore, operation: Operation, arguments: Mapping[str, Any]
) -> Iterator[str]:
    own, runs = _OWN[operation.noun]
    if (operation.noun, operation.verb) == ("runs", "create"):
        own = runs = frozenset()  # the run's own name is free, and its id is new
    for field, value in _fields(arguments):
        if not isinstance(value, str):
            continue
        if field in own | _NAMES:
            yield value
        elif field in runs:
            yield metadata.runs.get(value).experiment


def _fields(arguments: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the arguments by name, and the fields of records among them."""
    waiting = list(arguments.items())
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, list | tuple):
            waiting += [(name, each) for each in value]
        elif is_dataclass(value) and not isinstance(value, Edge | type):
            yield from ((each.name, getattr(value, each.name)) for each in fields(value))
        else:
            yield name, value
