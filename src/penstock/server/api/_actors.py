"""The actor of a call: whoever has signed in, whatever the arguments say."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from penstock.core import (
    Identity,
    ModelVersionRecord,
    NotFoundError,
    RunRecord,
    ScheduleRecord,
    current_identity,
)
from penstock.stores import MetadataStore

# Fields with the name of whoever acts; a schedule and a run are also saved by others later.
_FIELDS: Mapping[type, str] = {RunRecord: "user", ScheduleRecord: "created_by"}


def with_own_actor(
    metadata: MetadataStore, arguments: Mapping[str, Any], *, takes_actor: bool
) -> dict[str, Any]:
    """Return the arguments of a call with the identity that has signed in as the actor.

    Without sign-in the client's word counts: the store has one user.

    Args:
        metadata: The store.
        arguments: Arguments by name.
        takes_actor: Whether the operation has a parameter ``actor``.
    """
    identity = current_identity()
    if identity is None or not identity.attested:
        return dict(arguments)
    own = {name: _own(metadata, value, identity) for name, value in arguments.items()}
    return own | {"actor": identity.actor} if takes_actor else own


def _own(metadata: MetadataStore, value: Any, identity: Identity) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(_own(metadata, each, identity) for each in value)
    if not is_dataclass(value) or isinstance(value, type):
        return value
    if isinstance(value, ModelVersionRecord):
        return replace(value, trained_by=_trainer(metadata, value, identity.actor))
    name = _FIELDS.get(type(value), "actor")
    known = {field.name for field in fields(value)}
    own = {name: identity.actor, "attested": identity.attested}
    return replace(value, **{each: text for each, text in own.items() if each in known})


def _trainer(metadata: MetadataStore, version: ModelVersionRecord, actor: str) -> str:
    """Return who trained a version: its run says so; a name sent along could hide the trainer."""
    if version.run_id is None:
        return actor
    try:
        return metadata.runs.get(version.run_id).user or actor
    except NotFoundError:
        return actor
