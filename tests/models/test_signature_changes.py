from dataclasses import replace

import pytest

from penstock.models import Signature, compare_signatures
from penstock.tables import Column

AGE = Column("age", "integer", "Int64")
CITY = Column("city", "category", "String", levels=("Bern", "Rome"))
OLD = Signature((AGE, CITY), task="binary", classes=(0, 1), positive=1)


def inputs(*fields: Column, **more: object) -> Signature:
    return replace(OLD, inputs=fields, **more)  # type: ignore[arg-type]


def test_the_same_signature_changes_nothing() -> None:
    changes = compare_signatures(OLD, inputs(CITY, replace(AGE, minimum=1, maximum=9)))
    assert (changes.breaking, changes.notes) == ((), ())


@pytest.mark.parametrize(
    ("new", "sentence"),
    [
        (inputs(AGE), "The column 'city' is gone; requests that send it are refused."),
        (inputs(AGE, CITY, Column("km", "number", "Float64")), "'km' is new and required."),
        (inputs(replace(AGE, dtype="String"), CITY), "'age' was integer and is text."),
        (inputs(AGE, replace(CITY, dtype="Int64")), "'city' was text and is integer."),
        (inputs(AGE, replace(CITY, dtype="Date")), "'city' was text and is date."),
        (
            inputs(AGE, replace(CITY, dtype="Enum(categories=['Rome'])", levels=("Rome",))),
            "takes no Bern any more",
        ),
        (
            replace(OLD, task="regression", classes=(), positive=None),
            "are those of a regression one",
        ),
        (replace(OLD, classes=("a", "b"), positive="b"), "The classes were int and are str."),
        (replace(OLD, positive=0), "The score was about 1 and is about 0."),
    ],
)
def test_what_breaks_callers_is_said(new: Signature, sentence: str) -> None:
    assert sentence in " ".join(compare_signatures(OLD, new).breaking)


@pytest.mark.parametrize(
    ("new", "sentence"),
    [
        (inputs(AGE, ignored=("city",)), "'city' is no longer used"),
        (inputs(AGE, extra_fields="ignore"), "'city' is no longer used"),
        (inputs(AGE, CITY, Column("km", "number", "Float64", nullable=True)), "'km' is new"),
        (inputs(replace(AGE, dtype="Float64"), CITY), "was integer and is number, which takes it"),
        (replace(OLD, task="multiclass", classes=(0, 1, 2), positive=None), "new 2, gone none"),
    ],
)
def test_what_callers_can_live_with_is_a_note(new: Signature, sentence: str) -> None:
    changes = compare_signatures(OLD, new)
    assert changes.breaking == ()
    assert sentence in " ".join(changes.notes)


def test_a_number_that_becomes_an_integer_refuses_fractions() -> None:
    was = inputs(replace(AGE, dtype="Float64"), CITY)
    assert "'age' was number and is integer." in compare_signatures(was, OLD).breaking[0]


def test_a_column_that_could_be_missing_and_no_longer_may() -> None:
    was = inputs(replace(AGE, nullable=True), CITY)
    assert "'age' could be missing" in compare_signatures(was, OLD).breaking[0]
    kind = compare_signatures(was, replace(OLD, accepts_missing=True))
    assert (kind.breaking, len(kind.notes)) == ((), 1)
