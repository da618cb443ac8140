"""Files in blocks: the same rows, rules, findings and errors as of files read whole."""

import gzip
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from penstock.core import PenstockError
from penstock.data import FileSource, ingest
from penstock.data.sources import _blocks, _formats

_DAY = datetime(2024, 3, 30)  # noqa: DTZ001 - files without a zone

# Values of a kind, made from a random generator: drawn one by one they would take a minute.
_KINDS: dict[str, Callable[[random.Random], str]] = {
    "integer": lambda r: str(r.randint(-(10**6), 10**6)),
    "huge": lambda r: str(r.randint(10**17, 10**20)),
    "number": lambda r: str(r.uniform(-1e6, 1e6)),
    "negative zero": lambda r: r.choice(["-0", "0", "1"]),
    "code": lambda r: f"{r.randint(0, 999):04}",
    "date": lambda r: str((_DAY + timedelta(days=r.randint(0, 99))).date()),
    "time": lambda r: str(_DAY + timedelta(minutes=r.randint(0, 9999))),
    "offset": lambda r: r.choice(["2024-03-31T01:30:00+01:00", "2024-03-31T02:30:00Z"]),
    "usual": lambda r: f"{_DAY + timedelta(days=r.randint(0, 99)):%d.%m.%Y}",
    "epoch": lambda r: str(r.randint(1_500_000_000, 1_600_000_000)),
    "compact": lambda r: f"{_DAY + timedelta(days=r.randint(0, 99)):%Y%m%d}",
    "money": lambda r: f"${r.randint(0, 10**7):,}",
    "comma": lambda r: f"{r.uniform(0, 1e4):.2f}".replace(".", ","),
    "groups": lambda r: f"{r.randint(1000, 999999):,}".replace(",", "."),
    "accounting": lambda r: f"({r.randint(1, 999)})",
    "spaced": lambda r: f"- {r.randint(1, 999)}",
    "percent": lambda r: f"{r.randint(0, 100)} %",
    "boolean": lambda r: r.choice(["true", "False"]),
    "mark": lambda r: r.choice(["", "NA", "-", "n/a", "nan", "-999"]),
    "word": lambda r: "".join(r.choices("abcXY -/.,;'\"\n", k=r.randint(0, 8))),
}
_KIND = st.sampled_from(sorted(_KINDS))


@st.composite
def columns(draw, rows: int):
    """A column of a kind, with missing marks, whose last rows may be of another."""
    usual, other = _KINDS[draw(_KIND)], _KINDS[draw(_KIND)]
    late, marks = draw(st.integers(0, min(3, rows))), draw(st.sampled_from([0.0, 0.02, 0.3]))
    rng = random.Random(draw(st.integers(0, 10**6)))
    values = [(_KINDS["mark"] if rng.random() < marks else usual)(rng) for _ in range(rows - late)]
    return values + [other(rng) for _ in range(late)]


@st.composite
def csv_files(draw):
    rows = draw(st.integers(1, 80))
    table = draw(st.lists(columns(rows), min_size=1, max_size=4))
    quotes = draw(st.booleans())
    return [",".join("abcd"[: len(table)])] + [
        ",".join(_field(text, quotes=quotes) for text in row) for row in zip(*table, strict=True)
    ]


def _field(text: str, *, quotes: bool) -> str:
    text = text if quotes else text.replace('"', "").replace("\n", " ")
    if quotes and ('"' in text or "," in text or "\n" in text or text == "NA"):
        return '"' + text.replace('"', '""') + '"'
    return text.replace(",", "") if not quotes else text


def _read(source: FileSource, **window):
    """Return all that is known of a reading, or its error."""
    try:
        snapshot = ingest(source, **window)
    except PenstockError as error:
        return type(error).__name__, error.what
    return (
        snapshot.ordered_digest,
        snapshot.schema,
        snapshot.findings,
        dict(snapshot.reading),
        snapshot.rows,
    )


