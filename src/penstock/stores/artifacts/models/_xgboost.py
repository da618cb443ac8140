"""XGBoost's boosters in the library's own text format, which holds numbers and no code.

A model folder of MLflow's may name one of the library's estimators, which predicts with the trees up
to the best iteration.
"""

from typing import Any

from penstock.core import SerializationError, require
from penstock.stores.artifacts._value import Serialized, type_name
from penstock.stores.artifacts.models._protocol import StoredModel

_CLASS = "class"
_CLASSES = ("XGBClassifier", "XGBRFClassifier", "XGBRFRegressor", "XGBRanker", "XGBRegressor")


class XGBoostFormat:
    """See ModelFormat."""

    name = "xgboost"
    is_safe = True

    def can_write(self, value: Any) -> bool:
        """See ModelFormat."""
        return type(value).__name__ == "Booster"

    def write(self, value: Any, content_digest: str) -> Serialized:
        """See ModelFormat."""
        return Serialized(self.state(value), self.name, content_digest, type_name(value))

    def read(self, stored: StoredModel) -> Any:
        """See ModelFormat."""
        xgboost = require("xgboost", extra="boosters", purpose="reading an XGBoost model")
        kind = stored.metadata.get(_CLASS, "Booster")
        if kind not in {"Booster", *_CLASSES}:
            raise SerializationError(
                what=f"The record names the XGBoost class {kind!r}, which is not known.",
                why="The class determines what the model predicts.",
                fix=f"Classes: {', '.join(_CLASSES)}.",
            )
        model = getattr(xgboost, kind)()
        model.load_model(bytearray(stored.data))
        return model

    def state(self, value: Any) -> Any:
        """See ModelFormat."""
        return bytes(value.save_raw("json")) if self.can_write(value) else None

    def load_library(self) -> None:
        """See ModelFormat: imported by the users of boosters, as the import is slow."""
