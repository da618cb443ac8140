"""Tracing a pipeline body; every mistake names the user's file and line."""

import inspect
import re
from datetime import date
from typing import Any

import pytest

from penstock.core import DefinitionError, ParameterError
from penstock.pipelines import RUN_OPTIONS, SHARED_OPTIONS, Output, pipeline, step


@step
def number(start: int = 1) -> int:
    return start


@step
def text(value: float) -> str:
    return str(value)


@step
def add(left: float, right: float, *, scale: float = 1.0) -> float:
    return (left + right) * scale


@step
def pair(value: int) -> tuple[int, str]:
    return value, "x"


def line_of(body, fragment):
    """The line of a fragment in a function, as an error should name it."""
    lines, first = inspect.getsourcelines(body)
    return first + next(i for i, line in enumerate(lines) if fragment in line)


def mistake(body, fragment=None, **params):
    """Trace a wrong body; its error, checked to name the line."""
    with pytest.raises(DefinitionError) as caught:
        pipeline(body).trace(**params)
    message = str(caught.value)
    found = re.match(r"\S*test_pipeline\.py:(\d+): ", message)
    assert found, message
    if fragment:
        assert int(found[1]) == line_of(body, fragment), message
    return message


def test_the_body_gets_real_typed_values():
    seen = []

    @pipeline
    def typed(cutoff: date, depth: int = 3):
        seen.append((cutoff, depth))
        return number(depth if cutoff.year > 2000 else 0)

    graph = typed.trace(cutoff="2016-06-30", depth="5")
    assert seen == [(date(2016, 6, 30), 5)]
    assert graph["number"].arguments == {"start": 5}
    assert graph.parameters == {"cutoff": date(2016, 6, 30), "depth": 5}


def test_calls_get_unique_names_in_the_order_of_definition():
    @pipeline
    def several():
        return add(number(), number.named("other")(), scale=2), number()

    assert [n.name for n in several.trace().order()] == ["number", "other", "add", "number-2"]


def test_several_outputs_can_be_unpacked():
    @pipeline
    def unpacked():
        first, second = pair(number())
        return text(first), second

    graph = unpacked.trace()
    assert [output.text for output in graph.outputs.values()] == ["text", "pair.1"]


def test_a_pipeline_in_a_pipeline_becomes_part_of_it():
    @pipeline
    def inner(start: int):
        return add(number(start), start)

    @pipeline
    def outer():
        return text.named("told")(inner(4)), inner(5)

    assert [n.name for n in outer.trace().order()] == [
        "number", "add", "told", "number-2", "add-2",
    ]  # fmt: skip
    assert inner(4) == 8.0, "called plainly it runs"


def test_a_pipeline_that_calls_itself_is_told():
    @pipeline
    def again():
        number()
        return again()

    with pytest.raises(DefinitionError, match="again → again"):
        again.trace()


def test_an_unknown_argument_is_told_with_did_you_mean():
    def body():
        return add(1, 2, scael=3)  # type: ignore[call-arg]

    message = mistake(body, "scael")
    assert "no argument 'scael'" in message
    assert "Did you mean 'scale'?" in message


def test_missing_arguments_are_listed():
    def body():
        return add()  # type: ignore[call-arg]

    message = mistake(body, "add()")
    assert "missing arguments 'left', 'right'" in message


def test_too_many_and_repeated_arguments_are_told():
    def too_many():
        return text(1, 2, 3)  # type: ignore[call-arg]

    def twice():
        return text(1, value=2)  # type: ignore[misc]

    assert "takes 1 arguments by position, but 3" in mistake(too_many, "text(1")
    assert "twice" in mistake(twice, "text(1")


def test_types_that_cannot_fit_are_told():
    def body():
        return add(text(number()), 2)  # type: ignore[arg-type]

    message = mistake(body, "add(")
    assert "takes left as float, but step 'text' gives str" in message


def test_a_circle_in_the_body_is_told():
    def body():
        a = text(b)  # type: ignore[has-type,used-before-def]  # noqa: F821 - the mistake
        b = number(a)  # type: ignore[arg-type]
        return a, b

    message = mistake(body, "text(b)")
    assert "'b' is used before any step has made it" in message


def test_an_undefined_name_is_told():
    def body():
        return nubmer()  # type: ignore[name-defined]  # noqa: F821 - the mistake

    assert "'nubmer' is not defined" in mistake(body, "nubmer()")


