"""Changes of a version's facts that are no part of the identity: gates, card, note."""

from typing import Any

from penstock.core import ConflictError, ModelVersionRecord
from penstock.stores import MetadataStore

_ATTEMPTS = 10  # of a change of a version that was changed meanwhile


def change_version(
    metadata: MetadataStore,
    version: ModelVersionRecord,
    *,
    actor: str | None = None,
    **changes: Any,
) -> ModelVersionRecord:
    """Change facts of a version; retried on concurrent changes.

    Args:
        metadata: Store of the version.
        version: The version as read.
        actor: Actor of the change, for the history.
        changes: New values by field.

    Raises:
        ConflictError: If the version is changed all the time.
    """
    for attempt in range(_ATTEMPTS):
        try:
            return metadata.models.update_version(
                version.model,
                version.version,
                expected_revision=version.revision,
                actor=actor,
                **changes,
            )
        except ConflictError:
            if attempt == _ATTEMPTS - 1:
                raise
            version = metadata.models.get_version(version.model, version.version)
    raise AssertionError("unreachable")
