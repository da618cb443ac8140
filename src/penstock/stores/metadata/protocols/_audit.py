"""The audit trail of the store."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from penstock.core import AuditRecord


class AuditStore(Protocol):
    """Records of changes with actor and time; only ever appended, each chained to the record before by hash."""

    def add(self, record: AuditRecord) -> AuditRecord:
        """Append a record; ``hash`` is computed here."""
        ...

    def list(
        self,
        *,
        subject: str | None = None,
        actor: str | None = None,
        since: datetime | None = None,
        limit: int = 100,
    ) -> Sequence[AuditRecord]:
        """List records, newest first."""
        ...

    def verify(self) -> int | None:
        """Return the place of a change in the trail; None if unchanged.

        Returns:
            Position, from 0, of the first record changed, added, moved or following a removed
            record.
        """
        ...
