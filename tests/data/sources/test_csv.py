import gzip
from datetime import UTC, date, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core import DataError
from penstock.data.sources._csv import CsvForm, read_csv
from penstock.data.sources._typing import QUOTED, TypeOptions, type_columns
from penstock.tables.reading import MARKS

FORM = CsvForm(None, has_header=True, columns=None, missing=MARKS)


@pytest.fixture
def read(tmp_path):
    def from_text(text, form=FORM):
        path = tmp_path / "table.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        part = read_csv(path, form)
        options = TypeOptions(missing=form.missing, separator=part.separator)
        typed = type_columns(part.table, options)
        return typed.table, [*part.findings, *typed.findings]

    return from_text


def values(table: pl.DataFrame) -> dict[str, list[object]]:
    return table.to_dict(as_series=False)


def test_each_column_gets_the_narrowest_type_of_all_its_values(read):
    rows = "\n".join(["1,2,true,2016-01-01,x"] * 2_000)
    table, _ = read(f"i,f,b,d,s\n{rows}\n-7,2.5,FALSE,2016-01-02,9\n")
    assert table.dtypes == [pl.Int64, pl.Float64, pl.Boolean, pl.Date, pl.String]
    assert table.row(-1) == (-7, 2.5, False, date(2016, 1, 2), "9")


def test_a_type_is_told_from_the_last_rows_too(read):
    rows, odd = "\n".join(["1,2016-01-01,true"] * 900), "\n".join(["x,soon,maybe"] * 100)
    table, findings = read(f"a,b,c\n{rows}\n{odd}\n")
    assert table.dtypes == [pl.String] * 3
    assert [finding.rule for finding in findings] == ["number_text"] * 3


def test_one_value_that_cannot_be_read_is_missing_and_told(read):
    rows = "\n".join(["1,2016-01-01,true"] * 2_000)
    table, findings = read(f"a,b,c\n{rows}\nx,soon,maybe\n")
    assert table.dtypes == [pl.Int64, pl.Date, pl.Boolean]
    assert table.row(-1) == (None, None, None)
    assert [(f.level, f.rule, f.column) for f in findings] == [
        ("warn", "unreadable", name) for name in "abc"
    ]
    assert "1 of 2,001 values are not numbers ('x')" in findings[0].message


def test_blanks_around_fields_and_missing_marks_are_taken_away(read):
    table, _ = read("a , b\n 1, x \n?, z\n ,y\n2,NA\n")
    assert values(table) == {"a": [1, None, None, 2], "b": ["x", "z", "y", None]}


def test_blanks_before_quotes_are_understood(read):
    table, _ = read('a, b\n1, "x, y"\n2, "say ""hi"""\n')
    assert values(table) == {"a": [1, 2], "b": ["x, y", 'say "hi"']}


def test_codes_with_leading_zeros_and_endless_integers_stay_text(read):
    table, _ = read("zip,card,big,zero\n01234,12345678901234567890,9223372036854775807,0\n")
    assert values(table) == {
        "zip": ["01234"],
        "card": ["12345678901234567890"],
        "big": [2**63 - 1],
        "zero": [0],
    }


def test_times_are_read_and_odd_ones_left_as_text(read):
    table, _ = read("t,u\n2013-01-01T06:00:00Z,31.12.2015\n")
    assert values(table) == {"t": [datetime(2013, 1, 1, 6, tzinfo=UTC)], "u": ["31.12.2015"]}


def test_columns_with_one_name_or_none_are_renamed_and_noted(read):
    table, findings = read("a,a,,a_2,a\n1,2,3,4,5\n")
    assert table.columns == ["a", "a_3", "column_3", "a_2", "a_4"]
    assert [(f.rule, f.column) for f in findings] == [
        ("renamed", "a_3"),
        ("renamed", "column_3"),
        ("renamed", "a_4"),
    ]


def test_a_header_that_looks_like_data_is_noted(read):
    _, findings = read("39,State-gov,77516\n50,Private,83311\n")
    assert [finding.rule for finding in findings] == ["header"]


def test_a_file_without_header_gets_names(read):
    table, _ = read("1,2\n", CsvForm(None, has_header=False, columns=None, missing=()))
    assert values(table) == {"column_1": [1], "column_2": [2]}


def test_given_names_are_used_and_a_header_with_just_them_is_skipped(read):
    form = CsvForm(None, has_header=True, columns=("a", "b"), missing=())
    assert values(read("1,2\n", form)[0]) == {"a": [1], "b": [2]}
    assert values(read("a, b\n1,2\n", form)[0]) == {"a": [1], "b": [2]}
    with pytest.raises(DataError, match=r"has 3 columns, but columns= names 2"):
        read("1,2,3\n", form)


