"""The program of the isolated process: isolates itself, then loads the pickle and answers calls."""

import os
import pickle
import resource
import sys
import tempfile
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from penstock.core import summarize_error
from penstock.sandbox import isolate
from penstock.stores.artifacts.models._unsafe_process import write_answer

_MOST_FILE, _MOST_OPEN = 256 << 20, 256


def main() -> None:
    """Answer calls until the connection is closed."""
    connection = Connection(int(sys.argv[1]))
    setup = pickle.loads(connection.recv_bytes())  # noqa: S301 - of our parent
    data = connection.recv_bytes()
    try:
        _prepare(setup)
        model = pickle.loads(data)  # noqa: S301 - what this process is for
    except BaseException as error:  # noqa: BLE001 - code of the pickle may raise anything
        connection.send_bytes(write_answer({"raised": _told(error)}))
        return
    del data
    connection.send_bytes(write_answer({}))
    while True:
        try:
            method, table = pickle.loads(connection.recv_bytes())  # noqa: S301 - of our parent
        except EOFError:
            return
        try:
            reply = _answer(getattr(model, method)(table))
        except BaseException as error:  # noqa: BLE001 - the same
            reply = write_answer({"raised": _told(error)})
        connection.send_bytes(reply)


def _prepare(setup: dict[str, Any]) -> None:
    room = Path(setup["room"])
    os.chdir(room)
    os.environ.update(
        HOME=str(room), TMPDIR=str(room), XDG_CACHE_HOME=str(room), MPLCONFIGDIR=str(room)
    )
    tempfile.tempdir = str(room)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MOST_FILE, _MOST_FILE))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_MOST_OPEN, _MOST_OPEN))
    resource.setrlimit(resource.RLIMIT_DATA, (setup["memory_bytes"], setup["memory_bytes"]))
    own = Path(f"/proc/{os.getpid()}")
    isolate(room, [*map(Path, setup["readable"]), own])
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()


def _end_with(parent: int) -> None:
    """End when the process that asks has ended, also in the middle of a call."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _answer(output: Any) -> bytes:
    import numpy as np

    array = np.asarray(output)
    if array.dtype.kind in "biuf":
        array = np.ascontiguousarray(array)
        head = {"array": array.dtype.newbyteorder("=").str, "shape": list(array.shape)}
        return write_answer(head, array.astype(array.dtype.newbyteorder("=")).tobytes())
    if array.ndim != 1:
        raise TypeError(f"it returned {type(output).__name__} of shape {array.shape}, no numbers")
    return write_answer({"labels": [_label(each) for each in array.tolist()]})


def _label(value: Any) -> Any:
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, str | int | float | bool | None):
        return value
    raise TypeError(f"it returned {type(value).__name__}, which is neither a number nor a text")


def _told(error: BaseException) -> str:
    with suppress(Exception):
        return f"{type(error).__name__}: {summarize_error(error)}"[:1000]
    return "an error that cannot be told"


if __name__ == "__main__":
    main()
