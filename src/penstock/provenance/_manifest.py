"""The manifest of a run: code, environment and hardware as JSON, and differences of manifests."""

import os
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from penstock.core import short
from penstock.provenance._environment import capture_environment, capture_hardware
from penstock.provenance._source import SourceTree

_SECRET_NAME = re.compile(
    r"secret|passw|pwd|token(?!iz|s)|credential|auth(?!or)|(api|access|private)[-_]?key",
    re.IGNORECASE,
)
_PASSWORD_IN_URL = re.compile(r"(\w+://[^\s/:@]*:)[^\s/@]+@")
# Secrets recognised by their form: keys of clouds and of code hosts, tokens in three segments.
_SECRET_TEXT = re.compile(
    r"\b(?:(?:AKIA|ASIA)[A-Z0-9]{16}|gh[opsu]_\w{20,}|sk-[\w-]{20,}|hf_\w{20,}|xox[abp]-[\w-]{10,}"
    r"|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,})"
)
_HASH_WARNING = (
    "PYTHONHASHSEED is not set: the order of sets of text differs from process to process. "
    "Start with `penstock run`, or set PYTHONHASHSEED=0 before Python starts."
)


def build_manifest(
    tree: SourceTree,
    digests: Mapping[str, str],
    outside: Sequence[str] = (),
    folders: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the manifest of a run as plain JSON.

    Args:
        tree: The captured source.
        digests: Stored digest of each of the tree's files.
        outside: Imported files outside of the project.
        folders: Folders of the project that modules are imported from.

    Returns:
        ``code`` (commit, branch, dirty, diff, files, left_out, outside, folders), ``environment``,
        ``hardware``, ``hash_seed`` (text, or None if random), ``argv``, ``warnings``.
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
            "outside": list(outside),
            "folders": list(folders),
        },
        "environment": capture_environment(),
        "hardware": capture_hardware(),
        "hash_seed": hash_seed if fixed else None,
        "argv": hide_secrets(sys.argv),
        "warnings": [*unrecorded(tree, outside), *([] if fixed else [_HASH_WARNING])],
    }


def unrecorded(tree: SourceTree, outside: Sequence[str]) -> list[str]:
    """Return a sentence for each kind of source that is not recorded."""
    notes = []
    if tree.left_out:
        names = ", ".join(tree.left_out)
        notes.append(
            f"Not recorded, as they are larger than 1 MiB or too many: {names}. A step that needs"
            " them cannot be verified."
        )
    if outside:
        names = ", ".join(outside)
        notes.append(
            f"Not recorded, as they lie outside of the project: {names}. The run cannot be"
            " verified without them; install them as a package, or move them into the project."
        )
    return notes


def show_command(argv: Sequence[str]) -> str:
    """Write a recorded command line as typed.

    >>> show_command(["/venv/lib/penstock/cli/__main__.py", "run", "my file.py"])
    "penstock run 'my file.py'"
    >>> show_command(["train.py"])
    'python train.py'

    Args:
        argv: ``argv`` of a manifest.
    """
    program, *words = argv
    if program.endswith("penstock/cli/__main__.py") or Path(program).name == "penstock":
        return shlex.join(["penstock", *words])
    return shlex.join(["python", *argv] if program.endswith(".py") else argv)


def hide_secrets(words: Sequence[str]) -> list[str]:
    """Return a command line without passwords, tokens and the like.

    >>> hide_secrets(["train.py", "--api-key", "abc", "--url=postgresql://me:pw@host/db"])
    ['train.py', '--api-key', '…', '--url=postgresql://me:…@host/db']
    """
    shown: list[str] = []
    hide_next = False
    for word in words:
        name, equals, value = word.partition("=")
        is_secret = bool(_SECRET_NAME.search(name)) and (name.startswith("-") or bool(equals))
        if hide_next and not word.startswith("-"):
            shown.append("…")
        elif is_secret and equals and value:
            shown.append(f"{name}=…")
        else:
            shown.append(_SECRET_TEXT.sub("…", _PASSWORD_IN_URL.sub(r"\1…@", word)))
        hide_next = is_secret and not equals
    return shown


def manifest_difference(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """Return the differences between two manifests, a sentence each, sorted by place.

    >>> manifest_difference({"environment": {"python": "3.11.7"}}, {"environment": {}})
    ['environment python: 3.11.7, then nothing']

    Args:
        a: The earlier manifest, or a section of a manifest.
        b: The later manifest.
    """
    return list(_differences("", a, b))


def _differences(path: str, one: Any, two: Any) -> Iterator[str]:
    if isinstance(one, Mapping) and isinstance(two, Mapping):
        for key in sorted(one.keys() | two.keys()):
            place = f"{path} {key}".strip()
            yield from _differences(place, one.get(key), two.get(key))
    elif one != two:
        yield f"{path}: {_value_text(one)}, then {_value_text(two)}"


def _value_text(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return "nothing"
    text = short(value) if isinstance(value, str) and value.startswith("sha256:") else str(value)
    return text if len(text) <= 80 else text[:77] + "…"  # noqa: PLR2004 - one line of a terminal