def _both(path: Path, block: int, window=None, **options):
    """Return what a whole reading and one in blocks of so many bytes give."""
    whole = _read(FileSource(path, **options), **(window or {}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_formats, "_LARGE_TEXT", -1)
        patch.setattr(_blocks, "BLOCK_BYTES", block)
        return whole, _read(FileSource(path, **options), **(window or {}))


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    csv_files(),
    st.integers(2, 9),
    st.sampled_from([None, ".", ","]),
    st.sampled_from([None, ["-999", "5"]]),
)
@example(["a,b"] + ["1,x"] * 50 + ["soon,y"] * 9, 9, None, None)
@example(["a,b"] + ["2024-01-01,x"] * 50 + ["never,y"] * 9, 9, None, None)
@example(["a,b"] + ["-0,1"] * 20 + ["2.5,1"], 9, None, None)
@example(["a,b"] + ["1,x"] * 40 + ["(5),y", "- 6,z"], 9, None, None)
@example(["a,b"] + ["1000,x"] * 40 + ["0017,y"] * 3, 9, None, None)
@example(["a,b"] + [",x"] * 40, 9, None, None)
@example(["a,b"] + ["2024-01-01T00:00:00,x"] * 40 + ["2024-01-01T00:00:00Z,x"], 9, None, None)
@example(["a,b"] + ["1,2"] * 40 + ["a,b"] + ["1,2"] * 40, 9, None, None)
@example(["a,b"] + [f"{n},{n}" for n in range(1, 41)] + ["Total,820"], 9, None, None)
@example(
    ["a,b,c"] + [f"{n},{n},{n}" for n in range(1, 41)] + ["Source: the office,,"], 9, None, None
)
def test_a_csv_file_in_blocks_is_the_file_read_whole(lines, count, decimal, missing):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        path.write_text("\n".join(lines) + "\n")
        block = max(40, path.stat().st_size // count)  # each costs a thousand small operations
        options = {"separator": ",", "decimal": decimal, "missing": missing}
        whole, blocks = _both(path, block, **{k: v for k, v in options.items() if v})
        assert blocks == whole


_JSON = {
    "integer": lambda r: r.randint(-9, 9),
    "number": lambda r: r.choice([1, 2.5, -0.0]),
    "text": lambda r: r.choice(["", "x", "1"]),
    "time": lambda r: str(_DAY + timedelta(minutes=r.randint(0, 99))),
    "day": lambda r: r.choice(["2024-02-29", "2024-02-30"]),
    "boolean": lambda r: r.random() < 0.5,
    "list": lambda r: r.choice([[], [1], [2.5], [None]]),
    "object": lambda r: r.choice([{}, {"p": 1}, {"q": "x", "p": 2}, {"p": None}]),
    "objects": lambda r: r.choice([[], [{"p": 1}], [{"q": "x"}]]),
    "null": lambda _: None,
}
_JSON_KIND = st.sampled_from(sorted(_JSON))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(_JSON_KIND, _JSON_KIND, st.sampled_from([1.0, 0.7])), min_size=1, max_size=4
    ),
    st.integers(0, 10**6),
    st.integers(1, 60),
    st.integers(40, 400),
)
@example([("integer", "number", 1.0)], 1, 40, 64)
@example([("time", "text", 1.0)], 1, 40, 64)
@example([("null", "object", 0.7), ("object", "objects", 0.7)], 1, 40, 64)
def test_json_lines_in_blocks_are_the_file_read_whole(fields, seed, rows, block):
    rng = random.Random(seed)
    lines = []
    for row in range(rows):
        made = [
            (name, _JSON[late if row >= rows - 3 and seed % 2 else usual](rng))
            for name, (usual, late, share) in zip("abcd", fields, strict=False)
            if rng.random() < share
        ]
        rng.shuffle(made)
        lines.append(json.dumps(dict(made)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.jsonl"
        path.write_text("\n".join(lines) + "\n")
        whole, blocks = _both(path, block)
        assert blocks == whole


@pytest.mark.parametrize(
    "times",
    [
        [f"2024-01-{day:02}" for day in range(1, 31)],
        [f"2024-01-{day:02}T0{day % 9}:30:00Z" for day in range(1, 31)],
        [f"{day}.01.2024" for day in range(1, 31)],
        [str(1_700_000_000 + 3_600 * hour) for hour in range(0, 700, 20)],
        [str(1_700_000_000_000 + 3_600_000 * hour) for hour in range(0, 700, 20)],
        [f"202401{day:02}" for day in range(1, 31)],
        [f"2024-01-{day:02}" for day in range(1, 30)] + ["2024-01-30 12:00"],
        [f"2024-01-{day:02}" for day in range(1, 30)] + ["2024-01-30T12:00Z", "NA"],
        [f"2024-01-{day:02}" for day in range(1, 30)] + ["soon"],
    ],
)
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_window_of_blocks_is_that_of_the_file_read_whole(tmp_path, times, kind):
    path = tmp_path / f"a.{kind}"
    if kind == "csv":
        path.write_text("at,n\n" + "".join(f"{time},{n}\n" for n, time in enumerate(times)))
    else:
        numbers = (int(time) if time.isdigit() else time for time in times)
        rows = [json.dumps({"at": time, "n": n}) for n, time in enumerate(numbers)]
        path.write_text("\n".join(rows))
    form = "%d.%m.%Y" if "." in times[0] else None
    options = {"time": "at", "time_format": form}
    for window in (
        {},
        {"cutoff": "2024-01-12"},
        {"since": "2024-01-05", "cutoff": "2024-01-07T06:00"},
        {"since": "2030-01-01"},
    ):
        whole, blocks = _both(path, 64, window, **options)
        assert blocks == whole


def test_files_of_a_folder_with_partitions_are_read_in_blocks(tmp_path):
    for day in (1, 2):
        place = tmp_path / "rows" / f"day=2024-01-0{day}"
        place.mkdir(parents=True)
        (place / "a.csv").write_text("n,x\n" + "".join(f"{n},{n}.5\n" for n in range(40)))
    whole, blocks = _both(tmp_path / "rows", 64, {"cutoff": "2024-01-02"}, time="day")
    assert blocks == whole
    assert whole[-1] == 40


@pytest.mark.parametrize("encode", [gzip.compress, lambda text: text.decode().encode("utf-16")])
def test_packed_and_utf_16_files_are_read_in_blocks(tmp_path, encode):
    path = tmp_path / "a.csv"
    path.write_bytes(encode(b"n,x\n" + b"".join(b"%d,\xc3\xa4%d\n" % (n, n) for n in range(99))))
    whole, blocks = _both(path, 64)
    assert blocks == whole
    assert whole[-1] == 99


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("a\n" + "1\n\n" * 40 + '"x ""y"""\n\n', id="empty lines, quotes later"),
        pytest.param("a\n" + '"x ""y"""\n' * 9 + "\n1\n" * 40, id="quotes, empty lines later"),
        pytest.param("\n\na\n1\n\n" + '"x ""y"""\n\n' * 9, id="empty lines above the header"),
        pytest.param("a,b\n" + "inf,1\n1.5,1\n" * 20 + "(12.5),1\n" * 20, id="inf and (12.5)"),
    ],
)
def test_what_a_late_block_shows_counts_for_the_blocks_before_it(tmp_path, content):
    path = tmp_path / "a.csv"
    path.write_text(content)
    whole, blocks = _both(path, 64)
    assert blocks == whole
    assert blocks[-1] == len(content.strip().split("\n")) - 1 + content.endswith("\n\n")


