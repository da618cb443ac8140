"""UnsafeProcess: the isolated process of a pickled model, in the view of the calling process.

Requests may be any table, as the caller is trusted; replies are only ever JSON and raw numbers.
"""

import json
import math
import pickle
import shutil
import struct
import sys
import tempfile
import threading
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Any

from penstock.core import ServingError
from penstock.sandbox import (
    HelperProcess,
    IsolationError,
    ProcessEndedError,
    ProcessTimeoutError,
    why_no_isolation,
)

_MODULE = "penstock.stores.artifacts.models._unsafe_child"
_START_S = 120.0
_MOST_REPLY = 1 << 30
_NUMBERS = frozenset("biuf")
_HEAD = struct.Struct("<Q")
_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/localtime",
           "/etc/nsswitch.conf", "/dev/urandom", "/dev/random", "/dev/zero", "/proc/cpuinfo",
           "/proc/meminfo", "/proc/stat", "/proc/sys", "/proc/filesystems",
           "/sys/devices/system/cpu", "/sys/devices/system/node", "/sys/fs/cgroup")  # fmt: skip


class UnsafeProcess:
    """A pickled model in an isolated process, started with the first call.

    Args:
        data: The pickle.
        kind: Class of the model, for people.
        timeout_s: Seconds for a call.
        memory_bytes: Memory of the process.
    """

    def __init__(self, data: bytes, *, kind: str, timeout_s: float, memory_bytes: int) -> None:
        self._data, self._kind = data, kind
        self._timeout_s, self._memory_bytes = timeout_s, memory_bytes
        self._helper: HelperProcess | None = None
        self._room: Path | None = None
        self._lock = threading.RLock()
        weakref.finalize(self, _end, holder := _Holder())
        self._holder = holder

    def call(self, method: str, table: Any) -> Any:
        """Call a method of the model with a table.

        Raises:
            IsolationError: If this machine cannot isolate a process.
            ServingError: If the model fails, or the process ends or takes too long.
        """
        with self._lock:
            reply = self._ask(pickle.dumps((method, table)), self._timeout_s, self._started())
        return self._read(reply)

    def close(self) -> None:
        """End the process."""
        with self._lock:
            _end(self._holder)
            self._helper = None

    def _started(self) -> HelperProcess:
        if self._helper is not None and self._helper.is_usable:
            return self._helper
        reason = why_no_isolation()
        if reason is not None:
            raise IsolationError(
                what=f"The unsafe model ({self._kind}) is not loaded: {reason}.",
                why="A pickle may run any code, so it is loaded in an isolated process only.",
                fix="Use Linux 5.13 or newer with Landlock and seccomp, or a model in a safe format.",
            )
        self.close()
        room = Path(tempfile.mkdtemp(prefix="penstock-unsafe-"))
        helper = HelperProcess(_MODULE)
        self._holder.room, self._holder.helper, self._helper = room, helper, helper
        setup = {
            "room": str(room),
            "readable": [str(each) for each in _readable()],
            "memory_bytes": self._memory_bytes,
        }
        self._read(self._ask(pickle.dumps(setup), _START_S, helper, self._data))
        return helper

    def _ask(self, message: bytes, timeout_s: float, helper: HelperProcess, *more: bytes) -> bytes:
        try:
            return helper.call(message, *more, timeout_s=timeout_s, most=_MOST_REPLY)
        except ProcessEndedError as error:
            self.close()
            raise ServingError(
                what=f"The process of the unsafe model ({self._kind}) has ended: {error.reason}.",
                why="Its pickle is loaded apart, so nothing else has ended with it.",
                fix="The next call starts it again; if it ends again, train a model in a safe format.",
                reason=error.reason,
            ) from error
        except ProcessTimeoutError as error:
            self.close()
            raise ServingError(
                what=f"The unsafe model ({self._kind}) did not answer within {timeout_s:g} seconds.",
                why="Its process has been killed; the next call starts it again.",
                fix="Send fewer rows, or store it with a larger timeout_s.",
            ) from error

    def _read(self, reply: bytes) -> Any:
        """Read an answer, of which nothing is believed."""
        try:
            return read_answer(reply)
        except ModelRaisedError as error:
            raise ServingError(
                what=f"The unsafe model ({self._kind}) failed: {error}",
                why="The error happened in the model's own process.",
                fix="Check the rows; in its process a model has no network, and writes only to its"
                " own empty folder.",
            ) from None
        except Exception as error:
            self.close()
            raise ServingError(
                what=f"The unsafe model ({self._kind}) gave an answer that is none.",
                why="Its code may have written to the connection; its process has been ended.",
                fix="Do not use this model.",
            ) from error


class ModelRaisedError(Exception):
    """An error that the model raised in that process."""


class _Holder:
    """Resources that end with the object: apart, so that nothing refers to the object itself."""

    def __init__(self) -> None:
        self.helper: HelperProcess | None = None
        self.room: Path | None = None


def read_answer(reply: bytes) -> Any:
    """Read an answer: None, an array of numbers, or an array of labels.

    Raises:
        ModelRaisedError: If the model raised an error.
        ValueError: If the bytes are no answer.
        TypeError: If a label is neither a number nor a text.
    """
    import numpy as np

    size = _HEAD.unpack(reply[: _HEAD.size])[0]
    head = json.loads(reply[_HEAD.size : _HEAD.size + size])
    if "raised" in head:
        raise ModelRaisedError(str(head["raised"])[:1000])
    if "labels" in head:
        labels = np.empty(len(head["labels"]), dtype=object)
        for place, label in enumerate(head["labels"]):
            if not isinstance(label, str | int | float | bool | None):
                raise TypeError("a label is none")
            labels[place] = label
        return labels
    if "array" in head:
        kind, shape = np.dtype(str(head["array"])), [int(each) for each in head["shape"]]
        body = reply[_HEAD.size + size :]
        if kind.kind not in _NUMBERS or kind.itemsize * math.prod(shape) != len(body):
            raise ValueError("an array is none")
        return np.frombuffer(body, dtype=kind).reshape(shape).copy()
    return None


def write_answer(head: dict[str, Any], body: bytes = b"") -> bytes:
    """Write an answer, for `read_answer`."""
    text = json.dumps(head).encode()
    return _HEAD.pack(len(text)) + text + body


def _readable() -> list[Path]:
    """Return the readable paths of the process: Python, the installed packages, the system's libraries."""
    own = Path(__file__).resolve().parents[3]
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix}
    packages = [
        each for each in sys.path if {"site-packages", "dist-packages"} & {*Path(each).parts}
    ]
    return [own, *map(Path, sorted({*prefixes, *packages})), *map(Path, _SYSTEM)]


def _end(holder: _Holder) -> None:
    if holder.helper is not None:
        holder.helper.close()
        holder.helper = None
    if holder.room is not None:
        with suppress(OSError):
            shutil.rmtree(holder.room)
        holder.room = None
