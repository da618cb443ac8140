"""Trials: a function on data in a forked process with limits; a crash there harms nothing else.

The server of trials is a helper process that has the libraries imported, and forks for each trial.
The parent computes nothing, so that there is a single thread at a fork.
"""

import importlib
import json
import os
import pickle
import resource
import select
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from penstock.core import PenstockError, summarize_error
from penstock.sandbox._isolation import isolate, why_no_isolation
from penstock.sandbox._request import TrialRequest

IDLE_S = 120.0
_MOST_TEXT = 4000
_MOST_REPLY = (1 << 20) - 4096  # with the facts of the process a MiB, the most that is taken
_WALL_S, _WALL_FACTOR = 20.0, 10.0  # a machine under load gives a process little of its time


def serve_trials(connection: Connection) -> None:
    """Answer requests until the connection is closed, or none came for a while."""
    prepared: set[str] = set()
    while connection.poll(IDLE_S):
        try:
            request: TrialRequest = pickle.loads(connection.recv_bytes())  # noqa: S301 - of our parent
            data = connection.recv_bytes()
        except (EOFError, OSError):
            return
        module = importlib.import_module(request.module)
        key = repr(
            (request.module, request.arguments.get("format"), request.arguments.get("libraries"))
        )
        if key not in prepared:
            with suppress(Exception):  # the trial says what is missing
                getattr(module, request.prepare)(request.arguments)
            prepared.add(key)
        reply = _try(request, data, getattr(module, request.function))
        del data
        connection.send_bytes(json.dumps(reply).encode())


def _try(request: TrialRequest, data: bytes, function: Callable[..., Any]) -> dict[str, Any]:
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        _perform(request, data, function, write)
    os.close(write)
    deadline = time.monotonic() + _WALL_S + _WALL_FACTOR * request.cpu_s
    text = _read_until(read, deadline)
    os.close(read)
    if text is None:
        os.kill(pid, signal.SIGKILL)
    _, status, usage = os.wait4(pid, 0)
    facts = {
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_bytes": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    }
    code = os.waitstatus_to_exitcode(status)
    if code == 0 and text:
        return {**json.loads(text), **facts}
    slow = text is None or code == -signal.SIGXCPU
    return {"outcome": "slow" if slow else "ended", "code": code, **facts}


def _read_until(file: int, deadline: float) -> bytes | None:
    parts: list[bytes] = []
    while (left := deadline - time.monotonic()) > 0:
        if select.select([file], [], [], left)[0]:
            part = os.read(file, 1 << 16)
            if not part:
                return b"".join(parts)
            parts.append(part)
    return None


def _perform(request: TrialRequest, data: bytes, function: Callable[..., Any], write: int) -> None:
    """Execute a trial in the forked process, which ends here."""
    code = 1
    try:
        _limit(request)
        if why_no_isolation() is None:
            isolate(None)
        reply: dict[str, Any] = {"outcome": "done", "result": function(data, request.arguments)}
        code = 0
    except PenstockError as error:
        texts = {key: text[:_MOST_TEXT] for key, text in error.to_json().items()}
        reply, code = {"outcome": "refused", "error": texts}, 0
    except MemoryError:
        reply, code = {"outcome": "memory"}, 0
    except BaseException as error:  # noqa: BLE001 - whatever a library raises is the result
        text = f"{type(error).__name__}: {summarize_error(error)}"
        reply, code = {"outcome": "raised", "text": text[:_MOST_TEXT]}, 0
    try:
        os.write(write, json.dumps(reply).encode()[:_MOST_REPLY])
    finally:
        os._exit(code)


def _limit(request: TrialRequest) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (request.cpu_s, request.cpu_s + 1))
    most = _data_bytes() + request.memory_bytes
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _data_bytes() -> int:
    """Return the bytes that count for RLIMIT_DATA already."""
    with suppress(OSError), open("/proc/self/status", encoding="utf-8") as file:  # noqa: PTH123 - no import after the fork
        for line in file:
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    return 1 << 30


if __name__ == "__main__":
    serve_trials(Connection(int(sys.argv[1])))
