"""ONNX graphs unchanged: operators and weights in a single message, and no code."""

from typing import Any

from penstock.stores.artifacts._value import Serialized, type_name
from penstock.stores.artifacts.models._onnx_graph import parse_onnx, require_closed, stable_bytes
from penstock.stores.artifacts.models._protocol import StoredModel


class OnnxFormat:
    """See ModelFormat."""

    name = "onnx"
    is_safe = True

    def can_write(self, value: Any) -> bool:
        """See ModelFormat."""
        return type(value).__name__ == "ModelProto"

    def write(self, value: Any, content_digest: str) -> Serialized:
        """See ModelFormat."""
        require_closed(value)
        facts = {
            "inputs": [each.name for each in value.graph.input],
            "outputs": [each.name for each in value.graph.output],
            "operators": len(value.graph.node),
        }
        return Serialized(stable_bytes(value), self.name, content_digest, type_name(value), facts)

    def read(self, stored: StoredModel) -> Any:
        """See ModelFormat."""
        return require_closed(parse_onnx(stored.data))

    def state(self, value: Any) -> Any:
        """See ModelFormat."""
        return stable_bytes(value) if self.can_write(value) else None

    def load_library(self) -> None:
        """See ModelFormat: imported by the users of ONNX, as the import is slow."""
