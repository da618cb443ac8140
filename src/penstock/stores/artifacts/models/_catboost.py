"""CatBoost's models in the library's own binary format, without clock and random id.

The format holds trees, names, levels and the labels of the classes, and no code. Training parameters
are in the metadata; ``get_params`` of a model that was read is empty, as after CatBoost's own
``load_model``.
"""

from typing import Any

from penstock.core import SerializationError
from penstock.stores.artifacts._value import Serialized, type_name
from penstock.stores.artifacts.models._catboost_bytes import load_catboost, stable_model
from penstock.stores.artifacts.models._protocol import StoredModel

_CLASSES = ("CatBoost", "CatBoostClassifier", "CatBoostRegressor", "CatBoostRanker")
_FACT = "class"


class CatBoostFormat:
    """See ModelFormat."""

    name = "catboost"
    is_safe = True

    def can_write(self, value: Any) -> bool:
        """See ModelFormat."""
        kind = type(value)
        return kind.__name__ in _CLASSES and kind.__module__ == "catboost.core"

    def write(self, value: Any, content_digest: str) -> Serialized:
        """See ModelFormat."""
        facts = {_FACT: type(value).__name__}
        return Serialized(_stable(value), self.name, content_digest, type_name(value), facts)

    def read(self, stored: StoredModel) -> Any:
        """See ModelFormat."""
        kind = stored.metadata.get(_FACT)
        if kind not in _CLASSES:
            raise SerializationError(
                what=f"The record names the CatBoost class {kind!r}, which is not known.",
                why="The class determines what the model predicts.",
                fix=f"Classes: {', '.join(_CLASSES)}.",
            )
        return load_catboost(str(kind), stored.data)

    def state(self, value: Any) -> Any:
        """See ModelFormat."""
        if not self.can_write(value):
            return None
        return [type(value).__name__, _stable(value)]

    def load_library(self) -> None:
        """See ModelFormat: imported by the users of CatBoost, as the import is slow."""


def _stable(model: Any) -> bytes:
    if not model.is_fitted():
        raise SerializationError(
            what=f"The {type(model).__name__} is not fitted.",
            why="Without trees there is no model to store.",
            fix="Call fit first.",
        )
    return stable_model(bytes(model._serialize_model()), type(model).__name__)  # noqa: SLF001 - the only way without a file
