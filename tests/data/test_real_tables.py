"""The tables of ../shared/data, read as a newcomer would."""

from datetime import UTC, datetime

import pytest

from penstock.data import FileSource, ingest, split_table

ADULT = [
    "age",
    "workclass",
    "fnlwgt",
    "education",
    "education_num",
    "marital_status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "capital_gain",
    "capital_loss",
    "hours_per_week",
    "native_country",
    "income",
]


def test_chicago_taxi_has_times_groups_and_missing_values(real_table):
    source = FileSource(real_table("chicago_taxi_trips.csv"), time="trip_start_timestamp")
    snapshot = ingest(source, cutoff="2016-01-01")
    assert snapshot.last_time < datetime(2016, 1, 1, tzinfo=UTC)
    assert ingest(source).rows == 15_002
    kinds = {column.name: column.kind for column in snapshot.schema}
    assert (kinds["company"], kinds["fare"], kinds["trip_seconds"]) == (
        "category",
        "number",
        "integer",
    )
    assert snapshot.schema["company"].nullable


def test_bike_sharing_gives_away_its_sum(real_table):
    source = FileSource(real_table("bike_sharing_hour.csv"), time=("dteday", "hr"))
    snapshot = ingest(source)
    assert snapshot.last_time == datetime(2012, 12, 31, 23, tzinfo=UTC)
    assert snapshot.schema["instant"].kind == "id"
    split = split_table(snapshot, target="cnt", by_time=("dteday", "hr"))
    assert split.task == "regression"
    assert {(f.rule, f.column) for f in split.leakage} == {("L5", "registered"), ("L5", "casual")}


def test_adult_is_clean_without_a_header(real_table):
    snapshot = ingest(FileSource(real_table("adult_train.csv"), columns=ADULT))
    assert snapshot.rows == 32_561
    assert snapshot.table["income"].unique().sort().to_list() == ["<=50K", ">50K"]
    assert snapshot.schema["age"].kind == "integer"
    # The figures of the data set's own description (adult.names): 1,836 and 583 unknown.
    assert snapshot.table["workclass"].null_count() == 1_836
    assert snapshot.table["native_country"].null_count() == 583
    assert split_table(snapshot, target="income").leakage == ()


def test_nyc_weather_reads_na_as_missing(real_table):
    snapshot = ingest(FileSource(real_table("nyc_weather_2013.csv"), time="time_hour"))
    assert snapshot.table["wind_gust"].dtype.is_float()
    assert snapshot.table["wind_gust"].null_count() > 0
    assert snapshot.schema["year"].kind == "constant"


@pytest.mark.parametrize("name", ["elec2.csv"])
def test_elec2_is_all_numbers_with_two_classes(real_table, name):
    snapshot = ingest(FileSource(real_table(name)))
    split = split_table(snapshot, target="class")
    assert split.task == "binary"
    assert split.classes == (0, 1)
    assert split.leakage == ()


def test_titanic_holds_no_copies_and_keeps_its_passengers(real_table):
    snapshot = ingest(FileSource(real_table("titanic.csv")))
    split = split_table(
        snapshot, target="Survived", drop=["PassengerId", "Name", "Ticket", "Cabin"]
    )
    assert [finding.rule for finding in split.leakage] == []
    assert len(split.train) + len(split.test) == 891
    assert round(snapshot.table["Survived"].mean(), 3) == 0.384  # type: ignore[arg-type]


def test_memory_with_units_is_a_number_on_a_real_table(real_table):
    snapshot = ingest(FileSource(real_table("laptop_price.csv")))
    assert snapshot.schema["RAM"].kind == "integer"
    assert snapshot.reading["RAM"].suffix == "GB"
    assert snapshot.table["RAM"].min() == 2
