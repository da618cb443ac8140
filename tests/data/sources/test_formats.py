"""The same rows from every format, packed or not."""

import gzip
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from penstock.core import DataError, NotFoundError
from penstock.data import FileSource, ingest
from penstock.data.sources import _formats

ROWS = pl.DataFrame(
    {
        "id": [1, 2, 3],
        "at": [datetime(2026, 1, day, 12) for day in (1, 2, 3)],  # noqa: DTZ001 - files without a zone
        "who": ["Zoë", None, "Bo"],
        "x": [0.5, 2.25, None],
    }
)


def write(path, frame=ROWS):
    ending = path.suffix
    if ending == ".arrows":
        frame.write_ipc_stream(path)
    elif ending == ".xlsx":
        pytest.importorskip("fastexcel", reason="needs fastexcel: pip install 'penstock[files]'")
        pytest.importorskip("xlsxwriter", reason="needs xlsxwriter to write the file that is read")
        frame.write_excel(path, worksheet="rows")
    else:
        writers = {
            ".parquet": frame.write_parquet,
            ".arrow": frame.write_ipc,
            ".feather": frame.write_ipc,
            ".avro": frame.write_avro,
            ".csv": frame.write_csv,
            ".jsonl": frame.write_ndjson,
        }
        writers[ending](path)


@pytest.mark.parametrize("ending", ["parquet", "arrow", "feather", "avro", "csv", "jsonl", "xlsx"])
def test_the_same_rows_come_from_every_format(tmp_path, ending):
    write(tmp_path / f"a.{ending}")
    source = FileSource(tmp_path / f"a.{ending}", time="at")
    read = source.read()
    assert read.with_columns(pl.col("at").cast(pl.Datetime("us"))).equals(ROWS)
    assert source.read(cutoff="2026-01-02T12:00")["id"].to_list() == [1]


def test_an_arrow_stream_is_read_too(tmp_path):
    ROWS.write_ipc_stream(tmp_path / "a.arrow")
    assert FileSource(tmp_path / "a.arrow").read().equals(ROWS)


@pytest.mark.parametrize("ending", ["csv", "jsonl", "avro"])
@pytest.mark.parametrize("packed", ["gz", "zst"])
def test_packed_files_are_unpacked(tmp_path, ending, packed):
    write(tmp_path / f"a.{ending}")
    content = (tmp_path / f"a.{ending}").read_bytes()
    if packed == "gz":
        content = gzip.compress(content)
    else:
        zstandard = pytest.importorskip(
            "zstandard", reason="needs zstandard: pip install 'penstock[files]'"
        )
        content = zstandard.compress(content[:30]) + zstandard.compress(content[30:])
    path = tmp_path / f"b.{ending}.{packed}"
    path.write_bytes(content)
    assert FileSource(path).read()["id"].to_list() == [1, 2, 3]
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"b\.\w+\.\w+"):
        FileSource(path).read()


@pytest.mark.parametrize("ending", ["parquet", "arrow", "avro", "xlsx"])
def test_a_file_of_another_kind_is_named(tmp_path, ending):
    if ending == "xlsx":
        pytest.importorskip("fastexcel", reason="needs fastexcel: pip install 'penstock[files]'")
    (tmp_path / f"a.{ending}").write_text("id,who\n1,a\n")
    with pytest.raises(DataError, match=rf"a\.{ending} is not .*format="):
        FileSource(tmp_path / f"a.{ending}").read()


def test_the_first_sheet_is_read_and_others_by_name(tmp_path):
    pytest.importorskip("fastexcel", reason="needs fastexcel: pip install 'penstock[files]'")
    xlsxwriter = pytest.importorskip("xlsxwriter", reason="needs xlsxwriter to write the file")
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        ROWS.write_excel(book, worksheet="rides")
        ROWS.head(1).write_excel(book, worksheet="notes")
    scan = FileSource(path).scan()
    assert [batch.height for batch in scan] == [3]
    assert (
        "sheet 'rides' was read; sheet= reads another ('notes')" in scan.reading.findings[0].message
    )
    assert FileSource(path, sheet="notes").read().height == 1
    with pytest.raises(NotFoundError, match=r"no sheet 'note'. Did you mean 'notes'"):
        FileSource(path, sheet="note").read()


