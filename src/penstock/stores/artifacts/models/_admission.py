"""Admission: models that this machine has not seen are first read in a process of their own.

Libraries in C++ end the process on some damaged or forged bytes, and no check of ours knows them all.
A model that this machine wrote is read at once; any foreign model is read, checked and tried in a
process with limits of time and memory, and a file that kills that process is refused.
"""

import re
from collections.abc import Mapping
from typing import Any

from penstock.core import SerializationError
from penstock.sandbox import TrialRequest, TrialResult, has_processes, try_apart
from penstock.stores.artifacts.models._known import is_known, remember
from penstock.stores.artifacts.models._protocol import StoredModel

# Formats whose libraries compute with what the file says, in compiled code.
_TRIED = frozenset({"skops", "xgboost", "lightgbm", "catboost", "onnx"})
_HELD = ("xgboost", "lightgbm", "catboost", "torch")  # in an archive of skops
_IMPORT = re.compile(rb"(?m)^[ \t]*(?:import|from)[ \t]+([A-Za-z_]\w*)")
_CPU_S = 2
_BYTES_PER_S = 4 << 20
_MEMORY_BYTES = 512 << 20
_MEMORY_FACTOR = 16
_FIX = "Do not use this file; train the model again, or restore the artifact from a backup."


def note_written(format_name: str, digest: str) -> None:
    """Note that this process wrote a model itself, so that reading needs no trial."""
    if format_name in _TRIED:
        remember(digest)


def require_admitted(format_name: str, digest: str, stored: StoredModel) -> None:
    """Check that a model can be read without harm to this process.

    Args:
        format_name: The record's format.
        digest: Digest of the bytes.
        stored: The model.

    Raises:
        SerializationError: If reading the model failed, or ended the process, or met a limit.
    """
    if format_name not in _TRIED or is_known(digest) or not has_processes():
        return
    size = len(stored.data)
    request = TrialRequest(
        module="penstock.stores.artifacts.models._trial",
        prepare="prepare",
        function="read_model",
        arguments={
            "format": format_name,
            "metadata": dict(stored.metadata),
            "source": dict(stored.source),
            "libraries": _libraries(format_name, stored),
        },
        cpu_s=_CPU_S + size // _BYTES_PER_S,
        memory_bytes=_MEMORY_BYTES + _MEMORY_FACTOR * size,
    )
    result = try_apart(request, stored.data)
    if result.outcome != "done":
        raise _refusal(format_name, result, request)
    remember(digest)


def _libraries(format_name: str, stored: StoredModel) -> list[str]:
    """Return the packages that reading the model imports: their time is no part of the trial's.

    Names may be wrong, or not installed: only installed packages are imported ahead.
    """
    names = {format_name} - {"skops"}
    names |= {name for name in _HELD if name.encode() in stored.data}
    for text in stored.source.values():
        names |= {name.decode() for name in _IMPORT.findall(text)}
    return sorted(names)


def _refusal(format_name: str, result: TrialResult, request: TrialRequest) -> SerializationError:
    if result.error is not None:
        return SerializationError(**_texts(result.error), format=format_name)
    ends = {
        "raised": f"its library says: {result.reason}",
        "memory": f"reading it takes more than {request.memory_bytes >> 20:,} MiB",
        "slow": f"reading it takes more than {request.cpu_s} seconds of processor time",
        "ended": f"reading it ended the process that tried ({result.reason})",
    }
    return SerializationError(
        what=f"The bytes are no {format_name} model that can be read: {ends[result.outcome]}.",
        why="The model was not written on this machine, so it was first read in a process of its own.",
        fix=_FIX,
        format=format_name,
        outcome=result.outcome,
    )


def _texts(error: Mapping[str, str]) -> dict[str, Any]:
    return {key: error.get(key, "") for key in ("what", "why", "fix")}
