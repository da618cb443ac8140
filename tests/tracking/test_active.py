"""Which run is the current one: in threads, tasks, cells of a notebook, other processes."""

import asyncio
import copy
import importlib.util
import multiprocessing
import pickle
import sys
import threading
import types
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from typing import Any

import pytest

import penstock as ps
from penstock.core import ConflictError, NotFoundError
from penstock.stores import open_store
from penstock.tracking import active_run, get_run, start_run

QUIET: dict[str, Any] = {"console": False, "system_metrics": False}


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as opened:
        yield opened


def fold(number: int) -> int:
    ps.log_metric("score", number / 10, step=number)
    return number


def in_thread(work) -> object:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def test_a_pool_inside_of_a_run_logs_to_it(store):
    with start_run(store=store, **QUIET) as run:
        list(ThreadPoolExecutor(4).map(fold, range(8)))
        asyncio.run(asyncio.to_thread(fold, 8))
    assert len(run.metric_history("score")) == 9
    with pytest.raises(NotFoundError, match="No run is active"):
        in_thread(lambda: fold(1))


def test_a_thread_never_logs_to_one_of_several_runs(store):
    def trial(number: int) -> str:
        with start_run(f"trial {number}", store=store, **QUIET) as run:
            barrier.wait()
            with pytest.raises(NotFoundError, match="8 runs are active in this process"):
                in_thread(lambda: fold(number))
            ps.log_param("number", number)
            barrier.wait()
        return run.run_id

    barrier = threading.Barrier(8)
    ids = list(ThreadPoolExecutor(8).map(trial, range(8)))
    assert [get_run(run_id, store=store).params["number"] for run_id in ids] == list(range(8))
    assert {get_run(run_id, store=store).record.parent_run_id for run_id in ids} == {None}
    assert not store.metadata.runs.search("metrics.score is not null")


def test_runs_of_threads_are_nested_in_the_run_around_them(store):
    def trial(number: int) -> None:
        with start_run(f"trial {number}", store=store, **QUIET):
            ps.log_metric("loss", number)

    with start_run("parent", store=store, **QUIET) as parent:
        list(ThreadPoolExecutor(4).map(trial, range(6)))
        with pytest.raises(ConflictError, match="still active"):
            start_run("another", store=store)
    assert {run.metrics["loss"] for run in parent.children} == set(range(6))


def test_a_parent_is_named_from_anywhere(store):
    with start_run("parent", store=store, **QUIET) as parent:
        pass
    with start_run("by id", parent=parent.run_id, store=store, **QUIET):
        pass
    with start_run("by run", parent=parent, store=store, **QUIET):
        pass
    assert [run.name for run in parent.children] == ["by id", "by run"]
    with pytest.raises(NotFoundError):
        start_run(parent="nobody", store=store)
    assert active_run() is None


def test_which_of_two_a_nested_run_is_inside_of_is_not_guessed(store):
    def child() -> None:
        start_run("child", nested=True, store=store)

    with (
        start_run("outer", store=store, **QUIET) as outer,
        start_run("inner", nested=True, store=store, **QUIET) as inner,
    ):
        with pytest.raises(NotFoundError, match=r"start_run\(parent=run\)"):
            in_thread(child)
        assert active_run() is inner
    assert [run.name for run in outer.children] == ["inner"]


def test_an_outer_run_that_ends_first_is_not_active_again(store):
    outer = start_run("outer", store=store, **QUIET)
    inner = start_run("inner", nested=True, store=store, **QUIET)
    outer.finish()
    assert active_run() is inner
    inner.finish()
    assert active_run() is None
    start_run("next", store=store, **QUIET).finish()


def test_tasks_of_one_loop_have_runs_of_their_own(store):
    async def one(number: int) -> None:
        with start_run(f"task {number}", store=store, **QUIET):
            await asyncio.sleep(0.02)
            ps.log_metric("loss", number)

    async def both() -> None:
        await asyncio.gather(one(1), one(2))

    asyncio.run(both())
    found = store.metadata.runs.search("name like 'task %'", order_by="name")
    assert [run.metrics["loss"].last for run in found] == [1.0, 2.0]


