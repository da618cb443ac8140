from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import polars as pl
import pytest

from penstock.tables._kinds import has_missing, kind_of, looks_like_id, named_id

N = 40
CASES = {
    "number": pl.Series("x", [i / 3 for i in range(N)]),
    "number of decimals": pl.Series("x", [Decimal(i) / 4 for i in range(N)]),
    "integer": pl.Series("x", [i % 7 for i in range(N)]),
    "integer with gaps": pl.Series("x", [i * i for i in range(N)]),
    "id named so": pl.Series("ride_id", [i * i for i in range(N)]),
    "id without gaps": pl.Series("x", range(100, 100 + N)),
    "id of texts": pl.Series("x", [f"a-{i:x}" for i in range(N)]),
    "boolean": pl.Series("x", [i % 2 == 0 for i in range(N)]),
    "category": pl.Series("x", ["a", "b"] * (N // 2)),
    "category of few rows": pl.Series("x", ["a", "b", "c"]),
    "category of an enum": pl.Series("x", ["a", "b"], dtype=pl.Enum(["a", "b"])),
    "text": pl.Series("x", [f"the ride number {i} was fine" for i in range(N)]),
    "date": pl.Series("x", [date(2016, 1, 1), date(2016, 1, 2)]),
    "datetime": pl.Series(
        "x", [datetime(2016, 1, 1, tzinfo=UTC), datetime(2017, 1, 1, tzinfo=UTC)]
    ),
    "constant": pl.Series("x", [3, 3, 3]),
    "constant without values": pl.Series("x", [None, None], dtype=pl.Int64),
    "constant of not a number": pl.Series("x", [float("nan")] * 3),
    "constant of null type": pl.Series("x", [None, None]),
    "other: durations": pl.Series("x", [timedelta(1), timedelta(2)]),
    "other: lists": pl.Series("x", [[1], [2]]),
    "other: clock": pl.Series("x", [time(1), time(2)]),
}


@pytest.mark.parametrize("name", CASES)
def test_a_column_is_recognised_as(name):
    assert kind_of(CASES[name])[0] == name.split()[0].rstrip(":")


def test_one_value_beside_missing_ones_still_says_something():
    assert kind_of(pl.Series("x", [1.0, None, 1.0]))[0] == "number"
    assert kind_of(pl.Series("x", ["a", None, "a"])) == ("category", 1)


def test_a_single_row_is_not_constant():
    assert kind_of(pl.Series("x", [1]))[0] == "integer"


def test_not_a_number_counts_as_missing():
    assert has_missing(pl.Series([1.0, float("nan")]))
    assert not has_missing(pl.Series([1.0, 2.0]))


@pytest.mark.parametrize("name", ["id", "ride_id", "rideId", "row no", "uuid", "Key", "instant"])
def test_names_of_identifiers(name):
    assert looks_like_id(name)


@pytest.mark.parametrize("name", ["paid", "humid", "video", "avoid", "nose", "monkey"])
def test_names_that_only_end_like_identifiers(name):
    assert not looks_like_id(name)


def test_a_key_is_not_named_as_the_identifier_of_something():
    assert named_id("customer_id")
    assert not named_id("instant")
