"""penstock run: words become parameters, states become exit codes."""

import json
import os
import subprocess
import sys

import pytest

import penstock as ps
from penstock.cli._run import run as run_command
from penstock.core import DefinitionError, RunState
from penstock.execution import read_manifest
from penstock.pipelines._parameters import COMMAND_OPTIONS, RUN_OPTIONS
from penstock.stores import open_store


def test_a_run_prints_the_promised_document_and_leaves_with_zero(world):
    answer = world("run", "job.py", "--json")
    shown = world("show", answer.json["run_id"], "--json").json
    assert {name for name in shown if shown[name] != answer.json.get(name)} == {
        "artifacts",
        "proofs",
        "steps",
    }
    assert answer.json["state"] == "finished"
    assert answer.json["model_version"] == "fraud@4"
    steps = {step["name"]: step for step in answer.json["steps"]}
    assert list(steps) == ["ingest", "split", "train", "evaluate", "register"]
    assert [{**step, "kept": False} for step in shown["steps"]] == answer.json["steps"]
    assert steps["train"]["state"] == "cached"
    assert steps["train"]["outputs"]["result"].startswith("sha256:")


def test_a_version_with_a_failed_gate_is_registered_and_the_run_leaves_with_one(world):
    answer = world("run", "job.py", "--bar", "0.999", code=1)
    assert "registered, but a gate failed: fraud@4" in answer.err
    assert world.store.metadata.runs.get("last").state is RunState.FINISHED


def test_a_failed_step_leaves_with_three_and_says_why_even_when_quiet(world):
    run_id = world.fail_once()
    assert world("run", "broken.py", "-q", code=3).out == ""
    answer = world("run", "broken.py", "--json", code=3)
    assert answer.json["state"] == "failed"
    assert "[b]column[/x]" in answer.err
    assert "penstock run --resume" in answer.err
    assert world.store.metadata.runs.get(run_id).state is RunState.FAILED


def test_a_failed_run_is_resumed_by_its_command(world):
    run_id = world.fail_once()
    code = (world.folder / "broken.py").read_text()
    (world.folder / "broken.py").write_text(
        code.replace('raise KeyError("[b]column[/x]")', 'print("mended")')
    )
    answer = world("run", "--resume", run_id, "--json")
    assert answer.json["run_id"] == run_id
    assert answer.json["state"] == "finished"
    assert world("run", "--resume", run_id, code=1).err.startswith(f"✗ Run {run_id} is finished.")


def test_a_resumed_run_keeps_its_parameters_and_its_seed(world):
    run_id = world.fail_once()
    answer = world("run", "--resume", run_id, "--strength", "3", code=1)
    assert "was made with another strength" in answer.err
    answer = world("run", "--resume", run_id, "--seed", "3", code=2)
    assert "--seed cannot be used with --resume." in answer.err
    answer = world("run", "--resume", run_id, "--tag", "a=b", code=2)
    assert "--tag cannot be used with --resume." in answer.err


@pytest.mark.parametrize(
    "words",
    [
        ("--strength", "0.25"),
        ("--strength=0.25",),
        ("--set", "strength=0.25"),
        ("--set=strength=0.25",),
    ],
)
def test_a_parameter_is_given_in_any_of_four_ways_before_or_behind_the_file(world, words):
    for order in (["job.py", *words], [*words, "job.py"]):
        run_id = world("run", *order, "--json").json["run_id"]
        assert world.store.metadata.runs.get(run_id).params["strength"] == 0.25


def test_a_name_with_a_dash_means_the_underscore(world):
    (world.folder / "dash.py").write_text(
        "import penstock as ps\n\n\n@ps.step\ndef one(x: int) -> int:\n    return x\n\n\n"
        "@ps.pipeline\ndef p(my_number: int) -> int:\n    return one(my_number)\n"
    )
    world("run", "dash.py", "--my-number", "-5", "-q")
    assert world.store.metadata.runs.get("last").params == {"my_number": -5}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("job.py", "0.5"), "Unexpected argument '0.5'."),
        (("job.py", "--strength"), "--strength has no value."),
        (("job.py", "--strength", "--bar", "1"), "--strength has no value."),
        (("job.py", "--strength", "much"), "'much'"),
        (("job.py", "--strenght", "1"), "Did you mean 'strength'?"),
        (("job.py", "--set", "strength"), "--set 'strength' has no '='."),
        (("job.py", "--tag", "risk"), "--tag 'risk' has no '='."),
        (("job.py", "--runner", "locl"), "Did you mean 'local'?"),
        (("job.py", "--refresh", "trian"), "Did you mean 'train'?"),
        (("jop.py",), "Did you mean 'job.py'?"),
        (("job.py:frod",), "Did you mean 'fraud'?"),
        ((), "No pipeline is named."),
        (("--resume", "nothing"), "There is no run 'nothing'."),
    ],
)
def test_a_mistake_is_answered_with_a_sentence_and_two(world, words, sentence):
    before = world.store.metadata.runs.count()
    answer = world("run", *words, code=2)
    assert sentence in answer.err
    assert answer.out == ""
    assert world.store.metadata.runs.count() == before


