"""A frame is checked as requests with each of its rows are."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core import DataError
from penstock.models import Signature
from penstock.tables import Column
from penstock.tables.reading import ReadingRule

INPUTS = (
    Column("size", "number", "Float64", minimum=0, maximum=10),
    Column("small", "number", "Float32", nullable=True),
    Column("count", "integer", "Int64", minimum=0, maximum=50, nullable=True),
    Column("tiny", "integer", "Int8"),
    Column("flag", "boolean", "Boolean"),
    Column("city", "category", "String", levels=("Bonn", "Köln", "NA"), nullable=True),
    Column("note", "text", "String", nullable=True, reading=ReadingRule("text", missing=("?",))),
    Column("price", "number", "Float64", nullable=True, reading=ReadingRule("number")),
    Column("grade", "category", "Enum(categories=['a', 'b'])", levels=("a", "b"), nullable=True),
    Column("day", "date", "Date", minimum=1.6e9, maximum=1.61e9, nullable=True),
    Column("at", "datetime", "Datetime(time_unit='us', time_zone='UTC')", nullable=True),
    Column("local", "datetime", "Datetime(time_unit='us', time_zone=None)", nullable=True),
    Column("none", "constant", "Null"),
)
NUMBERS = st.one_of(st.none(), st.floats(-5, 20), st.floats(), st.sampled_from([-0.0, 1e300]))
WHOLE = st.one_of(st.none(), st.integers(-200, 200), st.integers(-(2**63), 2**63 - 1))
DAYS = st.one_of(st.none(), st.dates(date(1960, 1, 1), date(2030, 1, 1)))
TIMES = st.one_of(st.none(), st.datetimes(datetime(1960, 1, 1), datetime(2030, 1, 1)))  # noqa: DTZ001
TEXTS = st.one_of(
    st.none(),
    st.sampled_from(["Bonn", "Köln", "NA", " Bonn", "?", "-", "a", "b", "3.5", "1,5", "n/a", ""]),
    st.sampled_from(["2020-05-01", "2020-05-01T10:00:00", "2020-05-01T10:00:00Z"]),
    st.text(max_size=4),
)
VALUES = {
    "size": NUMBERS,
    "small": NUMBERS,
    "count": st.one_of(WHOLE, NUMBERS, TEXTS),
    "tiny": WHOLE,
    "flag": st.one_of(st.none(), st.booleans()),
    "city": TEXTS,
    "note": TEXTS,
    "price": TEXTS,
    "grade": TEXTS,
    "day": DAYS,
    "at": TIMES,
    "local": TIMES,
    "none": st.one_of(st.none(), st.integers(0, 3)),
}


@st.composite
def columns(draw: st.DrawFn, name: str, rows: int) -> pl.Series:
    values: Any = VALUES[name]
    if name == "count":  # a column has a single type
        values = draw(st.sampled_from([WHOLE, NUMBERS, TEXTS]))
    if name in {"day", "at", "local"}:
        values = draw(st.sampled_from([values, TEXTS]))
    found = draw(st.lists(values, min_size=rows, max_size=rows))
    series = pl.Series(name, found, strict=False)
    if series.dtype == pl.Datetime and draw(st.booleans()):
        series = series.dt.replace_time_zone("UTC")
    return series


@st.composite
def frames(draw: st.DrawFn) -> pl.DataFrame:
    rows = draw(st.integers(1, 12))
    return pl.DataFrame([draw(columns(name, rows)) for name in VALUES])


@given(frames(), st.booleans())
def test_each_row_is_taken_or_refused_as_a_request_with_it(
    frame: pl.DataFrame, missing: bool
) -> None:
    signature = Signature(INPUTS, accepts_missing=missing)
    checked = signature.check_frame(frame)
    taken = dict(zip(checked.accepted.to_list(), range(checked.frame.height), strict=True))
    for place, row in enumerate(frame.iter_rows(named=True)):
        try:
            one, warnings = signature.check_rows([row])
        except DataError as error:
            reason = error.what
        else:
            reason = ""
        assert checked.refused.get(place, "") == reason
        assert (place in taken) == (not reason)
        if reason:
            continue
        assert checked.frame[taken[place]].equals(one)
        assert checked.frame.schema == one.schema
        assert _bits(checked.frame[taken[place]]) == _bits(one)
        assert checked.warnings.get(place, ()) == warnings[0]


@given(frames())
def test_a_row_of_a_frame_is_the_row_that_json_carries(frame: pl.DataFrame) -> None:
    signature = Signature(INPUTS, accepts_missing=True)
    checked = signature.check_frame(frame)
    taken = dict(zip(checked.accepted.to_list(), range(checked.frame.height), strict=True))
    for place, row in enumerate(frame.iter_rows(named=True)):
        sent = json.loads(json.dumps(row, default=_iso))
        try:
            one, warnings = signature.check_rows([sent])
        except DataError:
            assert place not in taken
            continue
        assert checked.frame[taken[place]].equals(one)
        assert checked.warnings.get(place, ()) == warnings[0]


def test_an_absent_input_is_a_missing_value() -> None:
    signature = Signature(INPUTS[:3])
    checked = signature.check_frame(pl.DataFrame({"size": [1.0], "other": ["x"]}))
    assert checked.frame.row(0) == (1.0, None, None)
    with pytest.raises(DataError, match="is missing"):
        signature.check_rows([{"small": 1}])
    refused = signature.check_frame(pl.DataFrame({"small": [1.0]})).refused
    assert "'size' is null" in refused[0]


def _bits(frame: pl.DataFrame) -> list[Any]:
    return [repr(value) for value in frame.row(0)]


def _iso(value: Any) -> str:
    assert isinstance(value, date | datetime | timedelta)
    return value.isoformat() if not isinstance(value, timedelta) else str(value)


def test_times_are_read_in_their_zone() -> None:
    signature = Signature((INPUTS[10],))
    at = datetime(2020, 5, 1, 12, tzinfo=UTC)
    checked = signature.check_frame(pl.DataFrame({"at": [at, None]}))
    assert checked.frame["at"].to_list() == [at, None]
