"""Folds are cut as scikit-learn cuts them, cached one by one, and judged without their test rows."""

import datetime as dt
from typing import ClassVar

import numpy as np
import polars as pl
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from penstock.core import DefinitionError, ParameterError
from penstock.data import Split
from penstock.execution import QuietReporter, run
from penstock.pipelines import pipeline, step
from penstock.steps import cross_validate
from penstock.stores import open_store
from penstock.tuning import tune


def rows(count=120):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(count, 2))
    day = [dt.date(2026, 1, 1) + dt.timedelta(days=i // 3) for i in range(count)]
    y = (x[:, 0] + rng.normal(size=count)) > 0
    return pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "day": day, "y": y})


@step
def table() -> pl.DataFrame:
    return rows()


@step
def fit(split: Split, strength: float):
    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength))
    return model.fit(split.train.X, split.train.y)


def states(result):
    return {each.step: each.state.value for each in result.steps}


@pytest.fixture
def again(tmp_path):
    store = open_store(f"sqlite:///{tmp_path}/penstock.db")

    def call(job, **params):
        result = run(job, store=store, reporter=QuietReporter(), **params)
        assert result.ok, result.error
        return result

    yield call
    store.close()


def test_metrics_are_those_of_scikit_learn_on_the_same_folds(again):
    @pipeline
    def job():
        return cross_validate(fit, table(), target="y", drop="day", seed=4, strength=1.0)

    result = again(job)
    found = result.output()
    frame = rows()
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1.0))
    expected = cross_val_score(
        model,
        frame.select("a", "b").to_numpy(),
        frame["y"].to_numpy(),
        cv=StratifiedKFold(5, shuffle=True, random_state=4),
        scoring="roc_auc",
    )
    assert [fold.metrics["roc_auc"] for fold in found.folds] == pytest.approx(list(expected))
    logged = result.store.metadata.runs.get(result.run_id).metrics
    assert logged["roc_auc"].last == pytest.approx(expected.mean())


def test_a_fold_is_a_cached_item_and_another_train_step_is_no_hit(again):
    def job_of(train, strength):
        @pipeline
        def job():
            return cross_validate(train, table(), target="y", drop="day", strength=strength)

        return job

    @step
    def other(split: Split, strength: float):
        return LogisticRegression(C=strength / 1000).fit(split.train.X, split.train.y)

    first = again(job_of(fit, 1.0))
    assert set(states(again(job_of(fit, 1.0))).values()) == {"cached"}
    changed = again(job_of(other, 1.0))
    assert states(changed)["make_folds"] == "cached"
    assert states(changed)["fold"] == "finished"
    assert changed.output().folds != first.output().folds


def test_nested_choices_are_part_of_the_key_and_recorded(again):
    def job_of(candidates):
        @pipeline
        def job():
            return cross_validate(
                fit, table(), target="y", drop="day", folds=3, candidates=candidates,
                choose_by="log_loss",
            )  # fmt: skip

        return job

    one = again(job_of([{"strength": 1e-6}, {"strength": 1.0}]))
    assert {fold.chosen["strength"] for fold in one.output().folds} == {1.0}
    two = again(job_of([{"strength": 1e-6}, {"strength": 1e-5}]))
    assert {fold.chosen["strength"] for fold in two.output().folds} == {1e-5}


class Witness(TransformerMixin, BaseEstimator):
    """Notes every value that it is fitted on."""

    seen: ClassVar[list[set[float]]] = []

    def fit(self, X, y=None):  # noqa: N803 - scikit-learn's name
        self.seen.append(set(X["a"].to_list()))
        return self

    def transform(self, X):  # noqa: N803 - scikit-learn's name
        return X


def test_nothing_is_fitted_on_the_test_rows_of_a_fold():
    Witness.seen.clear()
    tested = []

    def remember(split, strength):
        tested.append(set(split.test.X["a"].to_list()))
        model = make_pipeline(Witness(), StandardScaler(), LogisticRegression(C=strength))
        return model.fit(split.train.X, split.train.y)

    cross_validate(step(remember), rows(), target="y", drop="day", strength=1.0)
    assert len(Witness.seen) == len(tested) == 5
    assert all(not fitted & held for fitted, held in zip(Witness.seen, tested, strict=True))


def test_a_search_optimizes_the_mean_over_the_folds(again, tmp_path):
    @pipeline
    def job(strength: float = 1.0):
        return cross_validate(
            fit, table(), target="y", drop="day", method="rolling", by_time="day", folds=3,
            strength=strength,
        )  # fmt: skip

    study = tune(
        job, search={"strength": [1e-4, 1.0]}, metric="roc_auc", sampler="grid", trials=2,
        quiet=True, store=f"sqlite:///{tmp_path}/penstock.db",
    )  # fmt: skip
    assert len(study.complete) == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "purged"}, "without by_time"),
        ({"method": "group"}, "without by_group"),
        ({"gap": "2d"}, "gap, embargo or window"),
        ({"folds": 1}, "folds"),
        ({"method": "loo"}, "loo"),
        ({"choose_by": "roc_auc"}, "without candidates"),
        ({"candidates": [{"strength": 1.0}], "choose_by": "auc"}, "no known metric"),
    ],
)
def test_rules_that_do_not_go_together_are_refused(options, words):
    with pytest.raises(ParameterError, match=words):
        cross_validate(fit, rows(), target="y", **options)


def test_a_plain_function_is_refused():
    with pytest.raises(DefinitionError, match="no step"):
        cross_validate(lambda split: split, rows(), target="y")  # type: ignore[arg-type] # the mistake
