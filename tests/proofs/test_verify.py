"""verify proves what is equal and names the step that is not."""

import textwrap
from dataclasses import replace

import numpy as np
import pytest
import threadpoolctl

import penstock as ps
from penstock.core import ParameterError, Verdict
from penstock.execution import QuietReporter
from penstock.proofs._judging import Job, Room, judge
from penstock.proofs._replay import _scratch_run
from penstock.stores import collect_garbage, open_store

HEAD = """
import random
import time
import uuid

import numpy as np
import polars as pl

import penstock as ps


@ps.step
def numbers(count: int) -> ps.Table:
    generator = np.random.default_rng(3)
    return pl.DataFrame({"x": generator.normal(size=count)})


@ps.step
def mean(table: ps.Table) -> float:
    return float(table["x"].mean())

"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    store = open_store(f"sqlite:///{tmp_path}/.penstock/penstock.db")

    def run(body, **params):
        path = tmp_path / "job.py"
        path.write_text(HEAD + textwrap.dedent(body))
        pipeline = ps.execution.load_pipeline(str(path))
        return ps.run(pipeline, store=store, reporter=QuietReporter(), **params)

    run.store = store  # type: ignore[attr-defined]
    yield run
    store.close()


PLAIN = """
@ps.step
def drawn() -> float:
    return random.random() + float(np.random.rand())


@ps.pipeline
def job(count: int = 50) -> float:
    drawn()
    return mean(numbers(count))
"""


def test_a_clean_run_is_bitwise_equal_and_the_proof_is_kept(project):
    result = project(PLAIN, count=60)
    answer = ps.verify(result.run_id, store=project.store, hash_seeds=1)
    assert answer.verdict is Verdict.BITWISE, answer
    assert [step.how for step in answer.steps] == ["executed"] * 3
    assert (
        project.store.metadata.artifacts.list_proofs(result.run_id)[-1].verdict is Verdict.BITWISE
    )


def test_an_output_that_is_equal_today_only_is_bitwise_with_a_note(project):
    result = project("""
    import datetime


    @ps.step
    def today() -> str:
        started = time.perf_counter()
        return str(datetime.date.today()) if started else ""


    @ps.pipeline
    def job() -> str:
        return today()
    """)
    answer = ps.verify(result.run_id, store=project.store, hash_seeds=1)
    assert answer.verdict is Verdict.BITWISE, answer
    [note] = answer.notes
    assert note.startswith("Step 'today': Its output is equal now; on another day or machine")
    assert "reads the clock (datetime.date.today())" in note
    assert "perf_counter" not in note


def test_a_run_in_a_process_that_was_told_its_threads_is_bitwise_equal(project):
    body = """
    @ps.step
    def threads() -> list[int]:
        np.ones((2, 2)) @ np.ones((2, 2))
        return sorted({pool["num_threads"] for pool in threadpoolctl.threadpool_info()})

    @ps.pipeline
    def job():
        return threads()
    """
    with threadpoolctl.threadpool_limits(1):
        result = project("import threadpoolctl\n" + textwrap.dedent(body))
    assert result.output("threads") == [1]
    assert ps.verify(result.run_id, hash_seeds=1, store=project.store).verdict is Verdict.BITWISE


def test_a_run_whose_steps_log_parameters_can_be_proved(project):
    body = PLAIN.replace(
        "    return random", '    ps.log_param("ccp_alpha", 0.0)\n    return random'
    )
    result = project(body, count=60)
    assert project.store.metadata.runs.get(result.run_id).params == {"count": 60, "ccp_alpha": 0.0}
    assert ps.verify(result.run_id, store=project.store, hash_seeds=1).verdict is Verdict.BITWISE


def test_a_cached_run_can_be_proved_too(project):
    project(PLAIN)
    again = project(PLAIN)
    assert {step.state.value for step in again.steps} == {"cached"}
    assert ps.verify(again.run_id, store=project.store, hash_seeds=1).verdict is Verdict.BITWISE


PLANTED = {
    "generator": ("return float(np.random.default_rng().random())", "generator without a seed"),
    "clock": ("return time.time()", "reads the clock"),
    "fresh": ("return uuid.uuid4().hex", "fresh randomness"),
    "leaking": ("sys.leak = 1; return mean.function(numbers.function(3))", ""),
    "counting": ("return getattr(sys, 'leak', 0)", ""),
    "writing": ("open('left.txt', 'w').write('1'); return 1", ""),
    "reading": ("return open('left.txt').read()", "FileNotFoundError"),
    "unstorable": ("return {'number': 1, 'text': bytearray(b'x')}", ""),
    "shuffled": ("return pd.DataFrame({'a': [1.0, 2.0]}, index=[uuid.uuid4().hex, 'b'])", ""),
    "deep": ("return [[[[[[[[[[[[[[uuid.uuid4().hex]]]]]]]]]]]]]]", ""),
    "filed": ("p = Path('n.txt'); p.write_text(uuid.uuid4().hex); return [p]", ""),
    "same_file": ("p = Path('m.txt'); p.write_text('m'); return [p]", ""),
    "close": ("return {'loss': 1 + time.time() * 1e-12, 'rows': np.arange(3)}", ""),
}
DIFFER = {"generator", "clock", "fresh", "counting", "shuffled", "deep", "filed"}


def test_each_step_is_judged_by_itself_and_named_with_its_cause(project):
    """One run for many assertions: a verification starts processes."""
    steps = "".join(
        f"""
