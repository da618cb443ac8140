"""ConstantDigests: digests of the constants of a call, which count in the step's key."""

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from penstock.core import digest_bytes, digest_json
from penstock.pipelines import Output
from penstock.provenance import CodeDigest
from penstock.stores import dump_json

FROM_STEP = "output"
"""Digest of an argument that is an output: its content counts among the inputs."""
_PLAIN = frozenset({type(None), bool, int, float, str, bytes})
# A long list of only plain values is digested as a single text.
_LONG = 1_000
_FLAT = frozenset({type(None), bool, int, float, str})
_UNKNOWN = frozenset({Output})
"""Types of arguments whose values are known only when the step runs."""


@cache
def _parameters(fingerprint: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names of the arguments that a source's ``fingerprint`` can be told."""
    try:
        parameters = inspect.signature(fingerprint).parameters.values()
    except (TypeError, ValueError):
        return ()
    kinds = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
    return tuple(each.name for each in parameters if each.kind in kinds and each.name != "self")


class ConstantDigests:
    """Digests of the constants of a call; outputs inside containers count by position.

    Args:
        digest_object: Computes the digest of an object, including the code inside.
        call: All arguments of the call, and ``store``: a source's ``fingerprint`` is passed those it
            names.

    Attributes:
        complete: False if something has no digest.
        has_fingerprint: True if there is a source whose state is known.
        unknown_state: True if a source cannot tell the state of the data.
        untraced: Digests of arguments with a source whose data no trace of the step sees, by name.
    """

    def __init__(
        self,
        digest_object: Callable[[Any, str], CodeDigest],
        call: Mapping[str, Any] | None = None,
    ) -> None:
        self._digest_object, self._call = digest_object, call or {}
        self.complete = True
        self.has_fingerprint = self.unknown_state = False
        self.untraced: dict[str, str] = {}
        self._has_untraced = False
        self.parts: dict[str, str] = {}
        self.carried: set[str] = set()
        self.unfollowed: set[str] = set()

    def digest(self, value: Any, path: str) -> str:
        """Return the digest of an argument.

        Args:
            value: The argument.
            path: Name of the argument; places inside are named ``options[depth]``.
        """
        if isinstance(value, Output):
            return FROM_STEP
        self._has_untraced = False
        digest = digest_json(self._plain(value, path))
        if self._has_untraced:
            self.untraced[path] = digest
        return digest

    def _plain(self, value: Any, path: str) -> Any:
        if type(value) in _PLAIN:
            return ["value", digest_json(value)]
        if isinstance(value, Output):
            return ["output", path]
        if type(value) in {list, tuple} and value:
            if len(value) > _LONG and set(map(type, value)) <= _FLAT:
                text = dump_json(value, exact=True)
                return ["long", digest_bytes(text.encode())]
            items = [self._plain(item, f"{path}[{i}]") for i, item in enumerate(value)]
            return [type(value).__name__, items]
        if type(value) is dict and value:
            items = [
                [self._plain(key, path), self._plain(item, f"{path}[{key}]")]
                for key, item in value.items()
            ]
            return ["dict", items]
        if callable(getattr(type(value), "fingerprint", None)):
            kind = f"{type(value).__module__}.{type(value).__qualname__}"
            return ["fingerprint", kind, self._plain(self._state(value), path)]
        return self._object(value, path)

    def _state(self, source: Any) -> Any:
        named = {
            name: self._call[name]
            for name in _parameters(type(source).fingerprint)
            if name in self._call and type(self._call[name]) not in _UNKNOWN
        }
        state = source.fingerprint(**named)
        if state is None:
            self.unknown_state = True
            return source.describe() if callable(getattr(source, "describe", None)) else None
        self.has_fingerprint = True
        self._has_untraced |= not getattr(source, "is_traced", False)
        return state

    def _object(self, value: Any, path: str) -> list[Any]:
        digest = self._digest_object(value, path)
        self.complete &= digest.complete
        self.parts |= digest.parts
        self.unfollowed |= set(digest.unfollowed)
        if digest.carried is not None:
            self.carried.add(digest.carried)
        return ["object", digest.digest]
