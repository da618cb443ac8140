"""Maps, branches, loops, optional outputs and streams: what is done depends on values."""

import pytest

from penstock.core import RunState, StepState
from penstock.execution import get_step_call
from penstock.stores import NamedParts, Parts

MAP = """
import penstock as ps

@ps.step
def numbers(count: int) -> list[int]:
    note("numbers")
    return list(range(count))


@ps.step
def squared(number: int, plus: int) -> int:
    note(f"squared-{number}")
    if number == BAD:
        raise ValueError("not this one")
    return number * number + plus


@ps.step
def total(found: list[int]) -> int:
    note("total")
    return sum(found)


@ps.pipeline
def job(count: int = 4, plus: int = 0):
    return total(ps.map(squared, numbers(count), plus=plus))
"""


def body(bad=-1):
    return f"BAD = {bad}\n" + MAP


def states(result):
    return {step.step: step.state.value for step in result.steps}


def test_a_step_is_done_for_every_item_that_another_gave(project):
    result = project.run(body(), plus=10)
    assert result.output() == 0 + 1 + 4 + 9 + 40
    assert states(result) == {
        "numbers": "finished", "squared": "finished", "squared[0]": "finished",
        "squared[1]": "finished", "squared[2]": "finished", "squared[3]": "finished",
        "total": "finished",
    }  # fmt: skip
    assert result.output("squared") == [10, 11, 14, 19]
    assert [step.step for step in result.steps][:3] == ["numbers", "squared", "squared[0]"]


def test_a_map_that_is_known_is_one_look_into_the_cache(project):
    project.run(body())
    assert project.calls == ["numbers", *[f"squared-{i}" for i in range(4)], "total"]
    again = project.run(body())
    assert states(again) == {"numbers": "cached", "squared": "cached", "total": "cached"}
    assert project.calls == []


def test_more_items_do_only_those_that_are_new(project):
    project.run(body())
    project.calls  # noqa: B018 - forgets them
    more = project.run(body(), count=6)
    assert project.calls == ["numbers", "squared-4", "squared-5", "total"]
    assert states(more)["squared[3]"] == "cached"
    assert more.output() == sum(i * i for i in range(6))


def test_an_item_that_fails_stops_no_other_and_resume_does_that_one_only(project):
    failed = project.run(body(bad=2))
    assert failed.state is RunState.FAILED
    assert states(failed) == {
        "numbers": "finished", "squared": "failed", "squared[0]": "finished",
        "squared[1]": "finished", "squared[2]": "failed", "squared[3]": "finished",
        "total": "skipped",
    }  # fmt: skip
    assert failed["squared"].error.startswith(
        "1 of 4 items of 'squared' failed: squared[2] (ValueError: not this one"
    )
    project.calls  # noqa: B018 - forgets them
    project.write(body(bad=7).replace("BAD = 7", "BAD = 2").replace("number == BAD", "number > 9"))
    done = project.again(None, resume=failed.run_id)
    assert done.ok
    assert done.output() == 14


def test_resume_without_an_edit_does_the_failed_items_only(project):
    flaky = body().replace("if number == BAD", "if number in (1, 3) and not exists('mended')")
    flaky = "from os.path import exists\n" + flaky
    failed = project.run(flaky)
    assert "2 of 4 items" in failed["squared"].error
    project.calls  # noqa: B018 - forgets them
    (project.folder / "mended").touch()
    done = project.again(None, resume=failed.run_id)
    assert done.ok
    assert project.calls == ["squared-1", "squared-3", "total"]


def test_each_item_has_a_seed_of_its_own(project):
    result = project.run("""
    import random

    @ps.step
    def drawn(number: int) -> float:
        return random.random()

    @ps.pipeline
    def job():
        return ps.map(drawn, [5, 5, 5])
    """)
    assert len(set(result.output())) == 3
    seeds = {step.seed for name, step in project.steps(result.run_id).items() if "[" in name}
    assert len(seeds) == 3


def test_a_map_over_a_dict_gives_a_dict(project):
    result = project.run("""
    @ps.step
    def folds() -> dict[str, list[int]]:
        return {"a/b": [1, 2], "c": [3], "7": []}

    @ps.step
    def size(fold: list[int]) -> int:
        return len(fold)

    @ps.step
    def largest(sizes: dict[str, int]) -> str:
        return max(sizes, key=sizes.get)

    @ps.pipeline
    def job():
        sizes = ps.map(size, folds())
        return largest(sizes)
    """)
    assert result.output() == "a/b"
    assert isinstance(result.output("size"), NamedParts)
    assert dict(result.output("size")) == {"a/b": 2, "c": 1, "7": 0}
    assert {"size[a%2Fb]", "size[c]", "size[%37]"} <= set(states(result))


