"""A step is a plain function outside of pipelines, and says at once what is wrong with it."""

from datetime import timedelta

import pytest

from penstock.core import DefinitionError
from penstock.pipelines import Resources, Step, Tolerance, pipeline, step


@step
def double(number: int) -> int:
    """Double a number."""
    return 2 * number


def test_a_step_called_outside_of_a_pipeline_runs():
    assert double(4) == 8
    assert (double.name, double.__doc__, double.__name__) == (  # type: ignore[attr-defined]
        "double",
        "Double a number.",
        "double",
    )
    assert "test_step.py" in repr(double)


def test_options_are_kept_and_survive_another_name():
    @step(
        retries=2, timeout="10m", resources=Resources(cpu=2), source=True, tolerance=Tolerance(1e-3)
    )
    def read() -> int:
        return 1

    other = read.named("read-again")
    for found in (read, other):
        assert (found.retries, found.timeout) == (2, timedelta(minutes=10))
        assert (found.resources.cpu, found.source, found.tolerance.rtol) == (2, True, 1e-3)
    assert (read.name, other.name) == ("read", "read-again")


def test_an_effect_is_never_cached():
    assert not step(effect=True)(lambda_named()).cache
    assert not step(cache=False)(lambda_named()).cache


def lambda_named():
    def function():
        return 1

    return function


def test_arguments_by_position_and_by_name_reach_the_function():
    @step
    def gather(first, /, second, *rest, third, **others):
        return first, second, rest, third, others

    bound = gather.signature.bind(1, 2, 3, 4, third=5, fourth=6).arguments
    assert gather.call(bound) == (1, 2, (3, 4), 5, {"fourth": 6})


async def asynchronous(): ...


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (asynchronous, "is async"),
        (double, "is a step already"),
        (3, "is no function"),
    ],
)
def test_what_cannot_be_a_step_is_refused(function, words):
    with pytest.raises(DefinitionError) as caught:
        step(function)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"retries": -1}, "retries=-1"),
        ({"retries": "3"}, "retries='3'"),
        ({"timeout": "soon"}, "timeout='soon'"),
        ({"timeout": 0}, "timeout=0"),
        ({"cache_for": "long"}, "cache_for='long'"),
        ({"cache_for": 0}, "cache_for=0"),
    ],
)
def test_options_that_cannot_be_used_name_the_step_and_its_line(options, words):
    with pytest.raises(DefinitionError, match=r"test_step\.py:\d+: step 'function'") as caught:
        step(**options)(lambda_named())
    assert words in str(caught.value)


def test_a_lambda_needs_a_name():
    with pytest.raises(DefinitionError, match="lambda"):
        Step(lambda: 1)
    assert Step(lambda: 1, name="one").name == "one"


@pytest.mark.parametrize("options", [{"cpu": 0}, {"cpu": "2"}, {"gpu": -1}])
def test_resources_that_make_no_sense_are_refused(options):
    with pytest.raises(DefinitionError, match="Resources"):
        Resources(**options)


def test_a_step_called_in_another_step_runs_plainly():
    @step
    def outer(number: int) -> int:
        return double(number) + 1

    @pipeline
    def both():
        return outer(3)

    assert both() == 7
    assert [node.name for node in both.trace().order()] == ["outer"]


@pytest.mark.parametrize("wrong", [{"rtol": -1}, {"atol": float("nan")}, {"rtol": "1e-3"}])
def test_a_tolerance_that_nothing_meets_is_refused(wrong):
    with pytest.raises(DefinitionError, match=r"Tolerance.* cannot be used"):
        Tolerance(**wrong)
