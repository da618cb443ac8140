"""FeatureStore's online half, as a user calls it: materialize, get_online, push, backfill, erase."""

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import polars as pl
import pytest
from tests.features.feature_rows import HOUR, NOON, SPEND, spend

import penstock as ps
from penstock.core import (
    ConflictError,
    DataError,
    NotFoundError,
    ParameterError,
    SchemaError,
    SettingsError,
)
from penstock.execution import QuietReporter, load_pipeline
from penstock.features.online import MemoryOnlineStore

SHOP = ps.features.Entity("shop", {"shop": pl.String, "item": pl.Int16})
SALES = ps.features.FeatureView("sales", SHOP, {"sold": pl.Int64}, available_at=timedelta(0))


@pytest.fixture
def features(tmp_path):
    store = ps.features.FeatureStore(tmp_path / "features")
    store.apply(SPEND, SALES)
    yield store
    store.online.close()


def sales(*rows):
    return pl.DataFrame(
        [(shop, item, NOON, sold) for shop, item, sold in rows],
        schema={"shop": pl.String, "item": pl.Int16, "event_time": pl.Datetime("us", "UTC"), "sold": pl.Int64},
        orient="row",
    )  # fmt: skip


def amounts(features, *cards, now=None):
    found = features.get_online("spend", {"card_id": list(cards)}, now=now)
    return [(row["amount"], str(status)) for row, status in zip(found.to_dicts(), found.statuses["spend"], strict=True)]  # fmt: skip


def test_what_is_materialized_is_found_by_key(features):
    features.write("spend", spend((1, 0, 0, 9.5), (1, -1, 0, 1.0), (2, 0, 0, None)))
    done = features.materialize("spend")
    assert (done.version, done.rows, done.changed, done.is_rebuilt) == (1, 3, 2, False)
    assert amounts(features, 2, 1, 3) == [(None, "NULL"), (9.5, "PRESENT"), (None, "NOT_FOUND")]


def test_a_row_that_comes_late_is_picked_up(features):
    features.write("spend", spend((1, 0, 0, 9.5)))
    features.materialize("spend")
    features.write("spend", spend((2, -9, 1, 3.0), (1, -9, 1, 7.0)))  # older than what is online
    assert features.materialize("spend").changed == 1
    assert amounts(features, 1, 2) == [(9.5, "PRESENT"), (3.0, "PRESENT")]


def test_materializing_again_changes_nothing(features):
    features.write("spend", spend((1, 0, 0, 9.5)))
    features.materialize("spend")
    before = features.digest_online("spend")
    assert features.materialize("spend").rows == 0
    assert features.digest_online("spend") == before


def test_a_rebuild_gives_the_same_entries(features):
    for hour in range(5):
        features.write("spend", spend(*[(card, hour, hour, card + hour) for card in range(9)]))
        features.materialize("spend")
    features.delete("spend", spend((3, 9, 9, None)))
    features.materialize("spend")
    before = features.digest_online("spend")
    again = features.materialize("spend", rebuild=True)
    assert again.is_rebuilt
    assert again.rows == 46
    assert features.digest_online(SPEND) == before


def test_values_expire_online_as_in_a_join(features):
    features.apply(replace(SPEND, ttl="2h"))
    features.write("spend", spend((1, 0, 0, 9.5)))
    features.materialize("spend")
    edge = NOON + 2 * HOUR
    assert amounts(features, 1, now=edge) == [(9.5, "PRESENT")]
    assert amounts(features, 1, now=edge + timedelta(microseconds=1)) == [(None, "EXPIRED")]
    with pytest.raises(ParameterError, match="has no zone"):
        amounts(features, 1, now=edge.replace(tzinfo=None))


def test_a_new_ttl_holds_online_once_it_is_materialized(features):
    features.write("spend", spend((1, 0, 0, 9.5)))
    features.materialize("spend")
    assert amounts(features, 1) == [(9.5, "PRESENT")]
    features.apply(replace(SPEND, ttl="2h"))
    features.materialize("spend")
    assert amounts(features, 1) == [(None, "EXPIRED")]


def test_a_new_feature_is_online_after_the_next_materialization(features):
    features.write("spend", spend((1, 0, 0, 9.5)))
    features.materialize("spend")
    wider = replace(SPEND, features={"amount": pl.Float64, "country": pl.String})
    features.apply(wider)
    assert amounts(features, 1) == [(9.5, "PRESENT")]  # as it was materialized
    assert features.materialize("spend").is_rebuilt
    found = features.get_online("spend", {"card_id": 1}).to_dicts()
    assert found == [{"card_id": 1, "amount": 9.5, "country": None}]


