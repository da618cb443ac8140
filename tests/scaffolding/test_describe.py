"""Description: the real tables are understood, and the findings are told in a few lines."""

import polars as pl
import pytest

from penstock.core import DataError, NotFoundError, ParameterError
from penstock.data import FileSource, Snapshot, ingest
from penstock.scaffolding import describe_table
from penstock.scaffolding._times import recognise_time

ADULT = "age workclass fnlwgt education education_num marital_status occupation relationship race"
ADULT += " sex capital_gain capital_loss hours_per_week native_country income"


def _describe(path, target, *, time=None, group=None, columns=None):
    form = recognise_time(FileSource(path, columns=columns).read(), time) if time else None
    named = None if form is None else form.columns if len(form.columns) > 1 else form.columns[0]
    snapshot = ingest(FileSource(path, time=named, columns=columns))  # type: ignore[arg-type]
    return describe_table(snapshot, target=target, group=group, form=form)


def _left_out(notes, kind):
    return {note.column for note in notes.left_out if note.kind == kind}


def test_bike_sharing_the_parts_of_the_count_are_suspects(real_table):
    notes = _describe(real_table("bike_sharing_hour.csv"), "cnt", time="dteday")
    assert notes.task == "regression"
    assert _left_out(notes, "suspect") == {"casual", "registered"}
    assert _left_out(notes, "identifier") == {"instant"}
    assert notes.time.columns == ("dteday", "hr")
    assert notes.split.by_time == ("dteday", "hr")
    assert notes.slices[:2] == ("season", "weathersit")


def test_adult_people_are_judged_by_sex_and_race(real_table):
    notes = _describe(real_table("adult_train.csv"), "income", columns=ADULT.split())
    assert (notes.task, notes.positive) == ("binary", ">50K")
    assert notes.slices == notes.sensitive == ("sex", "race", "age")
    assert notes.left_out == ()


def test_elec2_plain_codes_are_two_classes(real_table):
    notes = _describe(real_table("elec2.csv"), "class")
    assert (notes.task, notes.positive, notes.split.task) == ("binary", None, "binary")


def test_weather_months_of_the_test_are_new(real_table):
    notes = _describe(real_table("nyc_weather_2013.csv"), "temp", time="time_hour", group="origin")
    assert notes.missing_target == 1
    assert _left_out(notes, "constant") == {"year"}
    assert _left_out(notes, "group") == {"origin"}
    assert _left_out(notes, "new") == {"month", "time_hour"}


def test_taxi_rare_payments_are_named(real_table):
    path = real_table("chicago_taxi_trips.csv")
    notes = _describe(path, "payment_type", time="trip_start_timestamp", group="company")
    assert notes.rare == ("Dispute", "Pcard", "Prcard")
    assert notes.time.form == "epoch seconds"
    assert _left_out(notes, "empty") == {"pickup_census_tract"}
    assert [note.column for note in notes.watched] == ["tips"]


def test_taxi_tips_keep_the_fare(real_table):
    notes = _describe(real_table("chicago_taxi_trips.csv"), "tips", time="trip_start_timestamp")
    assert notes.task == "regression"
    assert "fare" in notes.features


def test_a_column_that_alone_gives_the_target_away_is_a_suspect():
    table = pl.DataFrame(
        {
            "size": [n * 37 % 101 / 3 for n in range(600)],
            "refund": [float(n % 4 == 0) * (n + 1) for n in range(600)],
            "returned": [n % 4 == 0 for n in range(600)],
        }
    )
    notes = describe_table(Snapshot.of(table), target="returned")
    assert _left_out(notes, "suspect") == {"refund"}
    assert "alone predicts returned (AUC 0.9" in notes.left_out[0].reason


def test_a_toy_table_that_is_only_its_formula_still_works():
    table = pl.DataFrame({"x": [n * 37 % 401 / 7 for n in range(400)]})
    notes = describe_table(Snapshot.of(table.with_columns(y=pl.col("x") * 2 + 1)), target="y")
    assert notes.features == ("x",)
    assert 'take "leakage == none" out' in notes.warnings[0]


def test_customers_that_repeat_are_proposed_as_a_group():
    table = pl.DataFrame(
        {
            "customer_id": [n * 7919 % 150 for n in range(600)],
            "size": [n * 37 % 101 / 3 for n in range(600)],
            "y": [n * 17 % 29 / 3 for n in range(600)],
        }
    )
    notes = describe_table(Snapshot.of(table), target="y")
    assert "--group customer_id" in notes.left_out[0].reason


def test_times_without_time_are_pointed_at():
    days = pl.date_range(pl.date(2020, 1, 1), pl.date(2021, 12, 31), eager=True)
    table = pl.DataFrame({"day": days, "y": [n * 17 % 29 / 3 for n in range(len(days))]})
    notes = describe_table(Snapshot.of(table), target="y")
    assert "--time day" in notes.watched[0].reason


def test_three_rows_come_with_a_warning():
    notes = describe_table(
        Snapshot.of(pl.DataFrame({"x": [1.0, 2.0, 4.0], "y": ["a", "b", "a"]})), target="y"
    )
    assert notes.warnings[0].startswith("Only 3 rows, 1 of them to test on")


def test_identifiers_alone_are_nothing_to_learn_from():
    table = pl.DataFrame({"name": [f"n{n}" for n in range(60)], "y": [n % 2 for n in range(60)]})
    with pytest.raises(DataError, match=r"No column is left.*name: a different value in every row"):
        describe_table(Snapshot.of(table), target="y")


def test_texts_that_are_nearly_numbers_are_said_to_be(write_table, chance):
    rows = [(f"{n} {chance.choice(['g', 'kg'])}", chance.random(), n % 2) for n in range(100)]
    snapshot = ingest(FileSource(write_table(["price", "x", "y"], rows)))
    note = describe_table(snapshot, target="y").left_out[0]
    assert (note.column, note.kind) == ("price", "type")


def test_a_target_misspelt_gets_a_proposal():
    with pytest.raises(NotFoundError, match="Did you mean 'price'"):
        describe_table(Snapshot.of(pl.DataFrame({"price": [1.0, 2.0]})), target="pirce")


def test_one_column_cannot_be_target_and_group():
    with pytest.raises(ParameterError, match="is the target and the group"):
        describe_table(Snapshot.of(pl.DataFrame({"y": [1.0, 2.0]})), target="y", group="y")


def test_the_lines_are_few_and_name_the_suspects_first(real_table):
    notes = _describe(real_table("bike_sharing_hour.csv"), "cnt", time="dteday")
    lines = notes.lines()
    assert lines[:2] == ["17,379 rows, 17 columns", notes.target_says]
    assert "excluded casual: cnt = registered + casual" in lines
    assert len(lines) < 12


def test_many_columns_of_a_kind_are_told_in_one_line():
    constants = {f"c{n}": [n] * 60 for n in range(300)}
    table = pl.DataFrame({**constants, "x": [n * 7 % 13 for n in range(60)], "y": [0.5, 1, 2] * 20})
    lines = describe_table(Snapshot.of(table), target="y").lines()
    assert "excluded as constant: c0, c1, c2, c3 and 296 more" in lines
