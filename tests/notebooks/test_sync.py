"""`sync_notebook`: the same cells on both sides, byte for byte; what would be lost is never written."""

import json
import random
import subprocess
import sys

import pytest
from tests.notebooks.corpus import write_notebook

from penstock.core import ConflictError, NotFoundError, PenstockError
from penstock.notebooks import cleaned, sync_notebook

pytest.importorskip("jupytext", reason='pip install "penstock[notebooks]"')

OUTPUT = {"output_type": "stream", "name": "stdout", "text": ["1\n"]}


@pytest.fixture
def pair(tmp_path):
    outputs = {1: [OUTPUT], 2: [OUTPUT]}
    cells = "#md # Title\n\nText.", "print(1)", "%matplotlib inline\nx = 1\nprint(x)"
    tags = {1: ["parameters"]}
    notebook = write_notebook(tmp_path / "a.ipynb", *cells, outputs=outputs, tags=tags)
    return notebook, tmp_path / "a.py"


def cells_of(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def text_of(cell):
    return "".join(cell["source"])


def test_a_script_is_written_and_nothing_changes_after(pair):
    notebook, script = pair
    before = notebook.read_bytes()
    assert sync_notebook(notebook).action == "script written"
    assert "# %matplotlib inline" in script.read_text(encoding="utf-8")
    assert sync_notebook(notebook).action == "unchanged"
    assert sync_notebook(script).action == "unchanged"
    assert notebook.read_bytes() == before


def test_an_edited_script_changes_the_cells_and_keeps_ids_tags_and_outputs(pair):
    notebook, script = pair
    sync_notebook(notebook)
    text = script.read_text(encoding="utf-8").replace("x = 1", "x = 2")
    script.write_text(text.replace("# Text.", "# Other.") + "\n# %%\nnew = 3\n", encoding="utf-8")
    result = sync_notebook(notebook)
    assert (result.action, list(result.outputs_dropped)) == ("notebook written", [3])
    title, first, second, new = cells_of(notebook)
    assert text_of(title) == "# Title\n\nOther."
    assert (first["id"], first["outputs"], first["metadata"]["tags"]) == (
        "c1",
        [OUTPUT],
        ["parameters"],
    )
    assert (second["id"], second["outputs"], text_of(second)) == (
        "c2",
        [],
        "%matplotlib inline\nx = 2\nprint(x)",
    )
    assert text_of(new) == "new = 3"
    assert sync_notebook(notebook).action == "unchanged"


def test_both_changed_is_a_conflict_and_nothing_is_written(pair):
    notebook, script = pair
    sync_notebook(notebook)
    notebook.write_text(notebook.read_text().replace("print(1)", "print(10)"), encoding="utf-8")
    script.write_text(script.read_text().replace("x = 1", "x = 2"), encoding="utf-8")
    before = notebook.read_bytes(), script.read_bytes()
    with pytest.raises(ConflictError, match="both changed since the last sync") as conflict:
        sync_notebook(notebook)
    assert (notebook.read_bytes(), script.read_bytes()) == before
    assert "+print(10)" in conflict.value.differences["notebook"]
    assert "+x = 2" in conflict.value.differences["script"]
    assert sync_notebook(notebook, use="script").action == "notebook written"
    assert text_of(cells_of(notebook)[1]) == "print(1)"


def test_files_that_were_never_synced_and_differ_are_a_conflict(pair):
    notebook, script = pair
    script.write_text("# %%\nprint(2)\n", encoding="utf-8")
    with pytest.raises(ConflictError, match="never synced"):
        sync_notebook(notebook)


def test_a_new_notebook_is_made_of_a_script(tmp_path):
    script = tmp_path / "b.py"
    script.write_text("# %% [markdown]\n# # Hello\n\n# %%\nx = 1\n", encoding="utf-8")
    assert sync_notebook(script).action == "notebook written"
    assert [text_of(cell) for cell in cells_of(tmp_path / "b.ipynb")] == ["# Hello", "x = 1"]
    with pytest.raises(NotFoundError):
        sync_notebook(tmp_path / "none.ipynb")
    (tmp_path / "c.ipynb").write_text('{"worksheets": []}', encoding="utf-8")
    with pytest.raises(PenstockError, match="format 4"):
        sync_notebook(tmp_path / "c.ipynb")


LINES = [
    "x = 1",
    "",
    "    y = 2",
    "# comment",
    "%time z",
    "!ls",
    "# %% not a cell",
    "'''a\\n\\n%b'''",
    "é",
    "\t",
]


@pytest.mark.slow
def test_drawn_cells_come_back_byte_for_byte_or_are_refused(tmp_path):
    """300 drawn notebooks through the script and back."""
    stable = 0
    for seed in range(300):
        draw = random.Random(seed)
        cells = [
            "\n".join(draw.choices(LINES, k=draw.randint(0, 5))) for _ in range(draw.randint(1, 5))
        ]
        folder = tmp_path / str(seed)
        folder.mkdir()
        notebook = write_notebook(folder / "a.ipynb", *cells)
        before = notebook.read_bytes()
        try:
            sync_notebook(notebook)
        except PenstockError:
            assert not (folder / "a.py").exists()
            continue
        stable += 1
        assert notebook.read_bytes() == before
        script = folder / "a.py"
        text = script.read_text(encoding="utf-8")
        script.write_text(f"{text}\n# %%\nadded = 1\n", encoding="utf-8")
        sync_notebook(notebook)
        *kept, added = cells_of(notebook)
        assert [(text_of(cell), cell["id"]) for cell in kept] == [
            (source, f"c{place}") for place, source in enumerate(cells)
        ]
        assert text_of(added) == "added = 1"
    assert stable >= 150


def test_the_git_filter_keeps_outputs_out_of_commits_and_in_the_file(pair):
    notebook, _ = pair
    folder = notebook.parent

    def git(*words):
        done = subprocess.run(
            ["git", *words], cwd=folder, capture_output=True, text=True, check=True
        )
        return done.stdout

    git("init", "-q")
    git("config", "user.email", "a@example.org")
    git("config", "user.name", "a")
    command = f"{sys.executable} -m penstock.cli"
    subprocess.run([*command.split(), "notebook", "git"], cwd=folder, check=True)
    for name in ("filter.penstock.clean", "diff.penstock.textconv"):
        words = git("config", name).strip().replace("penstock ", f"{command} ", 1)
        git("config", name, words)  # as if it were on the path
    git("add", "-A")
    git("commit", "-qm", "first")
    assert cells_of(notebook)[1]["outputs"] == [OUTPUT]
    committed = json.loads(git("show", "HEAD:a.ipynb"))
    assert [cell.get("outputs") for cell in committed["cells"]] == [None, [], []]
    assert git("status", "--porcelain") == ""
    notebook.write_text(notebook.read_text().replace("print(1)", "print(7)"), encoding="utf-8")
    assert "+print(7)" in git("diff")
    assert '"outputs"' not in git("diff")


def test_what_is_no_notebook_passes_the_filter_unchanged():
    assert cleaned("<html>") == "<html>"
    assert cleaned('{"cells": 3}') == '{"cells": 3}'
