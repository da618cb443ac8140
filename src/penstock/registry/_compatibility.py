"""Changes that callers notice when a version replaces the production version."""

from penstock.core import DataError, ModelVersionRecord
from penstock.models import Signature, SignatureChanges, compare_signatures


def signature_changes(
    champion: ModelVersionRecord | None, version: ModelVersionRecord
) -> SignatureChanges:
    """Compare a version's signature with the production version's.

    Args:
        champion: The version in production; None if there is none, and so no callers.
        version: The version that is to replace the champion.
    """
    if champion is None or champion.version == version.version:
        return SignatureChanges()
    try:
        old = Signature.from_json(champion.signature)
    except DataError:
        return SignatureChanges()  # without a signature the champion has no callers
    return compare_signatures(old, Signature.from_json(version.signature))
