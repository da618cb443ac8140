"""The default of mappings that nobody changes."""

from collections.abc import Mapping
from typing import Any


def empty() -> Mapping[str, Any]:
    """Return an empty mapping."""
    return {}
