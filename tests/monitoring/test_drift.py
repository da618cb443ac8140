import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from penstock.core import DataError, NotFoundError, ParameterError, PredictionRecord
from penstock.data import profile_table, split_table
from penstock.features import table_transformer
from penstock.models import Model, infer_signature
from penstock.monitoring import (
    EVERYTHING,
    DriftReport,
    Limits,
    check_drift,
    compare_table,
    judge_columns,
)
from penstock.registry import Registry
from penstock.serving import deploy
from penstock.stores import open_store
from penstock.tables.reading import ReadingRule

MODEL = "fraud"
START = datetime(2026, 3, 1, tzinfo=UTC)


def test_rows_like_those_of_training_do_not_drift(watched: Any) -> None:
    watched.answer(watched.table(1_500, 2))
    report = check_drift(MODEL, since=EVERYTHING, store=watched.store)
    assert not report.drifted
    assert report.verdict == "steady"
    assert report.rows == 1_500
    assert [each.column for each in report.columns] == ["amount", "age", "country"]
    assert [each.column for each in report.predictions] == ["prediction", "score"]
    assert report.headline.startswith("No column drifted in 1,500 rows.")


def test_a_shifted_feature_and_the_predictions_that_follow_it_drift(watched: Any) -> None:
    watched.answer(watched.table(1_500, 2, shift=0.8))
    report = check_drift(MODEL, store=watched.store)
    assert {each.column for each in report.drifted_columns} == {"amount", "prediction", "score"}
    assert {kind for kind, _, _ in report.findings} == {"feature_drift", "prediction_drift"}
    assert report.headline.startswith("3 columns drifted: ")


def test_the_same_rows_give_the_same_bytes_in_any_order(watched: Any, tmp_path: Any) -> None:
    watched.answer(watched.table(400, 3, shift=0.5), truth=True)
    one = check_drift(MODEL, store=watched.store)
    listed = watched.store.metadata.predictions.list
    metadata = watched.store.metadata
    shuffled = sorted(listed(MODEL), key=lambda record: hash(record.prediction_id))
    metadata.predictions.list = lambda *_args, **_more: shuffled
    two = check_drift(MODEL, store=watched.store)
    del metadata.predictions.list
    assert json.dumps(one.to_json()) == json.dumps(two.to_json())
    assert watched.store.digest(one) == watched.store.digest(two)


def test_a_report_is_stored_and_read_back(watched: Any) -> None:
    watched.answer(watched.table(300, 3, shift=0.8), truth=True, errors=3)
    report = check_drift(MODEL, store=watched.store)
    again = watched.store.get(watched.store.put(report).digest)
    assert isinstance(again, DriftReport)
    assert again.to_json() == report.to_json()


def test_a_window_holds_only_its_rows(watched: Any) -> None:
    watched.answer(watched.table(300, 4), at=START)
    watched.answer(watched.table(300, 5, shift=0.9), at=START + timedelta(days=1))
    noon = START + timedelta(hours=12)
    assert not check_drift(MODEL, until=noon, store=watched.store).drifted
    later = check_drift(MODEL, since=noon, store=watched.store)
    assert later.drifted
    assert later.rows == 300
    assert later.since == (START + timedelta(days=1)).isoformat()


def test_only_the_newest_rows_are_looked_at(watched: Any) -> None:
    watched.answer(watched.table(300, 4))
    assert check_drift(MODEL, limits=Limits(max_rows=50), store=watched.store).rows == 50


def test_an_empty_window_is_said_to_be_empty(watched: Any) -> None:
    report = check_drift(MODEL, store=watched.store)
    assert not report.drifted
    assert report.headline == "No row was answered in this window."
    assert all(each.note for each in report.columns)
    assert DriftReport.from_json(report.to_json()).to_json() == report.to_json()


def test_rows_that_the_model_failed_on_raise_an_alarm(watched: Any) -> None:
    watched.answer(watched.table(300, 4), errors=30)
    report = check_drift(MODEL, store=watched.store)
    assert (report.rows, report.errors, report.errors_drifted) == (270, 30, True)
    assert ("errors", "model") in {finding[:2] for finding in report.findings}


def test_few_failed_rows_raise_no_alarm(watched: Any) -> None:
    watched.answer(watched.table(300, 4), errors=2)
    assert not check_drift(MODEL, store=watched.store).errors_drifted


def test_values_that_callers_mixed_are_compared(watched: Any) -> None:
    whole = pl.Series("age", [40] * 150 + [41] * 150, dtype=pl.Int64)
    watched.answer(watched.table(300, 4), change={"age": whole})
    age = next(
        one for one in check_drift(MODEL, store=watched.store).columns if one.column == "age"
    )
    assert age.main is not None