def test_using_an_output_as_a_value_is_told_at_its_line():
    def body():
        out = number()
        if out > 3:
            return text(out)
        return out

    message = mistake(body, "if out")
    assert "is compared" in message


def test_an_output_in_a_set_is_told_at_its_line():
    def body():
        return text({number()})  # type: ignore[arg-type]

    assert "is a set of step outputs" in mistake(body, "text({")


def test_what_the_body_raises_itself_is_told():
    def body():
        number()
        return 1 / 0

    assert "raised ZeroDivisionError" in mistake(body, "1 / 0")


def test_errors_on_purpose_pass_through():
    @pipeline
    def body():
        raise ParameterError(what="Not on a Sunday.")

    with pytest.raises(ParameterError, match="Sunday"):
        body.trace()


@pytest.mark.parametrize("value", [3, "text", [1], {"a": 1}])
def test_returning_something_that_no_step_made_is_told(value):
    def body():
        number()
        return value

    assert "does not come from a step" in mistake(body)


def test_returning_nothing_or_containers_of_outputs_is_right():
    @pipeline
    def nothing():
        number()

    @pipeline
    def both():
        return [number(), number()]

    assert nothing.trace().outputs == {}
    assert list(both.trace().outputs) == ["result[0]", "result[1]"]


def test_a_body_without_a_step_is_told():
    def body():
        return None

    assert "calls no step" in mistake(body)


def test_outputs_in_containers_are_inputs():
    @step
    def merge(models: list, named: dict) -> int:
        return 1

    @pipeline
    def merged():
        return merge([number(), 5], named={"a": number()})

    node = merged.trace()["merge"]
    assert {path: out.node for path, out in node.inputs.items()} == {
        "models[0]": "number", "named[a]": "number-2",
    }  # fmt: skip
    assert isinstance(node.arguments["models"][0], Output)


def test_what_is_no_function_is_no_pipeline():
    with pytest.raises(DefinitionError, match="cannot be a pipeline"):
        pipeline(3)  # type: ignore[call-overload]


def test_name_and_description_can_be_given():
    @pipeline(name="nightly", description="Runs at night.")
    def body():
        return number()

    assert (body.name, body.trace().description) == ("nightly", "Runs at night.")
    assert "nightly" in repr(body)


# Parameters


@pipeline
def parametrised(cutoff: date, rate: float = 0.1, flag=True, *, note: str | None = None):
    return number()


def test_parameters_have_types_and_defaults():
    assert parametrised.bind({"cutoff": "2016-06-30", "rate": "0.5", "flag": "no"}) == {
        "cutoff": date(2016, 6, 30), "rate": 0.5, "flag": False, "note": None,
    }  # fmt: skip


def test_bound_parameters_survive_the_store():
    values = parametrised.bind({"cutoff": "2016-06-30"})
    assert parametrised.bind(parametrised.dump(values)) == values


def test_an_unknown_parameter_is_told_with_did_you_mean():
    with pytest.raises(ParameterError, match="Did you mean 'cutoff'"):
        parametrised.bind({"cutof": "2016-06-30"})


def test_a_parameter_may_be_written_as_an_option():
    @pipeline
    def learning(learning_rate: float):
        return number()

    assert learning.bind({"learning-rate": "0.3"}) == {"learning_rate": 0.3}


def test_missing_parameters_are_listed_with_how_to_give_them():
    @pipeline
    def needy(cutoff: date, max_depth: int):
        return number()

    with pytest.raises(ParameterError) as caught:
        needy.trace()
    assert "needs cutoff (date), max_depth (int); they are not given" in str(caught.value)
    assert "Add --cutoff 2016-06-30 --max-depth 3." in str(caught.value)


@pytest.mark.parametrize("name", sorted({*RUN_OPTIONS} - SHARED_OPTIONS))
def test_a_parameter_named_as_an_option_of_run_is_refused(name):
    scope: dict[str, Any] = {}
    exec(f"def body({name}): ...", scope)
    with pytest.raises(DefinitionError, match=f"parameter '{name}'"):
        pipeline(scope["body"])


def test_star_parameters_are_refused():
    def body(*values): ...

    with pytest.raises(DefinitionError, match=r"takes \*values"):
        pipeline(body)


def test_run_takes_exactly_the_options_that_are_reserved():
    from penstock.execution import run

    assert set(RUN_OPTIONS) == set(inspect.signature(run).parameters) - {"params"}