def test_a_field_that_only_polars_takes_is_read_in_blocks_too(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1," + "y" * 140_000 + "\n" + "2,z\n" * 60)
    whole, blocks = _both(path, 1 << 20)
    assert blocks == whole
    assert whole[-1] == 61


@pytest.mark.parametrize("block", [64, 10_000])
def test_json_lines_that_end_in_carriage_returns_are_read_in_blocks(tmp_path, block):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\r".join(b'{"n": %d}' % n for n in range(40)))
    whole, blocks = _both(path, block)
    assert blocks == whole
    assert whole[-1] == 40


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_numbers_that_are_no_times_are_told_for_blocks_as_for_the_whole(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    rows = [json.dumps({"at": n}) if kind == "jsonl" else f"{n},x" for n in range(60)]
    path.write_text("\n".join(["at,b"] * (kind == "csv") + rows))
    whole, blocks = _both(path, 64, time="at")
    assert blocks == whole == ("DataError", "Column 'at' holds numbers like 0 and 59.")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_an_empty_frame_of_zstd_before_the_rows_does_not_hide_their_encoding(tmp_path, encoding):
    zstandard = pytest.importorskip("zstandard", reason="uv pip install zstandard")
    path = tmp_path / "a.csv.zst"
    rows = ("n,x\n" + "1,\u00e4\n" * 99).encode(encoding)
    path.write_bytes(zstandard.compress(b"") + zstandard.compress(rows))
    whole, blocks = _both(path, 64)
    assert blocks == whole
    assert [column.name for column in whole[1].columns] == ["n", "x"]


@pytest.mark.parametrize(
    ("fault", "line"),
    [("7,8,9", 103), ('"7,8', 103), ("7,\udcff", 103)],
)
def test_a_fault_in_a_late_block_is_told_with_its_line(tmp_path, fault, line):
    path = tmp_path / "a.csv"
    rows = "".join(f"{n},{n}\n" for n in range(101))
    path.write_bytes(f"n,x\n{rows}{fault}\n{rows}".encode(errors="surrogateescape"))
    whole, blocks = _both(path, 64)
    assert blocks == whole
    assert f"line {line}" in blocks[1]


_LIMITED = """
import resource, sys
from penstock.data import FileSource
from penstock.data.sources import _blocks

_blocks.BLOCK_BYTES = 1 << 20
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rows = sum(batch.height for batch in FileSource(sys.argv[1], time="at").scan(cutoff="2024-02-01"))
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(rows, (after - before) * 1024)
"""


ROWS = {"csv": 3_200_000, "jsonl": 2_400_000}  # what does not grow with the file is a part of it


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_large_file_takes_a_part_of_its_bytes_in_memory(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    row = "{0},{0}.25,2024-01-01 00:00:{1:02},word {0}\n"
    if kind == "jsonl":
        row = '{{"n":{0},"x":{0}.25,"at":"2024-01-01T00:00:{1:02}","w":"word {0}"}}\n'
    with path.open("w") as file:
        file.write("n,x,at,w\n" if kind == "csv" else "")
        for start in range(0, ROWS[kind], 100_000):
            file.write("".join(row.format(n, n % 60) for n in range(start, start + 100_000)))
    told = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(path)], capture_output=True, text=True, check=True
    )
    rows, memory = map(int, told.stdout.split())
    assert rows == ROWS[kind]
    assert memory < 0.6 * path.stat().st_size, f"{memory:,} of {path.stat().st_size:,} bytes"
