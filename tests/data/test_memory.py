"""The types of a source's columns do not flip from one window to the next."""

import polars as pl
import pytest

from penstock.core import SchemaError
from penstock.data import FileSource, ingest
from penstock.stores import open_store


@pytest.fixture
def read(tmp_path):
    with open_store(f"sqlite:///{tmp_path / 'penstock.db'}") as store:

        def reading(rows, **options):
            lines = [f"{value},{n % 7 + 10}" for n, value in enumerate(rows)]
            (tmp_path / "orders.csv").write_text("\n".join(["value,n", *lines]))
            return ingest(FileSource(tmp_path / "orders.csv", **options), store=store)

        yield reading


def rules(snapshot, column="value"):
    return [f.rule for f in snapshot.findings if f.column == column]


def test_codes_stay_text_in_a_window_without_leading_zeros(read):
    read(["01067", "10115"] * 10)
    february = read(["10115", "80331"] * 10)
    assert february.table["value"].dtype == pl.String
    assert "remembered" in rules(february)


def test_numbers_written_otherwise_stay_numbers(read):
    read(["900", "17"] * 10)
    march = read(['"1,335"', "697"] * 10)
    assert march.table["value"].to_list()[:2] == [1335, 697]
    assert march.table["value"].dtype == pl.Int64
    assert "written_otherwise" in rules(march)


def test_a_number_column_does_not_narrow_to_integers_and_an_empty_one_keeps_its_type(read):
    read(["1.5", "2.5"] * 10)
    assert read(["1", "2"] * 10).table["value"].dtype == pl.Float64
    assert read([""] * 20).table["value"].dtype == pl.Float64
    assert read(["3", "4"] * 10).table["value"].dtype == pl.Float64


def test_other_words_for_true_and_false_stay_boolean(read):
    read(["true", "false"] * 140)
    march = read(["Y", "N"] * 5 + ["true", "false"] * 135)
    assert march.table["value"].dtype == pl.Boolean
    assert march.table["value"].null_count() == 0
    assert read(["Y", "N"] * 10).table["value"].dtype == pl.Boolean


def test_one_cell_that_cannot_be_read_is_missing_and_many_stop_the_step(read):
    read(["1.5", "2.5"] * 50)
    snapshot = read([*["1.5", "2.5"] * 50, "N.N."])
    assert snapshot.table["value"].null_count() == 1
    assert "unreadable" in rules(snapshot)
    with pytest.raises(SchemaError, match=r"'value' was Float64 and is String now.*'soon'"):
        read(["1.5", "soon"] * 50)
    assert read(["1.5", "2"] * 50).table["value"].dtype == pl.Float64


def test_codes_with_leading_zeros_in_a_column_of_integers_stop_the_step(read):
    read(["10115", "80331"] * 10)
    with pytest.raises(SchemaError, match=r"was Int64 and is String now.*types="):
        read(["01067", "80331"] * 10)


def test_declared_types_begin_a_memory_of_their_own(read):
    read(["10115", "80331"] * 10)
    declared = read(["01067", "80331"] * 10, types={"value": "text"})
    assert declared.table["value"][0] == "01067"
    assert read(["10115", "80331"] * 10, types={"value": "text"}).table["value"][0] == "10115"
    # Readings with the options of the first one are still compared with it.
    assert read(["10115", "80331"] * 10).table["value"].dtype == pl.Int64


def test_a_reading_with_other_options_is_not_compared(read):
    read(["1", "2"] * 10)
    other = read(["1", "2"] * 10, has_header=False)
    assert other.columns == ["column_1", "column_2"]


def test_a_remembered_decimal_mark_that_changes_the_numbers_is_told(read):
    read(['"1.350,25"', '"2,5"'] * 10)
    doubtful = read(['"1,350"', '"2,400"'] * 10)
    assert doubtful.table["value"].to_list()[:2] == [1.35, 2.4]
    (told,) = [f for f in doubtful.findings if f.rule == "ambiguous_number"]
    assert (told.level, told.column) == ("warn", "value")
    assert "1,350 is read as 1.35, as at the last reading; these rows alone would give 1350" in (
        told.message
    )
    assert read(['"1,350"', '"2,400"'] * 10, decimal=".").table["value"].to_list()[:2] == [
        1350,
        2400,
    ]
    assert "ambiguous_number" not in rules(read(['"7.350,25"', '"2,5"'] * 10))