@ps.step(tolerance=ps.pipelines.Tolerance(atol=1e-3))
def {name}(after=None):
    {body}

"""
        for name, (body, _) in PLANTED.items()
    )
    result = project(
        "import sys\nfrom pathlib import Path\nimport pandas as pd\n"
        + steps
        + """
@ps.step(effect=True)
def notify(value) -> str:
    return "sent"


@ps.step(source=True)
def read() -> float:
    return time.time()


@ps.step
def child(value) -> str:
    return str(value)


@ps.pipeline
def job():
    counting(leaking())
    reading(writing())
    generator(), fresh(), unstorable(), shuffled(), deep(), close(), filed(), same_file()
    read()
    notify(mean(numbers(10)))
    return child(clock())
"""
    )
    assert result.ok, result.error
    answer = ps.verify(result.run_id, store=project.store, hash_seeds=1)
    assert answer.verdict is Verdict.DIFFERS
    found = {step.step: step for step in answer.steps}
    assert {name for name, step in found.items() if step.verdict is Verdict.DIFFERS} == DIFFER
    for name, (_, cause) in PLANTED.items():
        assert cause in found[name].cause + found[name].reason
    assert found["child"].verdict is Verdict.BITWISE, "children of the culprit are not accused"
    assert found["same_file"].verdict is Verdict.BITWISE
    assert "the file n.txt has other bytes" in found["filed"].differences[0]
    assert found["close"].verdict is Verdict.WITHIN_TOLERANCE
    assert found["reading"].verdict is Verdict.CANNOT_VERIFY
    assert "return it instead" in found["reading"].reason
    assert "index, row 0" in found["shuffled"].differences[0]
    for name, how in {"notify": "side effect", "read": "replayed"}.items():
        assert (found[name].verdict, found[name].how) == (Verdict.NOT_EXECUTED, how)
    told = answer.to_json()
    assert (told["replayed"], told["side_effects"]) == (1, 1)
    assert told["executed"] == len(found) - 2


PAIRS = [("yes", "no"), ("M", "F"), ("train", "test"), ("a", "b"), ("left", "right"), ("0", "1")]


def test_the_order_of_a_set_of_two_is_found(project):
    steps = "".join(
        f"""
@ps.step
def pair_{place}() -> list[str]:
    return list({{{one!r}, {two!r}}})

"""
        for place, (one, two) in enumerate(PAIRS)
    )
    calls = "\n".join(f"    pair_{place}()" for place in range(len(PAIRS)))
    result = project(
        steps
        + f"""
@ps.step
def known(kind: str) -> bool:
    return kind in {{"one", "two"}}


@ps.step
def each(kind: str) -> str:
    return kind


@ps.pipeline
def job():
{calls}
    known("one")
    ps.map(each, ["one", "two"])
