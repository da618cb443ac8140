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

_DAY = datetime(2024, 3, 30)

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


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(csv_files(), st.integers(40, 400), st.sampled_from([None, ".", ","]))
@example(["a,b"] + ["1,x"] * 50 + ["soon,y"] * 9, 64, None)
@example(["a,b"] + ["2024-01-01,x"] * 50 + ["never,y"] * 9, 64, None)
@example(["a,b"] + ["-0,1"] * 20 + ["2.5,1"], 64, None)
@example(["a,b"] + ["1,x"] * 40 + ["(5),y", "- 6,z"], 64, None)
@example(["a,b"] + ["1000,x"] * 40 + ["0017,y"] * 3, 64, None)
@example(["a,b"] + [",x"] * 40, 64, None)
@example(["a,b"] + ["2024-01-01T00:00:00,x"] * 40 + ["2024-01-01T00:00:00Z,x"], 64, None)
@example(["a,b"] + ["1,2"] * 40 + ["a,b"] + ["1,2"] * 40, 64, None)
@example(["a,b"] + [f"{n},{n}" for n in range(1, 41)] + ["Total,820"], 64, None)
@example(["a,b,c"] + [f"{n},{n},{n}" for n in range(1, 41)] + ["Source: the office,,"], 64, None)
def test_a_csv_file_in_blocks_is_the_file_read_whole(lines, block, decimal):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        path.write_text("\n".join(lines) + "\n")
        options = {"separator": ",", "decimal": decimal}
        whole, blocks = _both(path, block, **options)
        assert blocks == whole
        missing = _both(path, block, separator=",", missing=["-999", "5"])
        assert missing[0] == missing[1]
