"""resume_run: go on where a run stopped, also after a fix, and never twice."""

import io

import pytest

from penstock.core import ConflictError, NotFoundError, RunState, StepState
from penstock.execution import LineReporter, QuietReporter, RunOptions, resume_run, why
from penstock.tracking import start_run

BODY = """
@ps.step(effect=True)
def send(x: int) -> int:
    note("send")
    return x


@ps.step(cache=False)
def load(start: int) -> int:
    note("load")
    return start


@ps.step
def broken(x: int) -> int:
    note("broken")
    return x / 0


@ps.step
def after(x: int) -> int:
    note("after")
    return x


@ps.pipeline
def job(start: int = 1):
    return after(broken(send(load(start))))
"""
FIXED = BODY.replace("x / 0", "x + 1")


def go_on(project, run_id="last", **given):
    options = RunOptions(store=project.store, reporter=QuietReporter())
    return resume_run(run_id, options=options, **given)


def test_after_a_fix_only_what_failed_and_what_follows_runs(project):
    failed = project.run(BODY, start=5, use_cache=False, seed=4)
    assert project.calls == ["load", "send", "broken"]
    project.write(FIXED)
    result = go_on(project, failed.run_id)
    assert project.calls == ["broken", "after"]
    assert result.run_id == failed.run_id
    assert result.output() == 6
    assert [s.state for s in result.steps] == [StepState.FINISHED] * 4
    record = project.store.metadata.runs.get(result.run_id)
    assert (record.state, record.attempt, record.error) == (RunState.FINISHED, 2, None)
    assert (record.params, record.seed) == ({"start": 5}, 4)


def test_what_a_step_has_logged_is_no_parameter_of_the_pipeline(project):
    project.run(BODY.replace('note("load")', 'note("load"); ps.log_param("depth", 3)'), start=5)
    project.write(FIXED)
    assert go_on(project, params={"start": 5}).output() == 6
    record = project.store.metadata.runs.get("last")
    assert record.params == {"start": 5, "depth": 3}
    assert record.arguments == {"start": 5}


def test_the_source_of_the_last_attempt_is_kept(project):
    failed = project.run(BODY)
    before = project.store.metadata.runs.get(failed.run_id).provenance
    project.write(FIXED)
    go_on(project)
    after = project.store.metadata.runs.get(failed.run_id).provenance
    assert before != after
    files = project.store.get(after)["code"]["files"]
    assert b"x + 1" in project.store.artifacts.read(files["job.py"])


def test_a_change_upstream_runs_what_depends_on_it(project):
    project.run(BODY)
    assert project.calls
    project.write(FIXED.replace("    return start\n", "    return start + 10\n"))
    assert go_on(project).output() == 12
    assert project.calls == ["load", "send", "broken", "after"]


def test_resuming_twice_fails_twice_and_then_works(project):
    failed = project.run(BODY)
    assert not go_on(project).ok
    project.write(FIXED)
    assert go_on(project).ok
    assert project.calls == ["load", "send", "broken", "broken", "broken", "after"]
    assert project.store.metadata.runs.get(failed.run_id).attempt == 3


def test_a_result_that_is_gone_is_made_again(project, monkeypatch):
    failed = project.run(BODY)
    project.write(FIXED)

    def gone(digest, content_digest=None):
        raise NotFoundError(what=f"{digest} was collected.")

    monkeypatch.setattr(project.store.metadata.artifacts, "get", gone)
    assert go_on(project, failed.run_id).ok
    assert project.calls == ["load", "send", "broken", "load", "send", "broken", "after"]


def test_another_file_can_be_named(project):
    project.run(BODY)
    moved = project.write(FIXED, file="moved.py")
    (project.folder / "job.py").unlink()
    with pytest.raises(NotFoundError, match=r"started from job.py"):
        go_on(project)
    assert go_on(project, target=str(moved)).ok


def test_a_finished_or_running_run_is_not_resumed(project):
    done = project.run(FIXED)
    with pytest.raises(ConflictError, match="is finished"):
        go_on(project, done.run_id)
    project.run(BODY, start=9)
    project.store.metadata.runs.update("last", state=RunState.RUNNING)
    with pytest.raises(ConflictError, match="is running"):
        go_on(project)


def test_a_tracked_script_is_no_pipeline(project):
    with pytest.raises(ZeroDivisionError), start_run("script", store=project.store):
        1 / 0  # noqa: B018 - it is to fail
    with pytest.raises(ConflictError, match="tracked script"):
        go_on(project)


def test_other_parameters_make_another_run(project):
    failed = project.run(BODY, start=5)
    pipeline = project.load(FIXED)
    with pytest.raises(ConflictError, match="another start"):
        project.again(pipeline, resume=failed.run_id, start=6)
    assert project.again(pipeline, resume=failed.run_id, start="5").ok


def test_a_pipeline_without_a_file_must_be_given(project):
    from penstock.pipelines import pipeline, step

    @step
    def fine() -> int:
        if not (project.folder / "go").exists():
            raise ValueError("not yet")
        return 1

    @pipeline
    def inside():
        return fine()

    failed = project.again(inside)
    assert project.store.metadata.runs.get(failed.run_id).entry is None
    with pytest.raises(NotFoundError, match="notebook or an interpreter"):
        go_on(project)
    (project.folder / "go").touch()
    assert go_on(project, target=inside).ok


def test_an_unknown_run_is_told(project):
    with pytest.raises(NotFoundError, match="nothing"):
        go_on(project, "nothing")


def test_a_kept_step_is_told_as_kept_and_why_knows(project):
    failed = project.run(BODY, start=5, use_cache=False)
    project.write(FIXED)
    stream = io.StringIO()
    options = RunOptions(store=project.store, reporter=LineReporter(stream))
    result = resume_run(failed.run_id, options=options)
    told = [line.split()[:2] for line in stream.getvalue().splitlines()[1:5]]
    assert told == [
        ["load", "kept"],
        ["send", "kept"],
        ["broken", "finished"],
        ["after", "finished"],
    ]
    assert ["kept" in step.facts for step in result.steps] == [True, True, False, False]
    assert [step["kept"] for step in result.to_json()["steps"]] == [True, True, False, False]
    kept = why(failed.run_id, "load", store=project.store)
    assert (kept.executed, "Kept when the run was resumed (attempt 2)" in kept.reason) == (
        False,
        True,
    )
    executed = why(failed.run_id, "broken", store=project.store)
    assert executed.executed
    assert "the run was resumed (attempt 2)" in executed.reason


def test_the_last_run_to_resume_is_the_last_of_a_pipeline(project):
    failed = project.run(BODY)
    with start_run("by hand", store=project.store, console=False, system_metrics=False):
        pass
    project.write(FIXED)
    assert go_on(project).run_id == failed.run_id
