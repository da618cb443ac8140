"""The actor of a change, and equality of two spellings of a name, on which approval rests."""

import contextlib
import getpass
import unicodedata
from collections.abc import Iterator
from contextvars import ContextVar

_ACTOR: ContextVar[str | None] = ContextVar("penstock_actor", default=None)


def current_actor() -> str:
    """Return the actor: the name of ``use_actor``, by default this process's user.

    A context variable, so that a server can answer several people at once, each in a task or thread.

    >>> with use_actor("ada"):
    ...     current_actor()
    'ada'
    """
    if (named := _ACTOR.get()) is not None:
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user id without a name
        return "unknown"


@contextlib.contextmanager
def use_actor(name: str) -> Iterator[None]:
    """Name the actor of all changes inside the block.

    Args:
        name: Name of the person or program.
    """
    token = _ACTOR.set(name)
    try:
        yield
    finally:
        _ACTOR.reset(token)


def is_same_person(first: str, second: str) -> bool:
    """Return whether two names belong to the same person, however they are spelt.

    >>> is_same_person("Ada ", "ada"), is_same_person("ada", "bob")
    (True, False)
    """
    return _plain(first) == _plain(second)


def _plain(name: str) -> str:
    # NFKC: full-width and other look-alike forms of a letter are that letter.
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
