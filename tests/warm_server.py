"""A process with penstock and its libraries loaded, which forks for each command: imports cost most.

Started by `tests.warm` as ``python -P -m tests.warm_server SOCKET``, with the hash seed that `penstock
run` gives itself. A child has the words, the folder, the environment and the standard streams of the
caller, and executes what ``python -m penstock.cli`` executes. Nothing is computed here, so that no
library's threads are lost at a fork.
"""

import atexit
import contextlib
import gc
import importlib
import io
import json
import os
import runpy
import select
import signal
import socket
import struct
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import NoReturn

# What commands of tests use most; a name that is not installed here is left out.
LOADED = (
    "penstock.cli._main", "polars", "sklearn.ensemble", "sklearn.pipeline", "sklearn.linear_model",
    "sklearn.compose", "skops.io", "scipy.stats", "onnx.helper", "psutil", "httpx", "sqlite3",
    "penstock.steps", "penstock.execution", "penstock.registry", "penstock.stores", "litestar",
)  # fmt: skip
LENGTH = struct.Struct("<I")
STATUS = struct.Struct("<i")


def load() -> None:
    """Import the libraries, and every command with what it stands on."""
    import click

    for name in LOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    from penstock.cli import cli

    waiting: list[click.Command] = [cli]
    while waiting:
        command = waiting.pop()
        if isinstance(command, click.Group):
            context = click.Context(command)
            names = command.list_commands(context)
            waiting += [each for name in names if (each := command.get_command(context, name))]


def receive(client: socket.socket) -> tuple[dict, list[int]]:
    """Return a request with the files that came with it."""
    head, files, _, _ = socket.recv_fds(client, LENGTH.size, 3)
    text = b""
    (length,) = LENGTH.unpack(head)
    while len(text) < length:
        text += client.recv(length - len(text))
    return json.loads(text), list(files)


def become(request: dict, files: list[int]) -> NoReturn:
    """Be the command in this process, and leave with its exit code."""
    for number, file in enumerate(files):
        os.dup2(file, number)
    os.closerange(3, 256)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    if "PYTHONUNBUFFERED" in os.environ:
        for name, number in {"stdout": 1, "stderr": 2}.items():
            raw = io.FileIO(number, "w", closefd=False)
            stream = io.TextIOWrapper(raw, "utf-8", write_through=True)
            setattr(sys, name, stream)
    time.tzset()
    sys.argv = ["penstock", *request["words"]]
    sys.orig_argv = [sys.executable, "-P", "-m", "penstock.cli", *request["words"]]
    os.environ.setdefault("PYTHONHASHSEED", "0")  # as `penstock run` starts itself again
    try:
        runpy.run_module("penstock.cli", run_name="__main__", alter_sys=True)
    except SystemExit as error:
        leave(error.code)
    except BaseException:  # noqa: BLE001 - told as the interpreter tells it
        traceback.print_exc()
        leave(1)
    leave(0)


def leave(code: object) -> NoReturn:
    """Do all that the interpreter does at its end but to take apart its thousands of modules."""
    if code is not None and not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit((code or 0) & 255)


class Server:
    """Forks for each caller; tells it the process's id, and how it has ended."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener, self._poll = listener, select.poll()
        self._running: dict[int, tuple[int, socket.socket]] = {}  # by handle: process and caller
        self._handles: dict[int, int] = {}  # by the caller's file
        self._poll.register(listener, select.POLLIN)
        self._poll.register(0, select.POLLIN)  # closed with the process of the tests

    def serve(self) -> None:
        """Serve until the process of the tests has ended; in a child, be the command."""
        # One at a time: what is closed for one of several might be another's file by then.
        while (file := self._poll.poll()[0][0]) != 0:
            if file == self._listener.fileno():
                self._begin()
            elif file in self._running:
                self._tell(file)
            else:  # the caller was killed: so is what it has called
                self._kill(file)
        for pid, _ in self._running.values():
            os.kill(pid, signal.SIGKILL)

    def _begin(self) -> None:
        client, _ = self._listener.accept()
        request, files = receive(client)
        pid = os.fork()
        if pid == 0:
            become(request, files)
        for each in files:
            os.close(each)
        handle = os.pidfd_open(pid)
        self._running[handle], self._handles[client.fileno()] = (pid, client), handle
        for each in (handle, client.fileno()):
            self._poll.register(each, select.POLLIN)
        client.sendall(STATUS.pack(pid))

    def _tell(self, handle: int) -> None:
        pid, client = self._running.pop(handle)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        self._poll.unregister(handle)
        os.close(handle)
        if client.fileno() >= 0:
            del self._handles[client.fileno()]
            self._poll.unregister(client)
            with contextlib.suppress(OSError):
                client.sendall(STATUS.pack(code))
            client.close()

    def _kill(self, file: int) -> None:
        pid, client = self._running[self._handles.pop(file)]
        self._poll.unregister(file)
        client.close()
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    load()
    gc.collect()
    gc.freeze()  # a child that looked at each object would copy all memory
    place = Path(sys.argv[1])
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(place.with_suffix(".new")))
    listening.listen(64)
    place.with_suffix(".new").rename(place)
    Server(listening).serve()
