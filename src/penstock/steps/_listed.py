"""Arguments that take a name or several names: shared by the steps that have such arguments."""

from collections.abc import Sequence


def as_tuple(names: str | Sequence[str]) -> tuple[str, ...]:
    """Return a single name as a tuple of that name, not of the letters.

    >>> as_tuple("company"), as_tuple(["company", "kind"])
    (('company',), ('company', 'kind'))
    """
    return (names,) if isinstance(names, str) else tuple(names)
