"""Parts and NamedParts: many values kept one by one, each loaded when it is asked for."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self, overload

from penstock.stores.artifacts._bundles import LazyParts


class Parts(Sequence[Any]):
    """A sequence whose items are loaded one by one, and not kept: it may be larger than memory.

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

    __hash__ = None  # type: ignore[assignment]  # its items may change

    def __repr__(self) -> str:
        return f"<{len(self)} parts>"


class NamedParts(Mapping[str, Any]):
    """A mapping whose values are loaded one by one, and not kept.

    >>> dict(NamedParts({"a": 1}))
    {'a': 1}

    Args:
        values: The values by name.
    """

    bundle_type: ClassVar[str] = "penstock.stores:NamedParts"

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._parts: Mapping[str, Any] = values if values is not None else {}

    def to_bundle(self) -> dict[str, Any]:
        """See Bundle."""
        return dict(self._parts)

    @classmethod
    def from_bundle(cls, parts: Mapping[str, Any]) -> Self:
        """See Bundle."""
        return cls(parts)

    def __getitem__(self, name: str) -> Any:
        return _load(self._parts, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def __repr__(self) -> str:
        return f"<{len(self)} named parts>"


def _load(parts: Mapping[str, Any], name: str) -> Any:
    return parts.fresh(name) if isinstance(parts, LazyParts) else parts[name]
