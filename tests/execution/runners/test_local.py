"""LocalRunner: failure, retries, time limits, values between steps, interruption."""

import os
import signal
import subprocess
import sys

import pytest

from penstock.core import RunState, StepState, StoreError
from penstock.execution import QuietReporter, run

FAILING = """
@ps.step
def bad() -> int:
    values = []
    return values[3]


@ps.step
def good() -> int:
    return 1


@ps.step
def after(x: int) -> int:
    return x


@ps.pipeline
def job():
    broken = bad()
    fine = after(good())
    return after(after(broken)), fine
"""


def states(result):
    return {step.step: step.state.value for step in result.steps}


def test_a_failure_stops_what_depends_on_it_and_finishes_the_rest(project):
    result = project.run(FAILING)
    assert states(result) == {
        "bad": "failed", "good": "finished", "after": "finished", "after-2": "skipped",
        "after-3": "skipped",
    }  # fmt: skip
    assert result.state is RunState.FAILED
    line = FAILING.splitlines().index("    return values[3]") + 1 + 8
    assert result.error == (
        f"step 'bad' failed: IndexError: list index out of range (job.py:{line})"
    )
    assert result.resume_command == f"penstock run --resume {result.run_id}"
    record = project.store.metadata.runs.get(result.run_id)
    assert (record.state, record.error) == (RunState.FAILED, result.error)


def test_a_failed_step_keeps_its_traceback_from_the_users_code_on(project):
    result = project.run(FAILING)
    step = project.steps(result.run_id)["bad"]
    assert step.error == result.error
    assert "in bad\n    return values[3]" in step.traceback
    assert "_execute.py" not in step.traceback
    skipped = project.steps(result.run_id)["after-2"]
    assert (skipped.state, skipped.error) == (StepState.SKIPPED, "it needs 'bad', which is failed")
    assert project.steps(result.run_id)["after-3"].error == "it needs 'after-2', which is skipped"


def test_every_kind_of_exit_is_a_failure_of_the_step(project):
    for text, words in {
        "import sys; sys.exit(3)": "SystemExit: 3",
        "raise ps.PenstockError('Too few rows.', fix='Get more.')": "Too few rows. Get more.",
        "raise ValueError('a\\nb')": "ValueError: a (",
        "raise KeyError": "KeyError (",
    }.items():
        result = project.run(f"""
        @ps.step
        def bad():
            {text}

        @ps.pipeline
        def job():
            bad()
        """)
        assert states(result) == {"bad": "failed"}
        assert words in result.error


def test_a_step_is_tried_again_as_often_as_it_says(project, monkeypatch):
    body = """
    @ps.step(retries={retries})
    def flaky(values: list) -> int:
        note("try")
        values.append(1)
        if len(open("calls.txt").readlines()) < 3:
            raise ConnectionError("gone")
        return len(values)

    @ps.step
    def make() -> list:
        return [7]

    @ps.pipeline
    def job():
        return flaky(make())
    """
    result = project.run(body.format(retries=1))
    assert (states(result)["flaky"], project.calls) == ("failed", ["try", "try"])
    result = project.run(body.format(retries=4))
    assert result.ok
    assert project.calls == ["try", "try", "try"]
    assert result.output() == 2, "each try gets the input as it was"
    assert project.steps(result.run_id)["flaky"].attempt == 3


def test_a_step_that_runs_too_long_is_stopped(project):
    result = project.run("""
    import time

    @ps.step(timeout="50ms")
    def slow():
        time.sleep(20)

    @ps.pipeline
    def job():
        slow()
    """)
    assert "TimeoutError: it ran longer than its timeout of 0.05 s" in result.error
    assert result["slow"].seconds < 5
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_step_that_changes_what_it_was_given_changes_nothing_for_others(project):
    result = project.run("""
    import numpy as np
    import polars as pl

    @ps.step
    def frame() -> pl.DataFrame:
        return pl.DataFrame({"a": [1, 2]})

    @ps.step
    def numbers() -> np.ndarray:
        return np.zeros(2)

    @ps.step
    def texts() -> dict:
        return {"a": [1]}

    @ps.step
    def spoil(frame: pl.DataFrame, numbers, texts, constant) -> int:
        frame.insert_column(0, pl.Series("b", [0, 0]))
        frame[0, "a"] = 9
        numbers += 1
        texts["a"].append(2)
        constant.append(1)
        return 1

    @ps.step
    def look(frame: pl.DataFrame, numbers, texts, spoiled: int, constant) -> list:
        return [frame.to_dict(as_series=False), numbers.tolist(), texts, constant]

    CONSTANT = [0]

    @ps.pipeline
    def job():
        f, n, t = frame(), numbers(), texts()
        return look(f, n, t, spoil(f, n, t, CONSTANT), CONSTANT)
    """)
    assert result.output() == [{"a": [1, 2]}, [0.0, 0.0], {"a": [1]}, [0]]