@pytest.mark.parametrize(
    ("text", "line", "fields"),
    [
        ("a,b\n1,2\n1,2,3\n", 3, 3),
        ("a,b\n1,2\n\n1\n", 4, 1),
        ('a,b\n"1","x\ny"\n1\n', 4, 1),
        ("a,b,c\n1,2,3\n1,2\n1,2,3\n", 3, 2),
    ],
)
def test_a_torn_line_is_named(read, text, line, fields):
    with pytest.raises(DataError, match=f"line {line}: {fields} fields instead of") as caught:
        read(text)
    assert caught.value.line == line


def test_empty_last_fields_and_blank_lines_are_no_torn_lines(read):
    for text in ("a,b\n1,\n\n2,x\n\n", 'a,b\n1,\n\n"2",x\n', "\n\na,b\r\n1,\r\n2,x\r\n"):
        assert values(read(text)[0]) == {"a": [1, 2], "b": [None, "x"]}


def test_rows_without_any_value_are_dropped_but_one_column_may_miss_some(read):
    assert read("a,b\n1,2\n,\n")[0].height == 1
    assert values(read("a\n1\n\n2\n")[0]) == {"a": [1, None, 2]}


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_seen(read, separator):
    table, _ = read(f'a{separator}"b,;c"\n1{separator}x\n')
    assert values(table) == {"a": [1], "b,;c": ["x"]}


def test_a_byte_order_mark_is_no_letter(read):
    assert read("\ufeffa,b\n1,2\n")[0].columns == ["a", "b"]


def test_a_file_of_another_encoding_is_refused_with_the_line(read):
    with pytest.raises(DataError, match=r"not UTF-8: byte 0xfc on line 3.*iconv"):
        read(b"a,b\n1,x\n2,M\xfcller\n")
    with pytest.raises(DataError, match=r"line 1"):
        read(b"\xfc,b\n1,x\n")


def test_a_quote_that_is_never_closed_is_refused(read):
    with pytest.raises(DataError, match=r"table.csv is no CSV.*A quote may be open"):
        read('a,b\n1,"x\n' + "2,y\n" * 40_000)


def test_an_empty_file_is_refused(read):
    for text in ("", "\n\n"):
        with pytest.raises(DataError, match=r"table.csv is empty"):
            read(text)


def test_a_broken_gzip_file_is_refused(read):
    whole = gzip.compress(b"a,b\n1,2\n")
    assert values(read(whole)[0]) == {"a": [1], "b": [2]}
    with pytest.raises(DataError, match=r"cannot be read"):
        read(whole[:-4])


def _notes(texts: list[str | None]) -> list[str]:
    findings = type_columns(pl.DataFrame({"a": pl.Series(texts, dtype=pl.String)})).findings
    return [finding.message for finding in findings]


def test_nearly_numbers_are_noted_with_the_odd_values():
    (message,) = _notes(["1", "2.5"] * 4 + ["n.n.", "soon"])
    assert "2 of 10 values are not numbers ('n.n.', 'soon')" in message
    (message,) = _notes(["1,5", "2,5", "3"] * 3 + ["soon", "later"])
    assert "with a decimal comma" in message
    assert _notes(["1", "2.5", "n.a."]) == ["Column 'a': 1 times 'n.a.' read as missing."]
    assert _notes(["a", "b", "1"]) == []
    assert _notes(["01", "02"]) == []
    assert _notes([None, None]) == []


FIELD = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp")))


@given(rows=st.lists(st.tuples(FIELD, FIELD, st.integers(-(10**15), 10**15)), min_size=1))
def test_what_polars_writes_is_read_back(rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("csv") / "table.csv"
    written = pl.DataFrame(
        rows, schema={"a": pl.String, "b": pl.String, "i": pl.Int64}, orient="row"
    )
    written.write_csv(path, quote_style="always")
    table = read_csv(path, FORM).table
    clean = written.with_columns(pl.col("a", "b").replace([""], None)).cast(pl.String)
    assert table.with_columns(pl.all().str.strip_prefix(QUOTED)).equals(clean)


@pytest.mark.parametrize("blank", ["", " ", "\t", "\r", " \x0b\x0c"])
@pytest.mark.parametrize("place", [1, 3])
def test_blank_lines_are_no_rows_wherever_they_are(read, blank, place):
    lines = ["a,b", "1,2", "3,4"]
    lines.insert(place, blank)
    table, _ = read("\n".join(lines) + "\n")
    assert values(table) == {"a": [1, 3], "b": [2, 4]}
