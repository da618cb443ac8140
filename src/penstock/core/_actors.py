"""The acting person, and equality of two spellings of a name, on which approval rests."""

import getpass
import unicodedata


def current_actor() -> str:
    """Return the name of this process's user."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user id without a name
        return "unknown"


def is_same_person(first: str, second: str) -> bool:
    """Return whether two names belong to the same person, however they are spelt.

    >>> is_same_person("Ada ", "ada"), is_same_person("ada", "bob")
    (True, False)
    """
    return _plain(first) == _plain(second)


def _plain(name: str) -> str:
    # NFKC: full-width and other look-alike forms of a letter are that letter.
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
