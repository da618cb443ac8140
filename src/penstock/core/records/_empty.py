"""The default of mappings that never change."""

from collections.abc import Mapping
from typing import Any


def empty() -> Mapping[str, Any]:
    """Return an empty mapping."""
    return {}
