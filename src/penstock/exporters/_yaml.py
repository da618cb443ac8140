"""YAML of plain values: readable, and the same for the same values."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

# Words that no YAML reader takes for anything but text, without quotes.
_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*\Z")
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


def to_yaml(document: Mapping[str, Any]) -> str:
    r"""Return a document as YAML; texts of several lines are written as blocks.

    >>> print(to_yaml({"on": {"cron": "0 0 * * *"}, "run": "a\nb\n", "of": [{"x": 1}, []]}), end="")
    "on":
      cron: "0 0 * * *"
    run: |
      a
      b
    of:
      - x: 1
      - []
    """
    return "\n".join(_lines(document)) + "\n"


def _lines(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _entry(f"{_text(str(key))}:", inner)
    else:
        for inner in value:
            lines = list(_entry("-", inner))
            if isinstance(inner, Mapping) and inner:
                # The first entry stands on the line of the dash.
                lines = [f"- {lines[1].strip()}", *lines[2:]]
            yield from lines


def _entry(head: str, value: Any) -> Iterator[str]:
    if isinstance(value, str) and "\n" in value:
        keep = "|" if value.endswith("\n") else "|-"
        yield f"{head} {keep}"
        yield from (f"  {line}" if line else "" for line in value.rstrip("\n").split("\n"))
    elif isinstance(value, Mapping | list | tuple) and value:
        yield head
        yield from (f"  {line}" if line else "" for line in _lines(value))
    else:
        yield f"{head} {_scalar(value)}"


def _scalar(value: Any) -> str:
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _text(value: str) -> str:
    is_bare = _BARE.match(value) and value.lower() not in _WORDS
    return value if is_bare else json.dumps(value, ensure_ascii=False)
