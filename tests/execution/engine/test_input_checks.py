"""Checks of inputs, made at the step that gives them."""

from penstock.core import ArtifactRecord, SerializationError, now
from penstock.execution.engine._input_checks import InputChecks
from penstock.execution.step import Outcome
from penstock.pipelines import pipeline, step


def refuse_pickles(record):
    if record.format == "pickle":
        raise SerializationError(what="It is a pickle.")


@step
def fit() -> int:
    return 1


@step(input_checks={"model": refuse_pickles})
def register(model: int) -> int:
    return model


@pipeline
def job():
    return register(fit())


def stored(form):
    return ArtifactRecord("sha256:1", "sha256:1", form, "int", 1, now())


def test_the_step_before_fails_if_its_output_is_refused():
    checks = InputChecks(job.trace())
    assert checks.outputs("fit") == ["result"]
    made = Outcome(outputs={"result": [stored("pickle")]}, seconds=2.0)
    refused = checks.apply("fit", made)
    assert refused.error.startswith("step 'fit' failed: SerializationError: It is a pickle.")
    assert (refused.outputs, refused.seconds) == ({}, 2.0)


def test_what_is_accepted_or_not_checked_or_has_failed_is_left_as_it_is():
    checks = InputChecks(job.trace())
    for name, outcome in (
        ("fit", Outcome(outputs={"result": [stored("json")]})),
        ("register", Outcome(outputs={"result": [stored("pickle")]})),
        ("fit", Outcome(error="it failed before")),
    ):
        assert checks.apply(name, outcome) is outcome
