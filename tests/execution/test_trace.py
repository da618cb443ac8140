"""What a step looks up by itself: edited, it is executed again; as it was, it is cached."""

import io
import os
import shutil
import sqlite3
import sys
import textwrap
import time
from contextlib import closing

import pytest

from penstock.core import StepState
from penstock.execution import QuietReporter, run, why
from penstock.provenance import _inotify

HEAD = """
import glob, importlib.util, json, os, pathlib, runpy, subprocess, sys
from contextlib import closing
from pathlib import Path
import numpy as np
import polars as pl
import pyarrow.parquet as pq
import penstock as ps

HERE = Path(__file__).parent

def in_child(function):
    reads, writes = os.pipe()
    if not os.fork():
        try:
            os.write(writes, str(function()).encode())
        finally:
            os._exit(0)
    os.close(writes)
    os.wait()
    return os.read(reads, 100).decode()
"""

JOB = """
@ps.step
def look():
    {body}

@ps.pipeline
def job():
    return look()
"""


def run_of(project, body, **options):
    text = JOB.format(body=body.replace("\n", "\n    "))
    project.write(text, head=HEAD)
    return project.again(str(project.folder / "job.py"), **options)


def state_of(result):
    return result.steps[0].state


def settle():
    """Wait until a write has another time than what was read before it."""
    time.sleep(0.012)


