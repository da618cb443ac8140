"""Secrets that penstock makes: tokens and session cookies, and what the store keeps of them.

A secret has 256 random bits, so its plain SHA-256 cannot be guessed; passwords are another matter,
see core._passwords.
"""

import re
import secrets

from penstock.core import Secret, digest_bytes

TOKEN_KIND, SESSION_KIND = "pst", "pss"
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_ID_LENGTH = 10
_TEXT = re.compile(r"(ps[ts]_[0-9a-z]{10})_[A-Za-z0-9_-]{43}")


def new_key(kind: str) -> tuple[str, Secret]:
    """Return a new secret with its public beginning.

    >>> beginning, key = new_key("pst")
    >>> key.reveal().startswith(beginning + "_"), len(key.reveal())
    (True, 58)

    Args:
        kind: ``pst`` for a token, ``pss`` for a session.
    """
    name = "".join(secrets.choice(_ALPHABET) for _ in range(_ID_LENGTH))
    beginning = f"{kind}_{name}"
    return beginning, Secret(f"{beginning}_{secrets.token_urlsafe(32)}")


def key_digest(key: Secret) -> str:
    """Return the digest of a secret, as the store keeps it."""
    return digest_bytes(key.reveal().encode("utf-8", "surrogateescape"))


def is_key(text: str, kind: str) -> bool:
    """Return whether a text has the form of a secret of penstock."""
    return text.startswith(f"{kind}_") and _TEXT.fullmatch(text) is not None