@pytest.mark.parametrize("kind", ["polars", "pandas"])
def test_a_table_is_mapped_by_the_values_of_a_column(project, kind):
    pytest.importorskip(kind)
    result = project.run(f"""
    import {kind} as frames

    @ps.step
    def rows():
        return frames.DataFrame({{"city": ["b", "a", "b"], "x": [1, 2, 3]}})

    @ps.step
    def mean(city: frames.DataFrame) -> float:
        return float(city["x"].mean())

    @ps.pipeline
    def job():
        return ps.map(mean, rows(), by="city")
    """)
    assert dict(result.output()) == {"a": 2.0, "b": 2.0}
    assert list(result.output()) == ["a", "b"]


NESTED = """
@ps.step
def folds() -> list[list[int]]:
    return [[1, 2], [3], []]


@ps.step
def times(number: int, factor: int) -> int:
    note(f"times-{number}")
    return number * factor


@ps.step
def add(numbers: list[int]) -> int:
    return sum(numbers)


@ps.pipeline
def fold_sum(fold, factor):
    return add(ps.map(times, fold, factor=factor))


@ps.step
def two() -> int:
    return 2


@ps.pipeline
def job():
    return ps.map(fold_sum, folds(), factor=two())
"""


def test_a_pipeline_is_mapped_and_maps_again(project):
    result = project.run(NESTED)
    assert result.output() == [6, 6, 0]
    assert "fold_sum[0]/times[1]" in states(result)
    assert "fold_sum[2]/add" in states(result)
    assert states(project.run(NESTED))["fold_sum"] == "cached"


def test_a_step_inside_of_a_map_can_be_called_alone(project):
    result = project.run(NESTED)
    call = get_step_call(result.run_id, "fold_sum[0]/times[1]", store=project.store)
    assert dict(call.arguments) == {"number": 2, "factor": 2}
    assert call.same_as_recorded(call(), store=project.store)


def test_a_map_over_outputs_that_stand_in_the_body(project):
    result = project.run("""
    @ps.step
    def one() -> int:
        return 1

    @ps.step
    def two() -> int:
        return 2

    @ps.step
    def double(x: int) -> int:
        return 2 * x

    @ps.pipeline
    def job():
        return ps.map(double, [one(), two(), 7])
    """)
    assert result.output() == [2, 4, 14]


def test_an_empty_map_gives_an_empty_list(project):
    result = project.run(body(), count=0)
    assert result.output() == 0
    assert result.output("squared") == []


def test_a_map_over_what_has_no_items_says_so(project):
    result = project.run("""
    @ps.step
    def number():
        return 3

    @ps.step
    def double(x: int) -> int:
        return 2 * x

    @ps.pipeline
    def job():
        return ps.map(double, number())
    """)
    assert result.state is RunState.FAILED
    assert "is mapped over the output 'number', an int. It has no items." in result.error


WHEN = """
@ps.step
def size(count: int) -> int:
    return count


@ps.step
def is_large(count: int) -> bool:
    return count > 10


@ps.step
def thorough(count: int) -> str:
    note("thorough")
    return "thorough"


@ps.step
def quick(count: int) -> str:
    note("quick")
    return "quick"


@ps.step
def report(how: str) -> str:
    return f"done: {how}"


@ps.pipeline
def job(count: int):
    n = size(count)
    return report(ps.when(is_large(n), lambda: thorough(n), lambda: quick(n)))
"""


def test_only_the_branch_that_is_taken_is_done(project):
    small = project.run(WHEN, count=3)
    assert small.output() == "done: quick"
    assert states(small)["thorough"] == "skipped"
    assert small["thorough"].error == "not taken: 'is_large' is false"
    assert "not_taken" in small["thorough"].facts
    assert small.ok
    large = project.run(WHEN, count=30)
    assert large.output() == "done: thorough"
    assert project.calls == ["quick", "thorough"]


def test_what_follows_a_branch_that_is_not_taken_is_not_done_either(project):
    result = project.run("""
    @ps.step
    def no() -> bool:
        return False

    @ps.step
    def first() -> int:
        return 1

    @ps.step
    def second(x: int) -> int:
        return x + 1

    @ps.pipeline
    def job():
        ps.when(no(), lambda: second(first()))
    """)
    assert result.ok
    assert states(result) == {
        "no": "finished", "first": "skipped", "second": "skipped", "when": "finished"
    }  # fmt: skip


def test_a_branch_whose_condition_failed_is_told_as_a_failure(project):
    result = project.run(WHEN.replace("return count > 10", "raise ValueError('unclear')"), count=1)
    assert result.state is RunState.FAILED
    assert states(result)["quick"] == "skipped"
    assert result["quick"].error == "it needs 'is_large', which is failed"


LOOP = """
@ps.step
def better(score: float, step: float) -> float | ps.Again:
    note(f"{score}")
    return ps.Again(score + step) if score < 3 else score


@ps.step
def told(score: float) -> str:
    return f"{score}"


@ps.pipeline
def job(step: float = 1.0):
    return told(ps.loop(better, 0.0, step=step, max_rounds=8))
"""


def test_a_loop_goes_on_until_a_step_gives_a_result(project):
    result = project.run(LOOP)
    assert result.output() == "3.0"
    assert [name for name in states(result) if "[" in name] == [
        "better[0]", "better[1]", "better[2]", "better[3]"
    ]  # fmt: skip
    assert states(project.run(LOOP))["better"] == "cached"


