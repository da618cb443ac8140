"""penstock runs, show, compare."""

from dataclasses import replace

import pytest

from penstock.core import RunState
from penstock.stores import open_store


def test_runs_are_listed_newest_first_with_their_metrics(world):
    out = world("runs").out
    listed = world("runs", "--json").json
    assert [run["name"] for run in listed] == ["fraud", "weaker", "fraud"]
    assert [run["params"]["bar"] for run in listed] == [0.999, 0.5, 0.5]
    assert all(run["state"] == "finished" for run in listed)
    assert all(0.5 < run["metrics"]["roc_auc"] <= 1 for run in listed)
    places = [out.index(run["run_id"]) for run in listed]
    assert places == sorted(places)


def test_runs_are_searched_ordered_and_limited(world):
    assert len(world("runs", "params.strength = 0.5", "--json").json) == 1
    assert len(world("runs", "tags.team = 'risk'", "--json").json) == 1
    assert world("runs", "--experiment", "nothing", "--json").json == []
    oldest = world("runs", "--order-by", "created_at asc", "--limit", "1", "--json").json
    assert [run["tags"] for run in oldest] == [{"team": "risk"}]
    assert world("runs", "tags.team IN ['a']", code=2).err.startswith("✗")
    assert world("runs", "tags.team = '[bold]'").out == "No run matches \"tags.team = '[bold]'\".\n"


def test_a_name_that_no_run_has_is_told_with_similar_ones(world):
    told = world(
        "runs", "params.strenght > 0.1 and metrics.nothing > 1 and tags.team = 'params.x'"
    ).out
    assert "No recent run has params.strenght. Did you mean 'strength'?" in told
    assert "No recent run has metrics.nothing." in told
    assert "params.x" not in told.splitlines()[-1]
    assert "No recent run" not in world("runs", "params.strength > 99").out


def test_a_filter_that_cannot_be_read_is_pointed_at(world):
    answer = world("runs", "metrics.auc >> 3", code=2)
    assert "^" in answer.err
    assert world("runs", "--order-by", "colour", code=2).err.startswith("✗")


@pytest.mark.parametrize(
    "command", ["runs", "models", "deployments", "show last", "schedule list", "store check"]
)
def test_a_command_that_reads_makes_no_store(shell, command):
    told = shell(*command.split(), code=2).err
    assert f"There is no store at {shell.folder}/.penstock/penstock.db" in told
    assert "penstock run FILE.py" in told
    assert not (shell.folder / ".penstock").exists()


def test_an_empty_store_says_that_there_is_nothing(world, tmp_path):
    url = f"sqlite:///{tmp_path}/empty.db"
    open_store(url).close()
    assert world("--store", url, "runs").out == "No runs.\n"
    assert world("--store", url, "models").out.startswith("No models are registered.")
    assert world("--store", url, "deployments").out.startswith("Nothing is deployed.")
    assert world("--store", url, "alerts").out == "No open alerts.\n"
    assert "the store has no runs yet" in world("--store", url, "show", "last", code=2).err


def test_show_tells_steps_parameters_and_metrics(world):
    out = world("show", "last").out
    assert "parameters  bar=0.999, proof=False, strength=1.0" in out
    for step in ("ingest", "split", "train", "evaluate", "register"):
        assert f" {step} " in out
    assert "roc_auc" in out
    document = world("show", "last", "--json").json
    assert document["steps"][0]["name"] == "ingest"
    assert document["steps"][2]["cached_from"]
    assert document["proofs"] == []
    assert document["provenance"].startswith("sha256:")


def test_show_of_a_failed_run_tells_the_error_as_it_was_and_how_to_go_on(world):
    run_id = world.fail_once()
    out = world("show", run_id[:-2]).out
    assert "[b]column[/x]" in out
    assert "broken.py" in out
    assert f"Resume with:  penstock run --resume {run_id}" in out
    assert world("show", run_id, "--json").json["error"]


def test_logs_of_a_cached_step_are_those_of_its_execution(world):
    assert "fitting with 1.0" in world("show", "last", "--logs", "train").out
    [line] = world("show", "last", "--logs", "train", "--json").json
    assert line["text"] == "fitting with 1.0"
    assert line["stream"] == "stdout"
    answer = world("show", "last", "--logs", "split")
    assert (answer.out, answer.err) == ("", "Step split has no output.\n")
    assert "Did you mean 'train'?" in world("show", "last", "--logs", "trian", code=2).err


def test_compare_shows_only_what_differs(world):
    first, second, third = [
        run["run_id"] for run in world("runs", "--order-by", "created_at asc", "--json").json
    ]
    out = world("compare", first, second).out
    assert "strength" in out
    assert "train" in out
    assert "bar" not in out
    assert "split" not in out
    assert "bar" in world("compare", first, third).out
    assert world("compare", second, second).out.startswith("No differences")
    document = world("compare", first, second, "--json").json
    assert document["params"]["strength"] == [1.0, 0.5]
    assert document["steps"]["split"] == "same"
    assert "no run" in world("compare", first, "zzz", code=2).err


def test_a_run_that_still_runs_shows_no_time_and_one_that_was_killed_how_to_go_on(world):
    first = world.store.metadata.runs.get("last")
    world.store.metadata.runs.create(replace(first, run_id="r1", state=RunState.RUNNING,
                                            ended_at=None))  # fmt: skip
    assert "took" in world("show", "r1").out
    world.store.metadata.runs.update("r1", state=RunState.KILLED)
    assert "Resume with:  penstock run --resume r1" in world("show", "r1").out


def test_runs_on_other_machines_differ_by_a_sentence(world):
    first = world.store.metadata.runs.get("last")
    world.store.metadata.runs.create(replace(first, run_id="r1", provenance=None))
    assert (
        "provenance: recorded for one of the runs only" in world("compare", "r1", first.run_id).out
    )


def test_show_tells_the_last_proof(world):
    run_id = world("runs", "--json").json[0]["run_id"]
    world("verify", run_id, "--json")
    assert "verified: bitwise" in world("show", run_id).out
