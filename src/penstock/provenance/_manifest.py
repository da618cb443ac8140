"""The manifest of a run: code, environment and hardware in one JSON, and how two differ."""

import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from penstock.core import short
from penstock.provenance._environment import capture_environment, capture_hardware
from penstock.provenance._source import SourceTree

_HASH_WARNING = (
    "PYTHONHASHSEED is not set: the order of sets of text differs from process to process. "
    "Start with `penstock run`, or set PYTHONHASHSEED=0 before Python starts."
)


def build_manifest(tree: SourceTree, digests: Mapping[str, str]) -> dict[str, Any]:
    """Put together what a run is made from, as plain JSON.

    Args:
        tree: The captured source.
        digests: Stored digest of each of its files.

    Returns:
        ``code`` (commit, branch, dirty, diff, files, left_out), ``environment``, ``hardware``,
        ``hash_seed`` (text, or None if it was random), ``argv``, ``warnings``.
    """
    hash_seed = os.environ.get("PYTHONHASHSEED")
    fixed = bool(hash_seed) and hash_seed != "random"
    return {
        "code": {
            "commit": tree.commit,
            "branch": tree.branch,
            "dirty": tree.dirty,
            "diff": tree.diff,
            "files": dict(digests),
            "left_out": list(tree.left_out),
        },
        "environment": capture_environment(),
        "hardware": capture_hardware(),
        "hash_seed": hash_seed if fixed else None,
        "argv": list(sys.argv),
        "warnings": [] if fixed else [_HASH_WARNING],
    }


def manifest_difference(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """Name what differs between two manifests, one sentence each, sorted by place.

    >>> manifest_difference({"environment": {"python": "3.11.7"}}, {"environment": {}})
    ['environment python: 3.11.7, then nothing']

    Args:
        a: The earlier manifest, or a part of one.
        b: The later one.
    """
    return list(_differences("", a, b))


def _differences(path: str, one: Any, two: Any) -> Iterator[str]:
    if isinstance(one, Mapping) and isinstance(two, Mapping):
        for key in sorted(one.keys() | two.keys()):
            place = f"{path} {key}".strip()
            yield from _differences(place, one.get(key), two.get(key))
    elif one != two:
        yield f"{path}: {_told(one)}, then {_told(two)}"


def _told(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return "nothing"
    text = short(value) if isinstance(value, str) and value.startswith("sha256:") else str(value)
    return text if len(text) <= 80 else text[:77] + "…"  # noqa: PLR2004 - one line of a terminal
