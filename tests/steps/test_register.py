"""ps.steps.register: versions with their gates' answers; once per model and run; safe formats only."""

import numpy as np
import polars as pl
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import Pipeline

import penstock as ps
from penstock.core import GateState, ParameterError, SerializationError, Stage
from penstock.data import split_table
from penstock.evaluation import EvaluationReport
from penstock.execution import QuietReporter
from penstock.models import Model
from penstock.stores.artifacts.models import _skops


class Homemade(ClassifierMixin, BaseEstimator):
    """A class that no closed list of safe types knows."""

    def fit(self, rows, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, rows):
        return np.full(len(rows), self.classes_[0])

    def predict_proba(self, rows):
        return np.tile([0.9, 0.1], (len(rows), 1))


def test_outside_a_run_it_registers_in_the_projects_store(store, model, report):
    version = ps.steps.register("fraud", model, report, gates=["roc_auc >= 0.5"])
    record = ps.Registry(store=store).get("fraud", 1)
    assert (version.ref, version.stage) == ("fraud@1", Stage.NONE)
    assert record.run_id is None
    assert record.metrics["roc_auc"] == report.metric("roc_auc").value
    assert [field["name"] for field in record.signature["inputs"]] == report.schema.names
    assert [edge.target for edge in version.lineage_edges("artifact:x")] == ["version:fraud@1"]


def test_the_version_has_the_inputs_of_the_model_that_was_evaluated(store, split):
    """A model that names its features leaves columns out; requests may have these all the same."""
    names = ["amount", "card_age_days"]
    narrow = LogisticRegression().fit(split.train.X.select(names), split.train.y)
    narrow_report = ps.steps.evaluate(narrow, split, resamples=20)
    ps.steps.register("narrow", narrow, narrow_report)
    model = ps.Model.load(ps.Registry(store=store).get("narrow", 1), store=store)
    assert model.signature.names == narrow_report.signature.names == names
    assert model.signature.frame == narrow_report.signature.frame
    assert "kind" in model.signature.ignored
    rows = split.test.X.head(5)
    expected = narrow_report.holdout.predictions.head(5).to_list()
    assert model.predict_rows(rows.to_dicts()).values == expected


def test_within_a_run_the_same_model_is_registered_once(store, model, report):
    with ps.start_run(store=store) as run:
        first = ps.steps.register("fraud", model, report)
        again = ps.steps.register("fraud", model, report)
    with ps.start_run(store=store):
        other = ps.steps.register("fraud", model, report)
    assert (first.version, again.version, other.version) == (1, 1, 2)
    assert first.run_id == run.run_id


def test_a_model_that_a_step_returned_is_not_stored_again(store, model, report, monkeypatch):
    @ps.step
    def train() -> BaseEstimator:
        return model

    @ps.step
    def score() -> EvaluationReport:
        return report

    @ps.pipeline
    def fraud() -> ps.ModelVersion:
        return ps.steps.register("fraud", train(), score())

    written = []
    write = _skops.write_estimator
    monkeypatch.setattr(
        _skops,
        "write_estimator",
        lambda *call: (written.append(call), write(*call))[1],
    )
    result = ps.run(fraud, store=store, reporter=QuietReporter())
    assert result.ok, result.error
    version = ps.Registry(store=store).get("fraud", 1)
    assert len(written) == 1  # as the output of train
    assert version.content_digest == result["train"].outputs["result"]
    loaded = ps.Model.load(version, store=store)
    assert len(loaded.predict(report.holdout.X.head(3)).values) == 3


def test_a_step_may_register_another_model_than_it_was_given(store, model, report):
    @ps.step
    def train() -> Pipeline:
        return model

    @ps.step(effect=True)
    def improve(model: Pipeline) -> str:
        better = clone(model).fit(report.holdout.X, report.holdout.y)
        return ps.steps.register("fraud", better, report).ref

    @ps.pipeline
    def fraud() -> str:
        return improve(train())

    result = ps.run(fraud, store=store, reporter=QuietReporter())
    assert result.ok, result.error
    version = ps.Registry(store=store).get("fraud", 1)
    assert version.content_digest != result["train"].outputs["result"]
    registered = ps.Model.load(version, store=store).estimator
    assert (registered[-1].coef_ != model[-1].coef_).any()


def test_a_version_with_a_failing_gate_is_registered_with_the_reason(store, model, report):
    gates = ["roc_auc >= 0.999", "verified", "accuracy >= champion.accuracy"]
    version = ps.steps.register("fraud", model, report, gates=gates)
    failed, pending, passed = version.gates
    assert failed.state is GateState.FAILED
    assert "is not >= 0.999" in failed.reason
    assert pending.state is GateState.PENDING
    assert passed.reason.startswith("no champion yet; positive class ")
    with pytest.raises(ps.PenstockError, match=r"is not >= 0\.999"):
        ps.Registry(store=store).promote("fraud")


