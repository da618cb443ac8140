from datetime import UTC, date, datetime

import numpy as np
import polars as pl

from penstock.core import Edge
from penstock.data import Finding, Snapshot
from penstock.data._snapshot import find_twins

TABLE = pl.DataFrame(
    {
        "key": [f"k{n}" for n in range(30)],
        "day": [date(2016, 1, 1 + n) for n in range(30)],
        "none": [None] * 30,
        "one": [1] * 30,
        "list": [[n] for n in range(30)],
        "x": [n % 4 for n in range(30)],
    }
)


def test_a_snapshot_knows_its_rows_and_their_range():
    snapshot = Snapshot.of(TABLE, time="day", cutoff="2016-02-01")
    assert len(snapshot) == snapshot.rows == 30
    assert snapshot.columns == TABLE.columns
    assert snapshot.first_time == datetime(2016, 1, 1, tzinfo=UTC)
    assert snapshot.last_time == datetime(2016, 1, 30, tzinfo=UTC)
    assert snapshot.cutoff == datetime(2016, 2, 1, tzinfo=UTC)
    assert snapshot.since is None


def test_columns_no_model_should_learn_from_are_noticed():
    found = {finding.column: finding.rule for finding in Snapshot.of(TABLE).findings}
    assert found == {"key": "identifier", "none": "empty", "one": "constant", "list": "unusable"}


def test_levels_that_look_alike_are_noticed():
    table = pl.DataFrame(
        {"income": ["<=50K", ">50K", "<=50K."] * 10, "other": ["A", "B", "C"] * 10}
    )
    (finding,) = Snapshot.of(table).findings
    assert (finding.rule, finding.column) == ("lookalike", "income")
    assert "'<=50K' and '<=50K.'" in finding.message


def test_few_rows_are_noticed():
    assert Snapshot.of(pl.DataFrame({"a": [1, 2, 4]})).findings[0].rule == "few_rows"


def test_a_snapshot_survives_its_bundle():
    source = {"type": "FileSource", "name": "rides"}
    for time in (None, "day", ("day", "x")):
        before = Snapshot.of(TABLE.drop("list"), time=time, source=source, since="2015-01-01")
        after = Snapshot.from_bundle(before.to_bundle())
        assert after.table.equals(before.table)
        assert after.profile == before.profile
        assert after.to_bundle().keys() == before.to_bundle().keys()
        assert after.to_bundle()["facts"] == before.to_bundle()["facts"]
        assert after.time == time


def test_the_table_of_a_bundle_is_loaded_when_asked_for():
    class Parts(dict):
        def __getitem__(self, key):
            asked.append(key)
            return super().__getitem__(key)

    asked: list[str] = []
    snapshot = Snapshot.from_bundle(Parts(Snapshot.of(TABLE.drop("list")).to_bundle()))
    assert snapshot.rows == 30
    assert asked == ["facts"]
    assert snapshot.table.height == snapshot.table.height == 30
    assert asked == ["facts", "table"]


def test_a_snapshot_names_its_source_for_lineage():
    rides = Snapshot.of(TABLE, source={"name": "rides"})
    assert rides.lineage_edges("artifact:x") == [Edge("source:rides", "artifact:x", "source")]
    assert [edge.source for edge in Snapshot.of(TABLE).lineage_edges("artifact:x")] == [
        "source:table"
    ]


def test_findings_are_added_to_a_copy():
    snapshot = Snapshot.of(pl.DataFrame({"a": range(40)}))
    more = snapshot.with_findings([Finding("warn", "added", "b", "Column 'b' is new.")])
    assert len(more.findings) == len(snapshot.findings) + 1
    assert more.table is snapshot.table


def test_twins_of_any_alphabet_are_those_of_python():
    random = np.random.default_rng(4)
    signs = list("aAbB .,;:ßSsKK\x1c\tİi\u00a0éÉ")
    texts = ["".join(random.choice(signs, random.integers(0, 4))) for _ in range(3_000)]
    first: dict[str, str] = {}
    expected = []
    for text in sorted(set(texts), key=str.encode):
        plain = text.casefold().strip().rstrip(" .,;:")
        if first.setdefault(plain, text) != text:
            expected.append((first[plain], text))
    assert find_twins(pl.Series(texts)) == expected
