"""Arguments that take several names, given one: shared by the steps that have such arguments."""

from collections.abc import Sequence


def as_tuple(names: str | Sequence[str]) -> tuple[str, ...]:
    """Read one name as a list of one, instead of as its letters.

    >>> as_tuple("company"), as_tuple(["company", "kind"])
    (('company',), ('company', 'kind'))
    """
    return (names,) if isinstance(names, str) else tuple(names)