FORMS = {
    "open": 'return open("rates.csv").read()',
    "pathlib": "return (HERE / 'rates.csv').read_text()",
    "os": "return os.read(os.open('rates.csv', os.O_RDONLY), 100)",
    "loadtxt": 'return float(np.loadtxt("rates.csv", delimiter=",", skiprows=1).sum())',
    "genfromtxt": 'return float(np.genfromtxt("rates.csv", delimiter=",").size + '
    'np.nansum(np.genfromtxt("rates.csv", delimiter=",")))',
    "polars": 'return pl.read_csv("rates.csv").rows()',
    "polars lazily": 'return pl.scan_csv("rates.csv").collect().rows()',
    "a bound name": "read = pathlib.Path.read_bytes\nreturn read(HERE / 'rates.csv')",
    "a size": 'return os.path.getsize("rates.csv")',
    "a time": 'return os.stat("rates.csv").st_mtime_ns',
    "an open folder": 'd = os.open(".", os.O_RDONLY)\n'
    'return os.read(os.open("rates.csv", os.O_RDONLY, dir_fd=d), 100)',
    "a forked process": "r, w = os.pipe()\nif not os.fork():\n"
    '    os.write(w, open("rates.csv", "rb").read())\n    os._exit(0)\n'
    "os.wait()\nreturn os.read(r, 100)",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_a_step_reads_by_itself_counts(project, form):
    rates = project.folder / "rates.csv"
    rates.write_text("rate,n\n1,2\n")
    first = run_of(project, FORMS[form])
    again = run_of(project, FORMS[form])
    settle()
    rates.write_text("rate,n\n1,30\n")
    edited = run_of(project, FORMS[form])
    fresh = run_of(project, FORMS[form], use_cache=False)
    assert first.error is None
    assert state_of(again) is StepState.CACHED
    assert state_of(edited) is StepState.FINISHED
    assert edited.output() == fresh.output() != first.output()
    assert state_of(run_of(project, FORMS[form])) is StepState.CACHED


def test_a_native_reader_is_seen(project):
    import polars as pl

    body = (
        'return pq.read_table("sub/t.parquet").num_rows + pl.read_parquet("sub/t.parquet").height'
    )
    (project.folder / "sub").mkdir()
    pl.DataFrame({"a": [1, 2]}).write_parquet(project.folder / "sub/t.parquet")
    assert run_of(project, body).output() == 4
    assert state_of(run_of(project, body)) is StepState.CACHED
    pl.DataFrame({"a": [1, 2, 3]}).write_parquet(project.folder / "sub/t.parquet")
    assert run_of(project, body).output() == 6


def test_data_of_a_package_that_is_not_loaded_yet_is_found(project):
    body = "import pkgutil\nreturn pkgutil.get_data('pack', 'd.txt')"
    (project.folder / "pack").mkdir()
    (project.folder / "pack/__init__.py").touch()
    (project.folder / "pack/d.txt").write_text("one")
    assert run_of(project, body).output() == b"one"
    (project.folder / "pack/d.txt").write_text("two")
    assert run_of(project, body).output() == b"two"


def test_a_database_that_another_one_attaches_counts(project):
    body = """import sqlite3
with closing(sqlite3.connect(":memory:")) as c:
    c.execute("ATTACH 'rows.db' AS d")
    return c.execute("SELECT x FROM d.t").fetchall()"""
    database = project.folder / "rows.db"
    with closing(sqlite3.connect(database)) as rows, rows:
        rows.execute("CREATE TABLE t AS SELECT 1 AS x")
    settle()
    assert run_of(project, body).output() == [(1,)]
    assert state_of(run_of(project, body)) is StepState.CACHED
    with closing(sqlite3.connect(database)) as rows, rows:
        rows.execute("UPDATE t SET x = 2")
    assert run_of(project, body).output() == [(2,)]


def test_rows_that_sqlite_keeps_in_its_log_count(project):
    body = "import sqlite3\nc = sqlite3.connect('rows.db')\nfound = c.execute('SELECT x FROM t').fetchall()\nc.close()\nreturn found"
    with closing(sqlite3.connect(project.folder / "rows.db")) as rows, rows:
        rows.execute("PRAGMA journal_mode=wal")
        rows.execute("CREATE TABLE t AS SELECT 1 AS x")
    before = (project.folder / "rows.db").read_bytes()
    assert run_of(project, body).output() == [(1,)]
    assert state_of(run_of(project, body)) is StepState.CACHED
    with closing(sqlite3.connect(project.folder / "rows.db")) as rows, rows:
        rows.execute("UPDATE t SET x = 2")
        rows.commit()
        assert (project.folder / "rows.db").read_bytes() == before
        assert run_of(project, body).output() == [(2,)]


def test_a_native_reader_outside_of_the_project_is_seen(project, tmp_path_factory):
    import polars as pl

    other = tmp_path_factory.mktemp("elsewhere") / "t.parquet"
    body = f'return pl.read_parquet("{other}").height'
    pl.DataFrame({"a": [1, 2]}).write_parquet(other)
    assert run_of(project, body).output() == 2
    assert state_of(run_of(project, body)) is StepState.CACHED
    pl.DataFrame({"a": [1, 2, 3]}).write_parquet(other)
    assert run_of(project, body).output() == 3


@pytest.mark.parametrize(
    "body",
    [
        "return pl.scan_csv('../elsewhere/*.csv').collect().height",
        "return pl.read_csv(HERE.parent / 'elsewhere' / 'a.csv').height",
    ],
)
def test_a_native_reader_of_a_relative_or_computed_place_is_seen(project, body):
    other = project.folder.parent / f"{project.folder.name}-data"
    other.mkdir()
    body = body.replace("elsewhere", other.name)
    (other / "a.csv").write_text("n\n1\n")
    assert run_of(project, body).output() == 1
    assert state_of(run_of(project, body)) is StepState.CACHED
    settle()
    (other / ("b.csv" if "*" in body else "a.csv")).write_text("n\n1\n2\n")
    edited = run_of(project, body).output()
    assert edited == run_of(project, body, use_cache=False).output() > 1


def test_the_size_of_an_entry_counts(project):
    body = "return [entry.stat().st_size for entry in os.scandir('sub')]"
    (project.folder / "sub").mkdir()
    (project.folder / "sub/a.txt").write_text("a")
    assert run_of(project, body).output() == [1]
    assert state_of(run_of(project, body)) is StepState.CACHED
    (project.folder / "sub/a.txt").write_text("aa")
    assert run_of(project, body).output() == [2]


def test_where_a_symbolic_link_leads_counts(project):
    body = "return Path('latest').resolve().name"
    (project.folder / "latest").symlink_to("v1")
    assert run_of(project, body).output() == "v1"
    assert state_of(run_of(project, body)) is StepState.CACHED
    (project.folder / "latest").unlink()
    (project.folder / "latest").symlink_to("v2")
    assert run_of(project, body).output() == "v2"


@pytest.mark.parametrize(
    "body",
    [
        'return os.environ["RATE"]',
        "return in_child(lambda: os.environ.get('RATE'))",
        "return in_child(lambda: [v for k, v in os.environ.items() if k == 'RATE'])",
        'return os.environ.get("RATE", "9")',
        'return os.getenv("RATE")',
        'return str("RATE" in os.environ) + os.environ.get("RATE", "")',
        "return os.environb.get(b'RATE', b'').decode()",
        "return sorted(f'{k}={v}' for k, v in os.environ.items() if k == 'RATE')",
        "return dict(os.environ).get('RATE')",
        "return {**os.environ}.get('RATE')",
        "return os.environ.copy().get('RATE')",
    ],
)
def test_a_variable_of_the_environment_counts(project, body, monkeypatch):
    monkeypatch.setenv("RATE", "1")
    monkeypatch.setenv("OTHER", "1")
    first = run_of(project, body)
    assert first.error is None
    assert state_of(run_of(project, body)) is StepState.CACHED
    monkeypatch.setenv("RATE", "2")
    second = run_of(project, body)
    assert second.output() == run_of(project, body, use_cache=False).output() != first.output()
    monkeypatch.setenv("RATE", "1")  # an older result holds again
    assert state_of(run_of(project, body)) is StepState.CACHED
    assert run_of(project, body).output() == first.output()
    monkeypatch.delenv("RATE")
    assert state_of(run_of(project, body)) is not StepState.CACHED


@pytest.mark.parametrize(
    "body",
    [
        "return open('d.csv').read()",
        "return pl.read_csv('d.csv').height",
        "return Path('d.csv').exists() and Path('d.csv').stat().st_size",
        "return sorted(glob.glob('*.csv'))",
        "return Path.cwd().name",
        "return os.path.basename(os.path.abspath('.'))",
    ],
)
def test_where_relative_paths_begin_counts(project, body, monkeypatch):
    (project.folder / "d.csv").write_text("a\n1\n")
    (project.folder / "sub").mkdir()
    (project.folder / "sub/d.csv").write_text("a\n1\n2\n")
    (project.folder / "sub/e.csv").write_text("a\n")
    monkeypatch.chdir(project.folder)
    first = run_of(project, body)
    assert state_of(run_of(project, body)) is StepState.CACHED
    monkeypatch.chdir("sub")
    second = run_of(project, body)
    assert second.output() == run_of(project, body, use_cache=False).output() != first.output()


def test_the_current_folder_does_not_count_for_whole_paths(project, monkeypatch):
    (project.folder / "d.csv").write_text("a\n1\n")
    (project.folder / "sub").mkdir()
    body = "return (HERE / 'd.csv').read_text()"
    run_of(project, body)
    monkeypatch.chdir(project.folder / "sub")
    assert state_of(run_of(project, body)) is StepState.CACHED


def test_the_command_line_counts_where_a_step_reads_it(project, monkeypatch):
    body = "import argparse\np = argparse.ArgumentParser()\np.add_argument('--rate')\nreturn p.parse_args().rate"
    monkeypatch.setattr(sys, "argv", ["job.py", "--rate", "1"])
    assert run_of(project, body).output() == "1"
    monkeypatch.setattr(sys, "argv", ["job.py", "--rate", "2"])
    assert run_of(project, body).output() == "2"


def test_who_the_user_is_counts_where_a_step_asks(project, monkeypatch):
    monkeypatch.setenv("LOGNAME", "ada")
    body = "import getpass\nreturn getpass.getuser()"
    assert run_of(project, body).output() == "ada"
    monkeypatch.setenv("LOGNAME", "bob")
    assert run_of(project, body).output() == "bob"


def test_another_variable_does_not_count(project, monkeypatch):
    monkeypatch.setenv("RATE", "1")
    body = 'return os.environ["RATE"]'
    run_of(project, body)
    monkeypatch.setenv("SOMETHING_ELSE", "1")
    assert state_of(run_of(project, body)) is StepState.CACHED


def test_why_names_what_changed(project, monkeypatch):
    monkeypatch.setenv("RATE", "1")
    (project.folder / "rates.csv").write_text("1")
    body = 'return os.environ["RATE"] + open("rates.csv").read()'
    run_of(project, body)
    monkeypatch.setenv("RATE", "2")
    settle()
    (project.folder / "rates.csv").write_text("2")
    found = why(run_of(project, body).run_id, "look", store=project.store)
    assert [(change.kind, change.name) for change in found.changes] == [
        ("environment", "RATE"),
        ("file", "rates.csv"),
    ]
    assert "environment variable RATE, file rates.csv changed" in found.reason
    assert '"1"' not in str(found)


@pytest.mark.parametrize(
    "body",
    [
        "return sorted(os.listdir('sub'))",
        "return sorted(p.name for p in Path('sub').iterdir())",
        "return sorted(glob.glob('sub/*.json'))",
        "return sorted(str(p) for p in Path('.').glob('sub/*.json'))",
        "return sorted(str(p) for p in HERE.rglob('*.json'))",
        "return [sorted(files) for _, _, files in os.walk('sub')]",
        "return os.path.exists('sub/b.json')",
        "return Path('sub/b.json').exists()",
        "return Path('sub/b.json').is_file()",
        "return os.access('sub/b.json', os.R_OK)",
        "return len(os.listdir(os.open('sub', os.O_RDONLY)))",
        "with os.scandir('sub') as found:\n    return sorted(e.name for e in found)",
        "return pl.scan_ndjson('sub/*.json').collect().height",
        "return in_child(lambda: len(os.listdir('sub')))",
        "return in_child(lambda: os.path.exists('sub/b.json'))",
        "return in_child(lambda: len(glob.glob('sub/*.json')))",
        "try:\n    return open('sub/b.json').read()\nexcept FileNotFoundError:\n    return 'none'",
    ],
)
def test_a_folder_that_is_listed_and_a_file_that_is_not_there_count(project, body):
    (project.folder / "sub").mkdir()
    (project.folder / "sub/a.json").write_text('{"n": 1}')
    first = run_of(project, body)
    assert first.error is None
    assert state_of(run_of(project, body)) is StepState.CACHED
    (project.folder / "sub/b.json").write_text('{"n": 2}')
    assert run_of(project, body).output() != first.output()
    assert state_of(run_of(project, body)) is StepState.CACHED


@pytest.mark.parametrize(
    "body",
    [
        "s = importlib.util.spec_from_file_location('dyn', HERE / 'dyn.py')\nm = importlib.util.module_from_spec(s)\ns.loader.exec_module(m)\nreturn m.f()",
        "return runpy.run_path(str(HERE / 'dyn.py'))['f']()",
        "s = {}\nexec(compile((HERE / 'dyn.py').read_text(), 'dyn', 'exec'), s)\nreturn s['f']()",
    ],
)
@pytest.mark.parametrize("compiled", [False, True])
def test_code_that_is_loaded_while_a_step_runs_counts(project, body, compiled, monkeypatch):
    monkeypatch.setattr("sys.dont_write_bytecode", not compiled)
    dyn = project.folder / "dyn.py"
    dyn.write_text("def f():\n    return 1\n")
    os.utime(dyn, ns=(1, 10**18))
    project.write(declared(body), head=HEAD)
    job = str(project.folder / "job.py")
    assert project.again(job).output() == 1
    assert state_of(project.again(job)) is StepState.CACHED
    dyn.write_text("def f():\n    return 22\n")
    assert project.again(job).output() == 22


def declared(body):
    """Write a step that says what it uses: of code that is not followed, all is declared."""
    text = JOB.format(body=body.replace("\n", "\n    "))
    return text.replace("@ps.step\n", "@ps.step(uses=['pyproject.toml'])\n")


TWO = """
@ps.step
def write() -> Path:
    Path("out").mkdir(exist_ok=True)
    path = Path("out/made.txt")
    path.write_text("made")
    return path

@ps.step
def read(path: Path) -> str:
    return path.read_text()

@ps.pipeline
def job():
    return read(write())
"""


def states(result):
    return [step.state.value for step in result.steps]


def test_a_path_that_a_step_returns_counts_by_what_is_in_the_file(project):
    project.write(TWO, head=HEAD)
    job = str(project.folder / "job.py")
    made = project.folder / "out/made.txt"
    assert project.again(job).output() == "made"
    assert states(project.again(job)) == ["cached", "cached"]
    settle()
    made.write_text("edited")
    assert project.again(job).output() == "made"
    made.unlink()
    assert project.again(job).output() == "made"
    shutil.rmtree(made.parent)
    assert project.again(job).output() == "made"
    assert states(project.again(job)) == ["cached", "cached"]
    settle()
    project.write(TWO.replace('"made")', '"other")'), head=HEAD)
    assert project.again(job).output() == "other"


MAP = """
@ps.step
def one(name: str) -> str:
    return Path(name).read_text()

@ps.step
def whole(found: list) -> list:
    return found

@ps.pipeline
def job():
    return whole(ps.map(one, ["a.txt", "b.txt"]))
"""


@pytest.mark.parametrize("runner", ["local", "processes"])
def test_a_file_of_one_item_executes_that_item(project, runner):
    for name in "ab":
        (project.folder / f"{name}.txt").write_text(name)
    project.write(MAP, head=HEAD)
    job = str(project.folder / "job.py")
    options = {"runner": runner} | ({"workers": 1} if runner == "processes" else {})
    assert project.again(job, **options).output() == ["a", "b"]
    assert set(states(project.again(job, **options))) == {"cached"}
    settle()
    (project.folder / "b.txt").write_text("c")
    edited = project.again(job, **options)
    assert edited.output() == ["a", "c"]
    items = {name: step.state.value for name, step in project.steps(edited.run_id).items()}
    assert items["one[0]"] == "cached"
    assert items["one[1]"] == "finished"


def test_a_program_that_own_code_starts_is_never_cached_unless_it_is_declared(project):
    body = "return subprocess.check_output(['cat', 'a.txt'], text=True)"
    (project.folder / "a.txt").write_text("a")
    run_of(project, body)
    second = run_of(project, body)
    assert state_of(second) is StepState.FINISHED
    assert "it starts a program (cat)" in why(second.run_id, "look", store=project.store).reason
    project.write(declared(body), head=HEAD)
    job = str(project.folder / "job.py")
    project.again(job)
    assert states(project.again(job)) == ["cached"]
    settle()
    (project.folder / "a.txt").write_text("b")
    assert project.again(job).output() == "b"


def test_what_a_forked_process_writes_is_the_steps_work(project):
    body = "in_child(lambda: Path('made.txt').write_text('made'))\nreturn 1"
    run_of(project, body)
    assert state_of(run_of(project, body)) is StepState.CACHED
    (project.folder / "made.txt").unlink()
    assert state_of(run_of(project, body)) is StepState.FINISHED
    assert (project.folder / "made.txt").read_text() == "made"


def test_a_forked_process_that_starts_a_program_makes_the_result_unfit(project):
    body = "return in_child(lambda: subprocess.check_output(['cat', 'a.txt'], text=True))"
    (project.folder / "a.txt").write_text("a")
    run_of(project, body)
    second = run_of(project, body)
    assert state_of(second) is StepState.FINISHED
    assert "it starts a program (cat)" in why(second.run_id, "look", store=project.store).reason


def test_processes_that_share_no_memory_make_the_result_unfit(project):
    body = """
    import multiprocessing
    process = multiprocessing.get_context('spawn').Process(target=print)
    process.start()
    process.kill()
    process.join()
    return 1
    """
    run_of(project, textwrap.dedent(body).strip())
    second = run_of(project, textwrap.dedent(body).strip())
    assert state_of(second) is StepState.FINISHED
    assert "spawn or forkserver" in why(second.run_id, "look", store=project.store).reason


@pytest.mark.parametrize(
    ("body", "counts"),
    [
        ("import pydoc\nreturn pydoc.locate('dyn.f')()", True),
        ("import pkgutil\nreturn pkgutil.resolve_name('dyn:f')()", True),
        ("import pickle\nreturn pickle.loads(b'cdyn\\nf\\n.')()", True),
        ("import dyn\nreturn dyn.f()", False),  # in the key, without the functions beside it
    ],
)
def test_a_loaded_module_that_is_looked_up_by_its_name_counts(project, body, counts, monkeypatch):
    (project.folder / "dyn.py").write_text("import other\n\ndef f():\n    return 1\n")
    (project.folder / "other.py").write_text("")
    text = JOB.format(body=body.replace("\n", "\n    "))
    project.write(text, head=HEAD + "\nimport dyn\n")
    for name in ("dyn", "other"):
        monkeypatch.delitem("sys.modules", name, raising=False)
    result = project.again(str(project.folder / "job.py"))
    assert result.output() == 1, result.error
    code = project.steps(result.run_id)["look"].facts["trace"].get("code", {})
    assert ({"dyn.py", "other.py"} <= code.keys()) is counts


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("return sys.stdin.read()", "sys.stdin"),
        ("return ''.join(sys.stdin)", "sys.stdin"),
        ("return input()", "it asks for input"),
    ],
)
def test_what_is_read_from_standard_input_is_never_reused(project, body, reason, monkeypatch):
    found = []
    for text in ("a", "b"):
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        found.append(run_of(project, body))
    assert [result.output() for result in found] == ["a", "b"]
    assert reason in why(found[1].run_id, "look", store=project.store).reason
    tty = "return sys.stdin.isatty()"
    assert [state_of(run_of(project, tty)).value for _ in range(2)] == ["finished", "cached"]


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the time zone cannot be set here")
def test_the_time_zone_counts_for_code_that_reads_local_times(project, monkeypatch):
    local = "import datetime as dt\nreturn str(dt.datetime.fromtimestamp(0))"
    other = "import datetime as dt\nreturn str(dt.datetime(1970, 1, 1))"
    try:
        for zone in ("UTC", "Asia/Tokyo"):
            monkeypatch.setenv("TZ", zone)
            time.tzset()
            found = [run_of(project, body) for body in (local, other)]
            assert found[0].output() == f"1970-01-01 0{'0' if zone == 'UTC' else '9'}:00:00"
        assert [state_of(result).value for result in found] == ["finished", "cached"]
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()


