"""Texts get the types that most values have; what is lost or doubtful is told."""

import math

import polars as pl
import pytest

from penstock.core import DataError, NotFoundError
from penstock.data import FileSource, ingest
from penstock.data.sources._typing import TypeOptions, type_columns
from penstock.tables.reading import read_value


@pytest.fixture
def read(tmp_path):
    def reading(values, separator=",", **options):
        lines = [f"{value}{separator}{n}" for n, value in enumerate(values)]
        path = tmp_path / "parts.csv"
        path.write_text("\n".join([f"value{separator}n", *lines]))
        snapshot = ingest(FileSource(path, **options))
        found = {f.rule: f for f in snapshot.findings if f.column == "value"}
        return snapshot.table["value"], found

    return reading


def quoted(*texts):
    return [f'"{text}"' for text in texts]


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (quoted("$1,234.50", "$5.00", "-$3.20", "$-1.00"), [1234.5, 5.0, -3.2, -1.0]),
        (quoted("1.234,50 €", "3,50 €", "0,10 €"), [1234.5, 3.5, 0.1]),
        (quoted("EUR 1.234,50", "EUR 3,5"), [1234.5, 3.5]),
        (quoted("1,700", "785", "8,540,100"), [1700, 785, 8540100]),
        (quoted("2,5", "3,25", "0,1"), [2.5, 3.25, 0.1]),
        (["12 %", "7%", "100 %"], [12, 7, 100]),
        (["8GB", "16GB", "4GB"], [8, 16, 4]),
        (["1.37kg", "2kg", "0.9 kg"], [1.37, 2.0, 0.9]),
        (quoted("10,000+", "500+", "1,000,000+"), [10000, 500, 1000000]),
        (quoted("1 234,5", "12,25"), [1234.5, 12.25]),
        (["1'234.50", "12"], [1234.5, 12.0]),
        (quoted("(1,234.50)", "(3)", "4"), [-1234.5, -3.0, 4.0]),
        (["\u22123", "4"], [-3, 4]),
        (["(1.50)", "2.25", "3-"], [-1.5, 2.25, -3.0]),
    ],
)
def test_numbers_as_people_write_them_are_numbers(read, texts, values):
    series, _ = read(texts)
    assert series.to_list() == values


def test_how_a_number_is_written_is_told_and_doubt_is_a_warning(read):
    assert "numbers such as $1,234.5" in read(quoted("$1,234.50", "$5"))[1]["number_form"].message
    series, findings = read(quoted("1,234", "5,678"))
    assert series.to_list() == [1234, 5678]
    assert "1,234 is read as 1234; decimal=','" in findings["ambiguous_number"].message
    series, findings = read(quoted("1,234", "5,678"), decimal=",")
    assert series.to_list() == [1.234, 5.678]
    assert "ambiguous_number" not in findings


def test_the_other_columns_tell_the_decimal_mark(tmp_path):
    path = tmp_path / "orte.csv"
    path.write_text("a;b\n1.234;2,5\n5.678;3,25\n")
    snapshot = ingest(FileSource(path))
    assert snapshot.table.rows() == [(1234, 2.5), (5678, 3.25)]
    assert "ambiguous_number" in {finding.rule for finding in snapshot.findings}


@pytest.mark.parametrize(
    "texts",
    [
        ["O-0001", "O-0002"],
        ["12A", "13B", "14"],
        ["007", "012"],
        ["192.168.1.1", "10.0.0.1"],
        ["+49 30 1234567", "+49 30 2345678"],
        ["0301 123", "0302 456"],
        ["1st", "2nd", "3rd"],
        ["1440x900", "1920x1080"],
        ["10:15", "11:30"],
        ["12345678901234567890", "1"],
        ["#12", "#13"],
        ["P7", "P8"],
        ["C85", "D12", "A6", "B22", "C1"],
        ["12", "12a", "14", "14a", "16"],
        ["100000000000000001", "99999999999999999999"],
    ],
)
def test_codes_are_no_numbers(read, texts):
    assert read(texts)[0].to_list() == texts


def test_several_units_are_text_and_told(read):
    amounts = ["1.2M", "3B", "450K", "12"] * 10
    for texts in (["512MB", "8GB"] * 10, ["$5", "€6"] * 10, amounts, ["3 lakh", "2 crore"] * 10):
        series, findings = read(texts)
        assert series.dtype == pl.String
        assert "several units" in findings["mixed_units"].message


def test_a_share_of_values_that_are_no_numbers_keeps_text_with_a_count(read):
    series, findings = read(["1", "2.5", "soon"] * 10)
    assert series.dtype == pl.String
    assert "10 of 30 values are not numbers ('soon')" in findings["number_text"].message


