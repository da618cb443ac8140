"""Errors say what, why and how to fix, and stay catchable as the builtin they stand for."""

import pytest

from penstock import core
from penstock.core import (
    DataError,
    NotFoundError,
    ParameterError,
    PenstockError,
    did_you_mean,
    summarize_error,
)


def test_an_error_reads_as_what_why_and_fix():
    error = ParameterError(
        what="'x' is no date.", why="Rows are cut by it.", fix="Write 2026-01-31."
    )
    assert str(error) == "'x' is no date. Rows are cut by it. Write 2026-01-31."


def test_values_at_fault_are_attributes():
    assert NotFoundError(what="No run.", run_id="abc").run_id == "abc"


@pytest.mark.parametrize(
    ("name", "builtin"),
    [
        ("DefinitionError", TypeError),
        ("ParameterError", ValueError),
        ("NotFoundError", LookupError),
        ("DataError", ValueError),
        ("SerializationError", TypeError),
        ("MissingPackageError", ImportError),
    ],
)
def test_errors_are_also_the_builtin_they_stand_for(name, builtin):
    assert issubclass(getattr(core, name), builtin)


def test_every_exported_error_is_in_one_tree():
    errors = [getattr(core, name) for name in core.__all__ if name.endswith("Error")]
    assert len(errors) > 10
    assert all(issubclass(error, PenstockError) for error in errors)


def test_close_names_are_proposed_and_long_lists_are_cut():
    assert (
        did_you_mean("lerning_rate", ["learning_rate", "seed"]) == "Did you mean 'learning_rate'?"
    )
    assert did_you_mean("q", [f"name{i}" for i in range(20)]).endswith("and 12 more.")


def test_an_error_is_summarized_on_one_line_of_a_length():
    assert summarize_error(KeyError()) == "KeyError"
    assert summarize_error(ValueError("no\n  rows.")) == "ValueError: no rows"
    assert summarize_error(DataError("No rows.", "Nothing can be fitted.")) == "No rows"
    assert len(summarize_error(ValueError("x" * 900), 200)) == 200
