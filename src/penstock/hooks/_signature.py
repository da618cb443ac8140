"""Signatures in the Standard Webhooks form, which any Standard Webhooks library can verify.

The signed text is ``id.timestamp.body``; the signature is ``v1,`` and the base64 of the
HMAC-SHA-256.

Source: Standard Webhooks, https://www.standardwebhooks.com (specification, "Signature scheme").
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from datetime import datetime

from penstock.core import ParameterError

_PREFIX = "whsec_"
_LEAST, _MOST = 24, 64  # bytes of a secret, limits of the specification


def new_secret() -> str:
    """Return a new secret of 32 random bytes."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def headers_of(secret: str, event_id: str, moment: datetime, body: bytes) -> dict[str, str]:
    """Return the headers that sign a message.

    Args:
        secret: A result of `new_secret`.
        event_id: Id of the event, the same at every attempt.
        moment: Current time: receivers refuse a message signed more than five minutes ago.
        body: The message's bytes.
    """
    timestamp = int(moment.timestamp())
    text = f"{event_id}.{timestamp}.".encode() + body
    mac = hmac.new(read_secret(secret), text, hashlib.sha256).digest()
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }


def read_secret(secret: str) -> bytes:
    """Return the bytes of a secret.

    Raises:
        ParameterError: If the text is no secret, or too short.
    """
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not _LEAST <= len(key) <= _MOST:
        raise ParameterError(
            what="The secret cannot be used to sign.",
            why=f"It is whsec_ and the base64 of {_LEAST} to {_MOST} random bytes.",
            fix="Leave it out: one is made and shown once.",
        )
    return key
