"""Of a Parquet object only the row groups come that can hold rows of the window; the rows are the same."""

import datetime as dt
import io

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.data.sources import FileSource, _row_groups
from penstock.data.sources._row_groups import fetch_row_groups
from penstock.data.sources._window import Window

pytest.importorskip("pyarrow", reason='pip install "penstock[pandas]"')
START = dt.datetime.fromisoformat("2026-01-01")
HOURS = pl.datetime_range(START, START + dt.timedelta(hours=9999), "1h", eager=True)
FORMS = {
    "naive": HOURS,
    "milliseconds": HOURS.cast(pl.Datetime("ms")),
    "nanoseconds": HOURS.cast(pl.Datetime("ns")),
    "UTC": HOURS.dt.replace_time_zone("UTC"),
    "Berlin": HOURS.dt.replace_time_zone("UTC").dt.convert_time_zone("Europe/Berlin"),
    "date": HOURS.cast(pl.Date),
}
SINCE, CUTOFF = (
    dt.datetime.fromisoformat("2026-03-01T05:00"),
    dt.datetime.fromisoformat("2026-03-20"),
)


@pytest.fixture(autouse=True)
def small_requests(monkeypatch):
    """Objects of tests are small: so are their requests."""
    monkeypatch.setattr(_row_groups, "_TAIL", 4_000)
    monkeypatch.setattr(_row_groups, "_CLOSE", 1_000)


def table(times=HOURS):
    count = len(times)
    frame = {
        "at": times,
        "n": range(count),
        "text": [f"row {n * 7919 % 1000}" for n in range(count)],
    }
    return pl.DataFrame(frame)


def content(frame, **options):
    buffer = io.BytesIO()
    frame.write_parquet(buffer, row_group_size=500, **options)
    return buffer.getvalue()


def fetched(data, folder, since=SINCE, cutoff=CUTOFF):
    """Fetch the groups of a window; return the rows read from them, and the number of bytes."""
    spans = []

    def read(start, end):
        assert 0 <= start < end <= len(data)
        spans.append(end - start)
        return data[start:end]

    source = FileSource(folder / "copy.parquet", time="at")
    if not fetch_row_groups(
        read, len(data), folder / "copy.parquet", Window.of(source, since, cutoff)
    ):
        return None, sum(spans)
    return source.read(since, cutoff), sum(spans)


def whole(data, folder, since=SINCE, cutoff=CUTOFF):
    (folder / "whole.parquet").write_bytes(data)
    return FileSource(folder / "whole.parquet", time="at").read(since, cutoff)


@pytest.mark.parametrize("form", FORMS)
def test_the_rows_are_those_of_the_whole_object_at_a_part_of_its_bytes(form, tmp_path):
    data = content(table(FORMS[form]))
    found, size = fetched(data, tmp_path)
    assert found.equals(whole(data, tmp_path))
    assert found.height == (18 * 24 + 19 if form != "date" else 18 * 24)
    assert size < len(data) / 3
    with pytest.raises(pl.exceptions.ComputeError):  # a hole is never read as rows
        pl.read_parquet(tmp_path / "copy.parquet")


def test_groups_with_rows_without_a_time_are_fetched_and_counted(tmp_path):
    frame = table().with_columns(at=pl.when(pl.col("n") != 7).then("at"))
    data = content(frame)
    found, _ = fetched(data, tmp_path)
    assert found.equals(whole(data, tmp_path))
    scan = FileSource(tmp_path / "copy.parquet", time="at").scan(SINCE, CUTOFF)
    assert [each.rule for each in scan.reading.findings] == ["no_time"]
    assert "1 rows have no time" in scan.reading.findings[0].message


@pytest.mark.parametrize(
    ("data", "window"),
    [
        (content(table(), statistics=False), {}),
        (content(table()), {"since": START, "cutoff": START + dt.timedelta(days=900)}),
        (content(table()), {"since": dt.datetime.fromisoformat("2030-01-01"), "cutoff": None}),
        (content(table(HOURS.dt.to_string())), {}),
        (content(table().drop("at")), {}),
        (b"PAR1 nothing of the kind PAR1", {}),
        (b"no footer", {}),
    ],
)
def test_what_cannot_be_fetched_in_parts_is_fetched_whole(data, window, tmp_path):
    assert fetched(data, tmp_path, **window)[0] is None


@given(st.integers(0, 9998), st.integers(1, 3000))
def test_every_window_has_its_rows(tmp_path_factory, first, count):
    folder = tmp_path_factory.mktemp("groups")
    data = content(table())
    since, cutoff = (START + dt.timedelta(hours=n) for n in (first, first + count))
    found, _ = fetched(data, folder, since, cutoff)
    if found is not None:
        assert found["n"].to_list() == list(range(first, min(first + count, 10_000)))
