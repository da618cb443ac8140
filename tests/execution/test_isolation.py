"""No step sees what another one did to the process: locally, in processes and among a map's items."""

import subprocess
import sys
import textwrap
import threading

import pytest

from penstock.core import ParameterError, StepState
from penstock.execution import QuietReporter, run

HEAD = """
import asyncio, decimal, functools, itertools, logging, os, signal, sys, time, warnings
from pathlib import Path
import numpy as np
import pandas as pd
import penstock as ps
"""

STATE = """
SEEN, OPTIONS, COUNT = [], {"a": {"b": [1]}}, itertools.count()
TABLE, ARRAY, N = pd.DataFrame({"x": [1, 2]}), np.zeros(3), 0

class Kept:
    total, items = 0, []

KEPT = Kept()

def add(x, found=[]):
    found.append(x)
    return len(found)

def counter():
    n = 0
    def up():
        nonlocal n
        n += 1
        return n
    return up

up = counter()

@functools.lru_cache
def variable():
    return os.environ.get("LEAK")

@ps.step
def dirty(i: int) -> str:
    global N
    before = look()
    SEEN.append(i); OPTIONS["a"]["b"].append(i); OPTIONS["c"] = 1; next(COUNT); N += 1
    TABLE["y"] = i; TABLE.loc[0, "x"] = 9; ARRAY[:] = i + 1
    Kept.total += 1; Kept.items.append(i); KEPT.mine = i; add(i); up()
    np.seterr(all="raise"); os.environ["LEAK"] = "1"; warnings.simplefilter("error")
    np.set_printoptions(precision=2); sys.setrecursionlimit(2555); logging.disable(50)
    sys.path.insert(0, "/leak"); pd.set_option("display.precision", 1)
    decimal.getcontext().prec = 3; os.umask(0o77); signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    sys.stdout = sys.__stderr__; Path("sub").mkdir(exist_ok=True); os.chdir("sub")
    return before

def look() -> str:
    mask = os.umask(0); os.umask(mask)
    return str((
        SEEN, OPTIONS, next(COUNT), N, TABLE.to_dict(), ARRAY.tolist(), Kept.total, Kept.items,
        vars(KEPT), add(0), up(), variable(), np.geterr()["divide"], os.environ.get("LEAK"),
        Path.cwd().name, warnings.filters[0][0], str(np.array([1 / 3])), sys.getrecursionlimit(),
        logging.root.manager.disable, sys.path[0] == "/leak", pd.get_option("display.precision"),
        decimal.getcontext().prec, mask, signal.getsignal(signal.SIGUSR1),
        type(sys.stdout).__name__,
    ))

@ps.step
def whole(found: list) -> list:
    return found

@ps.pipeline
def job():
    return whole(ps.map(dirty, [0, 1, 2]))
"""


def outputs(project, body, *, runners=("local", "processes")):
    project.write(textwrap.dedent(body), head=HEAD)
    job = str(project.folder / "job.py")
    return [
        project.again(job, runner=runner, use_cache=False, **_workers(runner)).output()
        for runner in runners
    ]


def _workers(runner):
    return {"workers": 1} if runner == "processes" else {}


def test_no_item_sees_what_another_one_did_to_modules_and_to_the_process(project):
    local, processes = outputs(project, STATE)
    assert len(set(local)) == 1
    assert len(set(processes)) == 1
    assert eval(local[0].replace("<Handlers.SIG_DFL: 0>", "0"))[:4] == (
        [], {"a": {"b": [1]}}, 0, 0
    )  # fmt: skip


def test_what_is_set_back_is_said_once_in_the_log_of_the_step(project):
    project.write(STATE, head=HEAD)
    result = project.again(str(project.folder / "job.py"))
    steps = project.steps(result.run_id)
    told = [
        [line.text for line in project.store.metadata.steps.list_logs(steps[name].step_run_id)]
        for name in ("dirty[0]", "dirty[1]")
    ]
    assert "set back, so that no other step sees it" in told[0][-1]
    assert told[1] == []


