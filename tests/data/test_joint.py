"""Columns whose own values look alike are told apart by how they go together with the others."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from penstock.data import Snapshot, ingest
from penstock.data._joint import JointProfile, find_exchanged
from penstock.data._norm import Norm, Version
from penstock.data.sources import FileSource
from penstock.stores import content_digest, open_store

MONTHS = 6


def month(seed, *, swapped=False, alike=False):
    """Left and right are distributed alike; only left goes with the weight (seeded)."""
    random = np.random.default_rng(seed)
    rows = 400
    weight = random.normal(size=rows)
    left = 0.0 if alike else 0.7
    table = pl.DataFrame(
        {
            "at": [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(rows)],
            "left": left * weight + np.sqrt(1 - left**2) * random.normal(size=rows),
            "right": random.normal(size=rows),
            "weight": weight,
            "place": random.choice(["a", "b"], rows),
        }
    )
    if swapped:
        table = table.with_columns(pl.col("left").alias("right"), pl.col("right").alias("left"))
    return table


def norm(**options):
    return Norm([Version(Snapshot.of(month(seed, **options), time="at")) for seed in range(MONTHS)])


def swaps(told):
    return [(level, column) for level, column, message in told if "look swapped" in message]


def test_swapped_columns_with_equal_values_are_found_and_clean_months_are_not_told():
    usual = norm()
    for seed in range(10, 13):
        assert swaps(usual.check(Snapshot.of(month(seed), time="at"), 0)) == []
        new = Snapshot.of(month(seed, swapped=True), time="at")
        assert swaps(usual.check(new, 0)) == [("fail", "left")]


def test_columns_that_nothing_tells_apart_are_never_told():
    usual = norm(alike=True)
    for seed in range(10, 13):
        for swapped in (False, True):
            new = Snapshot.of(month(seed, swapped=swapped, alike=True), time="at")
            assert swaps(usual.check(new, 0)) == []


def test_two_columns_or_two_versions_tell_nothing():
    few = [Snapshot.of(month(seed).select("left", "right")) for seed in range(4)]
    joint = [JointProfile.of(each) for each in few]
    assert find_exchanged(joint[0], joint[1:], ["left", "right"]) == {}
    whole = [JointProfile.of(Snapshot.of(month(seed))) for seed in range(2)]
    assert find_exchanged(whole[0], whole[1:], ["left", "right"]) == {}


def test_correlations_are_those_of_the_ranks_with_missing_values_in_the_middle():
    table = pl.DataFrame(
        {"a": [1.0, 4.0, 9.0, None, 16.0], "b": [5, 4, 3, 3, 1], "c": [1.0] * 5, "t": list("xyxyx")}
    )
    joint = JointProfile.of(Snapshot.of(table))
    assert joint.columns == ("a", "b", "t")
    ranks = np.array([[1, 2, 3, 2.5, 4], [5, 4, 2.5, 2.5, 1], [2, 4.5, 2, 4.5, 2]])
    assert joint.matrix(["a", "b", "t"]) == pytest.approx(np.corrcoef(ranks), abs=1e-4)
    assert JointProfile.from_json(joint.to_json()) == joint


def test_a_learned_reading_stores_them_and_no_digest_changes(tmp_path):
    month(1).write_parquet(tmp_path / "rides.parquet")
    source = FileSource(tmp_path / "rides.parquet", time="at")
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        learned = ingest(source, store=store, expect="learned")
        plain = ingest(source, store=store)
        assert plain.joint is None
        assert learned.joint is not None
        assert content_digest(plain.with_joint()) == content_digest(plain)
        loaded = store.get(store.put(learned).digest)
        assert loaded.joint == JointProfile.of(plain)
        assert content_digest(loaded) == content_digest(learned)


def test_a_table_of_one_row_has_no_correlations_and_warns_of_nothing():
    """Warnings are errors in tests; NumPy warns of the deviation of one value."""
    snapshot = Snapshot.of(pl.DataFrame({"a": [1.0], "b": [2.0]}))
    assert JointProfile.of(snapshot) == JointProfile((), 1, ())
