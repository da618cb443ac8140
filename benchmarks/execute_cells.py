"""Execute notebooks from top to bottom, each in a fresh IPython of its own process: what notebook_check.py compares with.

Apart from that script, since only IPython and what the notebooks import are needed here: another interpreter may run it.

    python benchmarks/execute_cells.py < jobs.jsonl > outcomes.jsonl

A job is a line `{"id": …, "cwd": …, "cells": [[place, source], …], "keep_going": false, "timeout_s": 60}`. An outcome has
the id and an entry for each cell that was executed: `[place, error, name]` with null, or the error's class and, of a
NameError, the name. The code is executed as it is: run it without a network, as a user who may do no harm.
"""

import contextlib
import io
import json
import os
import re
import select
import signal
import sys
import time


def main() -> None:
    """Execute the jobs of standard input, one after another."""
    for each in sys.argv[1:]:
        __import__(each)  # imported once; each process is forked from here
    for line in sys.stdin:
        job = json.loads(line)
        print(json.dumps(_executed(job)), flush=True)


def _executed(job: dict) -> dict:
    reader, writer = os.pipe()
    started = time.monotonic()
    pid = os.fork()
    if not pid:
        os.close(reader)
        try:
            _execute(job, writer)
        finally:
            os._exit(0)
    os.close(writer)
    until, text, is_late = started + job.get("timeout_s", 60), b"", False
    while True:
        ready, _, _ = select.select([reader], [], [], max(0, until - time.monotonic()))
        if not ready:
            is_late = True
            break
        received = os.read(reader, 65536)
        if not received:
            break
        text += received
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(reader)
    cells = [json.loads(line) for line in text.decode().splitlines()]
    took = round(time.monotonic() - started, 2)
    return {"id": job["id"], "cells": cells, "is_late": is_late, "took_s": took}


def _execute(job: dict, writer: int) -> None:
    os.setsid()
    os.environ["MPLBACKEND"] = "agg"
    silence = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(silence, number)
    sys.stdout = sys.stderr = io.StringIO()
    sys.argv = ["notebook"]
    os.chdir(job["cwd"])
    sys.path.insert(0, "")

    from IPython.core.interactiveshell import InteractiveShell

    class Shell(InteractiveShell):
        def enable_gui(self, gui=None):
            """Take every loop of events, as a kernel does: nothing is shown."""

    shell = Shell.instance()
    shell.history_manager.enabled = False
    shown: list = []
    # Cell magics such as %%time print the error of their body instead of raising it.
    shell.showtraceback = lambda *_, **__: shown.append(sys.exc_info()[1])
    for place, source in job["cells"]:
        shown.clear()
        result = shell.run_cell(source, store_history=True)
        error = result.error_before_exec or result.error_in_exec or (shown[-1] if shown else None)
        os.write(writer, json.dumps([place, *_described(error)]).encode() + b"\n")
        sys.stdout.seek(0)
        sys.stdout.truncate()
        if error is not None and not job.get("keep_going"):
            return


def _described(error: BaseException | None) -> tuple[str | None, str]:
    if error is None:
        return None, ""
    if not isinstance(error, NameError):
        return type(error).__name__, ""
    named = re.match(r"name '(.+?)' is not defined", str(error))
    return type(error).__name__, named[1] if named else ""


if __name__ == "__main__":
    main()