"""
    )
    answer = ps.verify(result.run_id, store=project.store, hash_seeds=4)
    found = {step.step: step for step in answer.steps}
    for place in range(len(PAIRS)):
        step = found[f"pair_{place}"]
        assert step.verdict is Verdict.DIFFERS, place
        assert "orders a set" in step.cause
    assert found["known"].verdict is Verdict.BITWISE
    assert found["known"].hash_seeds == 4
    assert found["each[0]"].hash_seeds > 1


def test_a_run_of_sources_and_side_effects_alone_proves_nothing(project):
    result = project("""
    @ps.step(source=True)
    def read() -> float:
        return time.time()


    @ps.pipeline
    def job():
        return read()
    """)
    answer = ps.verify(result.run_id, store=project.store)
    assert answer.verdict is Verdict.CANNOT_VERIFY
    assert "No step was executed" in answer.notes[0]


def test_a_reused_result_is_traced_to_the_run_that_made_it(project):
    body = """
    @ps.step
    def setting() -> str:
        return os.environ.get("MODE", "none")


    @ps.pipeline
    def job():
        return setting()
    """
    first = project("import os\n" + textwrap.dedent(body))
    again = project("import os\n" + textwrap.dedent(body))
    assert again["setting"].state.value == "cached"
    answer = ps.verify(again.run_id, store=project.store, hash_seeds=1)
    assert answer.verdict is Verdict.BITWISE
    assert answer.steps[0].made_in == first.run_id


def test_a_changed_environment_variable_is_named_as_the_cause(project, monkeypatch):
    monkeypatch.setenv("MODE", "a")
    result = project("""
    import os


    @ps.step
    def setting() -> str:
        return os.environ.get("MODE", "none")


    @ps.pipeline
    def job():
        return setting()
    """)
    monkeypatch.setenv("MODE", "b")
    answer = ps.verify(result.run_id, store=project.store, hash_seeds=1)
    assert answer.verdict is Verdict.DIFFERS
    assert "environment variable MODE changed since the run" in answer.steps[0].cause


def test_a_record_without_settings_keeps_what_its_modules_set(project, monkeypatch):
    """Records of versions before settings were a part of the key: they are not "the defaults"."""
    monkeypatch.setattr("penstock.execution.engine._keys.library_settings", dict)
    before = np.geterr()
    try:
        result = project("""
        import numpy as np

        np.seterr(divide="ignore")


        @ps.step
        def handled() -> str:
            return np.geterr()["divide"]


        @ps.pipeline
        def job():
            return handled()
        """)
    finally:
        np.seterr(**before)
    answer = ps.verify(result.run_id, store=project.store, hash_seeds=1)
    assert answer.verdict is Verdict.BITWISE


def test_a_module_s_value_from_the_environment_is_named_as_the_cause(project, monkeypatch):
    monkeypatch.setenv("DEPTH", "3")
    result = project("""
    import os

    DEPTH = int(os.environ["DEPTH"])


    @ps.step
    def grow() -> int:
        return DEPTH


    @ps.pipeline
    def job():
        return grow()
    """)
    monkeypatch.setenv("DEPTH", "7")
    answer = ps.verify(result.run_id, store=project.store, hash_seeds=1)
    assert answer.verdict is Verdict.DIFFERS
    assert "DEPTH was 3 and is 7" in answer.steps[0].cause
    assert "code" in answer.steps[0].reason
    assert not answer.steps[0].reason.startswith("The same inputs, code")


def test_a_proof_claims_no_place_among_the_artifacts_of_the_store(tmp_path, monkeypatch, project):
    monkeypatch.setenv("PENSTOCK_ARTIFACTS", str(tmp_path / "bytes"))
    with open_store(f"sqlite:///{tmp_path}/team.db") as store:
        result = ps.run(
            ps.execution.load_pipeline(_written(tmp_path, PLAIN)),
            store=store,
            reporter=QuietReporter(),
        )
        before = set(store.artifacts.list())
        assert ps.verify(result.run_id, store=store, hash_seeds=1).verdict is Verdict.BITWISE
        assert collect_garbage(store=store).shared_with == ()
        assert len(store.artifacts.claims()) == 1
        assert set(store.artifacts.list()) == before
        store.artifacts.claim("an-old-proof", "sqlite:////tmp/penstock-verify-ab_1/scratch.db")
        assert collect_garbage(store=store).shared_with == ()


def _written(folder, body):
    (folder / "job.py").write_text(HEAD + textwrap.dedent(body))
    return str(folder / "job.py")


def test_files_that_are_not_recorded_are_named(project, tmp_path):
    (tmp_path / "rates.dat").write_text("3")
    (tmp_path / "rates.json").write_text("3")
    result = project(f"""
    @ps.step
    def rate() -> str:
        return open({str(tmp_path / "rates.dat")!r}).read() + open("rates.json").read()


    @ps.pipeline
    def job():
        return rate()
    """)
    answer = ps.verify(result.run_id, store=project.store, hash_seeds=1)
    assert answer.verdict is Verdict.BITWISE
    assert "'rate' read files that are not recorded with the run: rates.dat." in answer.notes[0]


def test_a_number_of_hash_seeds_that_cannot_be_is_refused(project):
    with pytest.raises(ParameterError, match="hash_seeds is 0"):
        ps.verify("last", store=project.store, hash_seeds=0)


def test_a_difference_within_the_declared_tolerance_is_told_apart(project):
    result = project("""
    @ps.step(tolerance=ps.pipelines.Tolerance(rtol=0, atol=1e9))
    def stamp() -> float:
        return time.time()


    @ps.pipeline
    def job():
        return stamp()
    """)
    answer = ps.verify(result.run_id, store=project.store, hash_seeds=1)
    assert answer.verdict is Verdict.WITHIN_TOLERANCE
    assert answer.proved


def test_a_failed_run_cannot_be_verified(project):
    result = project("""
    @ps.step
    def broken():
        return 1 / 0


    @ps.pipeline
    def job():
        return broken()
    """)
    answer = ps.verify(result.run_id, store=project.store, hash_seeds=1)
    assert answer.verdict is Verdict.CANNOT_VERIFY
    assert "failed" in answer.notes[0]


def test_a_changed_working_tree_does_not_matter(project, tmp_path):
    result = project(PLAIN)
    (tmp_path / "job.py").write_text("raise SystemExit('edited since')\n")
    assert ps.verify(result.run_id, store=project.store, hash_seeds=1).verdict is Verdict.BITWISE


def test_damaged_stored_rows_are_found(project, tmp_path):
    result = project(PLAIN, count=5000)
    steps = {step.step: step for step in project.store.metadata.steps.list(result.run_id)}
    [digest] = steps["numbers"].outputs.values()
    path = project.store.artifacts.path(steps["numbers"].addresses[digest])
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    answer = ps.verify(result.run_id, store=project.store, hash_seeds=1)
    verdicts = {step.step: step.verdict for step in answer.steps}
    assert verdicts["mean"] is Verdict.CANNOT_VERIFY
    assert not answer.proved


READING = """
table = ps.FileSource("table.csv")


