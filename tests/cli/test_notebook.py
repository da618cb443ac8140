"""`penstock notebook`: the commands' output, documents and exit codes."""

import json

import pytest
from tests.notebooks.corpus import write_notebook


def test_check_prints_findings_with_reason_and_fix_and_exits_by_level(world):
    path = write_notebook(world.folder / "a.ipynb", "print(late)", "late = 1")
    shown = world("notebook", "check", str(path), code=1).out
    assert "✗ NB2 cell 1, line 1: 'late' is defined only below, in cell 2, line 1." in shown
    assert "1 notebook: 1 error, 0 warnings, 0 remarks" in shown
    clean = write_notebook(world.folder / "b.ipynb", "late = 1", "late += 1")
    assert "NB3" in world("notebook", "check", str(clean)).out
    world("notebook", "check", str(clean), "--fail-on", "warning", code=1)


def test_check_as_json_is_one_document(world):
    path = write_notebook(world.folder / "a.ipynb", "print(late)")
    document = world("notebook", "check", str(path), "--json", code=1).json
    [found] = document["notebooks"][0]["findings"]
    assert document["ok"] is False
    assert (found["rule"], found["cell"], found["line"], found["cell_id"]) == ("NB2", 1, 1, "c0")
    assert found["why"]
    assert found["fix"]


def test_check_as_sarif_has_rules_places_and_suppressions(world):
    source = "import numpy as np\nnp.random.rand()  # penstock: ignore NB5 a picture"
    path = write_notebook(world.folder / "a.ipynb", source)
    log = json.loads(world("notebook", "check", str(path), "--sarif").out)
    run = log["runs"][0]
    assert log["version"] == "2.1.0"
    results = {result["ruleId"]: result for result in run["results"]}
    assert results["NB5"]["suppressions"][0]["justification"] == "a picture"
    assert results["NB5"]["locations"][0]["physicalLocation"]["region"]["startLine"] == 2
    assert {"NB1", "NB11"} <= {rule["id"] for rule in run["tool"]["driver"]["rules"]}


def test_check_refuses_what_is_not_there_and_two_forms_at_once(world):
    assert "cannot be read" in world("notebook", "check", "none.ipynb", code=2).err
    path = write_notebook(world.folder / "a.ipynb", "x = 1")
    world("notebook", "check", str(path), "--json", "--sarif", code=2)


def test_the_hook_of_pre_commit_calls_the_command(world, request):
    hooks = (request.config.rootpath / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    assert "entry: penstock notebook check" in hooks
    yaml = pytest.importorskip("yaml", reason="pip install pyyaml")
    assert yaml.safe_load(hooks)[0]["types"] == ["jupyter"]
    assert world("notebook", "--help").out


@pytest.mark.slow
def test_run_prints_its_cells_and_exits_by_their_state(world):
    pytest.importorskip("nbclient", reason='pip install "penstock[notebooks]"')
    path = write_notebook(
        world.folder / "a.ipynb",
        "size = 1",
        "print(size)",
        "1 / (size - 5)",
        tags={0: ["parameters"]},
    )
    done = world("notebook", "run", str(path), "-p", "size=4", "-o", "out.ipynb")
    assert "4 of 4 cells finished" in done.out
    assert "4\\n" in (world.folder / "out.ipynb").read_text(encoding="utf-8")
    failed = world("notebook", "run", str(path), "-p", "size=5", "--json", code=3).json
    assert [cell["state"] for cell in failed["cells"]] == [
        "finished",
        "finished",
        "finished",
        "failed",
    ]
    assert "cell 3" in world("show", failed["run_id"]).out
    assert "no parameter" in world("notebook", "run", str(path), "-p", "sise=5", code=2).err


@pytest.mark.slow
def test_promote_shows_the_steps_and_refuses_with_the_cells(world):
    pytest.importorskip("nbclient", reason='pip install "penstock[notebooks]"')
    cells = "size = 4", "#md # Make", "x = list(range(size))", "#md # Sum", "total = sum(x)"
    path = write_notebook(world.folder / "a.ipynb", *cells)
    planned = world("notebook", "promote", str(path), "-o", "pkg", "--plan", "--json").json
    assert [step["cells"] for step in planned["steps"]] == [[3], [5]]
    shown = world("notebook", "promote", str(path), "-o", "pkg").out
    assert "2 values are equal" in shown
    assert world("run", "pkg/a.py", "--size", "6", "--json").json["state"] == "finished"
    late = write_notebook(world.folder / "b.ipynb", "print(late)", "late = 1")
    refused = world("notebook", "promote", str(late), "-o", "other", "--json", code=2).json
    assert "cell 1, line 1" in refused["error"]["what"]
    assert not (world.folder / "other").exists()


def test_sync_writes_the_other_side_and_shows_a_conflict(world):
    pytest.importorskip("jupytext", reason='pip install "penstock[notebooks]"')
    path = write_notebook(world.folder / "a.ipynb", "x = 1")
    assert "written: a.py" in world("notebook", "sync", "a.ipynb").out
    assert world("notebook", "sync", "a.ipynb", "--json").json["action"] == "unchanged"
    path.write_text(path.read_text().replace("x = 1", "x = 2"), encoding="utf-8")
    script = world.folder / "a.py"
    script.write_text(script.read_text().replace("x = 1", "x = 3"), encoding="utf-8")
    refused = world("notebook", "sync", "a.ipynb", code=1).err
    assert "+x = 2" in refused
    assert "+x = 3" in refused
    assert "written: a.ipynb" in world("notebook", "sync", "a.ipynb", "--use", "script").out


def test_clean_prints_a_notebook_without_outputs_or_as_a_script(world):
    outputs = {0: [{"output_type": "stream", "name": "stdout", "text": "secret"}]}
    path = write_notebook(world.folder / "a.ipynb", "x = 1", counts=[7], outputs=outputs)
    cleaned = json.loads(world("notebook", "clean", str(path)).out)
    assert (cleaned["cells"][0]["outputs"], cleaned["cells"][0]["execution_count"]) == ([], None)
