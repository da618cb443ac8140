"""SHA-256 digests of bytes, files and JSON-like values, always written ``sha256:<hex>``."""

import hashlib
import math
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any

_PREFIX = "sha256:"
_LONG_NAME = 100


def digest_bytes(*chunks: bytes | memoryview) -> str:
    """Compute the digest of bytes.

    >>> digest_bytes(b"")
    'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
    """
    state = hashlib.sha256()
    for chunk in chunks:
        state.update(chunk)
    return _PREFIX + state.hexdigest()


def digest_file(path: Path) -> str:
    """Compute the digest of a file's bytes in chunks, without the whole file in memory."""
    with path.open("rb") as file:
        return _PREFIX + hashlib.file_digest(file, "sha256").hexdigest()


def digest_json(value: object) -> str:
    """Compute the digest of a JSON-like value so that equal values have equal digests.

    Key order does not count; types do: 1, 1.0, True and "1" differ.

    >>> digest_json({"a": 1, "b": 2}) == digest_json({"b": 2, "a": 1})
    True
    >>> digest_json(1) == digest_json(1.0)
    False

    Raises:
        TypeError: If a part of the value is not JSON-like, a date, a duration or an enum.
    """
    state = hashlib.sha256()
    _feed(state, value)
    return _PREFIX + state.hexdigest()


def short(digest: str) -> str:
    """Return a shortened digest for people.

    >>> short("sha256:e3b0c44298fc1c149afbf4c8996fb924")
    'e3b0c44298fc'
    """
    return digest.removeprefix(_PREFIX)[:12]


def _feed(state: Any, value: Any) -> None:  # noqa: C901, PLR0912 - a table of cases by type
    kind = type(value)
    if kind is str:  # most are
        _tag(state, b"s", value.encode("utf-8", "surrogatepass"))
        return
    if kind is dict:
        _feed_mapping(state, value)
        return
    match value:
        case None | bool():
            _tag(state, b"c", repr(value).encode())
        case Enum():
            _tag(state, b"e", f"{type(value).__qualname__}.{value.name}".encode())
        case int():
            _tag(state, b"i", b"%d" % value)
        case float():
            _tag(state, b"f", b"nan" if math.isnan(value) else value.hex().encode())
        case str():
            _tag(state, b"s", value.encode("utf-8", "surrogatepass"))
        case bytes():
            _tag(state, b"b", value)
        case datetime() | date() | time():
            _tag(state, b"d", value.isoformat().encode())
        case timedelta():
            _tag(state, b"t", repr(value).encode())
        case Path():
            _tag(state, b"p", value.as_posix().encode())
        case Mapping():
            _feed_mapping(state, value)
        case set() | frozenset():
            parts = sorted(digest_json(item) for item in value)
            _tag(state, b"S", "".join(parts).encode())
        case list() | tuple():
            _tag(state, b"l" if isinstance(value, list) else b"u", b"%d" % len(value))
            for item in value:
                _feed(state, item)
        case _:
            raise TypeError(f"{type(value).__name__} has no JSON-like digest.")


def _feed_mapping(state: Any, value: Mapping[Any, Any]) -> None:
    items = sorted([(_key_digest(key), item) for key, item in value.items()])
    _tag(state, b"m", b"%d" % len(items))
    for key, item in items:
        state.update(key.encode())
        _feed(state, item)


def _key_digest(key: Any) -> str:
    """Compute the digest of a mapping's key; recurring names are cached."""
    return _name_digest(key) if type(key) is str and len(key) < _LONG_NAME else digest_json(key)


@lru_cache(maxsize=4096)
def _name_digest(name: str) -> str:
    return digest_json(name)


def _tag(state: Any, kind: bytes, payload: bytes) -> None:
    # The length makes the encoding unambiguous: no two values share a byte stream.
    state.update(kind + b"%d:" % len(payload))
    state.update(payload)