def test_what_is_pushed_is_online_at_once_and_in_the_history(features):
    assert features.push("spend", spend((1, 0, 0, 9.5))) == 1
    assert amounts(features, 1) == [(9.5, "PRESENT")]
    features.push("spend", spend((1, 1, 1, 2.5), (1, -1, 1, 4.0)))
    assert amounts(features, 1) == [(2.5, "PRESENT")]
    features.push("spend", spend((1, 2, 2, None)), is_deleted=True)
    assert amounts(features, 1) == [(None, "NULL")]
    assert features.freshness("spend").rows == 0
    before = features.digest_online("spend")
    features.materialize("spend", rebuild=True)
    assert features.digest_online("spend") == before


def test_a_push_does_not_hide_rows_that_wait(features):
    features.push("spend", spend((1, 0, 0, 9.5)))
    features.write("spend", spend((2, 0, 0, 1.0)))
    features.push("spend", spend((3, 0, 0, 2.0)))
    assert amounts(features, 2, 3) == [(None, "NOT_FOUND"), (2.0, "PRESENT")]
    behind = features.freshness("spend")
    assert (behind.online, behind.newest, behind.rows) == (1, 3, 2)
    assert behind.lag > HOUR
    features.materialize("spend")
    assert amounts(features, 2) == [(1.0, "PRESENT")]
    assert features.freshness("spend").lag == timedelta(0)


def test_several_views_and_on_demand_features_are_answered_together(features):
    features.push("spend", spend((1, 0, 0, 10.0)))
    features.push("sales", sales(("a", 1, 5), ("b", 1, 6)))
    ratio = ps.features.OnDemandView(
        "ratio",
        {"times_usual": pl.col("paid") / pl.col("amount")},
        features={"times_usual": pl.Float64},
        request={"paid": pl.Float64},
        views=[SPEND],
    )
    asked = [{"card_id": 1, "shop": "b", "item": 1, "paid": 25.0}]
    found = features.get_online(["sales:sold", ratio], asked)
    assert found.to_dicts() == [asked[0] | {"sold": 6, "times_usual": 2.5}]
    assert set(found.statuses) == {"sales", "spend"}


def test_a_key_that_is_missing_or_of_another_dtype_is_refused(features):
    features.push("spend", spend((1, 0, 0, 10.0)))
    with pytest.raises(SchemaError, match=r"no column 'card_id'.*Did you mean 'card'"):
        features.get_online("spend", {"card": 1})
    with pytest.raises(SchemaError, match="Values of 'card_id' for 'spend' are no Int64"):
        features.get_online("spend", {"card_id": "one"})
    assert amounts(features, None) == [(None, "NOT_FOUND")]


def test_a_view_that_was_never_materialized_is_told(features):
    with pytest.raises(NotFoundError, match=r"never materialized.*materialize\('spend'\)"):
        features.get_online("spend", {"card_id": 1})
    with pytest.raises(NotFoundError, match="no feature view 'spent'"):
        features.materialize("spent")


def test_the_online_store_is_chosen(tmp_path):
    assert ps.features.FeatureStore(tmp_path).online.url == f"sqlite:///{tmp_path}/online.db"
    named = ps.features.FeatureStore(tmp_path, online=f"sqlite:///{tmp_path}/other.db")
    assert named.online.url.endswith("/other.db")
    memory = MemoryOnlineStore()
    assert ps.features.FeatureStore(tmp_path, online=memory).online is memory
    with pytest.raises(SettingsError, match="online store is unknown"):
        _ = ps.features.FeatureStore("s3://bucket/features").online
    with pytest.raises(SettingsError, match="no online store for ftp"):
        ps.features.FeatureStore(tmp_path, online="ftp://somewhere")


