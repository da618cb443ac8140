"""``Serialized``: a value as bytes with facts; separate, as all formats return it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


def _empty() -> Mapping[str, Any]:
    return {}


def _no_files() -> Mapping[str, bytes]:
    return {}


@dataclass(frozen=True, slots=True)
class Serialized:
    """A value as bytes.

    Args:
        data: The bytes.
        format: See ArtifactRecord.
        content_digest: Digest of the value by type.
        type_name: The Python type, for people.
        metadata: Facts worth showing without loading.
        unsafe: True if loading can run code.
        source: Source files of the value's own classes and functions, by path; stored beside the
            value.
    """

    data: bytes
    format: str
    content_digest: str
    type_name: str
    metadata: Mapping[str, Any] = field(default_factory=_empty)
    unsafe: bool = False
    source: Mapping[str, bytes] = field(default_factory=_no_files)


def type_name(value: Any) -> str:
    """Return the name of a value's type for people.

    >>> type_name(1)
    'int'
    """
    kind = type(value)
    if kind.__module__ == "builtins":
        return kind.__qualname__
    return f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}"
