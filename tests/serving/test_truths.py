from typing import Any

import pytest

from penstock.core import DataError, Identity, Permission, use_identity
from penstock.models import Signature
from penstock.people import Projects, create_first_admin
from penstock.serving import deploy
from penstock.serving._truths import Truths, read_truth
from penstock.testing._records import a_prediction

MODEL = "big-tips"
ANSWERS = Signature((), task="binary", classes=("no", "yes"))


def label(value: Any, *classes: Any) -> Any:
    task = "regression" if not classes else "binary" if len(classes) == 2 else "multiclass"
    return read_truth(value, Signature((), task=task, classes=classes), "id")


@pytest.mark.parametrize(
    ("value", "classes", "expected"),
    [
        (True, (0, 1), 1),
        (False, (0, 1), 0),
        (1.0, (0, 1), 1),
        ("1", (0, 1), 1),
        ("1.0", (0, 1), 1),
        (2.0, (0, 1, 2), 2),
        (1, (False, True), True),
        ("TRUE", (False, True), True),
        (1, (0.0, 1.0), 1.0),
        (1, ("0", "1"), "1"),
        (1.0, ("0", "1"), "1"),
        ("Yes", ("no", "yes"), "yes"),
        (3, (), 3.0),
    ],
)
def test_a_label_is_read_as_the_model_answers(value: Any, classes: tuple, expected: Any) -> None:
    found = label(value, *classes)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("value", "classes"),
    [(True, (0, 1, 2)), (0.5, (0, 1)), ("maybe", ("no", "yes")), (None, (0, 1)), (2, (0, 1))],
)
def test_what_is_no_class_is_refused(value: Any, classes: tuple) -> None:
    with pytest.raises(DataError, match="true value of 'id'"):
        label(value, *classes)


@pytest.mark.parametrize("value", [True, "1", float("nan"), float("inf"), None])
def test_what_is_no_number_is_no_truth_of_a_regression(value: Any) -> None:
    with pytest.raises(DataError, match="It must be a number"):
        label(value)


def test_one_wrong_value_does_not_refuse_the_others(served: Any) -> None:
    deploy(MODEL, store=served.store)
    served.add_predictions(1, 2)
    served.add_predictions(1, 1, deployment="other")
    one, two = served.store.metadata.predictions.list(MODEL)
    [foreign] = served.store.metadata.predictions.list("other")
    truth = {one.prediction_id: "YES", two.prediction_id: "maybe", foreign.prediction_id: "yes"}
    found = Truths(served.store, None).record(MODEL, {**truth, "none": "yes"}, ANSWERS)
    assert (found.recorded, found.unknown) == (1, ["none"])
    why = {each["prediction_id"]: each["why"] for each in found.refused}
    assert "is 'maybe'" in why[two.prediction_id]
    assert "Send it to /models/other/truth." in why[foreign.prediction_id]
    assert served.store.metadata.predictions.get(one.prediction_id).truth == "yes"
    assert served.store.metadata.predictions.get(foreign.prediction_id).truth_at is None


def test_a_prediction_of_another_team_is_unknown_and_one_of_mine_is_led_on(served: Any) -> None:
    made = [a_prediction("p1", deployment="fraud"), a_prediction("p2", deployment="loans")]
    served.store.metadata.predictions.add(made)
    Projects(store=served.store).add("fraud")
    truths = Truths(served.store, None)
    permissions = {"default": frozenset(Permission)}
    with use_identity(Identity("ada", permissions, attested="token pst_1")):
        found = truths.record(MODEL, {"p1": "yes", "p2": "yes", "p3": "yes"}, ANSWERS)
    assert found.unknown == ["p1", "p3"]
    assert ["'loans'" in each["why"] for each in found.refused] == [True]


def test_a_caller_whom_nobody_knows_hears_of_the_deployments_of_this_server_alone(
    served: Any,
) -> None:
    made = [a_prediction("p1", deployment="fraud"), a_prediction("p2", deployment="loans")]
    served.store.metadata.predictions.add(made)
    create_first_admin(store=served.store)
    truths = Truths(served.store, None, lambda: [MODEL, "loans"])
    found = truths.record(MODEL, {"p1": "yes", "p2": "yes", "p3": "yes"}, ANSWERS)
    assert found.unknown == ["p1", "p3"]
    assert [each["prediction_id"] for each in found.refused] == ["p2"]
