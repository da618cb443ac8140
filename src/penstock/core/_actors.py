"""Who is acting, and whether two spellings name one person; apart because approval rests on it."""

import getpass
import unicodedata


def current_actor() -> str:
    """Name the user of this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user id without a name
        return "unknown"


def is_same_person(first: str, second: str) -> bool:
    """Say whether two names are one person's, however they are spelt.

    >>> is_same_person("Ada ", "ada"), is_same_person("ada", "bob")
    (True, False)
    """
    return _plain(first) == _plain(second)


def _plain(name: str) -> str:
    # NFKC: full-width and other look-alike forms of a letter are that letter.
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
