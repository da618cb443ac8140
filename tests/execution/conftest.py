"""A small project in its own folder with its own store, run in this process."""

import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from penstock.execution import PipelineResult, QuietReporter, load_pipeline, run
from penstock.stores import Store, open_store

HEAD = """
import penstock as ps


def note(word):
    with open(__file__.rpartition("/")[0] + "/calls.txt", "a") as file:
        file.write(word + "\\n")

"""


@dataclass
class Project:
    """Writes pipelines into ``job.py`` and runs them."""

    folder: Path
    store: Store

    def write(self, body: str, *, file: str = "job.py", head: str = HEAD) -> Path:
        path = self.folder / file
        path.write_text(head + textwrap.dedent(body))
        return path

    def load(self, body: str, name: str = "job") -> Any:
        return load_pipeline(f"{self.write(body)}:{name}")

    def run(self, body: str, **options: Any) -> PipelineResult:
        return self.again(self.load(body), **options)

    def again(self, pipeline: Any, **options: Any) -> PipelineResult:
        options.setdefault("reporter", QuietReporter())
        return run(pipeline, store=self.store, **options)

    @property
    def calls(self) -> list[str]:
        """What ``note`` was called with since the last time, in order."""
        path = self.folder / "calls.txt"
        words = path.read_text().split() if path.exists() else []
        path.unlink(missing_ok=True)
        return words

    def steps(self, run_id: str) -> dict[str, Any]:
        return {step.step: step for step in self.store.metadata.steps.list(run_id)}


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    store = open_store(f"sqlite:///{tmp_path}/.penstock/penstock.db")
    before = set(sys.modules)
    yield Project(tmp_path, store)
    store.close()
    for name in set(sys.modules) - before:
        if (
            getattr(sys.modules[name], "__file__", None)
            and str(tmp_path) in sys.modules[name].__file__
        ):
            del sys.modules[name]