def test_a_step_that_keeps_its_result_and_changes_it_later_changes_nothing(project):
    result = project.run("""
    import sys  # what a step leaves in there, others see
    import polars as pl

    @ps.step
    def make() -> pl.DataFrame:
        sys.kept_frame = pl.DataFrame({"a": [1]})
        return sys.kept_frame

    @ps.step
    def spoil(after: pl.DataFrame) -> int:
        sys.kept_frame[0, "a"] = 5
        del sys.kept_frame
        return 1

    @ps.step
    def look(frame: pl.DataFrame, spoiled: int) -> int:
        return frame["a"][0]

    @ps.pipeline
    def job():
        frame = make()
        return look(frame, spoil(frame))
    """)
    assert result.output() == 1


def test_values_are_forgotten_when_nobody_needs_them(project):
    from penstock.execution.engine._values import Values

    pipeline = project.load(FAILING)
    graph = pipeline.trace()
    values = Values(project.store, graph)
    values.add("good", "result", project.store.put(1), value=1)
    values.add("after", "result", project.store.put(1), value=1)
    assert values.inputs(graph["after"]) == {"x": 1}
    values.release(graph["after"])
    assert values._kept == {}


def test_an_output_that_cannot_be_stored_fails_its_step(project):
    result = project.run("""
    import threading

    @ps.step
    def lock():
        return threading.Lock()

    @ps.pipeline
    def job():
        lock()
    """)
    assert states(result) == {"lock": "failed"}
    assert "SerializationError" in result.error


def test_another_number_of_outputs_than_announced_fails_the_step(project):
    result = project.run("""
    @ps.step
    def pair() -> tuple[int, int]:
        return 1, 2, 3

    @ps.pipeline
    def job():
        a, b = pair()
    """)
    assert "annotated to return 2 outputs, but returned 3 values" in result.error


GONE = """
@ps.step
def make() -> list:
    return list(range(2000))

@ps.step(cache=False)
def use(values: list) -> int:
    return len(values)

@ps.pipeline
def job():
    return use(make())
"""


def test_a_result_whose_bytes_are_gone_is_made_again(project):
    project.run(GONE)
    assert states(project.run(GONE)) == {"make": "cached", "use": "finished"}
    step = project.steps("last")["make"]
    project.store.artifacts.delete(step.addresses[step.outputs["result"]])
    assert states(project.run(GONE)) == {"make": "finished", "use": "finished"}


def test_an_input_that_cannot_be_read_fails_the_step_that_needs_it(project, monkeypatch):
    def damaged(*_, **__):
        raise StoreError(what="The bytes are damaged.")

    monkeypatch.setattr(project.store, "load", damaged)
    result = project.run(GONE)
    assert states(result) == {"make": "finished", "use": "failed"}
    assert "StoreError: The bytes are damaged." in result.error