def test_what_a_module_has_put_in_the_place_of_a_function_stays_there(project, monkeypatch):
    real = os.access
    monkeypatch.setattr(os, "access", lambda *a, **k: "mine")  # as the user's code may do
    mine = os.access
    body = "return os.access('a.txt', os.R_OK)"
    result = run_of(project, body)
    assert result.output() == "mine", result.error
    assert os.access is mine
    monkeypatch.setattr(os, "access", real)
    assert run_of(project, body, use_cache=False).output() is False
    assert os.access is real


def test_a_folder_that_a_step_empties_does_not_count(project):
    body = "shutil.rmtree('out', ignore_errors=True)\nos.mkdir('out')\nPath('out/a').write_text('')\nreturn 1"
    run_of(project, f"import shutil\n{body}")
    run_of(project, f"import shutil\n{body}")
    assert state_of(run_of(project, f"import shutil\n{body}")) is StepState.CACHED


def test_a_file_that_changes_while_a_step_reads_it_makes_the_result_unfit(project):
    body = "p = HERE / 'a.txt'\nfound = p.read_text()\np.write_text(found + '!')\nreturn found"
    (project.folder / "a.txt").write_text("a")
    assert run_of(project, body).output() == "a"
    assert run_of(project, body).output() == "a!"


def test_a_resumed_run_executes_a_step_whose_file_changed(project):
    body = """
    @ps.step
    def first() -> str:
        return Path("a.txt").read_text()

    @ps.step
    def second(text: str) -> str:
        if not Path("go").exists():
            raise ValueError(text)
        return text

    @ps.pipeline
    def job():
        return second(first())
    """
    (project.folder / "a.txt").write_text("a")
    project.write(textwrap.dedent(body), head=HEAD)
    job = str(project.folder / "job.py")
    failed = project.again(job)
    settle()
    (project.folder / "a.txt").write_text("b")
    (project.folder / "go").write_text("")
    assert project.again(job, resume=failed.run_id).output() == "b"


