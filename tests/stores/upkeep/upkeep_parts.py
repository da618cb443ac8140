"""Parts of the tests about keeping a store: a pipeline's run by hand, the shape of a store."""

from dataclasses import replace

import numpy as np
import polars as pl

from penstock.core import Edge, LogLine, StepState, now
from penstock.stores.metadata._table import tables
from penstock.testing._records import a_run, a_step


def add_pipeline_run(store, name="pipeline", **changes):
    run = a_run(name=name, experiment="taxi", state="finished", ended_at=now(), **changes)
    store.metadata.runs.create(run)
    records = store.pack([pl.DataFrame({"a": range(3000)}), np.arange(4000.0)])
    step = a_step(run.run_id, state=StepState.FINISHED, key=name)
    step = replace(step, outputs={"result": records[0].content_digest})
    store.metadata.steps.finish(
        step,
        outputs=records,
        edges=[Edge(f"step:{step.step_run_id}", f"artifact:{records[0].content_digest}", "made")],
        logs=[LogLine(now(), "stdout", "hello")],
    )
    return run


def shape(store) -> dict:
    """All that a store says, but for the numbers that its database gives."""
    found = {}
    with store.metadata.database.read() as transaction:
        for name, table in tables().items():
            if name in {"settings", "counters", "journals"}:
                continue
            rows = transaction.execute(f"SELECT {table.listed} FROM {name}").fetchall()
            found[name] = sorted(map(repr, map(tuple, rows)))
    return found
