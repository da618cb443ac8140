"""Steps that are not reproducible are named by `penstock verify`, with the cause, as a user runs it."""

import pytest

BODIES = {
    "unseeded": ("return float(np.random.default_rng().random())", "generator without a seed"),
    "clock": ("return time.time()", "reads the clock"),
    "set-order": (
        "return list({'a', 'b', 'c', 'd', 'e', 'f', 'g'})",
        "the order of a set: equal under the recorded PYTHONHASHSEED=0",
    ),
}

JOB = """
import time

import numpy as np
import penstock as ps


@ps.step
def good() -> int:
    return 1


@ps.step
def planted(x: int):
    {body}


@ps.step
def child(value) -> str:
    return str(value)


@ps.pipeline
def job() -> str:
    return child(planted(good()))
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", BODIES)
def test_a_planted_step_is_named_with_its_cause(shell, kind):
    body, cause = BODIES[kind]
    (shell.folder / "job.py").write_text(JOB.format(body=body))
    run = shell("run", "job.py", "--json").json["run_id"]
    document = shell("verify", run, "--json", code=1).json
    assert document["verdict"] == "differs"
    assert document["first_difference"]["step"] == "planted"
    assert cause in document["first_difference"]["cause"]
    assert [s["step"] for s in document["steps"] if s["verdict"] == "differs"] == ["planted"]