def test_a_usual_pipeline_stays_cached(project):
    body = """
    import logging, tempfile, warnings
    import pandas as pd
    from joblib import Parallel, delayed
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import cross_val_score

    @ps.step
    def train(n: int) -> float:
        warnings.simplefilter("always")
        warnings.warn("a warning shows its line")
        logging.getLogger("job").warning("seen")
        frame = pd.DataFrame({"a": np.arange(n), "b": np.arange(n) % 2})
        print(frame.head())
        with tempfile.TemporaryDirectory() as folder:
            frame.to_csv(f"{folder}/x.csv", index=False)
            frame = pd.read_csv(f"{folder}/x.csv")
        frame.to_csv("table.csv")
        pl.DataFrame({"a": [1]}).write_parquet("out.parquet")
        with open("log.txt", "a") as file:
            file.write("x")
        model = RandomForestClassifier(5, n_jobs=2)
        return float(cross_val_score(model, frame[["a"]], frame["b"], n_jobs=1).mean())

    @ps.pipeline
    def job():
        return train(20)
    """
    project.write(textwrap.dedent(body), head=HEAD)
    job = str(project.folder / "job.py")
    assert states(project.again(job)) == ["finished"]
    second = project.again(job)
    told = why(second.run_id, "train", store=project.store).reason
    assert states(second) == ["cached"], told