def test_a_champion_is_scored_on_the_same_rows_and_the_comparison_is_kept(store, model, report):
    ps.steps.register("fraud", model, report)
    ps.Registry(store=store).promote("fraud", 1)
    with ps.start_run(store=store) as run:
        version = ps.steps.register(
            "fraud", model, report, gates=["roc_auc >= champion.roc_auc - 0.01"]
        )
    [gate] = version.gates
    assert gate.state is GateState.PASSED
    comparison = store.metadata.artifacts.list(run.run_id)["champion_comparison"]
    assert store.load(comparison)["differences"]["roc_auc"]["difference"] == 0


def test_a_gate_that_cannot_be_read_stops_before_anything_is_stored(store, model, report):
    with pytest.raises(ParameterError, match="Did you mean 'roc_auc'"):
        ps.steps.register("fraud", model, report, gates=["roc_aux >= 0.5"])
    with pytest.raises(ParameterError, match="big tips"):
        ps.steps.register("big tips", model, report)
    assert store.metadata.models.list() == []


def test_one_gate_need_not_be_a_list(store, model, report):
    [gate] = ps.steps.register("fraud", model, report, gates="roc_auc >= 0.5").gates
    assert gate.state is GateState.PASSED


def test_a_model_of_the_users_own_class_is_registered(store, split):
    model = Homemade().fit(split.train.X, split.train.y)
    report = ps.steps.evaluate(model, split, resamples=20)
    ps.steps.register("fraud", model, report)
    loaded = Model.load(ps.Registry(store=store).get("fraud", 1), store=store)
    assert loaded.predict(split.test.X).values == model.predict(split.test.X).tolist()


def test_a_model_that_only_pickle_could_store_is_refused_with_a_sentence(store, split):
    class Local(Homemade):
        """A class inside a function has no source that could be loaded by name."""

    model = Local().fit(split.train.X, split.train.y)
    report = ps.steps.evaluate(model, split, resamples=20)
    with pytest.raises(SerializationError) as refused:
        ps.steps.register("fraud", model, report)
    assert "Local" in str(refused.value)
    assert refused.value.fix
    assert store.metadata.models.list() == []


def test_the_card_tells_where_the_model_comes_from(store, model, report):
    with ps.start_run(store=store):
        ps.steps.register("fraud", model, report, note="For **demos** only.")
    card = ps.Registry(store=store).card("fraud", 1)
    assert "For **demos** only." in card
    assert "roc_auc" in card


def test_a_model_of_quantiles_answers_by_quantile(store):
    """XGBoost's own quantile model: evaluated, registered, loaded, and a champion of its like."""
    xgboost = pytest.importorskip("xgboost")
    draw, levels = np.random.default_rng(0), (0.1, 0.5, 0.9)
    table = pl.DataFrame({"x": draw.uniform(0, 10, 400)})
    table = table.with_columns(y=2 * pl.col("x") + pl.Series(draw.normal(size=400)))
    split = split_table(table, target="y", task="regression")
    made = xgboost.XGBRegressor(
        objective="reg:quantileerror", quantile_alpha=list(levels), n_estimators=20, n_jobs=1
    )
    model = made.fit(split.train.X, split.train.y)
    report = ps.steps.evaluate(model, split, quantiles=levels, resamples=20)
    gates = "interval_score_80 <= champion.interval_score_80"
    version = ps.steps.register("sales", model, report, gates=gates)
    loaded = Model.load(ps.Registry(store=store).get("sales", 1), store=store)
    [answer] = loaded.predict_rows([{"x": 5.0}]).values
    assert list(answer) == ["quantile_0.1", "quantile_0.5", "quantile_0.9"]
    assert answer["quantile_0.1"] < answer["quantile_0.9"]
    assert version.gates[0].state is GateState.PASSED
    ps.Registry(store=store).promote("sales", 1, actor="ada", reason="First.")
    again = ps.steps.register("sales", model, report, gates=gates)
    assert "+0 [0, 0]" in again.gates[0].reason or "0 [0, 0]" in again.gates[0].reason


def test_a_model_of_labels_is_registered_and_answers_by_label(store):
    """Several 0-1 columns: split, evaluated, registered, loaded, and compared with a champion."""
    draw = np.random.default_rng(0)
    table = pl.DataFrame({"x": draw.normal(size=400), "z": draw.normal(size=400)}).with_columns(
        red=pl.col("x") + 0.6 * pl.Series(draw.normal(size=400)) > 0,
        round=pl.col("z") + 0.6 * pl.Series(draw.normal(size=400)) > 0.5,
    )
    split = split_table(table, target=["red", "round"])
    model = MultiOutputClassifier(LogisticRegression()).fit(split.train.X, split.train.Y)
    report = ps.steps.evaluate(model, split, resamples=20)
    gates = "micro_f1 >= champion.micro_f1 - 0.01"
    version = ps.steps.register("tags", model, report, gates=gates)
    loaded = Model.load(ps.Registry(store=store).get("tags", 1), store=store)
    assert loaded.predict_rows([{"x": 3.0, "z": -3.0}]).values == [{"red": 1, "round": 0}]
    assert version.gates[0].state is GateState.PASSED
    ps.Registry(store=store).promote("tags", 1, actor="ada", reason="First.")
    again = ps.steps.register("tags", model, report, gates=gates)
    assert "difference 0 [0, 0] on the same 80 rows" in again.gates[0].reason