def test_a_store_that_cannot_be_written_ends_the_run_with_its_error(project, monkeypatch):
    def full(*_, **__):
        raise StoreError(what="The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(project.store.metadata.steps, "finish", full)
        with pytest.raises(StoreError, match="disk is full"):
            project.run(GONE)
    record = project.store.metadata.runs.get("last")
    assert (record.state, record.error) == (RunState.FAILED, "StoreError: The disk is full.")
    assert project.again(None, resume="last").ok


def test_a_pipeline_gives_named_outputs_of_a_named_tuple(project):
    result = project.run("""
    from typing import NamedTuple

    class Parts(NamedTuple):
        train: int
        test: int

    @ps.step
    def split() -> Parts:
        return Parts(1, 2)

    @ps.pipeline
    def job():
        return split()[1] if False else split()
    """)
    assert result.output() == (1, 2)
    assert list(result["split"].outputs) == ["train", "test"]


INTERRUPTED = """
import os, signal

@ps.step
def before() -> int:
    note("before")
    return 1

@ps.step
def stopped(x: int) -> int:
    note("stopped")
    if not os.path.exists("go"):
        os.kill(os.getpid(), signal.{signal})
        import time; time.sleep(20)
    return x + 1

@ps.pipeline
def job():
    return stopped(before())
"""


@pytest.fixture
def _interruptible():
    """Shells start background jobs with SIGINT ignored; then Python raises no KeyboardInterrupt."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
def test_an_interrupted_run_is_marked_as_killed_and_can_be_resumed(project):
    pipeline = project.load(INTERRUPTED.format(signal="SIGINT"))
    with pytest.raises(KeyboardInterrupt):
        project.again(pipeline)
    record = project.store.metadata.runs.get("last")
    assert (record.state, record.error) == (RunState.KILLED, "it was interrupted")
    assert project.steps("last")["stopped"].state is StepState.KILLED
    (project.folder / "go").touch()
    result = project.again(pipeline, resume="last")
    assert result.ok
    assert project.calls == ["before", "stopped", "stopped"]


SCRIPT = """
import sys
from penstock.execution import QuietReporter, load_pipeline, run
result = run(load_pipeline("job.py"), reporter=QuietReporter())
sys.exit(0 if result.ok else 3)
"""


def python(project, code=SCRIPT, **extra):
    environment = {
        **os.environ,
        "PYTHONHASHSEED": "0",
        "PENSTOCK_STORE": project.store.url,
        **extra,
    }
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=project.folder, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_a_run_killed_in_the_middle_shows_as_killed_and_resumes_without_repeating(project):
    project.write(INTERRUPTED.format(signal="SIGKILL"))
    process = python(project)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert project.store.metadata.runs.kill_dead() == [
        project.store.metadata.runs.get("last").run_id
    ]
    assert project.store.metadata.runs.get("last").state is RunState.KILLED
    assert {n: s.state.value for n, s in project.steps("last").items()} == {
        "before": "finished", "stopped": "killed",
    }  # fmt: skip
    (project.folder / "go").touch()
    assert project.calls == ["before", "stopped"]
    result = run(resume="last", store=project.store, reporter=QuietReporter())
    assert result.ok
    assert result.output() == 2
    assert project.calls == ["stopped"]
    assert project.store.metadata.runs.get(result.run_id).attempt == 2


def test_two_processes_run_in_one_store_at_once_and_both_are_right(project):
    project.write("""
    import os, time

    @ps.step(cache=False)
    def number(i: int) -> int:
        time.sleep(0.002)
        return i * int(os.environ["FACTOR"])

    @ps.step
    def total(parts: list) -> int:
        return sum(parts)

    @ps.pipeline
    def job():
        return total([number(i) for i in range(30)])
    """)
    processes = [python(project, FACTOR=str(factor)) for factor in (1, 10)]
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    runs = project.store.metadata.runs.search()
    totals = []
    for record in runs:
        assert record.state is RunState.FINISHED
        steps = project.steps(record.run_id)
        assert len(steps) == 31
        totals.append(project.store.get(steps["total"].outputs["result"]))
    assert sorted(totals) == [435, 4350]


LOGGING = """
import penstock

@ps.step
def fit(rounds: int) -> int:
    for number in range(rounds):
        penstock.log_metric("loss", 1 / (number + 1), step=number)
    return rounds

@ps.pipeline
def job(rounds: int = 3):
    return fit(rounds)
"""


def test_a_run_that_reuses_a_step_has_the_metrics_that_it_logged(project):
    pipeline = project.load(LOGGING)
    first, second, third = (project.again(pipeline) for _ in range(3))
    assert [again["fit"].state for again in (second, third)] == [StepState.CACHED] * 2
    history = project.store.metadata.metrics.history
    expected = history(first.run_id, "loss")
    assert expected.values.tolist() == [1, 1 / 2, 1 / 3]
    for again in (second, third):
        assert history(again.run_id, "loss").steps.tolist() == expected.steps.tolist()
        assert history(again.run_id, "loss").values.tolist() == expected.values.tolist()


def test_of_a_long_training_a_reusing_run_has_the_whole_curve(project):
    pipeline = project.load(LOGGING)
    project.again(pipeline, rounds=1500)
    second = project.again(pipeline, rounds=1500)
    points = project.store.metadata.metrics.history(second.run_id, "loss")
    assert points.steps.tolist() == list(range(1500))
    assert points.values[-1] == 1 / 1500


def test_a_step_reused_from_a_run_that_is_gone_has_its_last_value(project):
    pipeline = project.load(LOGGING)
    first = project.again(pipeline)
    database = project.store.metadata.database
    with database.write() as transaction:
        for table in ("metric_chunks", "metric_summaries"):
            transaction.execute(f"DELETE FROM {table} WHERE run_id = ?", (first.run_id,))
    second = project.again(pipeline)
    points = project.store.metadata.metrics.history(second.run_id, "loss")
    assert (points.steps.tolist(), points.values.tolist()) == ([2], [1 / 3])
