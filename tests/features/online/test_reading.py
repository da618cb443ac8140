"""The consistency theorem on drawn histories, and that it finds the defects that stores have had."""

import polars as pl
import pytest
from tests.features import generated_histories
from tests.features.generated_histories import check
from tests.hunting import SEED, length

from penstock.features.online import MemoryOnlineStore, open_online
from penstock.features.views import FeatureView, RowCodec

SEEDS = [SEED * 1_000 + i for i in range(length(6, 60))]
HISTORIES = length(40, 1_000)


@pytest.mark.hunt
@pytest.mark.parametrize("seed", SEEDS)
def test_online_answers_what_the_history_does(tmp_path, seed):
    outcome = check(tmp_path, MemoryOnlineStore(), seed=seed, histories=HISTORIES)
    assert outcome.mismatches == []
    assert outcome.answers == HISTORIES * 2 * 3


@pytest.fixture(params=["sqlite", "redis"])
def store(request, tmp_path):
    """An online store that lasts."""
    if request.param == "redis":
        store = open_online(request.getfixturevalue("redis_url"))
    else:
        store = open_online(tmp_path / "online.db")
    yield store
    store.close()


@pytest.mark.hunt
@pytest.mark.parametrize("seed", SEEDS[:3])
def test_a_store_that_lasts_answers_what_the_history_does(tmp_path, store, seed):
    outcome = check(tmp_path / "features", store, seed=seed, histories=HISTORIES)
    assert outcome.mismatches == []


def test_five_thousand_histories_are_answered_by_a_store_that_lasts(tmp_path, store):
    for seed in range(5):
        store.clear("things")
        outcome = check(tmp_path / str(seed), store, seed=seed, histories=1_000)
        assert outcome.mismatches == []
        assert outcome.answers == 6_000


def test_the_drawn_histories_have_answers_of_all_kinds(tmp_path):
    found, answers = 0, 0
    for seed in range(6):
        outcome = check(tmp_path / str(seed), MemoryOnlineStore(), seed=seed, histories=40)
        found, answers = found + outcome.found, answers + outcome.answers
    assert 0.1 < found / answers < 0.9


class WithoutTombstones(MemoryOnlineStore):
    """Forgets a key that is deleted."""

    def put(self, view, entries, **more):
        changed = super().put(view, entries, **more)
        kept = {key: entry for key, entry in self._entries[view].items() if not entry[1]}
        self._entries[view] = kept
        return changed


class LastArrives(MemoryOnlineStore):
    """Takes what arrives last."""

    def put(self, view, entries, **_):
        for key, order, gone, value in entries.iter_rows():
            self._entries.setdefault(view, {})[key] = (order, gone, value)
        return 0


class ByEventTime(MemoryOnlineStore):
    """Compares only the time of the event."""

    def put(self, view, entries, **_):
        stored = self._entries.setdefault(view, {})
        for key, order, gone, value in entries.iter_rows():
            if key not in stored or order[:8] > stored[key][0][:8]:
                stored[key] = (order, gone, value)
        return 0


@pytest.mark.parametrize("defect", [WithoutTombstones, LastArrives, ByEventTime])
def test_a_store_with_a_defect_is_caught(tmp_path, defect):
    assert any(
        check(tmp_path / str(seed), defect(), seed=seed, histories=40).mismatches
        for seed in range(6)
    )


def test_a_store_that_ignores_ttl_is_caught(tmp_path, monkeypatch):
    class Endless(RowCodec):
        def __init__(self, view):
            super().__init__(view)
            described = view.describe() | {"ttl_us": None}
            self.view = FeatureView.from_json(described)

    monkeypatch.setattr(generated_histories, "RowCodec", Endless)
    assert any(
        check(tmp_path / str(seed), MemoryOnlineStore(), seed=seed, histories=40).mismatches
        for seed in range(6)
    )


def test_a_codec_that_loses_the_sign_of_zero_is_caught(tmp_path, monkeypatch):
    class Rounding(RowCodec):
        def encode(self, rows):
            zeros = pl.when(pl.col("f64") == 0).then(0.0).otherwise("f64").alias("f64")
            return super().encode(rows.with_columns(zeros))

    monkeypatch.setattr(generated_histories, "RowCodec", Rounding)
    assert any(
        check(tmp_path / str(seed), MemoryOnlineStore(), seed=seed, histories=40).mismatches
        for seed in range(6)
    )