TABLES = """
TABLES = [
    pd.DataFrame({"a": pd.Series([], dtype="int64")}), pd.DataFrame(index=[1, 2]),
    pd.DataFrame({"c": [1 + 2j], "h": np.array([1], "float16")}),
    pd.DataFrame({"t": np.array(["1600-01-01", "9999-12-31"], "M8[us]"), "u": ["a", "b"]}),
    pd.Series([1, 2], dtype="m8[ns]"),
]
TIMES = np.zeros(1_100_000, "M8[ns]")  # too large to be copied

@ps.step
def dirty(i: int) -> int:
    seen = sum(int(table.size) for table in TABLES)
    TABLES[3].loc[9] = TABLES[3].iloc[0]
    return seen

@ps.step
def whole(found: list) -> list:
    return found

@ps.pipeline
def job():
    return whole(ps.map(dirty, [0, 1]))
"""


def test_a_module_may_hold_tables_without_rows_and_of_any_type(project):
    assert outputs(project, TABLES, runners=("local",)) == [[8, 8]]


CONSTANTS = """
from sklearn.linear_model import SGDClassifier

X = np.arange(40.0).reshape(20, 2)
Y = np.arange(20) % 2
MARK = object()

class Sum:
    def __init__(self):
        self.n = 0

@ps.step
def fit(i: int, model, total, mark, options) -> list:
    model.partial_fit(X[i * 5 : i * 5 + 5], Y[i * 5 : i * 5 + 5], classes=[0, 1])
    total.n += 1
    options[0].append(i)
    return [model.coef_.round(6).tolist(), total.n, mark is MARK, len(options[0])]

@ps.step
def whole(found: list) -> list:
    return found

@ps.pipeline
def job():
    return whole(
        ps.map(
            fit, [0, 1, 2, 3], model=SGDClassifier(random_state=0), total=Sum(), mark=MARK, options=[[]]
        )
    )
"""


def test_a_constant_of_the_body_is_a_fresh_copy_for_each_item(project):
    local, processes = outputs(project, CONSTANTS)
    assert local == processes
    assert [row[1:] for row in local] == [[1, True, 1]] * 4


LIMITED = """
@ps.step(timeout="0.3s")
def stubborn() -> int:
    begun = time.monotonic()
    while time.monotonic() - begun < 1.6:
        try:
            time.sleep(0.2)
        except {caught}:
            pass
    return 1

@ps.pipeline
def job():
    return stubborn()
"""


@pytest.mark.parametrize("caught", ["Exception", "BaseException"])
def test_a_timeout_cannot_be_swallowed(project, caught):
    project.write(LIMITED.replace("{caught}", caught), head=HEAD)
    result = project.again(str(project.folder / "job.py"))
    assert result.steps[0].state is StepState.FAILED
    assert "TimeoutError: it ran longer than its timeout of 0.3 s" in result.steps[0].error


def test_a_timeout_that_cannot_be_enforced_is_refused_before_the_run(project):
    project.write(LIMITED.replace("{caught}", "ValueError"), head=HEAD)
    job = str(project.folder / "job.py")
    caught = []

    def go():
        try:
            project.again(job)
        except ParameterError as error:
            caught.append(str(error))

    thread = threading.Thread(target=go)
    thread.start()
    thread.join()
    assert "isolate=True" in caught[0]
    assert project.store.metadata.runs.search("", limit=5) == []


def test_any_exception_fails_the_step_and_no_other(project):
    project.write(
        textwrap.dedent("""
        class Stop(BaseException):
            pass

        @ps.step
        def cancelled() -> int:
            raise asyncio.CancelledError

        @ps.step
        def stopped() -> int:
            raise Stop("enough")

        @ps.step
        def good() -> int:
            return 1

        @ps.pipeline
        def job():
            return cancelled(), stopped(), good()
        """),
        head=HEAD,
    )
    result = project.again(str(project.folder / "job.py"))
    assert [step.state.value for step in result.steps] == ["failed", "failed", "finished"]
    assert "Stop: enough" in result.steps[1].error