@ps.step
def total(rows: ps.Snapshot) -> int:
    return int(rows.table["a"].sum())


@ps.pipeline
def job() -> int:
    return total(ps.steps.ingest(table))
"""


def test_sources_are_replayed_or_read_again_as_asked(project, tmp_path):
    (tmp_path / "table.csv").write_text("a\n1\n2\n3\n")
    result = project(READING)
    again = ps.verify(result.run_id, store=project.store, reread=True, hash_seeds=1)
    assert [step.how for step in again.steps] == ["executed", "executed"]
    assert again.verdict is Verdict.BITWISE
    (tmp_path / "table.csv").write_text("a\n1\n2\n4\n")
    assert ps.verify(result.run_id, store=project.store, hash_seeds=1).verdict is Verdict.BITWISE
    reread = ps.verify(result.run_id, store=project.store, reread=True, hash_seeds=1)
    assert reread.first_difference.step == "ingest"
    assert "column 'a', row 2" in reread.first_difference.differences[0]


def test_a_source_that_is_gone_cannot_be_read_again(project, tmp_path):
    (tmp_path / "table.csv").write_text("a\n1\n2\n3\n")
    result = project(READING)
    (tmp_path / "table.csv").unlink()
    assert ps.verify(result.run_id, store=project.store, hash_seeds=1).verdict is Verdict.BITWISE
    reread = ps.verify(result.run_id, store=project.store, reread=True, hash_seeds=1)
    assert reread.verdict is Verdict.CANNOT_VERIFY
    assert "table.csv" in reread.steps[0].reason


def test_a_step_is_judged_in_this_process_too(project, tmp_path):
    """The work of the forked process, seen from inside."""
    result = project(PLAIN)
    graph = ps.execution.load_pipeline(str(tmp_path / "job.py")).trace(count=50)
    records = {s.step: s for s in project.store.metadata.steps.list(result.run_id)}
    scratch = f"sqlite:///{tmp_path}/scratch.db"
    room = Room(project.store.address, None, scratch, _scratch_run(scratch))
    verdict = judge(Job(graph["mean"], records["mean"]), room)
    assert (verdict.verdict, verdict.hash_seeds) == (Verdict.BITWISE, 1)
    broken = replace(records["mean"], inputs={"table": "sha256:gone"})
    assert judge(Job(graph["mean"], broken), room).verdict is Verdict.CANNOT_VERIFY
    assert judge(Job(graph["mean"], None), room).reason == "The step is not recorded in this run."


def test_a_tracked_script_has_no_sources_to_execute(project):
    with ps.start_run("by hand", store=project.store) as run:
        run.log_metric("a", 1)
    answer = ps.verify(run.run_id, store=project.store, hash_seeds=1)
    assert answer.verdict is Verdict.CANNOT_VERIFY
    assert any("only a pipeline has steps" in note for note in answer.notes)


def test_executing_again_can_be_given_up_on(project):
    result = project("""
    @ps.step
    def slow() -> int:
        time.sleep(3)
        return 1


    @ps.pipeline
    def job():
        return slow()
    """)
    answer = ps.verify(result.run_id, store=project.store, timeout_s=1, hash_seeds=1)
    assert answer.verdict is Verdict.CANNOT_VERIFY
    assert "longer than 1 s" in answer.notes[0]


MAPPED = """
@ps.step
def halves(table: ps.Table) -> dict[str, ps.Table]:
    return {"first": table[:5], "rest": table[5:]}


