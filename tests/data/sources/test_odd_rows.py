"""Rows of a CSV file that are no data are left out and told, or told."""

import pytest

from penstock.data import FileSource, ingest

HEADER = "n,weight,kind\n"
ROWS = "".join(f"{n},{n * 1.5},{'ab'[n % 2]}\n" for n in range(1, 41))


@pytest.fixture
def read(tmp_path):
    def reading(text, **options):
        path = tmp_path / "parts.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        snapshot = ingest(FileSource(path, **options))
        return snapshot, {finding.rule: finding for finding in snapshot.findings}

    return reading


def is_clean(snapshot, rows: int = 40) -> bool:
    kinds = [column.dtype for column in snapshot.schema]
    return (snapshot.rows, kinds) == (rows, ["Int64", "Float64", "String"])


@pytest.mark.parametrize(
    ("text", "rule", "rows"),
    [
        (HEADER + ROWS + HEADER + ROWS, "repeated_header", 80),
        ("Report 2024\n" + HEADER + ROWS, "title", 40),
        ("Report 2024,,\n\n" + HEADER + ROWS, "title", 40),
        (HEADER + "-,kg,-\n" + ROWS, "unit_row", 40),
        (HEADER + "[1],[kg],\n" + ROWS, "unit_row", 40),
        (HEADER + "no,kg,text\n" + ROWS, "unit_row", 40),
        (HEADER + ROWS + "Total,1230.0,\n", "summary_row", 40),
        (HEADER + ROWS + "Average,30.75,\n", "summary_row", 40),
        (HEADER + ROWS + "Summe,,\n", "summary_row", 40),
        (HEADER + ROWS + "Source: the office,,\n", "footer", 40),
    ],
)
def test_rows_that_are_no_data_are_left_out_and_told(read, text, rule, rows):
    snapshot, findings = read(text)
    assert is_clean(snapshot, rows)
    assert findings[rule].level == "warn"


def test_a_word_like_total_that_is_data_stays(read):
    snapshot, findings = read(HEADER + ROWS.replace(",b\n", ",Total\n"))
    assert snapshot.rows == 40
    assert "summary_row" not in findings


@pytest.mark.parametrize(
    "text",
    [
        ROWS,
        "39, State-gov, 77516\n50, Private, 83311\n38, State-gov, 215646\n",
        "39, State-gov, 77516, Bachelors, 13, Male\n" + "50, Private, 83311, HS, 13, Male\n" * 5,
    ],
)
def test_a_first_line_that_looks_like_data_is_told(read, text):
    assert read(text)[1]["header"].level == "warn"


@pytest.mark.parametrize("header", ["n,2019,2020", "0,1,2", "male,b,kind"])
def test_a_header_of_years_counts_or_names_is_one(read, header):
    assert "header" not in read(f"{header}\n{ROWS}")[1]


def test_rows_equal_to_a_header_without_numbers_below_stay(read):
    snapshot, findings = read("Alice,Bonn\nBob,Ulm\n" * 10)
    assert snapshot.rows == 19
    assert {"repeated_header", "header"} <= set(findings)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "utf-32"])
def test_utf16_is_read_with_and_without_its_mark(read, encoding):
    snapshot, findings = read((HEADER + ROWS).encode(encoding))
    assert is_clean(snapshot)
    assert ("encoding" in findings) == (encoding != "utf-8-sig")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_declared_separator_and_any_line_end_are_taken(read, end):
    text = "sep=;\n" + (HEADER + ROWS).replace(",", ";")
    assert is_clean(read(text.replace("\n", end))[0])


def test_a_sum_without_a_word_for_it_is_kept_with_a_warning(read):
    total = f",{sum(n * 1.5 for n in range(1, 41))},\n"
    snapshot, found = read(HEADER + ROWS + total)
    assert snapshot.rows == 41
    assert "looks like a sum without a word for it" in found["summary_row"].message
    assert "summary_row" not in read(HEADER + ROWS + ",7.5,\n")[1]
