"""The audit trail of the store: actor, action, time and way of each change."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from penstock.core.records._empty import empty


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """A change of the store by someone.

    Args:
        at: Time of the change.
        actor: Actor of the change.
        action: Noun and verb, such as ``user.create``, ``token.revoke``, ``schedule.pause``.
        subject: Name of the changed thing.
        facts: Further facts; never a secret.
        attested: How the actor was known: ``token ID``, ``session ID``, empty for the user of a
            process that opened the store itself.
        hash: SHA-256 over the previous record's hash and this record.
    """

    at: datetime
    actor: str
    action: str
    subject: str
    facts: Mapping[str, Any] = field(default_factory=empty)
    attested: str = ""
    hash: str = ""