@pytest.mark.parametrize("runner", ["local", "processes"])
@pytest.mark.parametrize("ending", ["return 'child'", "sys.exit(3)", "raise ValueError('child')"])
def test_a_forked_child_that_comes_back_never_goes_on_with_the_run(project, runner, ending):
    project.write(
        textwrap.dedent(f"""
        @ps.step
        def forks() -> str:
            child = os.fork()
            if child == 0:
                {ending}
            os.waitpid(child, 0)
            return "parent"

        @ps.step
        def after(who: str) -> str:
            with open("calls.txt", "a") as file:
                file.write(who + "\\n")
            return who

        @ps.pipeline
        def job():
            return after(forks())
        """),
        head=HEAD,
    )
    result = project.again(str(project.folder / "job.py"), runner=runner, **_workers(runner))
    assert result.output() == "parent"
    assert project.calls == ["parent"]


TWO = """
import penstock as ps
import helper

@ps.step
def value() -> str:
    import lazy
    return helper.NAME + lazy.NAME

@ps.pipeline
def job():
    return value()
"""


def test_two_projects_in_one_process_have_their_own_modules(project, tmp_path):
    for name in "AB":
        (tmp_path / name).mkdir()
        (tmp_path / name / "pyproject.toml").write_text("")
        (tmp_path / name / "pipe.py").write_text(TWO)
        (tmp_path / name / "helper.py").write_text(f"NAME = {name!r}")
        (tmp_path / name / "lazy.py").write_text(f"NAME = {name.lower()!r}")
    found = [
        run(
            str(tmp_path / name / "pipe.py"),
            store=project.store,
            reporter=QuietReporter(),
            use_cache=False,
        ).output()
        for name in "ABAB"
    ]
    assert found == ["Aa", "Bb", "Aa", "Bb"]


def test_a_run_of_another_project_between_two_steps_leaves_them_their_modules(project, tmp_path):
    for name in "AB":
        folder = tmp_path / name
        folder.mkdir()
        (folder / "pyproject.toml").write_text("")
        text = "import penstock as ps\n@ps.step\ndef first() -> int:\n    return 1\n"
        (folder / "pipe.py").write_text(
            text
            + TWO.replace("import helper", "")
            .replace("helper.NAME +", "")
            .replace("def value()", "def value(x)")
            .replace("value()\n", "value(first())\n")
        )
        (folder / "lazy.py").write_text(f"NAME = {name!r}")
    options = {"store": project.store, "use_cache": False}

    class Between(QuietReporter):
        def step_finished(self, record):
            if record.step == "first":
                run(str(tmp_path / "B" / "pipe.py"), reporter=QuietReporter(), **options)

    run(str(tmp_path / "B" / "pipe.py"), reporter=QuietReporter(), **options)
    assert run(str(tmp_path / "A" / "pipe.py"), reporter=Between(), **options).output() == "A"


THREADS = """
@ps.step
def draw(n: int) -> list:
    values = []
    for _ in range(20):
        values.append(float(np.random.random()))
        time.sleep(0.001)
        print(n)
    return values

@ps.pipeline
def job(n: int = 0):
    return draw(n)
"""


def test_two_runs_in_threads_do_not_mix(project):
    project.write(THREADS, head=HEAD)
    job = str(project.folder / "job.py")
    alone = [project.again(job, n=n, use_cache=False).output() for n in range(2)]
    out, results = sys.stdout, {}

    def go(n):
        results[n] = project.again(job, n=n, use_cache=False)

    threads = [threading.Thread(target=go, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [results[n].output() for n in range(2)] == alone
    assert sys.stdout is out
    for n in range(2):
        step = project.steps(results[n].run_id)["draw"]
        lines = {line.text for line in project.store.metadata.steps.list_logs(step.step_run_id)}
        assert lines == {str(n)}


def test_a_step_that_loads_numpy_itself_is_seeded(tmp_path):
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "job.py").write_text(
        textwrap.dedent("""
        import penstock as ps

        @ps.step
        def draw() -> float:
            import numpy as np
            return float(np.random.random())

        @ps.pipeline
        def job():
            return draw()

        if __name__ == "__main__":
            print([ps.run(job, use_cache=False).output() for _ in range(2)])
        """)
    )
    done = subprocess.run(
        [sys.executable, "job.py"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    first, second = eval(done.stdout)
    assert first == second
