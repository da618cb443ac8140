"""run_step: one step of a run alone, as foreign orchestrators execute it."""

import json
import os
import subprocess
import sys

import pytest
from tests.execution.runners.test_processes import outcome
from tests.execution.test_control import LOOP, NESTED, WHEN
from tests.execution.test_control import body as mapped

from penstock.core import ConflictError, NotFoundError, RunState, StepState
from penstock.execution import prepare_run, run_step


def all_steps(project, run_id):
    graph = project.store.metadata.runs.get(run_id).graph
    return [node["name"] for node in graph["nodes"]]


@pytest.mark.parametrize(
    ("source", "params"),
    [(mapped(), {"count": 3}), (NESTED, {}), (WHEN, {"count": 30}), (LOOP, {})],
    ids=["map", "nested", "when", "loop"],
)
def test_steps_one_by_one_give_the_keys_and_digests_of_a_run(project, source, params):
    pipeline = project.load(source)
    run_id = prepare_run(pipeline, store=project.store, **params)
    assert project.store.metadata.runs.get(run_id).state is RunState.QUEUED
    for name in all_steps(project, run_id):
        assert project.store.metadata.runs.get(run_id).state is RunState.QUEUED
        run_step(run_id, name, store=project.store)
    run = project.store.metadata.runs.get(run_id)
    assert run.state is RunState.FINISHED
    assert run.ended_at is not None
    alone = project.steps(run_id)
    whole = project.again(pipeline, use_cache=False, **params)
    assert outcome(project, whole) == {
        name: (step.state.value, step.key or step.facts.get("key"), step.outputs, step.seed)
        for name, step in alone.items()
    }
    assert [s.position for s in alone.values()] == [
        s.position for s in project.steps(whole.run_id).values()
    ]


def test_items_are_executed_alone_too_and_their_map_collects_them(project):
    pipeline = project.load(NESTED)
    run_id = prepare_run(pipeline, store=project.store)
    for name in ("folds", "two"):
        run_step(run_id, name, store=project.store)
    order = ["fold_sum[1]/times[0]", "fold_sum[0]/times[1]", "fold_sum[0]/times[0]"]
    for name in order:
        assert run_step(run_id, name, store=project.store).state is StepState.FINISHED
    assert set(project.steps(run_id)) == {"folds", "two", *order}
    assert project.calls == ["times-3", "times-2", "times-1"]
    assert run_step(run_id, "fold_sum[0]/times", store=project.store).state is StepState.FINISHED
    assert run_step(run_id, "fold_sum[0]/add", store=project.store).state is StepState.FINISHED
    assert run_step(run_id, "fold_sum", store=project.store).state is StepState.FINISHED
    assert project.calls == []
    assert project.store.metadata.runs.get(run_id).state is RunState.FINISHED


def test_a_step_whose_inputs_are_not_there_says_what_to_do(project):
    run_id = prepare_run(project.load(mapped()), store=project.store)
    with pytest.raises(ConflictError, match=f"penstock step {run_id} numbers"):
        run_step(run_id, "squared", store=project.store)
    with pytest.raises(NotFoundError, match="no step 'square'"):
        run_step(run_id, "square", store=project.store)
    assert project.steps(run_id) == {}


def test_a_step_on_inputs_of_other_code_is_refused(project):
    pipeline = project.load(mapped())
    run_id = prepare_run(pipeline, store=project.store)
    run_step(run_id, "numbers", store=project.store)
    project.write(mapped().replace("list(range(count))", "list(range(count + 1))"))
    with pytest.raises(ConflictError, match=r"Step 'numbers' of run .* was made with other code"):
        run_step(run_id, "squared", store=project.store)
    run_step(run_id, "numbers", store=project.store)
    assert run_step(run_id, "squared", store=project.store).state is StepState.FINISHED
    assert "squared[4]" in project.steps(run_id)


def test_a_finished_run_has_no_step_to_execute(project):
    result = project.run(mapped())
    with pytest.raises(ConflictError, match="is finished"):
        run_step(result.run_id, "total", store=project.store)


def test_a_failed_step_is_executed_again_and_the_run_ends_well(project):
    result = project.run(mapped(bad=2))
    project.write(mapped(bad=2).replace("number == BAD", "number > 90"))
    project.calls  # noqa: B018 - forgets them
    for name in ("squared", "total"):
        run_step(result.run_id, name, store=project.store)
    assert project.store.metadata.runs.get(result.run_id).state is RunState.FINISHED


def test_the_commands_do_the_same(project):
    path = project.write(mapped(bad=1))
    env = {**os.environ, "PENSTOCK_STORE": project.store.url}

    def call(*words):
        command = [sys.executable, "-m", "penstock.cli", *words]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False)

    prepared = json.loads(call("run", str(path), "--prepare", "--json", "--count", "3").stdout)
    assert prepared["state"] == "queued"
    assert [step["name"] for step in prepared["steps"]] == ["numbers", "squared", "total"]
    run_id = prepared["run_id"]
    done = call("step", run_id, "numbers", "--json")
    assert (done.returncode, json.loads(done.stdout)["state"]) == (0, "finished"), done.stdout
    failed = call("step", run_id, "squared")
    assert failed.returncode == 3
    assert "squared[1]" in failed.stderr
    early = call("step", run_id, "total")
    assert early.returncode == 1
    assert "which is failed in run" in early.stderr
