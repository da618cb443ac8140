"""ps.steps.join_features: values known at each label's time, keyed by the versions of the views."""

import shutil
from datetime import timedelta

import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from tests.features.feature_rows import CARD, HOUR, NOON

import penstock as ps
from penstock.core import NotFoundError
from penstock.execution import QuietReporter
from penstock.features import FeatureStore, OnDemandView

SPEND = ps.features.FeatureView("spend", CARD, {"usual": pl.Float64}, available_at=timedelta(0))
RATING = ps.features.FeatureView("rating", CARD, {"stars": pl.Int64}, available_at=timedelta(0))
RATIO = OnDemandView(
    "ratio",
    {"times_usual": pl.col("amount") / pl.col("usual")},
    features={"times_usual": pl.Float64},
    request={"amount": pl.Float64},
    views=[SPEND],
)
CARDS = 4


def history(column, value, hours=0):
    return pl.DataFrame(
        {
            "card_id": range(CARDS),
            "event_time": [NOON + hours * HOUR] * CARDS,
            column: [value * (1 + card) for card in range(CARDS)],
        }
    )


@ps.step
def labels(rows: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "card_id": [n % CARDS for n in range(rows)],
            "time": [NOON + (n % 7) * HOUR for n in range(rows)],
            "amount": [float(n * 37 % 50) for n in range(rows)],
        }
    )


@pytest.fixture
def features(store):
    opened = FeatureStore(store=store)
    opened.apply(SPEND, RATING)
    opened.write("spend", history("usual", 10.0))
    opened.write("rating", history("stars", 3))
    return opened


def run(pipeline, store):
    result = ps.run(pipeline, store=store, reporter=QuietReporter())
    assert result.ok, result.error
    return result


def states(result):
    return {step.step: step.state.value for step in result.steps}


@ps.pipeline
def joined():
    return ps.steps.join_features(labels(20), [SPEND], time="time")


def test_a_new_version_runs_the_step_again_and_an_unchanged_one_is_reused(store, features):
    first = run(joined, store)
    assert states(first)["join_features"] == "finished"
    assert first.output().table["usual"].to_list() == [10.0 * (1 + n % CARDS) for n in range(20)]
    assert states(run(joined, store))["join_features"] == "cached"
    features.write("spend", history("usual", 20.0, hours=3))
    after = run(joined, store)
    assert states(after) == {"labels": "cached", "join_features": "finished"}
    expected = [(20.0 if n % 7 >= 3 else 10.0) * (1 + n % CARDS) for n in range(20)]
    assert after.output().table["usual"].to_list() == expected
    assert states(run(joined, store))["join_features"] == "cached"


def test_rows_of_other_views_do_not_run_it_again(store, features):
    run(joined, store)
    features.write("rating", history("stars", 4, hours=1))
    assert states(run(joined, store))["join_features"] == "cached"


def test_another_definition_runs_it_again(store, features):
    @ps.pipeline
    def by_name():
        return ps.steps.join_features(labels(20), ["spend"], time="time")

    run(by_name, store)
    short = ps.features.FeatureView(
        "spend", CARD, {"usual": pl.Float64}, available_at=timedelta(0), ttl="2h"
    )
    features.apply(short)
    after = run(by_name, store)
    assert states(after)["join_features"] == "finished"
    assert after.output().table["usual"].null_count() == sum(n % 7 > 2 for n in range(20))
    refused = ps.run(joined, store=store, reporter=QuietReporter())
    assert "differs from its definition" in str(refused.error)


def test_a_table_that_was_made_anew_is_another_one(store, features, tmp_path):
    run(joined, store)
    shutil.rmtree(f"{features.path}/spend")
    features.apply(SPEND)
    features.write("spend", history("usual", 30.0))
    after = run(joined, store)
    assert states(after)["join_features"] == "finished"
    assert after.output().table["usual"][0] == 30.0


def test_pinned_versions_are_joined_again_whatever_is_written(store, features):
    @ps.pipeline
    def pinned():
        return ps.steps.join_features(labels(20), [SPEND], time="time", versions={"spend": 1})

    first = run(pinned, store)
    features.write("spend", history("usual", 20.0, hours=-1))
    again = run(pinned, store)
    assert states(again)["join_features"] == "cached"
    assert again.output().source["origins"] == first.output().source["origins"] == ["view:spend@1"]


def test_a_feature_store_elsewhere_counts_by_its_state(store, tmp_path):
    elsewhere = FeatureStore(tmp_path / "shared", store=store)
    elsewhere.apply(SPEND)
    elsewhere.write("spend", history("usual", 1.0))

    @ps.pipeline
    def other():
        return ps.steps.join_features(labels(20), ["spend"], time="time", features=elsewhere)

    assert run(other, store).output().table["usual"][0] == 1.0
    assert states(run(other, store))["join_features"] == "cached"
    elsewhere.write("spend", history("usual", 2.0))
    assert run(other, store).output().table["usual"][0] == 2.0


def scaled(factor):
    def transform(rows):
        return rows.select(times_usual=pl.col("amount") * factor)

    return OnDemandView(
        "scaled", transform, features={"times_usual": pl.Float64}, request={"amount": pl.Float64}
    )


