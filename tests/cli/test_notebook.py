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
