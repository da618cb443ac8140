"""What a step returned is what the next one gets: by its own bytes, class and all, on every runner."""

import subprocess
import sys
import textwrap

import pytest

ALIASES = """
@ps.step
def one() -> dict:
    return {"b": 1, "a": 2}

@ps.step
def two() -> dict:
    return {"a": 2, "b": 1}

@ps.step
def make(k: int):
    def scaled(x):
        return x * k
    return scaled

@ps.step
def look(d: dict, e: dict, f, g) -> list:
    return [list(d), list(e), f(10), g(10)]

@ps.pipeline
def job():
    return look(one(), two(), make(2), make(5))
"""


def test_equal_looking_values_are_not_handed_out_for_one_another(project):
    expected = [["b", "a"], ["a", "b"], 20, 50]
    assert project.run(ALIASES).output() == expected
    again = project.again(project.load(ALIASES), refresh=["look"])
    assert again["one"].state.value == "cached"
    assert again.output() == expected


def test_values_with_equal_bytes_are_read_as_what_they_are(project):
    body = """
    @ps.step
    def raw() -> bytes:
        return b"[1]"

    @ps.step
    def listed() -> list:
        return [1]

    @ps.step
    def look(a, b) -> list:
        return [type(a).__name__, type(b).__name__]

    @ps.pipeline
    def job():
        return look(raw(), listed())
    """
    assert project.run(body).output() == ["bytes", "list"]
    again = project.again(project.load(body), refresh=["look"])
    assert again.output() == ["bytes", "list"]


OWN_CLASSES = """
import dataclasses, enum, sys
from typing import NamedTuple
import penstock as ps

@dataclasses.dataclass
class Options:
    depth: int = 1

class Color(enum.Enum):
    RED = 1

class Pair(NamedTuple):
    a: int

@ps.step
def make() -> list:
    return [Options(2), Color.RED, Pair(1)]

@ps.step
def look(values: list) -> list:
    return [isinstance(v, c) for v, c in zip(values, (Options, Color, Pair))]

@ps.pipeline
def job():
    return look(make())

if __name__ == "__main__":
    from penstock.execution import QuietReporter
    quiet = QuietReporter()
    for runner in sys.argv[1:]:
        result = ps.run(job, runner=runner, refresh=["look"], reporter=quiet)
        print(result.output(), result["make"].state.value, [type(v).__module__ for v in result.output("make")])
"""


@pytest.mark.parametrize("first", ["by python", "by a worker"])
def test_objects_of_a_files_classes_are_instances_of_them_wherever_they_were_made(tmp_path, first):
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "job.py").write_text(textwrap.dedent(OWN_CLASSES))
    runners = ["local", "processes"] if first == "by python" else ["processes", "local"]
    done = subprocess.run(
        [sys.executable, "job.py", *runners], cwd=tmp_path, capture_output=True, text=True,
        check=False, timeout=100,
    )  # fmt: skip
    told = "[True, True, True] {} ['__main__', '__main__', '__main__']"
    assert done.stdout.splitlines() == [told.format("finished"), told.format("cached")], done.stderr


PARAMETERS = """
import collections
import numpy as np
import pandas as pd

VALUES = {"moment": pd.Timestamp("2026-01-01"), "span": pd.Timedelta("1h"),
          "ordered": collections.OrderedDict(b=1, a=2), "counts": collections.Counter("aab"),
          "real": np.float32(0.1), "by_number": {1: "a"}, "pair": (1, 2), "bare": float("nan")}

@ps.step
def look(values: list) -> list:
    return [f"{type(value).__name__} {value!r}" for value in values]

@ps.pipeline
def job(moment=None, span=None, ordered=None, counts=None, real=None, by_number=None, pair=None, bare=None):
    return look([moment, span, ordered, counts, real, by_number, pair, bare])
"""


@pytest.mark.parametrize("runner", ["local", "processes"])
def test_parameters_reach_the_steps_of_every_runner_as_they_were_passed(project, runner):
    pipeline = project.load(PARAMETERS)
    values = sys.modules[pipeline.__module__].VALUES
    options = {"runner": runner} | ({"workers": 1} if runner == "processes" else {})
    result = project.again(pipeline, **values, **options)
    assert result.ok, result.error
    assert result.output() == [f"{type(v).__name__} {v!r}" for v in values.values()]
    kept = project.store.metadata.runs.get(result.run_id).params
    assert kept["moment"] == "2026-01-01T00:00:00"
    assert kept["counts"] == {"a": 2, "b": 1}
