"""ArgumentSpec: an argument of a step or pipeline in the form of a run's record."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Self

from penstock.pipelines._output import Output

_MAX_TEXT = 200
_MAX_VALUE = 2_000  # characters of JSON; a longer value is recorded as a shortened text
_EXACT_INT = 2**53  # every reader of JSON has numbers up to this exactly
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")  # differs from run to run


@dataclass(frozen=True, slots=True)
class ArgumentSpec:
    """An argument as recorded: an output, a value that JSON has exactly, or a shortened text.

    Args:
        kind: ``output``, ``value`` or ``text``.
        content: Step and output (``split.train``), the value, or the text.
    """

    kind: str
    content: Any

    @classmethod
    def of(cls, value: object) -> Self:
        """Return the spec of an argument.

        >>> ArgumentSpec.of([1, None]), ArgumentSpec.of({1, 2}).to_json()
        (ArgumentSpec(kind='value', content=[1, None]), {'text': '{1, 2}'})
        """
        if isinstance(value, Output):
            return cls("output", value.text)
        if _is_plain(value) and len(json.dumps(value)) <= _MAX_VALUE:
            return cls("value", value)
        return cls("text", shown(value))

    @classmethod
    def from_json(cls, document: object) -> Self:
        """Read a spec; version 0 recorded only the shortened text."""
        if isinstance(document, Mapping):
            kind = next((kind for kind in ("output", "value", "text") if kind in document), "text")
            return cls(kind, document.get(kind, ""))
        return cls("text", str(document))

    def to_json(self) -> dict[str, Any]:
        """Return the spec as plain JSON."""
        return {self.kind: self.content}

    @property
    def text(self) -> str:
        """The argument for people, shortened."""
        return shown(self.content) if self.kind == "value" else str(self.content)


def shown(value: Any) -> str:
    """Return a value as text for people, at most 200 characters, equal in every process."""
    if isinstance(value, Output):
        return value.text
    if isinstance(value, list):
        text = f"[{', '.join(shown(item) for item in value[:_MAX_TEXT])}]"
    elif isinstance(value, tuple):
        text = f"({', '.join(shown(item) for item in value[:_MAX_TEXT])})"
    elif isinstance(value, Mapping):
        items = islice(value.items(), _MAX_TEXT)  # longer text is cut off anyway
        text = "{" + ", ".join(f"{key}: {shown(item)}" for key, item in items) + "}"
    else:
        text = _ADDRESS.sub("", repr(value))
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…"


def _is_plain(value: Any) -> bool:
    """Return whether JSON, and every database, has a value exactly."""
    kind = type(value)
    if kind is str:
        return len(value) <= _MAX_VALUE and "\0" not in value and _is_unicode(value)
    if kind is float:
        return math.isfinite(value)
    if kind is int:
        return bool(-_EXACT_INT <= value <= _EXACT_INT)
    if kind is list:
        return len(value) <= _MAX_VALUE and all(map(_is_plain, value))
    if kind is dict:
        plain = all(type(key) is str and _is_plain(key) for key in value)
        return len(value) <= _MAX_VALUE and plain and all(map(_is_plain, value.values()))
    return value is None or kind is bool


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