@pytest.mark.parametrize(("odd", "count"), [("12abc", 6), ("#7", 6), ("soon", 6)])
def test_a_column_of_numbers_becomes_no_category_in_silence(read, odd, count):
    series, findings = read([*map(str, range(94)), *[odd] * count])
    assert series.dtype == pl.String
    assert f"{count} of 100 values are not numbers ('{odd}')" in findings["number_text"].message


@pytest.mark.parametrize("odd", ["99999999999999999999", "12abc", "#7", "soon"])
def test_one_odd_value_leaves_the_others_numbers(read, odd):
    series, findings = read([*map(str, range(40)), odd])
    assert series.to_list() == [*range(40), None]
    assert "they are missing now" in findings["unreadable"].message


def test_groups_of_three_behind_a_point_are_doubtful_where_a_semicolon_separates(read):
    series, findings = read(["1.101", "2.102"], separator=";")
    assert series.to_list() == [1.101, 2.102]
    assert "1.101 is read as 1.101; decimal=','" in findings["ambiguous_number"].message
    assert "ambiguous_number" not in read(["1.101", "2.102"])[1]
    assert "ambiguous_number" not in read(["1.101", "2.10"], separator=";")[1]


def test_values_without_the_percent_mark_of_the_others_are_told(read):
    series, findings = read(["5 %", "7 %", "0.05", "0", "9%"])
    assert series.to_list() == [5, 7, 0.05, 0, 9]
    assert "1 of 5 values stand without '%' ('0.05')" in findings["without_unit"].message
    assert "without_unit" not in read(["5 kg", "7"])[1]
    assert "without_unit" not in read(["5 %", "7%"])[1]


def test_half_of_the_values_with_a_factor_are_told(read):
    series, findings = read(["1K", "2000"] * 10)
    assert series.dtype == pl.String
    assert "10 of 20 values are not numbers ('1K')" in findings["number_text"].message


def test_years_of_two_digits_are_told_as_such_and_never_the_year_24(read):
    dates = ["31.12.24", "01.02.25"]
    assert "types={'value': '%d.%m.%y'} reads them" in read(dates)[1]["date_text"].message
    assert [day.year for day in read(dates, types={"value": "%d.%m.%y"})[0]] == [2024, 2025]
    with pytest.raises(DataError, match=r"'31\.12\.24'"):
        read(dates, types={"value": "%d.%m.%Y"})


def test_dates_that_a_few_values_keep_text_are_told(read):
    dates = [f"{day:02}.0{month}.2024" for day in range(1, 29) for month in (1, 2)]
    series, findings = read([*dates, "soon"])
    assert series.dtype == pl.String
    told = findings["date_text"].message
    assert "nearly all of it are dates written %d.%m.%Y: 'soon' are none" in told
    assert "date_text" not in read([*dates[:20], *(f"{n}.{n}.x" for n in range(20))])[1]


def test_dates_in_several_forms_are_told(read):
    dates = [text for day in range(10, 29) for text in (f"{day}.02.2024", f"2024-03-{day}")]
    series, findings = read(dates)
    assert series.dtype == pl.String
    assert "in several ways (" in findings["date_text"].message
    assert "%d.%m.%Y" in findings["date_text"].message


def test_dates_that_can_be_read_in_two_ways_are_told_with_both(read):
    told = read(["01/02/2024", "03/04/2024"])[1]["date_text"].message
    assert "types={'value': '%m/%d/%Y'} or types={'value': '%d/%m/%Y'}" in told


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("31-Jan-2024", "%d-%b-%Y"),
        ("January 31, 2024", "%B %d, %Y"),
        ("Jan 31, 2024", "%b %d, %Y"),
        ("May 31, 2024", "%b %d, %Y"),
        ("01/31/2024 12:05 AM", "%m/%d/%Y %I:%M %p"),
        ("20240131T093000", "%Y%m%dT%H%M%S"),
        ("Wed, 31 Jan 2024 09:30:00 +0200", "%a, %d %b %Y %H:%M:%S %z"),
    ],
)
def test_dates_with_names_of_months_and_hours_of_twelve_are_told_with_their_form(read, text, form):
    quoted = [f'"{text}"'] * 3
    told = read(quoted)[1]["date_text"].message
    assert f"dates written {form}; types={{'value': {form!r}}} reads them" in told
    assert read(quoted, types={"value": form})[0].dtype.is_temporal()


