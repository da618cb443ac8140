"""Steps that several processes execute together: values, logs, failures, and no orphans."""

import sys

import psutil
import pytest

from penstock.core import DefinitionError, StepState, Verdict
from penstock.execution.runners._ranks import _first_failed
from penstock.pipelines import step
from penstock.proofs import verify

pytest.importorskip("torch", reason='torch is not installed: pip install "penstock[torch]"')
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="workers need a POSIX system")

TRAIN = """
import os, signal

@ps.step(workers=WORKERS, shards=4, retries=1)
def train(number: int) -> dict[str, list]:
    import torch

    model = torch.nn.Sequential(
        torch.nn.Linear(3, 8), torch.nn.Dropout(0.2), torch.nn.Linear(8, 1)
    )
    optimizer = torch.optim.Adam(model.parameters())
    parallel = ps.distributed.DataParallel(model, optimizer)
    saved = ps.checkpoints.TorchCheckpoint(model=model, optimizer=optimizer, parallel=parallel)
    saved.load()
    if parallel.world.rank == 0:
        note(f"from-{parallel.steps}")
    print("hello from", parallel.world.rank)
    x = torch.arange(90.0).reshape(30, 3) / 90
    for batch in ps.distributed.Batches(30, size=7, epochs=2):
        if batch.step < parallel.steps:
            continue
        value = parallel.step(x[batch.rows], lambda m, rows: (m(rows) - 1).square().mean())
        ps.log_metric("loss", value, step=batch.step)
        saved.save()
        if batch.step == 6 and KILL and parallel.world.rank == 1 and not os.path.exists("killed"):
            open("killed", "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
    return {name: each.tolist() for name, each in model.state_dict().items()}

@ps.pipeline
def job(number: int = 0):
    return train(number)
"""


def source(workers, *, kill=False):
    return TRAIN.replace("WORKERS", str(workers)).replace("KILL", str(kill))


def lines(project, result, name="train"):
    step_run = project.steps(result.run_id)[name]
    return [each.text for each in project.store.metadata.steps.list_logs(step_run.step_run_id)]


def test_the_number_of_workers_changes_neither_value_nor_key(project):
    first = project.run(source(2))
    assert first.ok, first.error
    assert sorted(each for each in lines(project, first) if "hello" in each) == [
        "[worker 1] hello from 1",
        "hello from 0",
    ]
    record = project.steps(first.run_id)["train"]
    assert record.facts["workers"] == 2
    assert record.facts["distributed"]["shards"] == 4
    points = project.store.metadata.metrics.history(first.run_id, "loss")
    assert list(points.steps) == list(range(10))
    alone = project.run(source(1))
    assert project.steps(alone.run_id)["train"].state is StepState.CACHED
    assert verify(first.run_id, store=project.store).verdict is Verdict.BITWISE  # by one worker


def test_a_killed_worker_ends_the_others_and_the_retry_continues_from_the_checkpoint(project):
    before = {process.pid for process in psutil.process_iter()}
    whole = project.run(source(1))
    assert whole.ok, whole.error
    assert project.calls == ["from-0"]
    result = project.run(source(2, kill=True))
    assert result.ok, result.error
    assert project.calls == ["from-0", "from-7"]
    steps = project.store.metadata.steps.list(result.run_id)
    record = project.steps(result.run_id)["train"]
    assert record.attempt == 2, steps
    assert record.outputs == project.steps(whole.run_id)["train"].outputs
    left = [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if process.pid not in before and "_rank" in " ".join(process.info["cmdline"] or [])
    ]
    assert left == []


PLAIN = """
@ps.step(workers=2SHARDS)
def differ(number: int) -> int:
    return ps.distributed.find_world().rank

@ps.pipeline
def job(number: int = 0):
    return differ(number)
"""


def test_values_that_differ_are_reported_or_refused_where_one_result_was_declared(project):
    plain = project.run(PLAIN.replace("SHARDS", ""))
    assert plain.ok, plain.error
    assert plain.output() == 0
    assert "WARNING The values of workers 1 differ from that of worker 0." in lines(
        project, plain, "differ"
    )
    declared = project.run(PLAIN.replace("SHARDS", ", shards=2"))
    assert "The values of workers 1 differ from that of worker 0." in declared.error


DDP = """
@ps.step(workers=2)
def train(number: int) -> dict[str, list]:
    import os

    import torch

    model = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    parallel = ps.distributed.DataParallel(model, optimizer, invariant=False)
    assert parallel.world.size == 2
    x = torch.arange(90.0).reshape(30, 3) / 90
    for batch in ps.distributed.Batches(30, size=10, epochs=1):
        value = parallel.step((x[batch.rows],), lambda m, rows: (m(rows) - 1).square().mean())
        ps.log_metric("loss", value, step=batch.step)
    state = {name: each.tolist() for name, each in model.state_dict().items()}
    return {**state, "drawn": list(os.urandom(8))} if DRAWS else state

@ps.pipeline
def job(number: int = 0):
    return train(number)
"""


def test_plain_data_parallelism_is_verified_by_as_many_workers(project):
    equal = project.run(DDP.replace("DRAWS", "False"))
    assert equal.ok, equal.error
    before = project.store.metadata.metrics.history(equal.run_id, "loss").values.tolist()
    found = verify(equal.run_id, store=project.store)
    assert found.verdict is Verdict.BITWISE, found.steps
    assert "with 2 workers as it was recorded" in found.steps[0].reason
    after = project.store.metadata.metrics.history(equal.run_id, "loss").values.tolist()
    assert after == before  # the recorded run is not written to

    other = project.run(DDP.replace("DRAWS", "True"))
    found = verify(other.run_id, store=project.store)
    assert found.verdict is Verdict.DIFFERS
    assert "declare shards" in found.steps[0].cause
    assert "drawn" in found.steps[0].differences[0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"workers": 0}, "workers=0"),
        ({"workers": True}, "workers=True"),
        ({"shards": "8"}, "shards='8'"),
        ({"workers": 4, "shards": 2}, "has 4 workers for 2 shards"),
        ({"workers": 2, "effect": True}, "is a side effect with workers"),
    ],
)
def test_workers_that_cannot_be_are_refused_when_defined(options, words):
    with pytest.raises(DefinitionError) as refusal:
        step(**options)(lambda_free)
    assert words in str(refusal.value)


def lambda_free(number: int) -> int:
    return number


def test_the_first_failure_is_read_from_the_report_of_the_agent():
    report = "Failures:\n rank : 0\n exitcode : 1\nRoot Cause (first observed failure):\n  rank      : 2 (local_rank: 2)\n  exitcode  : -9 (pid: 12)\n"
    assert _first_failed(report) == (2, -9)
    assert _first_failed("nothing") == (None, None)
