"""RunOptions: the same options as `run` takes, checked before anything is recorded."""

import inspect
from dataclasses import fields

import pytest

from penstock.core import ParameterError
from penstock.execution import RunOptions, run
from penstock.execution.engine import RECORDED
from penstock.pipelines import RUN_OPTIONS

NAMES = {field.name for field in fields(RunOptions)}


def test_run_takes_every_option_by_keyword_with_the_same_default():
    parameters = inspect.signature(run).parameters
    taken = {name: item.default for name, item in parameters.items() if name in NAMES}
    assert taken == {field.name: field.default for field in fields(RunOptions)}
    assert parameters.keys() - NAMES == {"pipeline", "resume", "params"}


def test_no_pipeline_has_a_parameter_of_such_a_name():
    assert NAMES | {"pipeline", "resume"} == set(RUN_OPTIONS)


def test_the_options_of_a_prepared_run_are_those_that_are_recorded():
    assert RECORDED < NAMES
    assert {
        "runner", "workers", "on_failure", "use_cache", "refresh", "reporter",
    } == NAMES - RECORDED  # fmt: skip


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ({"workers": 0}, "workers is 0"),
        ({"on_failure": "stopp"}, "on_failure is 'stopp'"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": "x"}, "seed is 'x'"),
    ],
)
def test_an_option_that_cannot_be_used_is_refused(option, text):
    with pytest.raises(ParameterError, match=text):
        RunOptions(**option)
