"""verify proves what is equal and names the step that is not."""

import textwrap

import pytest

import penstock as ps
from penstock.core import Verdict
from penstock.execution import QuietReporter
from penstock.proofs._replay import replay
from penstock.stores import open_store

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
        pipeline = ps.load_pipeline(str(path))
        return ps.run(pipeline, store=store, reporter=QuietReporter(), **params)

    run.store = store
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
    answer = ps.verify(result.run_id, store=project.store)
    assert answer.verdict is Verdict.BITWISE, answer
    assert [step.how for step in answer.steps] == ["executed"] * 3
    assert project.store.metadata.list_proofs(result.run_id)[-1].verdict is Verdict.BITWISE


def test_a_run_whose_steps_log_parameters_can_be_proved(project):
    body = PLAIN.replace(
        "    return random", '    ps.log_param("ccp_alpha", 0.0)\n    return random'
    )
    result = project(body, count=60)
    assert project.store.metadata.get_run(result.run_id).params == {"count": 60, "ccp_alpha": 0.0}
    assert ps.verify(result.run_id, store=project.store).verdict is Verdict.BITWISE


def test_a_cached_run_can_be_proved_too(project):
    project(PLAIN)
    again = project(PLAIN)
    assert {step.state.value for step in again.steps} == {"cached"}
    assert ps.verify(again.run_id, store=project.store).verdict is Verdict.BITWISE


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ("return float(np.random.default_rng().random())", "generator without a seed"),
        ("return time.time()", "reads the clock"),
        ("return uuid.uuid4().hex", "fresh randomness"),
        ("return list({'a', 'b', 'c', 'd', 'e', 'f', 'g'})", "a set, whose order"),
    ],
)
def test_a_step_that_is_not_reproducible_is_named_with_its_cause(project, body, cause):
    result = project(f"""
    @ps.step
    def planted():
        {body}


    @ps.step
    def child(value) -> str:
        return str(value)


    @ps.pipeline
    def job():
        mean(numbers(10))
        return child(planted())
    """)
    answer = ps.verify(result.run_id, store=project.store)
    assert answer.verdict is Verdict.DIFFERS
    assert answer.first_difference.step == "planted"
    assert cause in answer.first_difference.cause
    others = {step.step: step.verdict for step in answer.steps if step.step != "planted"}
    assert set(others.values()) == {Verdict.BITWISE}, "children of the culprit are not accused"


def test_a_difference_within_the_declared_tolerance_is_told_apart(project):
    result = project("""
    @ps.step(tolerance=ps.Tolerance(rtol=0, atol=1e9))
    def stamp() -> float:
        return time.time()


    @ps.pipeline
    def job():
        return stamp()
    """)
    answer = ps.verify(result.run_id, store=project.store)
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
    answer = ps.verify(result.run_id, store=project.store)
    assert answer.verdict is Verdict.CANNOT_VERIFY
    assert "failed" in answer.notes[0]


def test_a_changed_working_tree_does_not_matter(project, tmp_path):
    result = project(PLAIN)
    (tmp_path / "job.py").write_text("raise SystemExit('edited since')\n")
    assert ps.verify(result.run_id, store=project.store).verdict is Verdict.BITWISE


def test_damaged_stored_rows_are_found(project, tmp_path):
    result = project(PLAIN, count=5000)
    steps = {step.step: step for step in project.store.metadata.list_steps(result.run_id)}
    [digest] = steps["numbers"].outputs.values()
    path = project.store.artifacts.path(steps["numbers"].addresses[digest])
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    answer = ps.verify(result.run_id, store=project.store)
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
    again = ps.verify(result.run_id, store=project.store, reread=True)
    assert [step.how for step in again.steps] == ["executed", "executed"]
    assert again.verdict is Verdict.BITWISE
    (tmp_path / "table.csv").write_text("a\n1\n2\n4\n")
    assert ps.verify(result.run_id, store=project.store).verdict is Verdict.BITWISE
    reread = ps.verify(result.run_id, store=project.store, reread=True)
    assert reread.first_difference.step == "ingest"
    assert "column 'a', row 2" in reread.first_difference.differences[0]


def test_a_source_that_is_gone_cannot_be_read_again(project, tmp_path):
    (tmp_path / "table.csv").write_text("a\n1\n2\n3\n")
    result = project(READING)
    (tmp_path / "table.csv").unlink()
    assert ps.verify(result.run_id, store=project.store).verdict is Verdict.BITWISE
    reread = ps.verify(result.run_id, store=project.store, reread=True)
    assert reread.verdict is Verdict.CANNOT_VERIFY
    assert "table.csv" in reread.steps[0].reason


def test_the_replay_runs_in_this_process_too(project, tmp_path):
    """The child's work, seen from inside: the same answers without the process around it."""
    result = project(PLAIN)
    verdicts = replay(
        {
            "store": project.store.url,
            "artifacts": project.store.artifacts.url,
            "scratch": str(tmp_path),
            "run_id": result.run_id,
            "target": str(tmp_path / "job.py"),
            "steps": ["mean"],
            "reread": False,
        }
    )
    assert [(step.step, step.verdict) for step in verdicts] == [("mean", Verdict.BITWISE)]


def test_a_tracked_script_has_no_sources_to_execute(project):
    with ps.start_run("by hand", store=project.store) as run:
        run.log_metric("a", 1)
    answer = ps.verify(run.run_id, store=project.store)
    assert answer.verdict is Verdict.CANNOT_VERIFY
    assert any("no recorded sources" in note for note in answer.notes)


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
    answer = ps.verify(result.run_id, store=project.store, timeout_s=1)
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
    answer = ps.verify(result.run_id, store=project.store)
    assert answer.verdict is Verdict.BITWISE
    found = {step.step: step for step in answer.steps}
    assert found["one[first]/mean"].how == "executed"
    assert found["one[rest]/smaller"].reason.startswith("It is made of what its ")
    assert found["one"].reason == "It is made of what its {} items gave.".format(
        len([name for name in found if name.startswith("one[")])
    )
    assert "smaller" not in found  # the branch that was not taken


def test_an_item_that_differs_is_named_alone(project):
    result = project(MAPPED.replace("SPREAD", "time.time()"))
    answer = ps.verify(result.run_id, store=project.store)
    assert answer.verdict is Verdict.DIFFERS
    assert [step.step for step in answer.steps if step.verdict is Verdict.DIFFERS] == ["spread"]