@ps.step
def smaller(value: float) -> float | ps.Again:
    return ps.Again(value / 2) if abs(value) > 0.01 else value


@ps.pipeline
def one(part):
    return ps.loop(smaller, mean(part))


@ps.step
def is_long(table: ps.Table) -> bool:
    return table.height > 5


@ps.step
def spread(found: dict[str, float]) -> float:
    return SPREAD


@ps.pipeline
def job():
    rows = numbers(20)
    found = ps.map(one, halves(rows))
    ps.when(is_long(rows), lambda: mean(rows), lambda: smaller(1.0))
    return spread(found)
"""


@pytest.mark.parametrize("again", [False, True], ids=["executed", "reused as a whole"])
def test_every_item_of_a_map_is_executed_again(project, again):
    source = MAPPED.replace("SPREAD", "max(found.values()) - min(found.values())")
    result = project(source)
    if again:
        result = project(source)
        assert result["one"].state.value == "cached"
    answer = ps.verify(result.run_id, store=project.store, hash_seeds=1)
    assert answer.verdict is Verdict.BITWISE
    found = {step.step: step for step in answer.steps}
    assert found["one[first]/mean"].how == "executed"
    assert found["one[rest]/smaller"].reason.startswith("It is made of what its ")
    assert found["one"].how == "joined"
    assert found["one"].reason == "It is made of what its {} items returned.".format(
        len([name for name in found if name.startswith("one[")])
    )
    assert "smaller" not in found  # the branch that was not taken


def test_an_item_that_differs_is_named_alone(project):
    result = project(MAPPED.replace("SPREAD", "time.time()"))
    answer = ps.verify(result.run_id, store=project.store, hash_seeds=1)
    assert answer.verdict is Verdict.DIFFERS
    assert [step.step for step in answer.steps if step.verdict is Verdict.DIFFERS] == ["spread"]