def test_a_transform_counts_by_its_code(store, features):
    def pipeline_of(view):
        @ps.pipeline
        def computed():
            return ps.steps.join_features(labels(20), [view], time="time")

        return computed

    first = run(pipeline_of(scaled(2.0)), store)
    assert states(run(pipeline_of(scaled(2.0)), store))["join_features"] == "cached"
    after = run(pipeline_of(scaled(3.0)), store)
    assert states(after)["join_features"] == "finished"
    assert first.output().table["times_usual"][1] == 74.0
    assert after.output().table["times_usual"][1] == 111.0


def test_lineage_goes_from_the_view_to_the_joined_rows(store, features):
    @ps.pipeline
    def ratio():
        return ps.steps.join_features(labels(20), [RATIO, "rating"], time="time")

    result = run(ratio, store)
    below = ps.lineage.get_lineage("view:spend", "down", store=store)
    digest = result["join_features"].outputs["result"]
    assert {"view:spend@1", f"artifact:{digest}"} <= set(below.nodes)
    above = ps.lineage.get_lineage(digest, "up", store=store)
    assert {"view:spend@1", "view:rating@1", "view:spend", f"run:{result.run_id}"} <= set(
        above.nodes
    )


def test_a_view_that_does_not_exist_is_named(store, features):
    @ps.pipeline
    def wrong():
        return ps.steps.join_features(labels(20), ["spendings"], time="time")

    result = ps.run(wrong, store=store, reporter=QuietReporter())
    assert not result.ok
    assert "There is no feature view 'spendings'" in str(result.error)


def test_outside_a_run_it_is_a_function(store, features):
    found = ps.steps.join_features(labels(3), [SPEND], time="time")
    assert found.table["usual"].to_list() == [10.0, 20.0, 30.0]
    with pytest.raises(NotFoundError, match="no version 9"):
        ps.steps.join_features(labels(3), [SPEND], time="time", versions={"spend": 9})


@ps.step
def labelled(rows: int) -> pl.DataFrame:
    card = [n % CARDS for n in range(rows)]
    return pl.DataFrame(
        {
            "card_id": card,
            "time": [NOON + (n % 7) * HOUR for n in range(rows)],
            "amount": [float(n * 37 % 50) for n in range(rows)],
            "fraud": [int(n * 37 % 50 > 10 * (1 + n % CARDS)) for n in range(rows)],
        }
    )


@ps.step
def rounded(rows: ps.Snapshot) -> pl.DataFrame:
    return rows.table.with_columns(usual=pl.col("usual") / 10)


@ps.step
def train(split: ps.Split) -> Pipeline:
    model = make_pipeline(ps.table_transformer(split.schema), LogisticRegression())
    return model.fit(split.train.X, split.train.y)


def fraud_of(views, *, between=None, drop=("card_id", "time")):
    @ps.pipeline
    def fraud():
        rows = ps.steps.join_features(labelled(200), views, time="time", missing="refuse")
        table = rows if between is None else between(rows)
        split = ps.steps.split(table, target="fraud", drop=drop)
        model = train(split)
        report = ps.steps.evaluate(model, split, resamples=10)
        return ps.steps.register("fraud", model, report)

    return fraud


def signature_of(result, store):
    return ps.Model.load(store.metadata.models.get_version("fraud", 1), store=store).signature


def test_a_model_remembers_views_and_keys(store, features):
    signature = signature_of(run(fraud_of([RATIO, "spend", "rating:stars"]), store), store)
    found = signature.features
    assert found.columns == {"usual": "spend", "stars": "rating", "times_usual": "ratio"}
    assert found.request == ("card_id", "amount")
    spend, rating = found.views
    assert (spend.version, spend.path, spend.missing) == (1, features.path, "refuse")
    assert ps.features.FeatureView.from_json(rating.view) == RATING
    schema = signature.to_json_schema()
    assert schema["required"] == ["amount"]
    assert schema["properties"]["card_id"]["type"] == "integer"


def test_an_on_demand_view_needs_the_features_of_its_inputs(store, features):
    found = signature_of(run(fraud_of([RATIO]), store), store).features
    assert [(each.name, each.features) for each in found.views] == [("spend", ("usual",))]


def test_a_feature_that_a_step_has_changed_is_not_looked_up(store, features):
    result = run(fraud_of(["spend", "rating"], between=rounded), store)
    assert signature_of(result, store).features.columns == {"stars": "rating"}
    (step,) = [s for s in store.metadata.steps.list(result.run_id) if s.step == "register"]
    lines = [line.text for line in store.metadata.steps.list_logs(step.step_run_id)]
    assert any("Inputs that a step has changed after join_features: usual." in x for x in lines)


def test_a_transform_that_is_a_function_is_not_stored_with_a_model(store, features):
    result = run(fraud_of([scaled(2.0)]), store)
    assert signature_of(result, store).features is None
    (step,) = [s for s in store.metadata.steps.list(result.run_id) if s.step == "register"]
    lines = [line.text for line in store.metadata.steps.list_logs(step.step_run_id)]
    assert any("transform is a function: times_usual." in line for line in lines)


def test_the_lineage_of_a_model_names_the_views(store, features):
    run(fraud_of(["spend"]), store)
    assert "view:spend@1" in ps.lineage.get_lineage("fraud@1", store=store).nodes
    assert "version:fraud@1" in ps.lineage.get_lineage("view:spend", "down", store=store).nodes
