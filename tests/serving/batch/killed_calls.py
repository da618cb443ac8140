"""A batch in a process that a test kills; apart, so that the process imports no test."""

from pathlib import Path

from penstock.serving import predict

MODULES = ["penstock.serving.batch", "penstock.features", "sklearn.pipeline", "skops.io",
           "sklearn.compose", "sklearn.linear_model"]  # fmt: skip
"""Imported once, by the process whose forks make the calls."""


def call(data: str, out: str, store: str, told: str) -> None:
    """Predict, and write the batch's id and the number of resumed parts."""
    done = predict("linear", data=data, out=out, part_rows=200, store=store)
    Path(told).write_text(f"{done.batch_id} {done.resumed}")
