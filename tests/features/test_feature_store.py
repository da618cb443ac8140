"""FeatureStore: define, write, delete, join, list; on a folder, as a user calls it."""

from dataclasses import replace
from datetime import timedelta
from threading import Thread

import pandas as pd
import polars as pl
import pytest
from tests.features.feature_rows import CARD, HOUR, NOON, SPEND, labels, spend

import penstock as ps
from penstock.core import ConflictError, LeakageError, NotFoundError, SettingsError
from penstock.features.views import _wide

RISK = ps.features.FeatureView(
    "risk", CARD, {"score": pl.Float64, "band": pl.String}, available_at=timedelta(hours=1)
)


@pytest.fixture
def features(tmp_path):
    store = ps.features.FeatureStore(tmp_path / "features")
    store.apply(SPEND, RISK)
    return store


def risk(*rows):
    return pl.DataFrame(
        [{"card_id": card, "event_time": NOON + at * HOUR, "score": score, "band": "low"} for card, at, score in rows],
        schema={"card_id": pl.Int64, "event_time": pl.Datetime("us", "UTC"), "score": pl.Float64, "band": pl.String},
    )  # fmt: skip


def test_views_are_listed_and_found(features):
    assert features.list_views() == [RISK, SPEND]
    assert features.get_view("risk") == RISK


def test_an_unknown_view_is_refused_with_a_proposal(features):
    with pytest.raises(NotFoundError, match=r"no feature view 'rsik'.*Did you mean 'risk'"):
        features.join(labels((1, 0)), ["rsik"], time="time")


def test_an_empty_store_has_no_views(tmp_path):
    store = ps.features.FeatureStore(tmp_path / "nothing")
    assert store.list_views() == []
    with pytest.raises(NotFoundError, match="Define it"):
        store.get_view("spend")


def test_views_are_applied_again_without_a_change(features):
    before = features.versions(["spend", "risk"])
    features.apply(SPEND, RISK)
    assert features.versions(["spend", "risk"]) == before


def test_a_changed_rule_is_applied_and_a_changed_dtype_refused(features):
    features.apply(replace(SPEND, ttl="1h"))
    assert features.get_view("spend").ttl == HOUR
    with pytest.raises(ConflictError, match="changes its rows"):
        features.apply(replace(SPEND, features={"amount": pl.Int64}))


def test_features_of_several_views_are_joined(features):
    features.write("spend", spend((1, 0, 0, 9.5), (2, 0, 3, 1.0)))
    features.write(RISK, risk((1, 0, 0.1), (1, 2, 0.9)))
    found = features.join(labels((2, 4), (1, 0), (1, 3)), [SPEND, "risk"], time="time")
    assert found.columns == ["card_id", "time", "amount", "score", "band"]
    assert found["amount"].to_list() == [1.0, 9.5, 9.5]
    assert found["score"].to_list() == [None, None, 0.9]


def test_single_features_are_chosen_by_name(features):
    found = features.join(labels((1, 0)), ["risk:band", "spend"], time="time")
    assert found.columns == ["card_id", "time", "band", "amount"]


def test_a_pandas_frame_of_labels_is_joined(features):
    features.write("spend", spend((1, 0, 0, 9.5)))
    frame = pd.DataFrame({"card_id": [1], "time": pd.to_datetime([NOON])})
    assert features.join(frame, ["spend"], time="time")["amount"].to_list() == [9.5]


def test_deletes_count_from_their_event_on(features):
    features.write("spend", spend((1, 0, 0, 9.5)))
    features.delete("spend", spend((1, 2, 2, None)).drop("amount"))
    features.write("spend", spend((1, 4, 4, 3.0)))
    found = features.join(labels((1, 1), (1, 2), (1, 4)), ["spend"], time="time")
    assert found["amount"].to_list() == [9.5, None, 3.0]


