"""Passwords: hashed by Argon2id with the defaults of argon2-cffi (RFC 9106, low memory)."""

import threading
from functools import lru_cache
from typing import TYPE_CHECKING

from penstock.core._errors import ParameterError
from penstock.core._optional import require
from penstock.core._secret import Secret

if TYPE_CHECKING:
    from argon2 import PasswordHasher

_SHORTEST, _LONGEST = 12, 1024
_FEWEST_CHARACTERS = 5  # different ones
# A hash takes 64 MiB: sign-ins wait for each other rather than exhaust the memory.
_AT_ONCE = threading.BoundedSemaphore(4)


def hash_password(password: Secret) -> str:
    """Return the hash of a password in PHC form."""
    with _AT_ONCE:
        made: str = _hasher().hash(password.reveal())
    return made


def is_password(password: Secret, known: str | None) -> bool:
    """Return whether a password has a hash; takes as long where there is none to compare with.

    Args:
        password: What was typed.
        known: The hash; None for a user without a password, or no user at all.
    """
    argon2 = require("argon2", extra="people", purpose="passwords")
    try:
        with _AT_ONCE:
            right = _hasher().verify(known or _decoy(), password.reveal())
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False
    return bool(right) and known is not None


def needs_new_hash(known: str) -> bool:
    """Return whether a hash was made with weaker settings than today's."""
    weaker: bool = _hasher().check_needs_rehash(known)
    return weaker


def require_password(password: Secret, user: str) -> None:
    """Check that a password is not easily guessed; length counts, not kinds of characters.

    Raises:
        ParameterError: If it is too short or long, repeats itself or has the user's name.
    """
    text = password.reveal()
    trouble = ""
    if len(text) < _SHORTEST:
        trouble = f"has {len(text)} characters"
    elif len(text.encode("utf-8", "replace")) > _LONGEST:
        trouble = "is very long"
    elif len(set(text)) < _FEWEST_CHARACTERS:
        trouble = "repeats a few characters"
    elif user.casefold() in text.casefold() and len(text) < len(user) + _SHORTEST:
        trouble = "is little more than the name"
    if trouble:
        raise ParameterError(
            what=f"The password of {user!r} {trouble}.",
            why="It would be guessed.",
            fix=f"Use {_SHORTEST} to {_LONGEST} characters, such as four words by chance.",
        )


@lru_cache(maxsize=1)
def _hasher() -> "PasswordHasher":
    argon2 = require("argon2", extra="people", purpose="passwords")
    hasher: PasswordHasher = argon2.PasswordHasher()
    return hasher


@lru_cache(maxsize=1)
def _decoy() -> str:
    """Return the hash of no password, to spend the same time on unknown names."""
    made: str = _hasher().hash("no such user")
    return made
