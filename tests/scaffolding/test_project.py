"""Projects: the files are written once, look as ruff would write them, and run as written."""

import shutil
import subprocess
import sys

import pytest

from penstock.core import ConflictError, DataError, NotFoundError, RunState
from penstock.execution import load_pipeline, run
from penstock.models import Model
from penstock.registry import Registry
from penstock.scaffolding import new_project
from penstock.stores import open_store


def _run(project, tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'store' / 'penstock.db'}")
    return run(load_pipeline(str(project.file)), store=store)


def _gates(result):
    return {gate.gate: gate.state.value for gate in result.output().gates}


def _ruff(*words: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr if done.returncode else ""


def test_the_files_are_there_and_the_folder_is_named(visits, tmp_path):
    project = new_project("My visits", data=visits, target="came", folder=tmp_path / "my-visits")
    assert [path.name for path in project.files] == [
        "my_visits.py",
        "test_my_visits.py",
        "README.md",
        ".gitignore",
    ]
    assert (project.model, project.pipeline, project.task) == ("my-visits", "my_visits", "binary")
    assert 'ps.FileSource("../table.csv")' in project.file.read_text()


def test_it_runs_as_written_and_its_gates_pass(visits, tmp_path):
    project = new_project("visits", data=visits, target="came", folder=tmp_path / "visits")
    result = _run(project, tmp_path)
    assert result.state is RunState.FINISHED
    assert result.model_version == "visits@1"
    assert _gates(result) == {
        "lower(roc_auc) > 0.5": "passed",
        "roc_auc >= champion.roc_auc - 0.01": "passed",
        "leakage == none": "passed",
        "verified": "pending",
    }


@pytest.mark.parametrize("kind", ["xgboost", "lightgbm"])
def test_a_booster_is_trained_on_text_labels(visits, tmp_path, kind):
    pytest.importorskip(kind)
    folder = tmp_path / "visits"
    project = new_project("visits", data=visits, target="came", folder=folder, model=kind)
    assert not _ruff("format", "--check", project.file)
    result = _run(project, tmp_path)
    assert result.state is RunState.FINISHED
    store = open_store(f"sqlite:///{tmp_path / 'store' / 'penstock.db'}")
    version = Registry(store=store).get("visits", 1)
    assert Model.load(version, store=store).signature.classes == ("no", "yes")
    assert store.metadata.artifacts.get(version.artifact).format == "skops"


def test_a_model_that_only_guesses_is_refused(write_table, chance, tmp_path):
    rows = [(chance.random(), chance.random(), chance.choice("ab")) for _ in range(400)]
    table = write_table(["x", "z", "y"], rows)
    project = new_project("dice", data=table, target="y", folder=tmp_path / "dice")
    assert _gates(_run(project, tmp_path))["lower(roc_auc) > 0.5"] == "failed"


def test_with_few_positives_the_gate_can_be_passed_and_says_what_is_needed(
    write_table, chance, tmp_path
):
    rows = [(chance.gauss(4 * (i % 16 == 0), 1), int(i % 16 == 0)) for i in range(280)]
    table = write_table(["x", "fraud"], rows)
    project = new_project("rare", data=table, target="fraud", folder=tmp_path / "rare")
    assert any("test rows of class 1" in line for line in project.notes.lines())
    assert "lower(roc_auc) needs 10" in project.file.read_text()
    gates = _gates(_run(project, tmp_path))
    assert {text.split()[0]: state for text, state in gates.items()}["roc_auc"] == "passed"


def test_the_tests_it_writes_pass(visits, tmp_path):
    project = new_project("visits", data=visits, target="came", folder=tmp_path / "visits")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", project.folder],
        capture_output=True,
        text=True,
        cwd=project.folder,
        check=False,
    )
    assert "2 passed" in done.stdout, done.stdout


def test_ruff_finds_nothing_to_change(write_table, chance, tmp_path):
    names = ["row id", "when", "a 'b' \"c\"", "unit", "kind", "q"]
    rows = [
        (n, f"2020-{1 + n // 28 % 12:02d}-{1 + n % 28:02d}", chance.random(), "m",
         chance.choice(["x", "y"]), "rare" if n < 3 else chance.choice(["u", "v", "w"]))
        for n in range(500)
    ]  # fmt: skip
    table = write_table(names, rows)
    project = new_project("odd", data=table, target="q", time="when", folder=tmp_path / "odd")
    assert _ruff("format", "--check", "--isolated", "--line-length=100", project.folder) == ""
    rules = "--select=ALL", "--ignore=D,INP,S101,CPY,COM812,I001"
    assert _ruff("check", "--isolated", "--line-length=100", *rules, project.folder) == ""


