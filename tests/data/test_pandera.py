"""A schema of pandera stops an ingest as expectations do, and is part of the step's key."""

import importlib
from typing import Any

import polars as pl
import pytest

import penstock as ps
from penstock.core import ExpectationError, ParameterError, StepState
from penstock.data import Expectations, PanderaExpectations, ingest
from penstock.execution import QuietReporter

pa: Any = importlib.import_module("pandera.polars")


class Rides(pa.DataFrameModel):  # type: ignore[misc]
    """A model, as users write one."""

    id: int = pa.Field(unique=True)
    tip: float = pa.Field(ge=0, le=500, nullable=True)


def schema(most: float = 500) -> Any:
    return pa.DataFrameSchema(
        {
            "id": pa.Column(int, unique=True),
            "tip": pa.Column(float, pa.Check.in_range(0, most), nullable=True),
        }
    )


@pytest.fixture
def rides(tmp_path):
    pl.DataFrame({"id": [1, 1, 2], "tip": [2.0, 900.0, None]}).write_parquet(tmp_path / "rides.parquet")  # fmt: skip
    return ps.FileSource(tmp_path / "rides.parquet")


@pytest.mark.parametrize(("expected", "check"), [(schema(), "in_range"), (Rides, "less_than_or_equal_to")])  # fmt: skip
def test_rows_that_fail_a_check_are_counted_and_shown(rides, expected, check):
    with pytest.raises(ExpectationError) as told:
        ingest(rides, expect=expected)
    words = str(told.value)
    assert "2 of 3 rows have an 'id' that fails field_uniqueness, such as 1." in words
    assert f"1 of 3 rows have a 'tip' that fails {check}(" in words
    assert "such as 900.0" in words


def test_a_column_that_lacks_or_has_another_type_is_told(rides):
    lacking = pa.DataFrameSchema({"zone": pa.Column(int), "tip": pa.Column(str, nullable=True)})
    with pytest.raises(ExpectationError) as told:
        ingest(rides, expect=lacking)
    assert "zone" in str(told.value)
    assert "Column 'tip' fails dtype('String'): Float64." in str(told.value)


def test_warnings_and_other_expectations_go_together(rides):
    warned = [PanderaExpectations(schema(), on_failure="warn"), Expectations(rows=(1, 10))]
    snapshot = ingest(rides, expect=warned)
    assert [finding.level for finding in snapshot.findings if finding.rule == "expectation"] == ["warn", "warn"]  # fmt: skip
    assert snapshot.rows == 3


def test_rows_as_expected_pass_unchanged(rides):
    coercing = pa.DataFrameSchema({"id": pa.Column(str, coerce=True)})
    assert ingest(rides, expect=coercing).table["id"].dtype == pl.Int64


def test_pandas_schemas_are_applied_to_pandas(rides):
    pandas = importlib.import_module("pandera.pandas")
    expected = pandas.DataFrameSchema({"tip": pandas.Column(float, pandas.Check.le(500), nullable=True)})  # fmt: skip
    with pytest.raises(ExpectationError, match=r"1 of 3 rows have a 'tip' that fails less_than"):
        ingest(rides, expect=expected)


@ps.pipeline
def checked(source, expect):
    ps.steps.ingest(source, expect=expect)


def test_another_limit_is_another_step_key(rides, tmp_path):
    # The first validation of a process registers pandera's back ends, in state that digests see.
    schema().validate(pl.DataFrame({"id": [1], "tip": [1.0]}))
    with ps.open_store(f"sqlite:///{tmp_path}/penstock.db") as store:

        def state(most: float) -> StepState:
            expect = pa.DataFrameSchema({"tip": pa.Column(float, pa.Check.le(most), nullable=True)})
            result = ps.run(checked, store=store, reporter=QuietReporter(), source=rides, expect=expect)  # fmt: skip
            return result["ingest"].state

        assert state(1_000) is StepState.FINISHED
        assert state(1_000) is StepState.CACHED
        assert state(500) is StepState.FAILED


def test_what_is_no_schema_is_refused():
    with pytest.raises(ParameterError, match=r"3 is no schema of pandera"):
        PanderaExpectations(3)