def test_words_for_missing_are_missing_where_the_others_are_numbers(read):
    texts = ["-", "n/a", "None", "#N/A", ".", "NA", ""] * 5 + ["1.5", "2.5"]
    series, findings = read(texts)
    assert (series.dtype, series.null_count()) == (pl.Float64, 35)
    assert "read as missing" in findings["marks"].message


def test_a_quoted_mark_is_a_value_and_an_unquoted_one_is_missing(read):
    series, findings = read(['"NA"', "NA", "EU", '"null"', "null"])
    assert series.to_list() == ["NA", None, "EU", "null", None]
    assert findings["missing_text"].level == "warn"
    assert "in quotes kept as a value" in findings["quoted_mark"].message


def test_a_quoted_mark_among_numbers_or_named_by_the_user_is_missing(read):
    assert read(['"NA"', '"1"', '"2"'])[0].to_list() == [None, 1, 2]
    assert read(['"NA"', "EU"], missing=("NA",))[0].to_list() == [None, "EU"]


def test_declared_types_decide(read):
    assert read(["10115", "80331"], types={"value": "text"})[0].to_list() == ["10115", "80331"]
    assert read(["1", "2"], types={"value": "number"})[0].dtype == pl.Float64
    assert read(["yes", "no"], types={"value": "boolean"})[0].to_list() == [True, False]
    assert str(read(["31.12.2024"] * 3, types={"value": "%d.%m.%Y"})[0][0]) == "2024-12-31"
    assert str(read(["20241231"] * 3, types={"value": "date"})[0][0]) == "2024-12-31"


def test_declared_types_that_do_not_hold_are_refused(read):
    with pytest.raises(DataError, match=r"'value': 2 of 2 values are not numbers.*\('x', 'y'\)"):
        read(["x", "y"], types={"value": "number"})
    with pytest.raises(NotFoundError, match=r"'valeu'.*Did you mean 'value'"):
        read(["x"], types={"valeu": "number"})
    with pytest.raises(DataError, match=r"'num', which is no type"):
        read(["x"], types={"value": "num"})
    with pytest.raises(DataError, match=r"decimal=';'"):
        read(["x"], decimal=";")


def test_dates_in_a_form_of_their_own_are_told(read):
    series, findings = read([f"{day:02}.02.2024" for day in range(1, 29)])
    assert series.dtype == pl.String
    assert "types={'value': '%d.%m.%Y'}" in findings["date_text"].message


def test_one_offset_among_times_without_is_missing_and_told(read):
    texts = ["2024-01-01 10:00"] * 20 + ["2024-01-01 10:00+02:00"]
    series, findings = read(texts)
    assert (series.dtype, series.null_count()) == (pl.Datetime("us"), 1)
    assert findings["unreadable"].level == "warn"


@pytest.mark.parametrize("rare", ["1e400", "-1E999", "9007199254740993", "12345678901234567890"])
def test_a_number_that_a_float_cannot_hold_is_missing_with_a_warning_or_stays_text(rare):
    """A float has 1e400 as infinity, and 9007199254740993 as its neighbour (IEEE 754)."""
    few = type_columns(pl.DataFrame({"v": [rare] + ["0.5"] * 30}))
    assert few.table["v"].to_list() == [None] + [0.5] * 30
    assert [finding.rule for finding in few.findings] == ["unreadable"]
    many = pl.DataFrame({"v": [rare] * 10 + ["0.5"] * 10})
    assert type_columns(many).table["v"].to_list() == many["v"].to_list()
    rule = few.rules["v"]
    assert read_value(rare, rule) is None


def test_infinity_in_words_and_exact_long_integers_are_numbers():
    table = pl.DataFrame({"v": ["inf", "-inf", "12345678901234568", "1e30", "0.5"] * 4})
    typed = type_columns(table)
    assert typed.table["v"].to_list()[:5] == [math.inf, -math.inf, 12345678901234568.0, 1e30, 0.5]
    assert typed.findings == []


def test_numbers_that_are_dates_are_named():
    table = pl.DataFrame(
        {"day": ["20240205", "20241231", None], "ordered_date": ["45321", "45322.5", "45400"]}
    )
    told = {finding.column: finding.message for finding in type_columns(table).findings}
    assert "types={'day': 'date'} reads them" in told["day"]
    assert "days that Excel counts" in told["ordered_date"]
    plain = pl.DataFrame({"n": ["20240205", "20241345"], "amount": ["45321", "45322"]})
    assert type_columns(plain).findings == []
    declared = TypeOptions(declared={"day": "integer"})
    assert "day" not in {f.column for f in type_columns(table, declared).findings}
