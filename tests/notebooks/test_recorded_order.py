"""The order of cells that `%load_ext penstock` records on a run: whole at each cell's end, and never written anew as a whole."""

import json
from types import SimpleNamespace

import pytest

from penstock.notebooks._extension import NotebookExtension
from penstock.notebooks._recorded_order import CELLS_PER_FILE, order_file
from penstock.tracking import Run, end_run, start_run


class Shell:
    """What the extension uses of IPython's shell, without a kernel."""

    def __init__(self) -> None:
        self.user_ns: dict[str, object] = {}
        self.events = SimpleNamespace(register=lambda *_: None)
        self.register_magic_function = lambda *_: None
        formatter = SimpleNamespace(for_type_by_name=lambda *_: None)
        self.display_formatter = SimpleNamespace(formatters={"text/html": formatter})
        self.extension = NotebookExtension(self)

    def run(self, source: str, cell_id: str = "") -> None:
        self.extension._before(SimpleNamespace(raw_cell=source, cell_id=cell_id))
        exec(source, self.user_ns)
        self.extension._after(SimpleNamespace(success=True))


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("PENSTOCK_STORE", f"sqlite:///{tmp_path}/penstock.db")
    monkeypatch.setenv("PENSTOCK_ARTIFACTS", f"{tmp_path}/artifacts")


def recorded(run):
    """The texts of all files of the order, in order."""
    files = sorted(each for each in run.artifacts() if each.startswith("cells"))
    assert files == sorted(order_file(place) for place in range(len(files)))
    parts = [run.artifact(order_file(place))["cells"] for place in range(len(files))]
    return [cell["source"] for part in parts for cell in part]


def test_the_order_is_whole_after_each_cell_and_each_cell_writes_a_bounded_part(store, monkeypatch):
    written, log_dict = [], Run.log_dict

    def counting(self, name, dictionary):
        written.append(len(dictionary["cells"]))
        return log_dict(self, name, dictionary)

    monkeypatch.setattr(Run, "log_dict", counting)
    shell, texts = Shell(), [f"x = {place}" for place in range(2 * CELLS_PER_FILE + 20)]
    before, after = texts[: CELLS_PER_FILE + 5], texts[CELLS_PER_FILE + 5 :]
    for text in before:
        shell.run(text)
    run = start_run("tracked")
    for place, text in enumerate(after):
        written.clear()
        shell.run(text)
        assert sum(written) <= (2 * CELLS_PER_FILE if place == 0 else CELLS_PER_FILE)
        if place % 20 == 0 or text == texts[-1]:
            assert recorded(run) == texts[: texts.index(text) + 1]
    end_run()
    second = start_run("another")  # a later run has the cells before it too
    shell.run("y = 1")
    assert recorded(second) == [*texts, "y = 1"]
    end_run()


def test_the_file_that_the_front_end_names_tells_copies_from_edits(
    store, tmp_path, monkeypatch, capsys
):
    def saved(*cells):
        document = [
            {"cell_type": "code", "id": name, "source": text, "metadata": {}, "outputs": []}
            for name, text in cells
        ]
        text = json.dumps({"cells": document, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
        (tmp_path / "a.ipynb").write_text(text)

    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "a.ipynb"))
    cells = ("a", "rate = 1"), ("a", "ratio = 1"), ("b", "print(rate)")
    for file, is_said in ((cells, False), (cells[1:], True)):
        saved(*file)
        shell = Shell()
        for name, text in cells:
            shell.run(text, name)
        assert ("older text" in capsys.readouterr().err) == is_said