TABLES = {
    "three-rows": (["a", "y"], [(1, "x"), (2, "z"), (3, "x")]),
    "three-numbers": (["a", "y"], [(1, 1.5), (2, 2.5), (4, 9)]),
    "rare-codes": (["a", "y"], [(n * 37 % 101, n % 5 if n > 3 else 5 + n) for n in range(200)]),
    "one-rare-text": (["a", "y"], [(n * 37 % 101, "pq"[n % 2] if n else "r") for n in range(200)]),
    "odd-names": (
        ["a b", "a b", "é'", "%", "y out"],
        [(n % 7, n % 11, "uv"[n % 2], n * 3 % 13, n % 3 * 1.5 + n % 7) for n in range(200)],
    ),
    "true-false": (["a", "y"], [(n * 37 % 101 / 7, n % 2 == 0) for n in range(200)]),
    "gaps": (
        ["a", "none", "y"],
        [
            ("?" if n % 3 else n * 7 % 31, "NA", "" if n % 5 == 0 else n * 3 % 17)
            for n in range(200)
        ],
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_an_unseen_table_runs_as_written(name, write_table, tmp_path):
    columns, rows = TABLES[name]
    table = write_table(columns, rows)
    project = new_project(name, data=table, target=columns[-1], folder=tmp_path / name)
    result = _run(project, tmp_path)
    assert result.state is RunState.FINISHED, [str(step.error) for step in result.steps]


@pytest.mark.slow
def test_five_hundred_columns_run_as_written(write_table, chance, tmp_path):
    names = [f"column {n}" for n in range(500)]
    rows = [[chance.random() if n % 2 else 7 for n in range(500)] + [n % 2] for n in range(120)]
    table = write_table([*names, "y"], rows)
    project = new_project("wide", data=table, target="y", folder=tmp_path / "wide")
    assert "# And 250 constant.\n" in project.file.read_text()
    assert "curl" not in (project.folder / "README.md").read_text()
    assert _run(project, tmp_path).state is RunState.FINISHED


def test_a_file_without_header_runs_as_written(write_table, chance, tmp_path):
    rows = [(chance.random(), chance.choice("ab"), chance.random()) for _ in range(400)]
    project = new_project(
        "bare",
        data=write_table([], rows),
        target="price",
        has_header=False,
        columns=["size", "kind", "price"],
        folder=tmp_path / "bare",
    )
    assert project.notes.rows == 400
    assert _run(project, tmp_path).state is RunState.FINISHED


def test_nothing_is_overwritten(visits, tmp_path):
    folder = tmp_path / "visits"
    folder.mkdir()
    (folder / "README.md").write_text("mine")
    with pytest.raises(ConflictError, match=r"README\.md exists already"):
        new_project("visits", data=visits, target="came", folder=folder)
    assert [path.name for path in folder.iterdir()] == ["README.md"]


def test_a_file_in_the_folders_place_is_not_touched(visits, tmp_path):
    (tmp_path / "visits").write_text("mine")
    with pytest.raises(ConflictError, match="exists already"):
        new_project("visits", data=visits, target="came", folder=tmp_path / "visits")


def test_a_missing_file_gets_a_proposal(visits, tmp_path):
    with pytest.raises(NotFoundError, match=r"Did you mean 'table\.csv'"):
        new_project("visits", data=visits.with_name("tabel.csv"), target="y", folder=tmp_path / "v")


@pytest.mark.parametrize("rows", [[], [("", "")]])
def test_an_empty_table_leaves_nothing_behind(rows, write_table, tmp_path):
    with pytest.raises(DataError):
        new_project(
            "empty", data=write_table(["a", "y"], rows), target="y", folder=tmp_path / "empty"
        )
    assert not (tmp_path / "empty").exists()


def test_a_far_table_is_named_by_its_whole_path(visits, tmp_path):
    folder = tmp_path / "a" / "b" / "c" / "d"
    project = new_project("visits", data=visits, target="came", folder=folder)
    assert f'"{visits.as_posix()}"' in project.file.read_text()


def test_the_same_table_gives_the_same_files(visits, tmp_path):
    texts = []
    for _ in range(2):
        project = new_project("visits", data=visits, target="came", folder=tmp_path / "visits")
        texts.append([path.read_text() for path in project.files])
        shutil.rmtree(project.folder)
    assert texts[0] == texts[1]
