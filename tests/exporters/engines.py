"""Real engines, each in an environment of its own under `.engines` (made by `.ci/engines`)."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.services import missing

ROOT = Path(__file__).parents[2]

PIPELINE = '''
from datetime import date
from pathlib import Path

import penstock as ps


@ps.step
def numbers(count: int) -> list[int]:
    return list(range(1, count + 1))


@ps.step(resources=ps.Resources(cpu=1, memory="512MiB"), timeout="5m")
def squared(number: int) -> int:
    return number * number


@ps.step(retries=ps.Retry(2, delay="1s", backoff=2))
def total(values: list[int]) -> int:
    marker = Path("fail-once")
    if marker.exists():
        marker.unlink()
        raise OSError("the first attempt")
    return sum(values)


@ps.step
def is_large(total: int) -> bool:
    return total > 10


@ps.step
def celebrate(total: int) -> str:
    return f"large: {total}"


@ps.step
def shrug(total: int) -> str:
    return f"small: {total}"


@ps.step
def report(text: str) -> dict:
    ps.log_dict({"text": text}, "report.json")
    return {"text": text}


@ps.pipeline
def job(count: int = 3):
    """Squares, and says whether they are many."""
    found = total(ps.map(squared, numbers(count)))
    text = ps.when(is_large(found), lambda: celebrate(found), lambda: shrug(found))
    return report(text)


@ps.step
def fails(number: int) -> int:
    raise ValueError(f"no good: {number}")


@ps.step
def never(number: int) -> int:
    return number


@ps.pipeline
def broken():
    return never(fails(1))


@ps.step
def rows(since: date, cutoff: date) -> int:
    return (cutoff - since).days


@ps.pipeline(partitions=ps.Partitions.daily("2026-01-01"))
def daily(since: date, cutoff: date, rate: float = 0.5):
    """Rows of a day."""
    return rows(since, cutoff)
'''


def engine(name):
    """Return the folder of an engine's commands."""
    folder = Path(os.environ.get("PENSTOCK_ENGINES", ROOT / ".engines")) / name
    if not (folder / "installed").exists():
        missing(f"needs {name} in an environment of its own; get it with: .ci/engines {name}")
    return folder / "bin"


class Job:
    """A project with the pipelines above, in a folder with a store of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "pyproject.toml").write_text("")
        (folder / "job.py").write_text(PIPELINE)
        self.store = f"sqlite:///{folder}/.penstock/penstock.db"
        self.env = {
            **os.environ,
            "PENSTOCK_STORE": self.store,
            "PENSTOCK_PROJECT": str(folder),
            # The engine's tasks call our command, with our interpreter.
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }

    def penstock(self, *words: str, check: bool = True) -> str:
        done = subprocess.run(
            ["penstock", *words],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout

    def export(self, target: str, to: str, *words: str) -> Path:
        path = self.folder / f"exported-{to}-{target.rpartition(':')[2]}"
        self.penstock("export", target, "--to", to, "-o", str(path), *words)
        return path

    def call(self, *command: object, **more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            list(map(str, command)),
            cwd=self.folder,
            env={**self.env, **more},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    def outcome(self, run: str = "last") -> dict:
        """Return the run's state, and by step the state and the digests of the outputs."""
        shown = json.loads(self.penstock("show", run, "--json"))
        steps = {each["name"]: (each["state"], each["outputs"]) for each in shown["steps"]}
        return {"state": shown["state"], "steps": steps}

    def executed_here(self, *words: str) -> dict:
        """Return the outcome of `penstock run`, executed without the cache."""
        self.penstock("run", "job.py:job", "--no-cache", "-q", *words)
        return self.outcome()


def vertex_read(commands: Path, script: Path, files: "list[Path]") -> "list[dict]":
    """Return requests as Vertex's own types read them, in its environment."""
    done = subprocess.run(
        [commands / "python", "-W", "ignore", script, *files],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
