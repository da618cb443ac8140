"""LightGBM's boosters in the library's own text format, which holds numbers and no code."""

from typing import Any

from penstock.core import require
from penstock.stores.artifacts._value import Serialized, type_name
from penstock.stores.artifacts.models._protocol import StoredModel


class LightGBMFormat:
    """See ModelFormat."""

    name = "lightgbm"
    is_safe = True

    def can_write(self, value: Any) -> bool:
        """See ModelFormat."""
        return type(value).__name__ == "Booster"

    def write(self, value: Any, content_digest: str) -> Serialized:
        """See ModelFormat."""
        return Serialized(self.state(value), self.name, content_digest, type_name(value))

    def read(self, stored: StoredModel) -> Any:
        """See ModelFormat."""
        lightgbm = require("lightgbm", extra="boosters", purpose="reading a LightGBM model")
        return lightgbm.Booster(model_str=stored.data.decode())

    def state(self, value: Any) -> Any:
        """See ModelFormat."""
        if not self.can_write(value):
            return None
        return value.model_to_string(num_iteration=-1).encode()

    def load_library(self) -> None:
        """See ModelFormat: imported by the users of boosters, as it is slow."""