def test_zones_and_decimals_keep_their_types(tmp_path):
    frame = pl.DataFrame(
        {
            "t": pl.Series([datetime(2026, 1, 1, tzinfo=UTC)]).dt.convert_time_zone("Asia/Tokyo"),
            "d": pl.Series(["12.50"]).str.to_decimal(scale=2),
        }
    )
    for ending in ("parquet", "arrow"):
        write(tmp_path / f"a.{ending}", frame)
        assert FileSource(tmp_path / f"a.{ending}").read().schema == frame.schema


def test_a_packed_file_that_is_cut_off_is_refused_at_the_end_of_a_row_too(tmp_path):
    zstandard = pytest.importorskip("zstandard", reason="needs penstock[files]")
    frames = [zstandard.compress(b"a,b\n1,2\n"), zstandard.compress(b"3,4\n" * 99_999)]
    path = tmp_path / "a.csv.zst"
    path.write_bytes(b"".join(frames))
    assert FileSource(path).read().height == 100_000
    for cut in range(1, len(frames[1])):
        path.write_bytes(b"".join(frames)[:-cut])
        with pytest.raises(DataError, match="ended before the end of its last frame"):
            FileSource(path).read()


def test_what_the_reader_cannot_read_is_an_error_in_a_sentence(tmp_path):
    arrow = pytest.importorskip("pyarrow", reason="needs pyarrow to write the files")
    from pyarrow import ipc, parquet

    twice = arrow.Table.from_arrays([arrow.array([1]), arrow.array([2])], names=["a", "a"])
    parquet.write_table(twice, tmp_path / "a.parquet")
    with ipc.new_file(tmp_path / "a.arrow", twice.schema) as writer:
        writer.write(twice)
    wide = arrow.array([1], arrow.decimal256(60, 2))
    parquet.write_table(arrow.table({"a": wide}), tmp_path / "wide.parquet")
    for name in ("a.parquet", "a.arrow", "wide.parquet"):
        with pytest.raises(DataError, match=f"{name} is not .*, or not all of it can be read"):
            FileSource(tmp_path / name).read()


@pytest.mark.parametrize("ending", ["parquet", "arrow", "csv", "jsonl"])
def test_a_column_of_knowledge_that_does_not_exist_is_named(tmp_path, ending):
    write(tmp_path / f"a.{ending}")
    source = FileSource(tmp_path / f"a.{ending}", time="at", available_at="wo")
    with pytest.raises(NotFoundError, match=r"'wo' is not in source 'a'. Did you mean 'who'"):
        source.read(cutoff="2026-01-02")


@pytest.mark.parametrize("unit", ["ms", "ns"])
def test_a_limit_between_two_units_of_a_column_keeps_its_microseconds(tmp_path, unit):
    at = datetime(2026, 3, 30, 5, tzinfo=UTC)
    table = pl.DataFrame({"at": pl.Series([at], dtype=pl.Datetime(unit, "UTC"))})
    table.write_parquet(tmp_path / "a.parquet")
    source = FileSource(tmp_path / "a.parquet", time="at")
    assert ingest(source, cutoff=at + timedelta(microseconds=2)).rows == 1


# Rows that take far more memory than the file.
_PACKED_ROWS = 5_000
_PACKED_NOTE = "the meter was off and the card was not read " * 20


def packed_texts():
    start = datetime(2026, 1, 1)  # noqa: DTZ001 - as the file stores it
    return pl.DataFrame(
        {
            "at": [start + timedelta(minutes=n) for n in range(_PACKED_ROWS)],
            "note": [f"{n % 7} {_PACKED_NOTE}" for n in range(_PACKED_ROWS)],
        }
    )


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_a_small_file_of_large_rows_is_read_in_batches_with_the_digest_of_one_reading(
    tmp_path, monkeypatch, kind
):
    path = tmp_path / f"notes.{kind}"
    (packed_texts().write_parquet if kind == "parquet" else packed_texts().write_ipc)(path)
    source = FileSource(path, time="at")
    whole = ingest(source, cutoff="2026-01-03")
    if kind == "parquet":  # an Arrow file is as large as its rows
        assert path.stat().st_size < 1 << 19
    monkeypatch.setattr(_formats, "_LARGE", 1 << 19)
    monkeypatch.setattr(_formats, "_BATCH_BYTES", 1 << 18)
    sizes = [batch.height for batch in source.scan(None, datetime(2026, 1, 3))]  # noqa: DTZ001
    assert len(sizes) > 1
    assert max(sizes) < sum(sizes)
    assert sum(sizes) == whole.rows == 2 * 24 * 60
    parts = ingest(source, cutoff="2026-01-03")
    assert parts.ordered_digest == whole.ordered_digest
    assert parts.findings == whole.findings