def days(start, end):
    return spend(*[(card, (start - NOON) // HOUR, (start - NOON) // HOUR, card) for card in (1, 2)])


def test_a_backfill_writes_each_interval_once(features):
    asked = {"start": NOON, "end": NOON + 3 * HOUR, "every": "1h"}
    first = features.backfill("spend", days, **asked)
    assert (first.versions, first.written) == ((1, 2, 3), 3)
    again = features.backfill("spend", days, **asked | {"end": NOON + 4 * HOUR})
    assert (again.versions, again.written) == ((1, 2, 3, 4), 1)
    assert features.backfill("spend", days, **asked, name="corrected").written == 3
    assert features.history("spend").scan().collect().height == 14


def test_intervals_of_a_backfill_have_a_zone_and_a_length(features):
    with pytest.raises(ParameterError, match="have no zone"):
        features.backfill("spend", days, start=NOON.replace(tzinfo=None), end=NOON)
    with pytest.raises(ParameterError, match="every is"):
        features.backfill("spend", days, start=NOON, end=NOON + HOUR, every="0s")


def test_an_erased_key_is_nowhere_on_disk(features, tmp_path):
    features.push("sales", sales(("Zorro & Söhne", 1, 5), ("b", 1, 6), ("Zorro & Söhne", 2, 7)))
    features.push("sales", sales(("Zorro & Söhne", 1, 8), ("b", 2, 9)))
    features.materialize("sales", rebuild=True)
    assert found_on_disk(tmp_path, "Zorro & Söhne")
    done = features.erase({"shop": "Zorro & Söhne"})
    assert [(each.kind, each.rows) for each in done.places] == [("history", 3), ("online", 2)]
    history = done.places[0]
    assert history.digest_before == history.digest_after
    assert len(history.files_removed) == 2
    assert found_on_disk(tmp_path, "Zorro & Söhne") == []
    found = features.get_online("sales", [{"shop": "b", "item": 1}, {"shop": "Zorro & Söhne", "item": 1}])  # fmt: skip
    assert found.frame["sold"].to_list() == [6, None]
    assert features.erase({"shop": "Zorro & Söhne"}).rows == 0
    before = features.digest_online("sales")
    features.materialize("sales", rebuild=True)
    assert features.digest_online("sales") == before


def test_an_erasure_lists_files_that_no_commit_has_and_removes_those_of_killed_writers(
    features, tmp_path
):
    features.push("sales", sales(("Zorro & Söhne", 1, 5), ("b", 1, 6)))
    history = features.history("sales")
    folder = tmp_path / "features" / "sales"
    (written,) = folder.glob("*.parquet")
    left, other, cut = (folder / f"part-{name}.parquet" for name in ("left", "other", "cut"))
    rows = pl.read_parquet(written)
    rows.filter(shop="Zorro & Söhne").write_parquet(left)
    rows.filter(shop="b").write_parquet(other)
    cut.write_bytes(left.read_bytes()[:100])
    done = features.erase({"shop": "Zorro & Söhne"})
    assert done.places[0].files_pending == ("part-cut.parquet", "part-left.parquet")
    assert done.files_pending[1] == f"{history.uri}/part-left.parquet"
    assert other.exists()
    for file in (left, other, cut):
        os.utime(file, (time.time() - 3700,) * 2)
    again = features.erase({"shop": "Zorro & Söhne"})
    assert {"part-cut.parquet", "part-left.parquet"} <= set(again.places[0].files_removed)
    assert not again.files_pending
    assert found_on_disk(tmp_path, "Zorro & Söhne") == []
    assert features.history("sales").scan().collect()["shop"].to_list() == ["b"]


def test_an_erasure_names_keys_of_views(features):
    with pytest.raises(SchemaError, match=r"No feature view has the key 'card'.*'card_id'"):
        features.erase({"card": 1})


def found_on_disk(folder, text):
    return [
        str(file)
        for file in folder.rglob("*")
        if file.is_file() and text.encode() in file.read_bytes()
    ]


def test_a_push_is_never_overwritten_by_a_load_at_the_same_time(tmp_path, features):
    """Loads, rebuilds and pushes by several threads, each with a FeatureStore of its own."""
    for hour in range(4):
        features.write("spend", spend(*[(card, hour, hour, card) for card in range(50)]))

    def load(times):
        store = ps.features.FeatureStore(tmp_path / "features")
        for number in range(times):
            store.materialize("spend", rebuild=number % 2 == 1)

    def push(card):
        store = ps.features.FeatureStore(tmp_path / "features")
        for hour in (9, 7, 8):  # the newest comes first
            store.push("spend", spend((card, hour, hour, 100.0 * hour)))

    features.materialize("spend")
    with ThreadPoolExecutor(4) as pool:
        works = [pool.submit(load, 4), *[pool.submit(push, card) for card in range(3)]]
    assert [each.result() for each in works] == [None] * 4
    features.materialize("spend")
    assert amounts(features, 0, 1, 2, 3)[0] == (900.0, "PRESENT")
    before = features.digest_online("spend")
    features.materialize("spend", rebuild=True)
    assert features.digest_online("spend") == before


def test_a_view_in_the_code_that_is_not_the_materialized_one_is_refused(features):
    features.push("spend", spend((1, 0, 0, 9.5)))
    assert features.get_online(SPEND, {"card_id": 1}).frame["amount"].item() == 9.5
    with pytest.raises(ps.PenstockError, match="materialized by another definition"):
        features.get_online(replace(SPEND, ttl="2h"), {"card_id": 1})


def test_a_definition_that_another_program_changed_is_noticed(tmp_path, features):
    features.push("spend", spend((1, 0, 0, 9.5)))
    assert amounts(features, 1) == [(9.5, "PRESENT")]
    other = ps.features.FeatureStore(tmp_path / "features")
    other.apply(replace(SPEND, features={"amount": pl.Float64, "country": pl.String}))
    other.materialize("spend")
    found = features.get_online("spend", {"card_id": 1}).to_dicts()
    assert found == [{"card_id": 1, "amount": 9.5, "country": None}]
    features.push("spend", spend((1, 1, 1, 3.5)).with_columns(country=pl.lit("DE")))
    found = features.get_online("spend", {"card_id": 1}).to_dicts()
    assert found == [{"card_id": 1, "amount": 3.5, "country": "DE"}]


DAYS = """
import datetime as dt

import polars as pl

FEATURES = {path!r}


@ps.step
def days(count: int) -> list[int]:
    return list(range(count))


def rows(start, end):
    return pl.DataFrame({{"card_id": [1, 2], "event_time": [start, start], "known_at": [start, start], "amount": [1.0 * start.day, 2.0]}})


@ps.step
def fill(day: int) -> int:
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(days=day)
    done = ps.features.FeatureStore(FEATURES).backfill("spend", rows, start=start, end=start + dt.timedelta(days=1))
    return done.versions[0]


@ps.pipeline
def fill_days(count: int = 6):
    return ps.map(fill, days(count))
"""


def fill(tmp_path, runner):
    """Backfill six days by a mapped step, twice, and return the rows and what is online then."""
    features = ps.features.FeatureStore(tmp_path / "features")
    (tmp_path / "fill.py").write_text("import penstock as ps\n" + DAYS.format(path=features.path))
    pipeline = load_pipeline(f"{tmp_path}/fill.py:fill_days")
    with ps.open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        for _ in range(2):
            done = ps.run(pipeline, store=store, runner=runner, workers=2, use_cache=False, reporter=QuietReporter())  # fmt: skip
            assert done.ok, done.error
    features.materialize("spend")
    return features.history("spend").scan().collect().height, amounts(features, 1)


def test_days_are_backfilled_side_by_side_by_a_mapped_step(tmp_path, features):
    assert fill(tmp_path, "processes") == (12, [(6.0, "PRESENT")])


def test_days_are_backfilled_side_by_side_on_ray(tmp_path, features, monkeypatch):
    ray = pytest.importorskip("ray", reason="needs ray; get it with: pip install 'penstock[ray]'")
    monkeypatch.chdir(tmp_path)  # its workers stay in the folder where it was started
    ray.init(
        address="local", num_cpus=2, include_dashboard=False, log_to_driver=False,
        configure_logging=False, _node_ip_address="127.0.0.1",
    )  # fmt: skip
    try:
        assert fill(tmp_path, "ray") == (12, [(6.0, "PRESENT")])
    finally:
        ray.shutdown()


def view(name, keys, **options):
    entity = ps.features.Entity("thing", keys)
    return ps.features.FeatureView(
        name, entity, {f"of_{name}": pl.Float64}, available_at=timedelta(0), **options
    )


def values_of(view, *rows):
    """Rows of a view: keys, value."""
    columns = [*view.entity.dtypes.items(), *view.dtypes.items()]
    frame = pl.DataFrame(rows, schema=dict(columns), orient="row")
    return frame.with_columns(event_time=pl.lit(NOON).cast(pl.Datetime("us", "UTC")))


@pytest.mark.parametrize("name", ["online.db", "online"])
def test_feature_stores_do_not_share_entries_in_a_sqlite_file_of_the_setting(
    tmp_path, monkeypatch, name
):
    monkeypatch.setenv("PENSTOCK_ONLINE_STORE", f"sqlite:///{tmp_path / name}")
    stores = [ps.features.FeatureStore(tmp_path / place) for place in ("mine", "yours")]
    for amount, store in enumerate(stores):
        store.apply(SPEND)
        store.write("spend", spend((1, 0, 0, float(amount))))
    stores[0].materialize("spend")
    with pytest.raises(NotFoundError, match="never materialized"):
        amounts(stores[1], 1)
    stores[1].materialize("spend")
    assert [amounts(store, 1) for store in stores] == [[(0.0, "PRESENT")], [(1.0, "PRESENT")]]
    for store in stores:
        store.online.close()


@pytest.mark.parametrize("order", [["wide", "narrow"], ["narrow", "wide"]])
def test_views_whose_keys_differ_in_width_are_answered_together(features, order):
    for each in (view("wide", {"id": pl.Int64}), view("narrow", {"id": pl.Int32})):
        features.apply(each)
        features.write(each, values_of(each, (7, 1.5)))
        features.materialize(each)
    found = features.get_online(order, {"id": 7})
    assert found.frame.select("of_wide", "of_narrow").row(0) == (1.5, 1.5)


def test_a_key_of_another_dtype_than_the_materialized_one_is_refused(features):
    each = view("named", {"id": pl.String})
    features.apply(each)
    features.materialize(each)
    with pytest.raises(SchemaError, match="'id' for feature view 'named' is Int64"):
        features.look_up("named", pl.DataFrame({"id": [7]}))


def test_columns_of_one_name_are_refused_online_as_in_a_join(features):
    features.apply(SALES, replace(SALES, name="returns"))
    for name in ("sales", "returns"):
        features.materialize(name)
    key = {"shop": "a", "item": 1}
    with pytest.raises(DataError, match="'sold' of feature view 'returns' is in feature view 's"):
        features.get_online(["sales", "returns"], key)
    asked = ps.features.OnDemandView(
        "asked",
        {"twice": pl.col("sold") * 2},
        features={"twice": pl.Int64},
        request={"sold": pl.Int64},
    )
    with pytest.raises(DataError, match="'sold' of feature view 'sales' is in the request"):
        features.get_online(["sales", asked], key | {"sold": 9})


def test_key_columns_keep_their_order(features):
    before = view("pair", {"left": pl.Int64, "right": pl.Int64})
    features.apply(before)
    features.write(before, values_of(before, (1, 2, 12.0), (2, 1, 21.0)))
    features.materialize(before)
    features.apply(view("pair", {"right": pl.Int64, "left": pl.Int64}, ttl="36500d"))
    features.materialize("pair")
    found = features.get_online("pair", {"left": 1, "right": 2})
    assert found.to_dicts() == [{"left": 1, "right": 2, "of_pair": 12.0}]


def test_a_push_to_a_view_that_was_made_anew_leaves_nothing_of_the_old_one(features, tmp_path):
    features.write("spend", spend((1, 0, 0, 1.0), (2, 0, 0, 2.0)))
    features.materialize("spend")
    shutil.rmtree(tmp_path / "features" / "spend")
    again = ps.features.FeatureStore(tmp_path / "features")
    again.apply(SPEND)
    again.write("spend", spend((3, 0, 0, 3.0)))
    again.push("spend", spend((1, 1, 1, 10.0)))
    assert amounts(again, 1, 2, 3) == [(10.0, "PRESENT"), (None, "NOT_FOUND"), (3.0, "PRESENT")]
    again.online.close()


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (pl.Int64, True),
        (pl.Float64, True),
        (pl.Float64, 2**53 + 1),
        (pl.Decimal(9, 2), 1.239),
        (pl.Date, 5),
        (pl.Datetime("us", "UTC"), NOON.replace(tzinfo=None)),
        (pl.Datetime("us", "UTC"), NOON.date()),
        (pl.Datetime("us", "UTC"), 5),
        (pl.List(pl.Int64), [True]),
    ],
)
def test_a_value_of_a_request_that_would_become_another_is_refused(features, kind, given):
    asked = ps.features.OnDemandView(
        "asked", {"same": pl.col("given")}, features={"same": kind}, request={"given": kind}
    )
    with pytest.raises(SchemaError, match="would become"):
        features.get_online(asked, {"given": [given]})


def test_entries_of_another_feature_store_are_not_replaced_unless_asked(tmp_path):
    online = f"sqlite:///{tmp_path / 'online.db'}"
    stores = [
        ps.features.FeatureStore(tmp_path / place, online=online) for place in ("mine", "yours")
    ]
    for amount, store in enumerate(stores):
        store.apply(SPEND)
        store.write("spend", spend((1, 0, 0, float(amount))))
    mine, yours = stores
    mine.materialize("spend")
    with pytest.raises(ConflictError, match=r"of another feature store: .*mine"):
        yours.materialize("spend")
    with pytest.raises(ConflictError, match=r"of another feature store: .*mine"):
        yours.push("spend", spend((1, 1, 1, 5.0)))
    assert amounts(mine, 1) == [(0.0, "PRESENT")]
    yours.materialize("spend", rebuild=True)
    assert amounts(yours, 1) == [(5.0, "PRESENT")]
    for store in stores:
        store.online.close()