def test_values_are_compared_as_the_server_read_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    table = pl.DataFrame(
        {
            "price": rng.uniform(1_000, 2_000, 600).round(2),
            "member": rng.random(600) < 0.5,
            "plan": pl.Series(rng.choice(["007", "120"], 600)),
            "bad": rng.choice(["yes", "no"], 600),
        }
    )
    split = split_table(table, target="bad")
    model = make_pipeline(table_transformer(split.schema), LogisticRegression())
    model.fit(split.train.X, split.train.y)
    profile = profile_table(split.train.X)
    signature = infer_signature(
        model,
        split.test.X,
        split.test.y.to_list(),
        columns=profile.describe(split.schema),
        reading={
            "price": ReadingRule("number", thousands=",", prefix="$"),
            "plan": ReadingRule("text"),
        },
    )
    rows = [
        {"price": f"${row['price']:,.2f}", "member": int(row["member"]), "plan": f" {row['plan']} "}
        for row in table.to_dicts()
    ]
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        registry = Registry(store=store)
        registry.register("offers", Model(model, signature), profile=profile)
        registry.promote("offers", 1)
        deploy("offers", store=store)
        found = Model(model, signature).predict_rows(rows)
        store.metadata.predictions.add(
            [
                PredictionRecord(
                    prediction_id=f"{place:04}",
                    deployment="offers",
                    model="offers",
                    version=1,
                    at=START,
                    inputs=row,
                    prediction=found.values[place],
                    score=found.scores[place],
                )
                for place, row in enumerate(rows)
            ]
        )
        report = check_drift("offers", since=EVERYTHING, store=store)
    assert {each.column: each.verdict for each in report.columns} == dict.fromkeys(
        ["price", "member", "plan"], "steady"
    )


# Performance


def test_performance_is_compared_with_registration_where_truth_has_come(watched: Any) -> None:
    watched.answer(watched.table(1_500, 6), truth=True)
    watched.answer(watched.table(500, 7), at=START + timedelta(days=1))
    performance = check_drift(MODEL, store=watched.store).performance
    assert (performance.rows, performance.truths) == (2_000, 1_500), "the window and all truths"
    assert performance.matured == 0.75
    assert performance.watched == "roc_auc"
    assert not performance.dropped
    assert "may be chance" in performance.reason or "below" in performance.reason
    assert performance.low < performance.loss < performance.high


def test_a_lost_relation_is_a_performance_drop(watched: Any) -> None:
    table = watched.table(1_500, 6)
    watched.answer(table.with_columns(table["bad"].shuffle(seed=1)), truth=True)
    report = check_drift(MODEL, store=watched.store)
    assert report.performance.dropped
    assert not any(each.drifted for each in report.columns), "inputs are as in training"
    assert "with 99 % confidence" in report.performance.reason
    assert [finding[:2] for finding in report.findings] == [("performance", "roc_auc")]


def test_few_truths_are_not_judged(watched: Any) -> None:
    table = watched.table(40, 6)
    watched.answer(table.with_columns(table["bad"].shuffle(seed=1)), truth=True)
    performance = check_drift(MODEL, store=watched.store).performance
    assert not performance.dropped
    assert "Fewer than 50 truths" in performance.reason


def test_truth_of_one_class_only_says_why_there_is_no_auc(watched: Any) -> None:
    table = watched.table(200, 6).with_columns(bad=pl.lit("no"))
    watched.answer(table, truth=True)
    performance = check_drift(MODEL, store=watched.store).performance
    assert performance.watched == ""
    assert "roc_auc cannot be computed: no row is of class 'yes'" in performance.reason


def test_another_metric_may_be_watched(watched: Any) -> None:
    watched.answer(watched.table(300, 6), truth=True)
    report = check_drift(MODEL, limits=Limits(metric="log_loss"), store=watched.store)
    assert report.performance.watched == "log_loss"
    assert report.performance.minimum > 0.02, "a tenth of the loss at registration"
    unknown = check_drift(MODEL, limits=Limits(metric="rmse"), store=watched.store)
    assert "without such a metric" in unknown.performance.reason


# What is missing


def test_a_version_without_a_profile_says_how_to_get_one(watched: Any, trained: Any) -> None:
    model, signature, _, _ = trained
    registry = Registry(store=watched.store)
    registry.register(MODEL, Model(model, signature), actor="ann", run_id=None, metrics={"a": 1})
    versions = watched.store.metadata.models.list_versions(MODEL)
    bare = next(one for one in versions if one.profile is None)
    with pytest.raises(DataError, match="has no training profile"):
        check_drift(MODEL, version=bare.version, store=watched.store)


