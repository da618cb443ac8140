"""Times: how a column is written is recognised, and what looks like a time is pointed at."""

from datetime import date, datetime, timedelta

import polars as pl
import pytest

from penstock.core import NotFoundError
from penstock.data import FileSource, infer_schema
from penstock.scaffolding._times import note_times, note_written_dates, recognise_time

NAIVE = datetime.fromisoformat("2021-01-01")
DAYS = [date(2021, 1, 1) + timedelta(days=n) for n in range(60)]


@pytest.mark.parametrize(
    ("values", "form"),
    [
        (DAYS, "ISO dates"),
        ([NAIVE + timedelta(hours=n) for n in range(60)], "ISO times"),
        ([NAIVE + timedelta(days=n) for n in range(60)], "ISO dates"),
        ([1_400_000_000 + n for n in range(60)], "epoch seconds"),
        ([1_400_000_000_000 + n for n in range(60)], "epoch milliseconds"),
        ([20_210_100 + n for n in range(1, 30)], "YYYYMMDD dates"),
        ([f"{d:%d.%m.%Y}" for d in DAYS], "written %d.%m.%Y, dates"),
        (["soon", "later"], "text"),
    ],
)
def test_the_form_of_a_time_is_recognised(values, form):
    assert recognise_time(pl.DataFrame({"at": values}), "at").form == form


def test_a_form_that_is_not_iso_is_given_to_the_source(write_table):
    path = write_table(["at", "y"], [(f"{d:%d.%m.%Y}", 1) for d in DAYS])
    form = recognise_time(FileSource(path).read(), "at")
    table = FileSource(path, time="at", time_format=form.time_format).read()
    assert table["at"].to_list() == DAYS


def test_the_order_of_rows_tells_days_from_months():
    texts = [f"{date(2021, m, d):%d/%m/%Y}" for m in range(1, 13) for d in (2, 5, 11)]
    form = recognise_time(pl.DataFrame({"at": texts}), "at")
    assert (form.time_format, form.doubt) == ("%d/%m/%Y", "")


def test_days_and_months_that_cannot_be_told_apart_are_doubted():
    form = recognise_time(pl.DataFrame({"at": ["01/02/2021", "03/01/2021", "02/02/2021"]}), "at")
    assert {form.time_format, form.doubt} == {"%m/%d/%Y", "%d/%m/%Y"}


def test_a_date_finds_its_hours():
    table = pl.DataFrame({"day": DAYS, "hr": [n % 24 for n in range(60)]})
    form = recognise_time(table, "day")
    assert (form.columns, form.form) == (("day", "hr"), "ISO dates and hours")


def test_an_hour_column_of_other_numbers_is_left_alone():
    table = pl.DataFrame({"day": DAYS, "hours": [n * 10 for n in range(60)]})
    assert recognise_time(table, "day").columns == ("day",)


@pytest.mark.parametrize("time", ["day+slot", "day, slot"])
def test_a_date_and_hours_can_be_named_together(time):
    table = pl.DataFrame({"day": DAYS, "slot": [n % 24 for n in range(60)]})
    assert recognise_time(table, time).columns == ("day", "slot")


def test_a_time_column_misspelt_gets_a_proposal():
    with pytest.raises(NotFoundError, match="Did you mean 'day'"):
        recognise_time(pl.DataFrame({"day": DAYS}), "dya")


def test_times_nobody_named_are_pointed_at():
    table = pl.DataFrame(
        {
            "day": DAYS,
            "created_at": [1_400_000_000 + n for n in range(60)],
            "price": [1_400_000_000 + n for n in range(60)],
            "date_code": list(range(60)),
        }
    )
    notes = note_times(table, infer_schema(table), set())
    assert [note.column for note in notes] == ["day", "created_at"]
    assert "--time day" in notes[0].reason


def test_dates_in_a_form_of_their_own_are_no_features():
    table = pl.DataFrame({"day": [f"{d:%d.%m.%Y}" for d in DAYS], "city": ["Ulm", "Bonn"] * 30})
    notes = note_written_dates(table, infer_schema(table), set())
    assert [(note.column, note.kind) for note in notes] == [("day", "type")]