def test_what_lies_beside_the_store_is_not_watched(tmp_path):
    """The store may be in a folder that many use: none of them makes a result unfit for reuse."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").touch()
    (folder / "job.py").write_text(
        "import penstock as ps\n\n\n@ps.step\ndef one() -> bytes:\n    return bytes(5000)\n\n\n"
        "@ps.pipeline\ndef job():\n    return one()\n"
    )
    (tmp_path / "shared" / "others").mkdir(parents=True)
    store = f"sqlite:///{tmp_path}/shared/store/penstock.db"
    result = run(str(folder / "job.py"), store=store, reporter=QuietReporter())
    assert result.ok
    watched = _inotify._watches[str(folder)]._watched
    assert str(folder) in watched or sys.platform != "linux"
    assert not [place for place in watched if place.startswith(f"{tmp_path}/shared")]


def test_the_encoding_by_which_texts_are_read_counts(shell):
    (shell.folder / "name.txt").write_bytes("caf\u00e9".encode())
    (shell.folder / "job.py").write_text(
        "import penstock as ps\n\n"
        "@ps.step\ndef read() -> int:\n    return len(open('name.txt', errors='replace').read())\n\n"
        "@ps.pipeline\ndef job():\n    return read()\n"
    )
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    shell("run", "job.py", "--quiet", env={"PYTHONUTF8": "1"})
    other = shell("run", "job.py", "--json", env=ascii_only).json
    assert [step["state"] for step in other["steps"]] == ["finished"]
    assert "text encoding" in shell("why", "last", "read").out


@pytest.mark.parametrize("url", ["sqlite:///runs.db", "sqlite:///{folder}/deep/runs.db", "runs.db"])
def test_the_store_in_the_project_is_no_step_s_data_and_a_file_beside_it_is(project, url):
    (project.folder / "deep").mkdir()
    data = project.folder / "runs.db.csv"
    data.write_text("1")
    path = project.write("""
    @ps.step(isolate=True)
    def read() -> str:
        ps.log_metric("loss", 1.0)
        return open("runs.db.csv").read()

    @ps.pipeline
    def job():
        return read()
    """)

    def state():
        result = run(
            f"{path}:job", reporter=QuietReporter(), store=url.format(folder=project.folder)
        )
        return result["read"].state

    assert state() is StepState.FINISHED
    assert state() is StepState.CACHED
    data.write_text("2")
    assert state() is StepState.FINISHED
