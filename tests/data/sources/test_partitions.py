"""Folders named ``column=value`` are columns, and files outside the window are not read."""

from datetime import date

import polars as pl
import pytest

from penstock.core import DataError
from penstock.data import FileSource
from penstock.data.sources._located import SourceFile
from penstock.data.sources._partitions import partitions_of, type_partitions

ROWS = pl.DataFrame({"id": [1, 2]})


def write(path, frame=ROWS):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        frame.write_csv(path)
    elif path.suffix == ".parquet":
        frame.write_parquet(path)
    else:
        frame.write_ndjson(path)


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_partitions_become_columns_with_their_types(tmp_path, ending):
    for day, city in (("2026-01-01", "K%C3%B6ln"), ("2026-01-02", "__HIVE_DEFAULT_PARTITION__")):
        write(tmp_path / f"r/day={day}/city={city}/hour=7/part.{ending}")
    table = FileSource(tmp_path / "r").read()
    assert table.columns == ["id", "day", "city", "hour"]
    assert table.rows() == [
        (1, date(2026, 1, 1), "Köln", 7),
        (2, date(2026, 1, 1), "Köln", 7),
        (1, date(2026, 1, 2), None, 7),
        (2, date(2026, 1, 2), None, 7),
    ]


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_files_outside_the_window_are_not_opened(tmp_path, ending):
    for day in (1, 2, 3):
        write(tmp_path / f"r/day=2026-01-0{day}/part.{ending}")
    (tmp_path / f"r/day=2026-01-03/part.{ending}").write_bytes(b"\xff torn \xff")
    source = FileSource(tmp_path / "r", time="day")
    assert source.read(cutoff="2026-01-03")["day"].unique().sort().to_list() == [
        date(2026, 1, 1),
        date(2026, 1, 2),
    ]
    with pytest.raises(DataError):
        source.read()
    with pytest.raises(DataError, match=r"no rows since 2027.*run from 2026-01-01 00:00 to 2026"):
        source.read(since="2027-01-01")


def test_a_date_and_an_hour_may_both_be_partitions(tmp_path):
    for hour in (5, 6, 7):
        write(tmp_path / f"r/day=2026-01-01/hour={hour}/part.parquet")
    source = FileSource(tmp_path / "r", time=("day", "hour"))
    assert source.read("2026-01-01T06:00")["hour"].to_list() == [6, 6, 7, 7]


def test_a_column_of_the_file_stays(tmp_path):
    write(tmp_path / "r/id=9/part.parquet")
    assert FileSource(tmp_path / "r").read()["id"].to_list() == [1, 2]


def test_a_file_alone_and_folders_above_the_source_are_no_partitions(tmp_path):
    write(tmp_path / "run=3/r/part.parquet")
    assert FileSource(tmp_path / "run=3/r/part.parquet").read().columns == ["id"]
    assert FileSource(tmp_path / "run=3/r").read().columns == ["id"]


def test_files_with_different_partitions_have_none():
    files = [SourceFile("k", name, {}) for name in ("a=1/x.csv", "b=1/x.csv")]
    assert partitions_of(files) == [{}, {}]
    assert type_partitions(partitions_of(files)).width == 0


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_a_time_in_files_and_folders_is_refused_under_a_window(tmp_path, ending):
    rows = pl.DataFrame({"day": ["2026-01-01T13:00:00"], "id": [1]})
    for day in (1, 2):
        write(tmp_path / f"r/day=2026-01-0{day}/part.{ending}", rows)
    source = FileSource(tmp_path / "r", time="day")
    assert source.read().height == 2
    with pytest.raises(DataError, match=r"'day' stands in the files and in their folders"):
        source.read(cutoff="2026-01-02")


def test_a_folder_with_another_value_is_another_state(tmp_path):
    (tmp_path / "rides" / "day=1").mkdir(parents=True)
    (tmp_path / "rides" / "day=1" / "a.csv").write_text("tip\n1\n")
    source = FileSource(tmp_path / "rides")
    before = source.fingerprint()
    (tmp_path / "rides" / "day=1").rename(tmp_path / "rides" / "day=2")
    assert source.fingerprint() != before


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("id\n1\n2,3\n", "day=2/a.csv, line 3: 2 fields instead of 1"),
        ("", "day=2/a.csv is empty"),
        ("no\n1\n", "day=2/a.csv has no column 'id' that day=1/a.csv has"),
    ],
)
def test_an_error_names_the_file_with_its_folder(tmp_path, content, words):
    for day, text in enumerate(("id\n1\n", content), 1):
        (tmp_path / "r" / f"day={day}").mkdir(parents=True)
        (tmp_path / "r" / f"day={day}" / "a.csv").write_text(text)
    with pytest.raises(DataError) as raised:
        FileSource(tmp_path / "r").read()
    assert words in str(raised.value)
