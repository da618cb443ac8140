"""Random pipelines give the same keys and digests whoever runs them, and however often they stop.

Few are tried in the suite; PENSTOCK_EXAMPLES=300 tries as many as one likes.
"""

import itertools
import sys
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.hunting import length

from penstock.execution import load_pipeline, prepare_run, run_step
from penstock.stores import open_store

EXAMPLES = length(4, 300, name="PENSTOCK_EXAMPLES")
HEAD = '''
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

import penstock as ps


def trip():
    """Fail at the last mark; a file that is only appended to is nothing that is looked up."""
    with open("countdown", "a") as file:
        file.write(".")
        file.flush()
        if file.tell() == 1_000_000_000:
            raise RuntimeError("tripped")


@ps.step
def const(number: int) -> int:
    trip()
    return number


@ps.step
def add(x: int, y: int) -> int:
    trip()
    return (x + y) % 1009


@ps.step
def noisy(x: int) -> int:
    trip()
    return (x + random.randrange(1000) + int(np.random.randint(1000))) % 1009


@ps.step
def spread(x: int) -> list[int]:
    trip()
    return [x + i for i in range(x % 4)]


@ps.step
def named(x: int) -> dict[str, int]:
    trip()
    return {f"k{i}/[{i}]": x * i for i in range(x % 3)}


@ps.step
def scaled(item: int, factor: int) -> int:
    trip()
    return (item * factor + random.randrange(10)) % 1009


@ps.step
def total(found: list[int]) -> int:
    trip()
    return sum(found) % 1009


@ps.step
def largest(found: dict[str, int]) -> int:
    trip()
    return max(found.values(), default=0)


@ps.step
def is_odd(x: int) -> bool:
    trip()
    return x % 2 == 1


@ps.step
def down(x: int) -> int | ps.Again:
    trip()
    return ps.Again(x // 3) if x > 5 else x


@ps.step
def pair(x: int) -> tuple[int, int]:
    trip()
    return x + 1, (ps.pipelines.NOTHING if x % 3 == 0 else x + 2)


@ps.step
def table(x: int) -> ps.Table:
    trip()
    return pl.DataFrame({"group": [str(i % 3) for i in range(x % 7)], "x": list(range(x % 7))},
                        schema={"group": pl.String, "x": pl.Int64})


@ps.step
def rows(part: ps.Table) -> int:
    trip()
    return part.height + int(part["x"].sum())


@ps.step
def stream(x: int) -> Iterator[int]:
    trip()
    yield from range(x % 5)


@ps.pipeline
def inner(item, factor):
    return total(ps.map(scaled, spread(item), factor=factor))


'''
# What a line of a pipeline's body may be; {a} and {b} are earlier values, all of them numbers.
LINES = [
    "const({n})",
    "add({a}, {b})",
    "noisy({a})",
    "total(ps.map(scaled, spread({a}), factor={b}))",
    "largest(ps.map(scaled, named({a}), factor={n}))",
    "total(ps.map(inner, spread({a}), factor={b}))",
    "ps.loop(down, {a})",
    "ps.when(is_odd({a}), lambda: noisy({a}), lambda: add({b}, {n}))",
    "pair({a})[0]",
    "add(pair({a})[1], {b})",
    "largest(ps.map(rows, table({a}), by='group'))",
    "total(stream({a}))",
    "total(ps.map(scaled, [{a}, {n}, {b}], factor=2))",
]


@st.composite
def bodies(draw):
    """The text of a pipeline with 2 to 7 lines."""
    lines = ["v0 = const(7)"]
    for place in range(1, draw(st.integers(2, 7))):
        words = {
            "a": f"v{draw(st.integers(0, place - 1))}",
            "b": f"v{draw(st.integers(0, place - 1))}",
            "n": draw(st.integers(0, 50)),
        }
        lines.append(f"v{place} = {draw(st.sampled_from(LINES)).format(**words)}")
    return "\n    ".join([*lines, f"return v{len(lines) - 1}"])


def outcome(project, run_id):
    return {
        name: (step.state.value, step.key or step.facts.get("key"), dict(step.outputs), step.seed)
        for name, step in project.steps(run_id).items()
    }


def one_by_one(project, pipeline, seed):
    run_id = prepare_run(pipeline, store=project.store, seed=seed)
    graph = project.store.metadata.runs.get(run_id).graph
    for node in graph["nodes"]:
        run_step(run_id, node["name"], store=project.store)
    return run_id


def interrupted(project, pipeline, seed, after):
    """Stop after so many steps, again and again, and go on each time."""
    countdown = project.folder / "countdown"
    wind_up(countdown, after)
    result = project.again(pipeline, seed=seed)
    for _ in range(60):
        if result.ok:
            break
        wind_up(countdown, after)
        result = project.again(None, resume=result.run_id)
    countdown.unlink()
    assert result.ok, result.error
    return result.run_id


def wind_up(countdown, marks):
    """Leave room for so many marks; a file that nobody winds up is never full."""
    with countdown.open("wb") as file:
        file.truncate(1_000_000_000 - marks)  # a hole: it takes no room on the disk


@pytest.fixture(scope="module")
def ray_here(tmp_path_factory):
    ray = pytest.importorskip("ray", reason="needs ray; get it with: pip install 'penstock[ray]'")
    # Its workers stay in the folder where it was started, and what steps write falls there.
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("ray"))
        ray.init(
            address="local", num_cpus=2, include_dashboard=False, log_to_driver=False,
            configure_logging=False, _node_ip_address="127.0.0.1",
        )  # fmt: skip
    yield
    ray.shutdown()


numbers = itertools.count()


def check(project, how, body, seed, after):
    """Run a pipeline here and in another way, and compare all that was recorded."""
    name = f"job{next(numbers)}"  # a module of its own: a worker may know the one before
    path = project.folder / f"{name}.py"
    path.write_text(f"{HEAD}@ps.pipeline\ndef job():\n    {body}\n")
    url = f"sqlite:///{project.folder}/store"
    pipeline = load_pipeline(f"{path}:job")
    here, there = (replace(project, store=open_store(f"{url}-{name}-{n}.db")) for n in (1, 2))
    result = here.again(pipeline, seed=seed)
    assert result.ok, result.error
    if how == "steps":
        run_id = one_by_one(there, pipeline, seed)
    elif how == "interrupted":
        run_id = interrupted(there, pipeline, seed, after)
    else:
        other = there.again(pipeline, seed=seed, runner=how, workers=2)
        assert other.ok, other.error
        run_id = other.run_id
    assert outcome(there, run_id) == outcome(here, result.run_id)
    here.store.close()
    there.store.close()
    with suppress(FileNotFoundError):
        path.unlink()
    sys.modules.pop(name, None)


COMMON = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
DRAWN = {"body": bodies(), "seed": st.integers(0, 3), "after": st.integers(2, 9)}


@pytest.mark.slow
@pytest.mark.parametrize("how", ["processes", "steps", "interrupted"])
@COMMON
@given(**DRAWN)
def test_whoever_runs_it_the_keys_and_digests_are_the_same(project, how, body, seed, after):
    check(project, how, body, seed, after)
    assert project.store is not None


@pytest.mark.slow
@pytest.mark.usefixtures("ray_here")
@COMMON
@given(**DRAWN)
def test_ray_gives_the_same_keys_and_digests(project, body, seed, after):
    check(project, "ray", body, seed, after)
    assert project.store is not None
