"""A row of a file and the same row as a request give equal features."""

import csv
from random import Random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier

from penstock.core import DataError
from penstock.data import FileSource, infer_schema, ingest, profile_table
from penstock.models import infer_signature


def signature_of(snapshot, **options):
    table = snapshot.table
    y = [n % 2 for n in range(table.height)]
    return infer_signature(
        DummyClassifier().fit([[0]] * len(y), y),
        table,
        y,
        columns=profile_table(table).describe(infer_schema(table)),
        reading=snapshot.reading,
        **options,
    )


def read(folder, header, rows, separator=","):
    path = folder / "table.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=separator).writerows([header, *rows])
    snapshot = ingest(FileSource(path))
    with path.open(newline="", encoding="utf-8") as file:
        sent = list(csv.DictReader(file, delimiter=separator))
    return snapshot, sent


def money(chance):
    return f"${chance.uniform(0, 1e5):,.2f}"


WRITERS = {
    "plain": lambda chance: str(chance.randint(-(10**6), 10**6)),
    "real": lambda chance: repr(chance.uniform(-1e9, 1e9)),
    "money": lambda chance: f"-{money(chance)}" if chance.random() < 0.2 else money(chance),
    "euro": lambda chance: money(chance)[1:].translate(str.maketrans(",.", ".,")) + " €",
    "share": lambda chance: f"{chance.randint(0, 1000) / 10} %",
    "memory": lambda chance: f"{chance.randint(1, 512)}GB",
    "flag": lambda chance: chance.choice(["TRUE", "FALSE", "true", "false"]),
    "day": lambda chance: f"{chance.randint(1900, 2100)}-0{chance.randint(1, 9)}-{chance.randint(10, 28)}",
    "at": lambda chance: f"2024-0{chance.randint(1, 9)}-1{chance.randint(0, 9)} 0{chance.randint(0, 9)}:30",
    "zoned": lambda chance: f"2024-06-1{chance.randint(0, 9)}T0{chance.randint(0, 9)}:30+02:00",
    "city": lambda chance: chance.choice(["Bonn", "Ulm", " Köln ", "x", "\u00a0y\u2009", "'", "-"]),
}  # fmt: skip


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32))
def test_a_row_of_the_file_and_the_same_row_as_a_request_are_equal(seed, tmp_path_factory):
    chance = Random(seed)
    gaps, columns = ["", "NA", " ", "null", "?"], chance.sample(list(WRITERS), 6)
    rows = [
        [
            chance.choice(gaps) if chance.random() < 0.1 else WRITERS[name](chance)
            for name in columns
        ]
        for _ in range(20)
    ]
    snapshot, sent = read(tmp_path_factory.mktemp("law"), columns, rows)
    # The law is about values; a row without any is no row of the table.
    sent = [row for row in sent if any(value.strip() for value in row.values())]
    frame, _ = signature_of(snapshot).check_rows(sent)
    assert frame.equals(snapshot.table.select(frame.columns), null_equal=True)


def test_compact_days_and_the_units_since_1970_mean_what_they_meant_in_the_file(tmp_path):
    for written, value in (("20240205", 20240205), ("1707091200000", 1707091200000)):
        path = tmp_path / "days.csv"
        path.write_text("day,n\n" + "".join(f"{written},{n}\n" for n in range(30)))
        snapshot = ingest(FileSource(path, time="day"))
        signature = signature_of(snapshot)
        for sent in (written, value, float(value)):
            frame, _ = signature.check_rows([{"day": sent, "n": 1}])
            assert frame["day"][0] == snapshot.table["day"][0]
            assert str(frame["day"][0])[:10] == "2024-02-05"
        with pytest.raises(DataError, match="'day'"):
            signature.check_rows([{"day": 1332, "n": 1}])


def test_a_category_that_looks_like_a_missing_mark_is_a_value(tmp_path):
    path = tmp_path / "sites.csv"
    path.write_text("region\n" + '"NA"\nNA\nEU\n' * 20)
    signature = signature_of(ingest(FileSource(path)))
    frame, warnings = signature.check_rows([{"region": t} for t in ("NA", " EU ", "null", "")])
    assert frame["region"].to_list() == ["NA", "EU", None, None]
    assert warnings == [()] * 4


def test_texts_that_the_rule_cannot_read_are_refused_with_its_words(tmp_path):
    path = tmp_path / "prices.csv"
    path.write_text("price\n" + '"$1,234.50"\n$5\n' * 20)
    signature = signature_of(ingest(FileSource(path)))
    frame, _ = signature.check_rows([{"price": t} for t in ("$1,234.50", "7", 8, "-")])
    assert frame["price"].to_list() == [1234.5, 7.0, 8.0, None]
    with pytest.raises(DataError, match=r"'€5', not a number. The source's texts are numbers such"):
        signature.check_rows([{"price": "€5"}])


@pytest.mark.parametrize("odd", ["\ud800", "x" * 200_000, "1" * 5000, "\x00", "1e999", "0x10"])
def test_odd_texts_are_refused_and_break_nothing(tmp_path, odd):
    path = tmp_path / "numbers.csv"
    path.write_text("n,t\n" + "".join(f"{n},{'ab'[n % 2]}\n" for n in range(20)))
    signature = signature_of(ingest(FileSource(path)))
    with pytest.raises(DataError):
        signature.check_rows([{"n": odd, "t": "a"}])


def test_a_rule_is_kept_only_where_the_column_still_has_its_type(tmp_path):
    snapshot, _ = read(tmp_path, ["a"], [[f"${n}"] for n in range(20)])
    changed = snapshot.table.with_columns(pl.col("a").cast(pl.String))
    field = infer_signature(
        DummyClassifier().fit([[0], [1]], [0, 1]), changed, reading=snapshot.reading
    ).inputs[0]
    assert field.reading is None