def test_name_experiment_tags_seed_and_cache_reach_the_run(world):
    words = ("--name", "tried", "--experiment", "weekend", "--tag", "a=b=c", "--seed", "7")
    answer = world("run", "job.py", *words, "--no-cache", "--json")
    assert {step["state"] for step in answer.json["steps"]} == {"finished"}
    record = world.store.metadata.runs.get("last")
    assert (record.name, record.experiment, record.seed) == ("tried", "weekend", 7)
    assert record.tags == {"a": "b=c"}


def test_a_refreshed_step_is_executed_again_and_the_others_are_not(world):
    steps = world("run", "job.py", "--refresh", "train", "--json").json["steps"]
    states = {step["name"]: step["state"] for step in steps}
    assert states["train"] == "finished"
    assert states["split"] == "cached"


def test_an_interrupted_run_leaves_with_130(world):
    (world.folder / "stop.py").write_text(
        "import penstock as ps\n\n\n@ps.step\ndef one() -> int:\n    raise KeyboardInterrupt\n\n\n"
        "@ps.pipeline\ndef p() -> int:\n    return one()\n"
    )
    world("run", "stop.py", "-q", code=130)
    assert world.store.metadata.runs.get("last").state is RunState.KILLED


def test_a_run_of_cached_steps_has_its_metrics_too(world):
    world("run", "job.py", "-q")
    first, last = world("runs", "--order-by", "created_at asc", "--json").json[0::3]
    assert last["metrics"] == first["metrics"]
    assert 0.5 < last["metrics"]["roc_auc"] <= 1


def test_a_part_of_a_pipeline_is_run(shell):
    (shell.folder / "job.py").write_text(
        "import penstock as ps\n\n\n@ps.step\ndef one(x: int) -> int:\n    return x\n\n\n"
        "@ps.step\ndef two(x: int) -> int:\n    return x + 1\n\n\n"
        "@ps.pipeline\ndef job(x: int = 1) -> int:\n    return two(one(x))\n"
    )
    names = [s["name"] for s in shell("run", "job.py", "--until", "one", "--json").json["steps"]]
    assert names == ["one"]
    states = {
        s["name"]: s["state"]
        for s in shell("run", "job.py", "--from", "two", "--json").json["steps"]
    }
    assert states == {"one": "cached", "two": "finished"}
    assert (
        "is not among the selected steps"
        in shell("run", "job.py", "--only", "two", "--x", "3", code=3).err
    )
    assert (
        "--until cannot be used with --resume"
        in shell("run", "--resume", "last", "--until", "one", code=2).err
    )


NOISY = """
import os

import helper
import penstock as ps

print("imported")
os.system("echo from a child")


@ps.step
def shout(text: str) -> str:
    print("working")
    return helper.twice(text)


@ps.pipeline
def noisy(text: str = "a") -> str:
    return shout(text)
"""


def test_a_pipeline_of_another_folder_is_recorded_in_its_project_and_json_is_one_document(tmp_path):
    """One process for many assertions: only a real one has children that print."""
    project, elsewhere, library = (tmp_path / name for name in ("project", "else", "library"))
    for folder in (project, elsewhere, library):
        folder.mkdir()
    (project / "noisy.py").write_text(NOISY)
    (project / "large.py").write_text("#" * (2 << 20))
    (library / "helper.py").write_text("def twice(text):\n    return 2 * text\n")
    environment = {name: value for name, value in os.environ.items() if name != "PENSTOCK_STORE"}
    answer = subprocess.run(
        [sys.executable, "-m", "penstock.cli", "run", str(project / "noisy.py"), "--text", "-q1",
         "--json"],
        cwd=elsewhere, env={**environment, "PYTHONPATH": str(library)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    told = json.loads(answer.stdout)
    with open_store(f"sqlite:///{project}/.penstock/penstock.db") as store:
        run = store.metadata.runs.get(told["run_id"])
        assert run.params == {"text": "-q1"}
        manifest = read_manifest(run, store=store)
    assert manifest["code"]["outside"] == [str(library / "helper.py")]
    assert manifest["code"]["left_out"] == ["large.py"]
    for text in ("imported", "from a child", "working", "helper.py", "large.py", f"cd {project}"):
        assert text in answer.stderr
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("name", ["json", "quiet", "runner", "help", "no_cache", "seed", "resume"])
def test_a_parameter_called_as_an_option_is_refused_where_it_is_defined(name):
    space = {"ps": ps}
    with pytest.raises(DefinitionError, match=f"has a parameter '{name}'"):
        exec(f"@ps.pipeline\ndef job({name}=1):\n    pass", space)


def test_every_option_of_run_is_known_to_pipelines():
    options = {option.removeprefix("--").replace("-", "_") for parameter in run_command.params
               for option in parameter.opts if option.startswith("--")}  # fmt: skip
    renamed = {"from": "from_step"}
    assert {renamed.get(option, option) for option in options} <= {*RUN_OPTIONS, *COMMAND_OPTIONS}
