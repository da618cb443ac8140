"""The JSON form of the store's types: what is written is read back, and what is not a form is refused."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core import (
    MetricColumns,
    MetricSummary,
    ParameterError,
    RunRecord,
    RunState,
    StageEvent,
)
from penstock.stores import dump_json, keep_unresolved, load_json
from penstock.stores.rest._operations import operations
from penstock.stores.rest._wire import dump_wire, wire_of

NOW = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text()
    | st.binary(max_size=20)
    | st.datetimes(timezones=st.just(UTC))
    | st.decimals(allow_nan=False)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=4)
        | st.tuples(inner, inner)
    ),
    max_leaves=12,
)


def there_and_back(hint: Any, value: Any) -> Any:
    wire = wire_of(hint)
    return wire.read(json.loads(json.dumps(wire.write(value), allow_nan=False)), "it")


@given(VALUES)
def test_any_value_of_a_record_comes_back_as_it_was(value):
    assert dump_json(there_and_back(Any, value)) == dump_json(value)


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**30])
def test_a_whole_number_that_no_database_stores_is_refused(number):
    assert there_and_back(int, 2**64 - 1) == 2**64 - 1

    with pytest.raises(ParameterError, match="64 bits"):
        there_and_back(int, number)


@given(st.floats())
def test_every_float_comes_back_with_its_bits(value):
    assert np.float64(there_and_back(float, value)).tobytes() == np.float64(value).tobytes() or (
        np.isnan(value)
    )


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_keep_their_microseconds(moment):
    assert there_and_back(datetime, moment) == moment


def test_a_run_comes_back_whole():
    run = RunRecord(
        "06a",
        "näme",
        "churn",
        None,
        "a.py:b",
        RunState.RUNNING,
        2**63,
        NOW,
        params={"lr": float("inf"), "dims": (1, 2), "place": Path("a/b"), "price": Decimal("1.10")},
        metrics={"loss": MetricSummary(float("nan"), 1.0, 0.0, float("inf"), 3, 2.0)},
        missed=("one",),
    )
    assert repr(there_and_back(RunRecord, run)) == repr(run)


def test_points_come_back_as_arrays():
    columns = MetricColumns(
        "r", "loss", np.array([0.0, 1.0]), np.array([np.nan, 2.0]), np.array([5, 6])
    )
    back = there_and_back(MetricColumns, columns)
    assert (back.run_id, back.key, back.steps.tolist(), back.times.tolist()) == (
        "r",
        "loss",
        [0.0, 1.0],
        [5, 6],
    )
    assert np.isnan(back.values[0])


class Color(Enum):
    """A class of the client."""

    RED = "red"


def test_an_enum_that_the_server_does_not_know_passes_through_it(monkeypatch):
    written = wire_of(Any).write({"color": Color.RED})
    monkeypatch.setattr("penstock.stores._json.find_loaded", lambda _: None)
    with keep_unresolved():
        there = load_json(dump_json(wire_of(Any).read(written, "it")))
        assert str(there["color"]) == "red"
        back = wire_of(Any).write(there)
    monkeypatch.undo()
    assert wire_of(Any).read(back, "it") == {"color": Color.RED}


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (int, True),
        (int, 1.0),
        (str, None),
        (float, "nan"),
        (float, True),
        (float, 10**400),
        (bool, 1),
        (bytes, "é"),
        (bytes, "abc"),
        (datetime, "2026-01-31"),
        (datetime, 5),
        (datetime, "0001-01-01T00:00:00+23:59"),
        (timedelta, 1e300),
        (RunState, "walking"),
        (RunState, []),
        (list[int], {}),
        (dict[int, str], {"x": "y"}),
        (tuple[int, int], [1]),
        (StageEvent, {"model": "m"}),
        (StageEvent, []),
        (MetricColumns, {"run_id": "r"}),
        (
            MetricColumns,
            {"run_id": "r", "key": "k", "steps": "AA==", "values": "AA==", "times": "AA=="},
        ),
        (Any, {"$": "pattern", "v": ["(a+)+", 0]}),
        (Any, {"$": "numpy", "v": ["V1000000000", 1]}),
        (Any, {"$": "uuid", "v": 5}),
        (Any, {"$": "zone", "v": "../../etc/passwd"}),
        (Any, {"$": "zone", "v": "America"}),
        (Any, {"$": "decimal", "v": "x"}),
        (Any, {"$": ["list"], "v": 1}),
        (Any, {"$": "set", "v": [[1]]}),
    ],
)
def test_what_is_no_form_is_refused_with_its_path(hint, value):
    with pytest.raises(ParameterError, match="it"):
        wire_of(hint).read(value, "it")


def test_a_field_that_this_version_does_not_know_is_refused():
    edge = {"source": "a", "target": "b", "role": "c", "weight": 1}
    operation = operations()["artifacts"]["add_edges"]
    with pytest.raises(ParameterError, match=r"edges\[0\]\.weight"):
        operation.read_arguments({"edges": [edge]})


def test_a_type_without_a_form_is_found_when_the_server_starts():
    with pytest.raises(TypeError, match="has no form in JSON"):
        wire_of(complex)


@pytest.mark.parametrize("hint", [int, str, bool, int | None, dict[str, str]])
def test_a_number_that_json_has_not_is_never_written_as_null(hint):
    value = {"a": float("nan")} if hint == dict[str, str] else float("nan")
    with pytest.raises(ValueError, match="no form in JSON"):
        wire_of(hint).write(value)


def test_json_of_half_characters_and_of_pythons_own_subclasses_is_read_back():
    document = {"half": "a\ud800", "kind": Shade.DARK, "é": [1.5, -0.0, 2**63]}
    assert json.loads(dump_wire(document)) == {**document, "kind": "dark"}
    assert json.loads(dump_wire({"é": 1})) == {"é": 1}


class Shade(StrEnum):
    DARK = "dark"
