"""ConstantDigests: digests of the constants of a call, which count in the step's key."""

from collections.abc import Callable
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


class ConstantDigests:
    """Digests of the constants of a call; outputs inside containers count by position.

    Args:
        digest_object: Computes the digest of an object, including code that it holds.
    """

    def __init__(self, digest_object: Callable[[Any, str], CodeDigest]) -> None:
        self._digest_object = digest_object
        self.complete = True
        self.has_fingerprint = False
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
        return digest_json(self._plain(value, path))

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
            self.has_fingerprint = True
            kind = f"{type(value).__module__}.{type(value).__qualname__}"
            return ["fingerprint", kind, self._plain(value.fingerprint(), path)]
        return self._object(value, path)

    def _object(self, value: Any, path: str) -> list[Any]:
        found = self._digest_object(value, path)
        self.complete &= found.complete
        self.parts |= found.parts
        self.unfollowed |= set(found.unfollowed)
        if found.carried is not None:
            self.carried.add(found.carried)
        return ["object", found.digest]
