"""Quotes that are open, escaped or astray swallow no rows."""

import csv

import pytest

from penstock.core import DataError
from penstock.data import FileSource, ingest
from penstock.data.sources import _records


@pytest.fixture
def read(tmp_path):
    def reading(text: str, **options):
        path = tmp_path / "parts.csv"
        path.write_text(text)
        return ingest(FileSource(path, **options))

    return reading


def rules(snapshot):
    return {finding.rule for finding in snapshot.findings}


def table(cells: dict[int, str], rows: int = 40) -> str:
    lines = (f"{n},{cells.get(n, 'bolt')},{n % 2}\n" for n in range(1, rows + 1))
    return "n,part,y\n" + "".join(lines)


@pytest.mark.parametrize(
    "cells",
    [
        {7: 'pipe 5"'},
        {2: 'O"Neil', 4: 'L"Amour', 6: 'D"Arcy'},
        {3: 'plate 3" x 4"', 9: 'pipe 12" long'},
        dict.fromkeys(range(1, 40, 2), 'pipe 5"'),
    ],
)
def test_a_quote_inside_a_plain_field_is_a_letter(read, cells):
    snapshot = read(table(cells))
    assert snapshot.rows == 40
    found = snapshot.table["part"].to_list()
    assert {n: found[n - 1] for n in cells} == cells


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ('"says \\" once"', 'says " once'),
        ('"says \\" once, ok"', 'says " once, ok'),
        ('"5\\""', '5"'),
        ('"\\"quoted\\""', '"quoted"'),
    ],
)
def test_quotes_escaped_by_a_backslash_are_read_and_noted(read, written, value):
    snapshot = read(table({3: written, 8: written, 21: written}))
    assert snapshot.rows == 40
    assert snapshot.table["part"][7] == value
    assert "escaped_quotes" in rules(snapshot)


def test_a_backslash_at_the_end_of_a_quoted_field_is_a_letter(read):
    snapshot = read(table({3: '"C:\\dir\\"'}))
    assert (snapshot.rows, snapshot.table["part"][2]) == (40, "C:\\dir\\")
    assert "escaped_quotes" not in rules(snapshot)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (table({7: '"pipe', 12: 'pipe"'}), 8),
        ('n,part,y\n1,a,0\n2,"b,1\n3,c,0\n4,5",1\n5,d,0\n', 3),
        (table({7: '"pipe'}), 8),
    ],
)
def test_an_open_quote_that_would_swallow_rows_is_refused_by_line(read, text, line):
    with pytest.raises(DataError, match=f"line {line}") as caught:
        read(text)
    assert caught.value.line == line


def test_a_field_of_several_lines_is_one_field(read):
    snapshot = read(table({3: '"first line\nsecond, with a comma\n\nlast"'}))
    assert snapshot.rows == 40
    assert snapshot.table["part"][2] == "first line\nsecond, with a comma\n\nlast"


def test_letters_behind_a_closing_quote_are_noted_by_line(read):
    snapshot = read(table({3: '"abc"def'}))
    assert snapshot.rows == 40
    (note,) = [f.message for f in snapshot.findings if f.rule == "stray_quotes"]
    assert "line 4" in note


@pytest.mark.parametrize(("bad", "mark"), [("9;x;1", ";"), ("9|x|1", "|"), ("9\tx\t1", "\\t")])
def test_a_line_cut_by_another_separator_is_named(read, bad, mark):
    with pytest.raises(DataError, match="line 42: 1 fields instead of 3") as caught:
        read(table({}) + bad + "\n")
    assert mark in caught.value.what


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_field_longer_than_the_standard_library_takes_is_read(read, quote):
    text = "x, y" * 50_000 if quote else "x" * 200_000
    snapshot = read(table({3: f"{quote}{text}{quote}", 5: 'pipe 5"'}))
    assert snapshot.table["part"][2] == text
    assert snapshot.rows == 40


def test_a_field_longer_than_the_limit_is_named_with_its_line(read, monkeypatch):
    limit = csv.field_size_limit()
    csv.field_size_limit(1_000)
    monkeypatch.setattr(_records, "FIELD_LIMIT", 1_000)
    try:
        with pytest.raises(DataError, match=r"a field of more than 1,000 letters \(line 4\)"):
            read(table({3: '"' + "x, y" * 500 + '"'}))
    finally:
        csv.field_size_limit(limit)


def test_an_open_quote_over_a_large_file_swallows_nothing(read):
    lines = [f"{n},bolt,{n % 2}" for n in range(20_000)]
    lines[3] = '3,"bolt,1'
    with pytest.raises(DataError, match="line 5"):
        read("n,part,y\n" + "\n".join(lines) + "\n")
    lines[19_000] = '19000,bolt",1'
    with pytest.raises(DataError, match=r"line 5: a quote is open until line 19002"):
        read("n,part,y\n" + "\n".join(lines) + "\n")