def test_an_earlier_version_is_joined_again(features):
    first = features.write("spend", spend((1, 0, 0, 9.5)))
    features.write("spend", spend((1, 1, 1, 7.0)))
    asked = labels((1, 2))
    assert features.join(asked, ["spend"], time="time")["amount"].to_list() == [7.0]
    again = features.join(asked, ["spend"], time="time", versions={"spend": first})
    assert again["amount"].to_list() == [9.5]


@pytest.mark.parametrize(("versions", "message"), [({"spent": 1}, "names 'spent'"), ({"spend": -1}, "no version -1")])  # fmt: skip
def test_a_version_that_is_not_there_is_refused(features, versions, message):
    with pytest.raises(NotFoundError, match=message):
        features.join(labels((1, 5)), ["spend"], time="time", versions=versions)


def test_event_time_only_is_asked_for_by_name(features):
    features.write("spend", spend((1, 0, 5, 9.5)))
    asked = labels((1, 2))
    assert features.join(asked, ["spend"], time="time")["amount"].to_list() == [None]
    leaking = features.join(asked, ["spend"], time="time", event_time_only=True)
    assert leaking["amount"].to_list() == [9.5]


def test_a_wide_view_is_read_in_blocks(tmp_path):
    wide = ps.features.FeatureView(
        "wide", CARD, {f"f{i}": pl.Int64 for i in range(45)}, available_at=timedelta(0)
    )
    store = ps.features.FeatureStore(tmp_path)
    store.apply(wide)
    for start in (0, 3):
        rows = spend(*[(start + i, i, i, None) for i in range(3)]).drop("amount", "known_at")
        store.write("wide", rows.with_columns((pl.col("card_id") * 100 + i).alias(f"f{i}") for i in range(45)))  # fmt: skip
    found = store.join(labels((5, 3), (0, 3), (9, 3)), ["wide"], time="time")
    assert found["f44"].to_list() == [544, 44, None]
    assert found["f0"].to_list() == [500, 0, None]
    assert found.width == 47


def test_by_default_the_features_lie_beside_the_artifacts(tmp_path):
    with ps.open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        assert ps.features.FeatureStore(store=store).path == str(tmp_path / "features")


def test_a_store_in_a_bucket_asks_for_the_place(tmp_path, monkeypatch):
    with ps.open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        monkeypatch.setattr(type(store.artifacts), "url", "s3://bucket/artifacts")
        with pytest.raises(SettingsError, match="artifacts are in s3://bucket/artifacts"):
            ps.features.FeatureStore(store=store)


def test_on_demand_features_are_computed_from_labels_and_views(features):
    features.write("spend", spend((1, 0, 0, 10.0)))
    ratio = ps.features.OnDemandView(
        "ratio",
        {"times_usual": pl.col("paid") / pl.col("amount")},
        features={"times_usual": pl.Float64},
        request={"paid": pl.Float64},
        views=[SPEND],
    )
    asked = labels((1, 1), (2, 1)).with_columns(paid=25.0)
    found = features.join(asked, [ratio], time="time")
    assert found.columns == ["card_id", "time", "paid", "times_usual"]
    assert found["times_usual"].to_list() == [2.5, None]
    both = features.join(asked, [ratio, "spend"], time="time")
    assert both.columns[3:] == ["times_usual", "amount"]
    assert features.versions([ratio]) == features.versions(["spend"])


def test_a_feature_that_reveals_the_target_is_refused(features):
    rows = [(card, 0, 0, float(card % 2)) for card in range(400)]
    features.write("spend", spend(*rows))
    asked = labels(*[(card, 1) for card in range(400)]).with_columns(
        fraud=pl.Series([card % 2 for card in range(400)])
    )
    with pytest.raises(LeakageError, match="'amount' alone predicts 'fraud'"):
        features.join(asked, ["spend"], time="time", target="fraud")
    assert features.join(asked, ["spend"], time="time").height == 400
    findings = features.check(asked, ["spend"], time="time", target="fraud")
    assert [each.column for each in findings] == ["amount"]


def test_values_that_came_later_are_told(features):
    features.write("spend", spend(*[(card, 0, card % 3, 1.0 * card) for card in range(60)]))
    asked = labels(*[(card, 1) for card in range(60)]).with_columns(y=pl.int_range(60))
    findings = features.check(asked, ["spend"], time="time", target="y")
    assert "20 of 60 labels" in next(f.message for f in findings if f.rule == "known_later")


