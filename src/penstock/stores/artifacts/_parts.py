"""Parts and NamedParts: many values stored separately, each loaded on access."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self, overload

from penstock.core import DefinitionError, with_article
from penstock.stores._json import dump_json, load_json
from penstock.stores.artifacts._bundles import LazyParts


def part_name(key: object) -> str:
    """Return the name for an item's key: text unchanged, the rest by type and value.

    >>> [part_name(key) for key in ("a", 1, "1", None, "null", "%")]
    ['a', '%1', '1', '%null', 'null', '%%']

    Raises:
        DefinitionError: If the key cannot be distinguished from keys of the same type.
    """
    if type(key) is str:
        return f"%{key}" if key.startswith("%") else key
    try:
        return f"%{dump_json(key, exact=True)}"
    except TypeError:
        raise DefinitionError(
            what=f"{key!r} is the key of an item, and {with_article(type(key).__qualname__)}.",
            why="Items are found by their keys, also in another process.",
            fix="Use text, numbers, dates, enums or tuples of them as keys.",
            key=key,
        ) from None


def part_key(name: str) -> Any:  # Any: a key of a dict
    """Return the key that belongs to a part's name; see `part_name`.

    >>> [part_key(name) for name in ("a", "%1", "1", "%null", "%%")]
    ['a', 1, '1', None, '%']
    """
    if not name.startswith("%"):
        return name
    return name[1:] if name.startswith("%%") else load_json(name[1:], strict=True)


class Parts(Sequence[Any]):
    """A sequence whose items are loaded singly, without caching: may be larger than memory.

    >>> list(Parts([1, 2, 3])), Parts([1, 2]) == [1, 2]
    ([1, 2, 3], True)

    Args:
        values: The items.
    """

    bundle_type: ClassVar[str] = "penstock.stores:Parts"

    def __init__(self, values: Iterable[Any] = ()) -> None:
        self._parts: Mapping[str, Any] = {str(i): value for i, value in enumerate(values)}

    def to_bundle(self) -> dict[str, Any]:
        """See Bundle."""
        return dict(self._parts)

    @classmethod
    def from_bundle(cls, parts: Mapping[str, Any]) -> Self:
        """See Bundle."""
        made = cls()
        made._parts = parts
        return made

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> "Parts": ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return Parts(self[i] for i in range(*index.indices(len(self))))
        place = range(len(self))[index]
        return _load(self._parts, str(place))

    def __iter__(self) -> Iterator[Any]:
        return (_load(self._parts, name) for name in self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Parts | list | tuple):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # the items may change

    def __repr__(self) -> str:
        return f"<{len(self)} {'item' if len(self) == 1 else 'items'}>"


class NamedParts(Mapping[Any, Any]):
    """A mapping whose values are loaded singly, without caching.

    >>> dict(NamedParts({"a": 1, 2016: 3}))
    {'a': 1, 2016: 3}

    Args:
        values: The values by key: text, or any key that `part_name` supports.
    """

    bundle_type: ClassVar[str] = "penstock.stores:NamedParts"

    def __init__(self, values: Mapping[Any, Any] | None = None) -> None:
        self._parts: Mapping[str, Any] = {
            part_name(key): value for key, value in (values or {}).items()
        }

    def to_bundle(self) -> dict[str, Any]:
        """See Bundle."""
        return dict(self._parts)

    @classmethod
    def from_bundle(cls, parts: Mapping[str, Any]) -> Self:
        """See Bundle."""
        made = cls()
        made._parts = parts
        return made

    def __getitem__(self, key: Any) -> Any:
        try:
            return _load(self._parts, part_name(key))
        except DefinitionError:
            raise KeyError(key) from None

    def __iter__(self) -> Iterator[Any]:
        return map(part_key, self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def __repr__(self) -> str:
        return f"<{len(self)} named {'item' if len(self) == 1 else 'items'}>"


def _load(parts: Mapping[str, Any], name: str) -> Any:
    return parts.fresh(name) if isinstance(parts, LazyParts) else parts[name]