def test_a_loop_that_does_not_end_is_stopped(project):
    result = project.run(LOOP, step=0.01)
    assert result.state is RunState.FAILED
    assert "still returned Again after 8 rounds" in result.error
    assert states(result)["told"] == "skipped"


def test_a_step_may_give_nothing_and_what_needs_it_is_skipped(project):
    result = project.run("""
    @ps.step
    def split(count: int) -> tuple[int, int]:
        return count, (count * 2 if count > 5 else ps.pipelines.NOTHING)

    @ps.step
    def use(x: int) -> int:
        return x

    @ps.pipeline
    def job(count: int):
        first, second = split(count)
        return use(first), use(second)
    """, count=1)  # fmt: skip
    assert result.ok
    assert states(result) == {"split": "finished", "use": "finished", "use-2": "skipped"}
    assert result["use-2"].error == "it needs 'split.1', which was not made"
    again = project.again(project.load((project.folder / "job.py").read_text()), count=1)
    assert states(again) == {"split": "cached", "use": "cached", "use-2": "skipped"}


STREAM = """
from collections.abc import Iterator

@ps.step
def days(count: int) -> Iterator[list[int]]:
    for day in range(count):
        yield [day] * 3


@ps.step
def size(day: list[int]) -> int:
    return sum(day)


@ps.step
def lazily(parts: ps.stores.Parts) -> str:
    return type(parts).__name__


@ps.pipeline
def job():
    found = days(4)
    return ps.map(size, found), lazily(found)
"""


def test_a_generator_streams_partitions_that_are_mapped(project):
    result = project.run(STREAM)
    sizes, kind = result.output()
    assert sizes == [0, 3, 6, 9]
    assert kind == "Parts"
    assert isinstance(result.output("days"), Parts)
    assert list(result.output("days"))[1] == [1, 1, 1]


def test_the_whole_is_traced_from_an_item_back_to_what_it_was_made_of(project):
    result = project.run(body())
    steps = project.steps(result.run_id)
    whole = f"step:{steps['total'].step_run_id}"
    edges = project.store.metadata.artifacts.list_edges(whole, direction="up")
    reached = {edge.source for edge in edges} | {edge.target for edge in edges}
    for name in ("numbers", "squared", "squared[0]", "squared[3]"):
        assert f"step:{steps[name].step_run_id}" in reached, name
    assert steps["squared"].state is StepState.FINISHED
    assert steps["squared"].facts["items"] == 4


def test_retries_follow_their_rules_and_others_run_meanwhile(project):
    result = project.run("""
    import pathlib

    @ps.step(retries=ps.Retry(3, delay=0.3, backoff=1, retry_on=(OSError,)))
    def flaky() -> int:
        note("flaky")
        tries = pathlib.Path("tries")
        tries.write_text(tries.read_text() + "x" if tries.exists() else "x")
        if len(tries.read_text()) < 3:
            raise OSError("the line is busy")
        return 1

    @ps.step(retries=ps.Retry(3, delay=0.01, never_on=(ValueError,)))
    def hopeless() -> int:
        note("hopeless")
        raise ValueError("no")

    @ps.step
    def other() -> int:
        note("other")
        return 1

    @ps.pipeline
    def job():
        flaky(), hopeless(), other()
    """)
    assert states(result) == {"flaky": "finished", "hopeless": "failed", "other": "finished"}
    assert project.calls == ["flaky", "hopeless", "other", "flaky", "flaky"]
    assert project.steps(result.run_id)["flaky"].attempt == 3


def test_of_what_could_begin_more_priority_comes_first(project):
    result = project.run("""
    @ps.step
    def low(x: int) -> int:
        note(f"low{x}")
        return x

    @ps.step(priority=5)
    def high(x: int) -> int:
        note(f"high{x}")
        return x

    @ps.pipeline
    def job():
        a = low(1)
        high(a)
        low(2)
        high(3)
    """)
    assert result.ok
    assert project.calls == ["high3", "low1", "high1", "low2"]


def test_a_path_in_the_body_counts_by_its_bytes(project):
    source = """
    from pathlib import Path

    @ps.step
    def read(path) -> str:
        return path.read_text()

    @ps.pipeline
    def job():
        return read(Path("rows.txt"))
    """
    for text, state in (("one", "finished"), ("one", "cached"), ("two", "finished")):
        (project.folder / "rows.txt").write_text(text)
        result = project.run(source)
        assert states(result) == {"read": state}
        assert result.output() == text


def test_a_branch_on_what_was_not_made_is_not_taken(project):
    result = project.run("""
    @ps.step
    def maybe() -> bool:
        return ps.pipelines.NOTHING

    @ps.step
    def act() -> int:
        return 1

    @ps.pipeline
    def job():
        ps.when(maybe(), lambda: act())
    """)
    assert result.ok, result.error
    assert result["act"].error == "it needs 'maybe', which was not made"