def test_a_history_with_rows_known_before_they_happen_is_refused(features):
    history = features.history("spend")
    rows = spend((1, 5, 0, 1.0)).rename({"known_at": "available_at"})
    history.append(rows.with_columns(is_deleted=pl.lit(value=False)))
    with pytest.raises(LeakageError, match="1 rows of feature view 'spend' happen after"):
        features.join(labels((1, 2)), ["spend"], time="time")


def test_a_view_that_differs_from_the_stored_one_is_refused(features):
    changed = replace(SPEND, ttl="1h")
    with pytest.raises(ConflictError, match="'spend' differs from its definition"):
        features.join(labels((1, 0)), [changed], time="time")
    features.apply(changed)
    assert features.join(labels((1, 0)), [changed], time="time").height == 1


def test_the_fingerprint_changes_with_rows_and_definitions(features):
    states = [features.fingerprint()]
    features.write("spend", spend((1, 0, 0, 1.0)))
    states.append(features.fingerprint())
    features.apply(replace(RISK, as_of="<"))
    states.append(features.fingerprint())
    assert len({str(each) for each in states}) == 3
    assert features.fingerprint() == states[-1]


@pytest.mark.services
def test_features_in_a_bucket(bucket):
    store = ps.features.FeatureStore(
        f"s3://{bucket}/team/features", options={"aws_allow_http": "true"}
    )
    assert store.list_views() == []
    store.apply(SPEND, RISK)

    def write(first):
        for number in range(3):
            store.write("spend", spend((1, 0, 0, first + number)))

    writers = [Thread(target=write, args=(10.0 * i,)) for i in range(3)]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    rows = store.history("spend").scan().collect()
    assert sorted(rows["amount"]) == [0.0, 1.0, 2.0, 10.0, 11.0, 12.0, 20.0, 21.0, 22.0]
    assert rows["seq"].n_unique() == 9
    assert store.list_views() == [RISK, SPEND]
    assert store.join(labels((1, 1)), ["spend"], time="time")["amount"].item() is not None


@pytest.fixture
def wide_labels(features, monkeypatch):
    """Features and labels that are written in several files of a few rows."""
    monkeypatch.setattr(_wide, "_BYTES", 1)
    monkeypatch.setattr(_wide, "_FEWEST", 3)
    features.write("spend", spend(*[(card, 0, card % 3, 1.0 * card) for card in range(10)]))
    features.write("risk", risk(*[(card, 0, card / 10) for card in range(10)]))
    return labels(*[(card, 1) for card in range(10)])


def test_a_join_to_files_is_the_join(features, wide_labels, tmp_path):
    double = ps.features.OnDemandView(
        "double", {"twice": pl.col("amount") * 2}, features={"twice": pl.Float64}, views=[SPEND]
    )
    views = [double, "risk:score"]
    table = features.join_to_files(tmp_path / "out/table", wide_labels, views, time="time")
    assert table.collect().equals(features.join(wide_labels, views, time="time"))
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["table"]
    assert len(list((tmp_path / "out/table").iterdir())) == 4


def test_no_labels_are_written_as_a_table_without_rows(features, tmp_path):
    table = features.join_to_files(tmp_path / "table", labels(), ["spend"], time="time")
    assert table.collect().equals(features.join(labels(), ["spend"], time="time"))


def test_a_folder_that_exists_is_left_alone(features, wide_labels, tmp_path):
    with pytest.raises(ConflictError, match="exists"):
        features.join_to_files(tmp_path, wide_labels, ["spend"], time="time")


def test_a_join_that_fails_leaves_no_files(features, wide_labels, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(_wide, "_put_together", fail)
    with pytest.raises(OSError, match="disk full"):
        features.join_to_files(tmp_path / "out/table", wide_labels, ["spend"], time="time")
    assert list((tmp_path / "out").iterdir()) == []
