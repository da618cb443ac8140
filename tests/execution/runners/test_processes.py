"""ProcessRunner: the same keys and digests as here, isolation, limits, and no orphans."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from tests.execution.test_control import LOOP, NESTED, STREAM, WHEN
from tests.execution.test_control import body as mapped

from penstock.core import RunState

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="workers need a POSIX system")


def outcome(project, result):
    """Keys and digests of every step, whatever ran it."""
    return {
        name: (step.state.value, step.key or step.facts.get("key"), step.outputs, step.seed)
        for name, step in project.steps(result.run_id).items()
    }


@pytest.mark.parametrize(
    ("source", "params"),
    [
        (mapped(), {"count": 5}),
        (NESTED, {}),
        (WHEN, {"count": 30}),
        (LOOP, {}),
        (STREAM, {}),
        pytest.param(
            """
    import numpy as np
    import polars as pl
    from sklearn.linear_model import LogisticRegression

    @ps.step
    def rows(n: int) -> ps.Table:
        x = np.random.normal(size=n)
        return pl.DataFrame({"x": x, "y": (x + np.random.normal(size=n) > 0)})

    @ps.step
    def fit(table: ps.Table, c: float):
        return LogisticRegression(C=c).fit(table[["x"]].to_numpy(), table["y"].to_numpy())

    @ps.pipeline
    def job():
        table = rows(500)
        return ps.map(fit, [0.1, 1.0, 10.0], over="c", table=table)
    """,
            {},
            marks=pytest.mark.slow,
        ),
    ],
    ids=["map", "nested", "when", "loop", "stream", "models"],
)
def test_processes_give_the_keys_and_digests_of_the_local_runner(project, source, params):
    here = outcome(project, project.run(source, use_cache=False, **params))
    result = project.again(
        project.load(source), runner="processes", workers=2, use_cache=False, **params
    )
    assert result.ok, result.error
    assert outcome(project, result) == here


def test_items_run_side_by_side_each_in_a_process_that_is_used_again(project):
    result = project.run(
        """
    import os, time

    @ps.step
    def where(number: int) -> int:
        time.sleep(0.3)
        return os.getpid()

    @ps.pipeline
    def job():
        return ps.map(where, [1, 2, 3, 4])
    """,
        runner="processes",
        workers=2,
    )
    pids = list(result.output())
    assert len(set(pids)) == 2
    assert os.getpid() not in pids
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_what_a_step_prints_and_logs_is_kept(project, capsys):
    result = project.run(
        """
    import logging

    @ps.step
    def talk() -> int:
        print("hello from a worker")
        logging.getLogger("mine").warning("careful")
        ps.log_metric("loss", 0.5, step=1)
        return 1

    @ps.pipeline
    def job():
        return talk()
    """,
        runner="processes",
    )
    step = project.steps(result.run_id)["talk"]
    lines = [line.text for line in project.store.metadata.steps.list_logs(step.step_run_id)]
    assert lines == ["hello from a worker", "WARNING mine: careful"]
    assert "hello from a worker" in capsys.readouterr().err
    assert project.store.metadata.metrics.history(result.run_id, "loss").values.tolist() == [0.5]


@pytest.mark.parametrize("runner", ["processes", "local"])
def test_a_process_that_dies_fails_its_step_and_no_other(project, runner):
    result = project.run(
        """
    import os, signal

    @ps.step(isolate=True)
    def crash(number: int) -> int:
        if number == 1:
            os.kill(os.getpid(), signal.SIGSEGV)
        return number

    @ps.pipeline
    def job():
        return ps.map(crash, [0, 1, 2])
    """,
        runner=runner,
    )
    assert result.state is RunState.FAILED
    assert {s.step: s.state.value for s in result.steps} == {
        "crash": "failed", "crash[0]": "finished", "crash[1]": "failed", "crash[2]": "finished",
    }  # fmt: skip
    assert result["crash[1]"].error == (
        "step 'crash[1]' failed: its process ended with signal SIGSEGV"
    )


def test_a_process_that_died_is_replaced_when_the_step_is_tried_again(project):
    result = project.run(
        """
    import os, pathlib, signal

    @ps.step(retries=ps.Retry(2, delay=0.01))
    def unlucky() -> int:
        tries = pathlib.Path("tries")
        tries.write_text(tries.read_text() + "x" if tries.exists() else "x")
        if len(tries.read_text()) < 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return 1

    @ps.pipeline
    def job():
        return unlucky()
    """,
        runner="processes",
    )
    assert result.ok, result.error
    assert project.steps(result.run_id)["unlucky"].attempt == 3


def test_a_step_over_its_time_or_memory_is_ended_whatever_it_does(project):
    began = time.monotonic()
    result = project.run(
        """
    import re, time

    @ps.step(timeout=0.5)
    def stuck() -> bool:
        return bool(re.match(r"(a+)+b", "a" * 40))  # years, in C

    @ps.step(resources=ps.Resources(memory="300MiB"))
    def greedy() -> int:
        held = [bytearray(40_000_000) for _ in range(20)]
        time.sleep(20)
        return len(held)

    @ps.pipeline
    def job():
        stuck()
        greedy()
    """,
        runner="processes",
        workers=2,
    )
    assert time.monotonic() - began < 15
    assert "it ran longer than its timeout of 0.5 s" in result["stuck"].error
    assert "more than its limit of 0.29 GiB" in result["greedy"].error


def test_a_failure_stops_the_rest_if_it_is_to(project):
    began = time.monotonic()
    result = project.run(
        """
    import time

    @ps.step
    def bad() -> int:
        time.sleep(0.5)
        raise ValueError("no")

    @ps.step
    def slow() -> int:
        time.sleep(60)
        return 1

    @ps.step
    def after(x: int) -> int:
        return x

    @ps.pipeline
    def job():
        bad()
        after(slow())
    """,
        runner="processes",
        workers=2,
        on_failure="stop",
    )
    assert time.monotonic() - began < 20
    assert {s.step: s.state.value for s in result.steps} == {
        "bad": "failed", "slow": "killed", "after": "skipped",
    }  # fmt: skip


def test_a_map_that_a_failure_elsewhere_stopped_is_not_whole(project):
    result = project.run(
        """
    import time

    @ps.step(priority=1)
    def bad() -> int:
        time.sleep(1.5)
        raise ValueError("no")

    @ps.step
    def item(number: int) -> int:
        time.sleep(60 if number else 0)
        return number

    @ps.step
    def total(found: list[int]) -> int:
        return sum(found)

    @ps.pipeline
    def job():
        bad()
        return total(ps.map(item, [0, 1, 2]))
    """,
        runner="processes",
        workers=2,
        on_failure="stop",
    )
    states = {step.step: step.state.value for step in result.steps}
    assert states["item[0]"] == "finished"
    assert states["item"] == states["total"] == "skipped"
    assert set(states.values()) == {"failed", "finished", "killed", "skipped"}


def test_a_pipeline_in_no_file_is_sent_whole(project):
    pytest.importorskip("cloudpickle")
    import penstock as ps

    @ps.step
    def double(number: int) -> int:
        return 2 * number

    @ps.pipeline
    def job():
        return ps.map(double, [1, 2])

    assert project.again(job, runner="processes", workers=1).output() == [2, 4]


def test_a_file_that_is_edited_meanwhile_gives_no_result_under_the_old_key(project):
    source = """
    import pathlib, time

    @ps.step
    def edit() -> int:
        path = pathlib.Path("job.py")
        path.write_text(path.read_text().replace("factor = " + "2", "factor = 3"))
        return 1

    @ps.step(isolate=True)
    def times(x: int) -> int:
        factor = 2
        return factor * x

    @ps.pipeline
    def job():
        return times(edit())
    """
    result = project.run(source)
    assert result.state is RunState.FAILED
    assert "The code of step 'times' is not what it was when the run began." in result.error


SLEEPY = """
    import time

    @ps.step
    def sleepy(number: int) -> int:
        (__import__("pathlib").Path(f"pid-{number}")).write_text(str(__import__("os").getpid()))
        time.sleep(60)
        return number

    @ps.pipeline
    def job():
        return ps.map(sleepy, [0, 1])
    """


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_the_run(project, how):
    path = project.write(SLEEPY)
    command = [
        sys.executable,
        "-m",
        "penstock.cli",
        "run",
        str(path),
        "--runner",
        "processes",
        "-q",
    ]
    env = {**os.environ, "PENSTOCK_STORE": project.store.url}
    process = subprocess.Popen(
        [*command, "--workers", "2"],
        env=env,
        # Where the tests run in the background, an interrupt is ignored and that is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    files = [project.folder / f"pid-{number}" for number in (0, 1)]
    until = time.monotonic() + 30
    while not all(file.exists() and file.read_text() for file in files):
        assert time.monotonic() < until
        time.sleep(0.05)
    pids = [int(file.read_text()) for file in files]
    process.send_signal(how)
    assert process.wait(timeout=20) in {130, -signal.SIGKILL}
    until = time.monotonic() + 10
    while any(psutil.pid_exists(pid) for pid in pids):
        assert time.monotonic() < until
        time.sleep(0.05)
    if how == signal.SIGINT:
        run = project.store.metadata.runs.search("", limit=1)[0]
        assert {step.state.value for step in project.steps(run.run_id).values()} == {"killed"}


def test_a_large_input_is_mapped_not_copied(project):
    pytest.importorskip("pyarrow")
    result = project.run(
        """
    import numpy as np
    import polars as pl
    import psutil

    @ps.step
    def table() -> ps.Table:
        return pl.DataFrame({f"c{i}": np.arange(200_000) * 1.5 for i in range(10)})

    @ps.step
    def array() -> np.ndarray:
        return np.ones(2_000_000)

    @ps.step
    def used(number: int, rows: ps.Table, values: np.ndarray) -> list[str]:
        assert rows["c3"].sum() == 1.5 * 200_000 * 199_999 / 2
        assert values.sum() == 2_000_000
        values[:10] = 7  # its own copy of the page
        return [m.path for m in psutil.Process().memory_maps() if m.path.startswith("/")]

    @ps.pipeline
    def job():
        return ps.map(used, [1, 2], rows=table(), values=array())
    """,
        runner="processes",
        workers=1,
    )
    assert result.ok, result.error
    array = project.steps(result.run_id)["array"]
    digest = array.addresses[array.outputs["result"]]
    stored = str(project.store.artifacts.path(digest))
    for maps in result.output():
        assert stored in maps
        assert [path for path in maps if "/penstock-run-" in path and path.endswith(".arrow")]


def test_a_runner_or_policy_that_does_not_exist_is_named(project):
    from penstock.core import ParameterError

    pipeline = project.load(mapped())
    with pytest.raises(ParameterError, match=r"runner is 'process'.*processes"):
        project.again(pipeline, runner="process")
    with pytest.raises(ParameterError, match="Give a whole number of 1 or more"):
        project.again(pipeline, runner="processes", workers=0)
    with pytest.raises(ParameterError, match="on_failure is 'halt'"):
        project.again(pipeline, on_failure="halt")
