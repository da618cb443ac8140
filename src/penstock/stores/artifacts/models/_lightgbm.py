"""LightGBM's boosters in the library's own text format, which holds numbers and no code."""

from typing import Any

from penstock.core import SerializationError, require
from penstock.stores.artifacts._value import Serialized, type_name
from penstock.stores.artifacts.models._protocol import StoredModel

_BEST = "best_iteration"
_KEYS = {b"version", b"num_class", b"num_tree_per_iteration", b"max_feature_idx", b"feature_names"}


class LightGBMFormat:
    """See ModelFormat."""

    name = "lightgbm"
    is_safe = True

    def can_write(self, value: Any) -> bool:
        """See ModelFormat."""
        return type(value).__name__ == "Booster"

    def write(self, value: Any, content_digest: str) -> Serialized:
        """See ModelFormat."""
        best = _best_iteration(value)
        facts = {_BEST: best} if best else {}
        return Serialized(_text(value), self.name, content_digest, type_name(value), facts)

    def read(self, stored: StoredModel) -> Any:
        """See ModelFormat."""
        _require_whole(stored.data)
        lightgbm = require("lightgbm", extra="boosters", purpose="reading a LightGBM model")
        booster = lightgbm.Booster(model_str=stored.data.decode())
        if best := stored.metadata.get(_BEST):
            booster.best_iteration = int(best)
        return booster

    def state(self, value: Any) -> Any:
        """See ModelFormat."""
        if not self.can_write(value):
            return None
        best = _best_iteration(value)
        return [_text(value), best] if best else _text(value)

    def load_library(self) -> None:
        """See ModelFormat: imported by the users of boosters, as the import is slow."""


def _require_whole(data: bytes) -> None:
    """Refuse texts that are no whole model: LightGBM ends the process on some of them.

    Raises:
        SerializationError: If the first line, the last section or a count is missing.
    """
    head = data.partition(b"Tree=0\n")[0].split(b"\n")
    keys = {line.partition(b"=")[0] for line in head}
    if data[:5] != b"tree\n" or not keys >= _KEYS or b"\nend of trees\n" not in data:
        raise SerializationError(
            what="The bytes are no LightGBM model.",
            why="An artifact is only read as the format that its record names.",
            fix="Restore the artifact from a backup, or train the model again.",
        )


def _text(booster: Any) -> bytes:
    text: str = booster.model_to_string(num_iteration=-1)
    return text.encode()


def _best_iteration(booster: Any) -> int:
    """Return the number of trees that ``predict`` uses where these are not all; else 0.

    The text holds all trees and not this number, so a reloaded booster would predict with all.
    """
    best = int(getattr(booster, "best_iteration", 0) or 0)
    return best if 0 < best < booster.current_iteration() else 0