THREADED = """
from concurrent.futures import ThreadPoolExecutor
import penstock as ps

def fold(number: int) -> int:
    ps.log_metric("score", number / 10, step=number)
    return number

@ps.step
def validate() -> int:
    return sum(ThreadPoolExecutor(4).map(fold, range(4)))

@ps.pipeline
def job():
    return validate()
"""


def test_threads_inside_of_a_step_log_to_its_run_and_to_the_step(store, tmp_path):
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "job.py").write_text(THREADED)
    first = ps.run(f"{tmp_path}/job.py", store=store)
    again = ps.run(f"{tmp_path}/job.py", store=store)  # cached, and its metrics are there
    for result in (first, again):
        assert "score" in get_run(result.run_id, store=store).metrics


class Cells:
    """A notebook whose cells run each in a context of its own, as those of ipykernel 7 do."""

    def __init__(self, monkeypatch) -> None:
        self.execution_count = 0
        module = types.SimpleNamespace(get_ipython=lambda: self)
        monkeypatch.setitem(sys.modules, "IPython", module)

    def __call__(self, cell):
        self.execution_count += 1
        return Context().run(cell)


def test_a_run_stays_active_from_cell_to_cell(store, monkeypatch):
    cell = Cells(monkeypatch)
    run = cell(lambda: start_run("notebook", store=store, **QUIET))
    cell(lambda: fold(1))
    with pytest.raises(ConflictError, match="still active"):
        cell(lambda: start_run("twice", store=store))
    child = cell(lambda: start_run("child", nested=True, store=store, **QUIET))
    cell(lambda: fold(2))
    cell(child.finish)
    cell(lambda: fold(3))
    cell(run.finish)
    with pytest.raises(NotFoundError, match="No run is active"):
        cell(lambda: fold(4))
    assert len(run.metric_history("score")) == 2
    assert child.metrics == {"score": 0.2}
    assert [one.name for one in run.children] == ["child"]


@pytest.mark.skipif(
    importlib.util.find_spec("ipykernel") is None
    or importlib.util.find_spec("jupyter_client") is None,
    reason="needs a kernel; get it with: pip install ipykernel jupyter_client",
)
def test_a_run_stays_active_in_a_kernel_and_after_await(tmp_path):
    from jupyter_client.manager import start_new_kernel

    url = f"sqlite:///{tmp_path}/penstock.db"
    cells = [
        f"import penstock as ps; run = ps.start_run(store={url!r}, console=False)",
        "ps.log_metric('loss', 1.0)",
        "import asyncio; await asyncio.sleep(0.01); ps.log_metric('loss', 2.0)",
        "from threading import Thread; t = Thread(target=ps.log_metric, args=('loss', 3.0))",
        "t.start(); t.join()",
        "run.finish()",
    ]
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        for cell in cells:
            answer = client.execute_interactive(cell, timeout=60, output_hook=lambda _: None)
            assert answer["content"]["status"] == "ok", answer["content"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    with open_store(url) as store:
        run = get_run("last", store=store)
        assert run.metric_history("loss")["value"].to_list() == [1.0, 2.0, 3.0]
        assert run.state.value == "finished"


def log_in_child(run, value: float) -> None:
    run.log_metric("loss", value, step=value)


def test_a_run_that_goes_to_another_process_logs_by_its_id(store):
    with start_run(store=store, **QUIET) as run:
        context = multiprocessing.get_context("spawn")
        worker = context.Process(target=log_in_child, args=(run, 2.0))
        worker.start()
        run.log_metric("loss", 1.0, step=1)
        worker.join()
        assert worker.exitcode == 0
        again = pickle.loads(pickle.dumps(run))
        assert (again.run_id, type(again).__name__) == (run.run_id, "Run")
        copy.deepcopy(run).log_metric("loss", 3.0, step=3)
    assert run.metric_history("loss")["value"].to_list() == [1.0, 2.0, 3.0]
