from typing import Any

import numpy as np
import pytest

from penstock.core import DataError, ModelVersionRecord, Stage, now
from penstock.models import Model, Signature
from penstock.serving._served_version import ModelError, ServedVersion, sample_row
from penstock.tables import Column

FIELDS = (Column("a", "number", "Float64", minimum=0, maximum=10),)


class Breaking:
    """Raises above 5, says NaN above 7."""

    def predict(self, rows: Any) -> Any:
        values = np.asarray(rows)[:, 0]
        if ((values > 5) & (values < 7)).any():
            raise ValueError("above  five\nand more")
        return np.where(values > 7, np.nan, values)


def served(estimator: Any, **signature: Any) -> ServedVersion:
    record = ModelVersionRecord("m", 3, Stage.PRODUCTION, None, "ann", "sha256:a", "b", now())
    return ServedVersion(record, Model(estimator, Signature(FIELDS, frame="numpy", **signature)))


def test_answers_come_with_warnings() -> None:
    found = served(Breaking()).predict([{"a": 1.0}, {"a": -1.0}])
    assert found.values == [1.0, -1.0]
    assert "outside the training range" in found.warnings[1][0]
    assert found.probabilities is None


def test_the_row_that_fails_is_named() -> None:
    with pytest.raises(ModelError, match="m@3 failed on row 2: ValueError: above five and more"):
        served(Breaking()).predict([{"a": 1.0}, {"a": 2.0}, {"a": 6.0}])


def test_the_bad_row_of_a_batch_costs_the_logarithm_of_its_rows_in_calls() -> None:
    class Counting(Breaking):
        calls = 0

        def predict(self, rows: Any) -> Any:
            type(self).calls += 1
            return super().predict(rows)

    for place in (0, 137, 255):
        Counting.calls = 0
        rows = [{"a": 6.0 if number == place else 1.0} for number in range(256)]
        with pytest.raises(ModelError) as caught:
            served(Counting()).predict(rows)
        assert caught.value.values["failure"].row == place
        assert Counting.calls <= 1 + 8 + 1  # the batch, eight halves, the row alone


def test_an_answer_that_is_no_number_is_a_hard_fault() -> None:
    with pytest.raises(ModelError) as caught:
        served(Breaking()).predict([{"a": 1.0}, {"a": 8.0}])
    assert caught.value.values["failure"].hard
    assert caught.value.values["failure"].row == 1


def test_a_batch_that_fails_only_together_names_no_row() -> None:
    class Together:
        def predict(self, rows: Any) -> Any:
            if len(rows) > 1:
                raise MemoryError("too many")
            return np.zeros(len(rows))

    with pytest.raises(ModelError, match="m@3 failed: MemoryError: too many"):
        served(Together()).predict([{"a": 1.0}, {"a": 2.0}])


def test_bad_rows_are_the_callers_doing() -> None:
    with pytest.raises(DataError, match="'a' is missing"):
        served(Breaking()).predict([{}])


def test_a_model_that_cannot_answer_its_warm_up_is_refused() -> None:
    class Broken:
        def predict(self, rows: Any) -> Any:
            raise TypeError("no")

    with pytest.raises(ModelError, match="cannot predict a row: TypeError: no"):
        served(Broken()).warm_up()


def test_a_call_that_waited_for_the_processor_says_nothing_of_the_model() -> None:
    model = served(Breaking())
    model._call_s = 0.0001
    for elapsed_s in (0.3, 0.0001, 0.05, 0.0001, 2.0):
        model._note_time(elapsed_s, 1)
    assert model.is_quick(1)
    for _ in range(60):
        model._note_time(0.01, 1)
    assert not model.is_quick(1)


def test_slow_models_go_to_a_thread() -> None:
    quick = served(Breaking())
    quick.warm_up()
    quick._call_s = 0.0001
    assert quick.is_quick(1)
    quick._call_s = 0.1
    assert not quick.is_quick(1)
    quick._call_s, quick._row_s = 0.0001, 0.001
    assert not quick.is_quick(10)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("Int64", 5),
        ("Float64", 5.0),
        ("Boolean", False),
        ("Date", "2020-06-15"),
        ("Datetime(time_unit='us')", "2020-06-15T12:00:00"),
        ("Time", "12:00:00"),
        ("Duration(time_unit='us')", 0.0),
        ("Null", None),
        ("String", "a"),
    ],
)
def test_a_sample_row_suits_each_type(dtype: str, expected: Any) -> None:
    limits: dict[str, Any] = {} if dtype.startswith("Date") else {"minimum": 0.0, "maximum": 10.0}
    field = Column("a", "number", dtype, nullable=True, **limits)
    assert sample_row([field]) == {"a": expected}
    Signature((field,)).check_rows([sample_row([field])])


def test_a_sample_row_has_a_time_that_training_saw() -> None:
    limits = {"minimum": 1_709_251_200.0, "maximum": 1_711_929_600.0}  # March 2024
    day, moment = (
        Column("a", "date", "Date", **limits),  # type: ignore[arg-type]
        Column("b", "datetime", "Datetime", **limits),  # type: ignore[arg-type]
    )
    assert sample_row([day, moment]) == {"a": "2024-03-16", "b": "2024-03-16T12:00:00"}


def test_a_sample_row_has_a_known_category() -> None:
    assert sample_row([Column("c", "category", "String", levels=("x", "y"))]) == {"c": "x"}
    assert sample_row([Column("n", "number", "Float64")]) == {"n": 0.0}