def test_an_unknown_deployment_is_told(watched: Any) -> None:
    with pytest.raises(NotFoundError, match="frauds"):
        check_drift("frauds", store=watched.store)


def test_drift_that_begins_inside_the_window_is_found(watched: Any) -> None:
    watched.answer(watched.table(1_000, 21))
    watched.answer(watched.table(1_000, 22, shift=1.5), at=START + timedelta(hours=1))
    report = check_drift(MODEL, since=EVERYTHING, store=watched.store)
    assert report.verdict == "drifted"
    assert "amount" in {each.column for each in report.drifted_columns}


def test_the_same_drifted_rows_in_sorted_order_are_found(watched: Any) -> None:
    table = watched.table(1_000, 23, shift=0.8)
    watched.answer(table.sort("amount"))
    assert "amount" in {
        each.column for each in check_drift(MODEL, store=watched.store).drifted_columns
    }


def test_the_window_is_the_last_day_so_that_late_drift_is_seen(watched: Any) -> None:
    watched.answer(watched.table(8_000, 24), at=START)
    watched.answer(watched.table(1_000, 25, shift=0.8), at=START + timedelta(days=9))
    until = START + timedelta(days=10)
    report = check_drift(MODEL, until=until, store=watched.store)
    assert report.rows == 1_000
    assert report.verdict == "drifted"


def test_too_few_rows_are_their_own_answer(watched: Any) -> None:
    watched.answer(watched.table(20, 26))
    report = check_drift(MODEL, store=watched.store)
    assert report.verdict == "cannot tell"
    assert report.headline.startswith("Cannot tell: ")
    assert not report.drifted


def test_a_large_change_that_few_rows_show_cannot_be_told(watched: Any) -> None:
    watched.answer(watched.table(30, 27, shift=0.35))
    report = check_drift(MODEL, limits=Limits(w1=0.05), store=watched.store)
    assert report.verdict == "cannot tell"
    [amount] = [each for each in report.columns if each.column == "amount"]
    assert amount.verdict == "unclear"
    assert "too few rows" in amount.reason


def test_a_model_without_scores_lacks_none(watched: Any) -> None:
    watched.answer(watched.table(1_000, 28), truth=True, scores=False)
    report = check_drift(MODEL, store=watched.store)
    assert report.verdict == "steady"
    assert [each.column for each in report.predictions] == ["prediction"]
    assert report.performance.watched == "accuracy"


def test_performance_falls_without_scores_are_seen(watched: Any) -> None:
    table = watched.table(600, 29)
    wrong = table.with_columns(
        bad=pl.when(pl.col("bad") == "yes").then(pl.lit("no")).otherwise(pl.lit("yes"))
    )
    watched.answer(wrong, truth=True, scores=False)
    performance = check_drift(MODEL, store=watched.store).performance
    assert performance.dropped
    assert performance.watched == "accuracy"


def test_truth_that_is_no_class_is_counted_and_left_out(watched: Any) -> None:
    table = watched.table(300, 30)
    strange = table.with_columns(
        bad=pl.when(pl.int_range(pl.len()) < 2).then(pl.lit("hi")).otherwise(pl.col("bad"))
    )
    watched.answer(strange, truth=True)
    performance = check_drift(MODEL, store=watched.store).performance
    assert (performance.truths, performance.unusable) == (298, 2)
    assert "2 truths such as 'hi' are no values of the target" in performance.reason


def test_a_small_share_that_grows_eightfold_drifts() -> None:
    """From 0.5 % to 4 %: 3.5 points, less than the limit for shares as a whole."""
    rng = np.random.default_rng(31)

    def table(rows: int, share: float) -> pl.DataFrame:
        return pl.DataFrame({"kind": np.where(rng.random(rows) < share, "fraud", "usual")})

    profile = profile_table(table(5_000, 0.005))
    [found], _ = judge_columns(compare_table(profile, table(1_000, 0.04), Limits()), (), Limits())
    assert found.drifted
    assert found.reason.startswith("The share of 'fraud' went from 0.")
    [calm], _ = judge_columns(compare_table(profile, table(1_000, 0.005), Limits()), (), Limits())
    assert not calm.drifted


def test_limits_of_one_column_hold_for_it_alone(watched: Any) -> None:
    watched.answer(watched.table(1_500, 2, shift=0.8))
    patient = Limits(columns={"amount": {"w1": 9.0}})
    drifted = {
        each.column
        for each in check_drift(MODEL, limits=patient, store=watched.store).drifted_columns
    }
    assert drifted == {"prediction", "score"}
    with pytest.raises(ParameterError, match="has no limit 'w2'"):
        Limits(columns={"amount": {"w2": 1.0}})
