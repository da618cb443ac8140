"""Documents of other programs' protocols, kept whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from penstock.core.records._empty import empty


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """A fact that only another program's protocol knows, as JSON.

    Args:
        kind: Kind of the document, such as ``mlflow.logged_model``.
        key: Key of the document, unique in its kind.
        owner: What the document belongs to, such as a run's id; or empty.
        body: The document, JSON-like.
        updated_at: Time of the last write.
        revision: Number of writes; a change states the revision that was read.
    """

    kind: str
    key: str
    owner: str
    updated_at: datetime
    body: Mapping[str, Any] = field(default_factory=empty)
    revision: int = 1
