"""Folds are cut as scikit-learn cuts them, cached one by one, and judged without their test rows."""

import datetime as dt
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from penstock.core import DefinitionError, ParameterError
from penstock.data import FoldRules, Split, cut_folds
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


def nested_job(candidates, frame, train=fit, **options):
    @step
    def shown():
        return frame

    @pipeline
    def job():
        return cross_validate(
            train, shown(), target="y", drop="day", folds=3, candidates=candidates,
            choose_by="log_loss", inner_folds=2, **options,
        )  # fmt: skip

    return job


def fits(result):
    """Return how many fits on inner folds were executed, and how many are cache hits."""
    found = [state for name, state in states(result).items() if "/fit-" in name]
    return found.count("finished"), found.count("cached")


def test_inner_folds_are_cached_each_whatever_candidates_stand_beside(again):
    low, high, more = ({"strength": value} for value in (1e-6, 1.0, 9.0))
    assert fits(again(nested_job([low, high], rows()))) == (3 * 2 * 2, 0)
    assert fits(again(nested_job([more, high, low], rows()))) == (3 * 2, 3 * 2 * 2)


def test_a_change_in_late_rows_leaves_the_inner_folds_before_them(again):
    options = {"method": "rolling", "by_time": "day"}
    one = [{"strength": 1.0}]
    frame = rows()
    assert fits(again(nested_job(one, frame, **options))) == (6, 0)
    # Row 80 is of the third of four periods: the last outer fold alone trains on it.
    changed = frame.with_columns(a=pl.when(pl.int_range(pl.len()) == 80).then(9.0).otherwise("a"))
    assert fits(again(nested_job(one, changed, **options))) == (2, 4)


@step
def faulty(split: Split, strength: float, flag: str):
    if strength == 2.0 and Path(flag).exists():
        raise OSError("the disk hiccuped")
    return LogisticRegression(C=strength).fit(split.train.X, split.train.y)


def test_a_resumed_run_keeps_the_inner_folds_that_were_fitted(tmp_path):
    flag = tmp_path / "flag"
    flag.touch()
    job = nested_job([{"strength": 1.0}, {"strength": 2.0}], rows(), faulty, flag=str(flag))
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        broken = run(job, store=store, reporter=QuietReporter())
        assert not broken.ok
        before = fit_starts(store, broken.run_id)
        flag.unlink()
        resumed = run(job, store=store, reporter=QuietReporter(), resume=broken.run_id)
        assert resumed.ok
        after = fit_starts(store, broken.run_id)
    kept = {name for name, start in after.items() if before.get(name) == start}
    assert (len(kept), len(after)) == (6, 12)
    assert len({name.rpartition("-")[2] for name in kept}) == 1  # the first strength


def fit_starts(store, run_id):
    return {
        each.step: each.started_at
        for each in store.metadata.steps.list(run_id)
        if "/faulty-" in each.step
    }


def test_nested_folds_fit_and_choose_as_a_loop_by_hand(again):
    candidates = [{"strength": value} for value in (1e-3, 1e-1, 10.0)]
    found = again(nested_job(candidates, rows())).output()
    outer = cut_folds(rows(), FoldRules(folds=3), target="y", drop=["day"])
    for fold, split in zip(found.folds, outer, strict=True):
        inner = cut_folds(
            split.train.table, FoldRules(folds=2), target="y", drop=["day"], task=split.task
        )
        losses = [
            np.mean([
                log_loss(part.test.y, fit(part, **each).predict_proba(part.test.X)[:, 1])
                for part in inner
            ])
            for each in candidates
        ]  # fmt: skip
        assert fold.chosen == candidates[int(np.argmin(losses))]
        model = fit(split, **fold.chosen)
        expected = log_loss(split.test.y, model.predict_proba(split.test.X)[:, 1])
        assert fold.metrics["log_loss"] == pytest.approx(expected)


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
        (
            {"candidates": [{"strength": 1.0}], "choose_by": "roc_auc", "strength": 2.0},
            "strength is given for every fold, and is part of a candidate",
        ),
    ],
)
def test_rules_that_do_not_go_together_are_refused(options, words):
    with pytest.raises(ParameterError, match=words):
        cross_validate(fit, rows(), target="y", **options)


def test_a_plain_function_is_refused():
    with pytest.raises(DefinitionError, match="no step"):
        cross_validate(lambda split: split, rows(), target="y")  # type: ignore[arg-type] # the mistake
