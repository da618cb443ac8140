"""A project folder with pipelines, its store, and a clock that can be set."""

import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from penstock.core import set_clock
from penstock.scheduling import Scheduler, Schedules
from penstock.stores import Store, open_store

JOB = """
from datetime import date

import penstock as ps

rows = ps.FileSource("rows.csv")


@ps.step
def told(since: date | None, cutoff: date | None, word: str) -> str:
    with open("calls.txt", "a") as file:
        file.write(f"{since} {cutoff} {word}\\n")
    return word


@ps.pipeline
def job(since: date | None = None, cutoff: date | None = None, word: str = "-"):
    return told(since, cutoff, word)


@ps.pipeline(partitions=ps.Partitions.daily("2026-01-01"))
def daily(since: date, cutoff: date, word: str = "-"):
    return told(since, cutoff, word)


@ps.step
def region_of(region: str) -> str:
    if region == "bad":
        raise ValueError("no such region")
    return region


@ps.pipeline(partitions=ps.Partitions.by(region=["eu", "bad", "us"]))
def regions(region: str):
    return region_of(region)
"""


@dataclass
class Project:
    """A project with schedules."""

    folder: Path
    store: Store
    said: list[str] = field(default_factory=list)

    @property
    def file(self) -> str:
        return str(self.folder / "job.py")

    @property
    def schedules(self) -> Schedules:
        return Schedules(store=self.store)

    def scheduler(self, **options) -> Scheduler:
        return Scheduler(
            project=self.folder, progress=self.said.append, **options, store=self.store
        )

    def write(self, text: str) -> None:
        (self.folder / "job.py").write_text(textwrap.dedent(text))

    @property
    def calls(self) -> list[str]:
        path = self.folder / "calls.txt"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def project(tmp_path, monkeypatch) -> Iterator[Project]:
    yield from project_on(f"sqlite:///{tmp_path}/store/penstock.db", tmp_path, monkeypatch)


@pytest.fixture(params=["sqlite", "postgres"])
def any_project(request, tmp_path, monkeypatch) -> Iterator[Project]:
    """The same on each kind of store."""
    url = f"sqlite:///{tmp_path}/store/penstock.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    yield from project_on(url, tmp_path, monkeypatch)


def project_on(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    folder = tmp_path / "trips"
    folder.mkdir()
    (folder / "pyproject.toml").write_text("")
    (folder / "job.py").write_text(JOB)
    (folder / "rows.csv").write_text("a\n1\n")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("PENSTOCK_STORE", url)
    monkeypatch.setenv("PENSTOCK_ARTIFACTS", str(tmp_path / "artifacts"))
    with open_store() as store:
        yield Project(folder, store)
    for name in ("job", "penstock_pipeline_job"):
        sys.modules.pop(name, None)


class Clock:
    """The clock of this test."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 1, 5, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def go_on(self, **duration: float) -> None:
        self.moment += timedelta(**duration)


@pytest.fixture
def clock() -> Iterator[Clock]:
    made = Clock()
    set_clock(made)
    yield made
    set_clock(None)
