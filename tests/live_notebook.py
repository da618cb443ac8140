"""A live notebook in this process, without a kernel: what IPython leaves for penstock to find."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest


class LiveNotebook:
    """A notebook whose cells are executed in this process.

    Args:
        monkeypatch: Takes the notebook's module away after the test.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.main, self._history = ModuleType("__main__"), [""]
        self.digest: Any = None
        self.folder: Path = Path()
        vars(self.main)["get_ipython"] = lambda: self
        shell = SimpleNamespace(
            user_module=self.main,
            history_manager=SimpleNamespace(input_hist_parsed=self._history),
        )
        ipython = ModuleType("IPython")
        monkeypatch.setattr(ipython, "get_ipython", lambda: shell, raising=False)
        monkeypatch.setitem(sys.modules, "IPython", ipython)
        monkeypatch.setitem(sys.modules, "__main__", self.main)

    def run(self, *cells: str) -> None:
        """Execute cells; magics are written as IPython rewrites them."""
        for cell in cells:
            self._history.append(cell)
            exec(compile(cell, "<ipython-input-1>", "exec"), vars(self.main))

    def run_line_magic(self, name: str, line: str) -> None:
        """Execute a file as `%run` does, with names of its own that the notebook gets afterwards."""
        assert name == "run"
        names = {"__name__": "__main__", "__file__": line}
        path = str(Path.cwd() / line)
        exec(compile(Path(path).read_text(encoding="utf-8"), path, "exec"), names)
        names.pop("__file__")
        vars(self.main).update(names)

    def run_cell_magic(self, name: str, line: str, text: str) -> None:
        """Do nothing: a test of the magic reads its text."""
