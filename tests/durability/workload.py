"""A day of a store in half a second, forked once for each number of a failing call.

Started with the failing layer preloaded: reads lines "mode number folder" and answers each, when
the child has ended, with "calls-counted exit-code" and what it acknowledged as JSON.
"""

import ctypes
import json
import os
import sys
import traceback
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.linear_model import LogisticRegression

import penstock as ps
from penstock.core import StoreError
from penstock.models import Model, Signature
from penstock.registry import Registry
from penstock.stores import open_store

shim = ctypes.CDLL(os.environ["LD_PRELOAD"])
shim.counted.restype = ctypes.c_long
shim.arm.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_long]
ROWS = np.arange(20.0).reshape(-1, 1)
MODEL = LogisticRegression().fit(ROWS, ROWS[:, 0] > 9)


def day(folder: Path, acknowledge) -> None:
    """Log, keep, register and promote; each call that has returned is acknowledged."""
    with open_store(f"sqlite:///{folder}/penstock.db") as store:
        run = ps.start_run("day", store=store, strict=True)
        acknowledge("run", run.run_id)
        run.log_params({"lr": 0.1})
        acknowledge("params", 1)
        for step in range(30):
            run.log_metric("loss", float(step), step=step)
            acknowledge("points", step + 1)
        run.log_text("small", "small")
        acknowledge("small", 1)
        run.log_artifact(pl.DataFrame({"a": range(4000)}), name="rows")
        acknowledge("rows", 1)
        store.flush()
        for step in range(30, 60):
            run.log_metric("loss", float(step), step=step)
            acknowledge("points", step + 1)
        run.finish()
        acknowledge("finished", 1)
        registry = Registry(store=store)
        registry.register("m", Model(MODEL, Signature(())), run_id=run.run_id)
        acknowledge("registered", 1)
        registry.promote("m", 1)
        acknowledge("promoted", 1)
    acknowledge("closed", 1)


def child(mode: int, number: int, folder: Path) -> int:
    acknowledged: dict = {}
    target = os.open(folder.with_suffix(".said"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)

    def acknowledge(what: str, value: object) -> None:
        acknowledged[what] = value
        os.pwrite(target, json.dumps(acknowledged).encode().ljust(4000), 0)

    shim.arm(f"{folder}/".encode(), mode, number)
    try:
        day(folder, acknowledge)
    except StoreError as error:
        acknowledge("error", str(error)[:150])
    except BaseException:
        acknowledge("crash", traceback.format_exc()[-2000:])
        raise
    finally:
        acknowledge("calls", shim.counted())
    return 0


def main() -> None:
    for line in sys.stdin:
        mode, number, folder = line.split()
        Path(folder).mkdir()
        pid = os.fork()
        if not pid:
            code = 70
            try:
                code = child(int(mode), int(number), Path(folder))
            finally:
                os._exit(code)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        said = Path(folder).with_suffix(".said")
        text = said.read_text().strip() if said.exists() else ""
        print(status, text or "{}", flush=True)


if __name__ == "__main__":
    main()
