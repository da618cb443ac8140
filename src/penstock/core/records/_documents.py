"""Documents of foreign protocols, stored whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from penstock.core.records._empty import empty


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """A fact of a foreign protocol, such as MLflow's, as JSON.

    Args:
        kind: Kind of the document, such as ``mlflow.logged_model``.
        key: Key of the document, unique within the kind.
        owner: Owner of the document, such as a run's id; or empty.
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
