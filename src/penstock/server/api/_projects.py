"""The store as a request may use it: the one mechanism for projects, `people.scope_metadata`.

What the pages of the web UI see, the API sees: a call is refused or answered by what it names, and
what it returns is left out where it may not be seen (decision 0058). Apart from that stands what
belongs to no project, in two tables: contents and leases, which a permission in any project opens,
and people, documents and the audit trail, which need it in all.
"""

from collections.abc import Mapping
from typing import Any

from penstock.core import ANY_PROJECT, Permission, current_identity, project_of
from penstock.people import owner_of_setting, require_permission, require_scope, scope_metadata
from penstock.stores import MetadataStore
from penstock.stores.rest import Operation

# Contents, leases, positions of journals, the counter of changes: no project's.
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
        "settings.change_counter",
        "steps.drop_lease",
        "steps.list_holders",
        "steps.take_lease",
    }
)
_SHARED_NOUNS = frozenset({"bytes"})
_WHOLE_NOUNS = frozenset({"audit", "documents", "hooks", "projects", "tokens", "users"})
# Digests are known to whoever may read what has them: a list of all would be a list of everyone's.
_WHOLE = frozenset({"bytes.list"})
# What names nothing, and leaves out what is another project's.
_SEARCHES = frozenset({"steps.find_cached", "predictions.add_truth"})


def scope_call(
    metadata: MetadataStore, operation: Operation, arguments: Mapping[str, Any]
) -> MetadataStore:
    """Check that whoever has signed in may make a call, and return the store to make it on.

    Args:
        metadata: The whole store.
        operation: The operation.
        arguments: Its arguments by name.

    Raises:
        AccessError: If a permission is missing in a project that the call is about.
        NotFoundError: If a run that the call names does not exist, or may not be read.
    """
    if current_identity() is None:
        return metadata
    name, demands = f"{operation.noun}.{operation.verb}", operation.rule.demands(arguments)
    if name not in _WHOLE and (name in _SHARED or operation.noun in _SHARED_NOUNS):
        _require_all(demands, None)
        return metadata
    if operation.noun == "settings":
        _require_setting(metadata, demands, str(arguments["name"]), operation)
        return metadata
    if name in _WHOLE or operation.noun in _WHOLE_NOUNS:
        _require_all(demands, ANY_PROJECT)
        return metadata
    scoped = scope_metadata(metadata, demands)
    if not operation.rule.only_reads and name not in _SEARCHES:
        require_scope(scoped, operation.noun, arguments)
    return scoped


def _require_setting(
    metadata: MetadataStore, demands: frozenset[Permission], name: str, operation: Operation
) -> None:
    """Check a setting in the project that it belongs to; everybody reads the store's own."""
    owner = owner_of_setting(name)
    if owner is not None:
        _require_all(demands, project_of(owner, metadata.projects.list()))
    else:
        _require_all(demands, None if operation.rule.only_reads else ANY_PROJECT)


def _require_all(demands: frozenset[Permission], project: str | None) -> None:
    for permission in sorted(demands):
        require_permission(permission, project)
