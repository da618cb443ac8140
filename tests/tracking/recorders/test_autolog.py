"""Frameworks' trainings are logged as they report them, and the frameworks are left as they were."""

import threading

import lightgbm
import numpy as np
import pytest
import xgboost
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from penstock.core import MissingPackageError, ParameterError, StoreError
from penstock.tracking import active_run, autolog, get_run, search_runs, start_run

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(200, 4))
Y = (X[:, 0] + 0.3 * RANDOM.normal(size=200) > 0).astype(int)


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    autolog()
    yield
    autolog(on=False)


def test_a_fit_is_logged_to_the_active_run():
    with start_run("mine") as run:
        model = LogisticRegression(C=0.5).fit(X, Y)
    assert run.params["C"] == 0.5
    assert run.metrics["training_score"] == model.score(X, Y)
    assert run.metrics["fit_seconds"] > 0
    assert run.tags["estimator"] == "LogisticRegression"


def test_without_a_run_each_training_is_one():
    Ridge(alpha=2.0).fit(X, Y)
    assert active_run() is None
    [run] = search_runs()
    assert (run.name, run.state, run.params["alpha"]) == ("Ridge", "finished", 2.0)


def test_a_pipeline_is_logged_once_and_its_parts_are_not():
    make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)
    [run] = search_runs()
    assert run.name == "Pipeline"
    assert run.params["logisticregression__C"] == 1.0


def test_a_search_is_logged_with_its_trials():
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=3).fit(X, Y)
    [run] = search_runs()
    assert run.metrics["best_cv_score"] == search.best_score_
    assert run.params["best_C"] == search.best_params_["C"]
    table = run.artifact("cv_results")
    assert table["mean_test_score"].to_list() == search.cv_results_["mean_test_score"].tolist()


def test_two_estimators_with_other_parameters_share_a_run():
    with start_run() as run:
        LogisticRegression(C=0.5).fit(X, Y)
        LogisticRegression(C=0.7, max_iter=300).fit(X, Y)
    assert run.params["C"] == 0.5
    assert run.params["LogisticRegression.C"] == 0.7
    assert run.params["LogisticRegression.max_iter"] == 300


@pytest.mark.parametrize("api", ["train", "sklearn"])
def test_xgboost_reports_each_round(api):
    known: dict = {}
    with start_run() as run:
        if api == "train":
            data = xgboost.DMatrix(X, Y)
            options = {"evals": [(data, "train")], "evals_result": known, "verbose_eval": False}
            xgboost.train({"max_depth": 2, "objective": "binary:logistic"}, data, 5, **options)
            expected = known["train"]["logloss"]
            name = "train-logloss"
        else:
            model = xgboost.XGBClassifier(n_estimators=5, max_depth=2, n_jobs=1)
            model.fit(X, Y, eval_set=[(X, Y)], verbose=False)
            expected = model.evals_result()["validation_0"]["logloss"]
            name = "validation_0-logloss"
    history = run.metric_history(name)
    assert history["value"].to_list() == expected
    assert history["step"].to_list() == [0, 1, 2, 3, 4]
    assert run.params["max_depth"] == 2


@pytest.mark.parametrize("api", ["train", "sklearn"])
def test_lightgbm_reports_each_round(api):
    known: dict = {}
    with start_run() as run:
        if api == "train":
            data = lightgbm.Dataset(X, Y)
            lightgbm.train(
                {"num_leaves": 3, "objective": "binary", "verbose": -1, "num_threads": 1}, data, 5,
                valid_sets=[data], valid_names=["train"],
                callbacks=[lightgbm.record_evaluation(known)],
            )  # fmt: skip
            expected, name = known["train"]["binary_logloss"], "train-binary_logloss"
        else:
            model = lightgbm.LGBMClassifier(n_estimators=5, num_leaves=3, verbose=-1, n_jobs=1)
            model.fit(X, Y, eval_X=(X,), eval_y=(Y,), eval_names=["v"])
            expected, name = model.evals_result_["v"]["binary_logloss"], "v-binary_logloss"
    assert run.metric_history(name)["value"].to_list() == expected
    assert run.params["num_leaves"] == 3


def test_estimators_that_are_defined_later_are_logged_too():
    class Mine(BaseEstimator):
        def __init__(self, depth=3):
            self.depth = depth

        def fit(self, rows, target=None):
            self.mean_ = rows.mean()
            return self

    Mine(depth=4).fit(X)
    [run] = search_runs()
    assert (run.name, run.params) == ("Mine", {"depth": 4})


def test_everything_is_as_it_was_once_it_is_off():
    autolog(on=False)
    before = LogisticRegression.fit, xgboost.train, lightgbm.train, xgboost.sklearn.train  # type: ignore[attr-defined]
    autolog()
    autolog()
    assert LogisticRegression.fit is not before[0]
    assert autolog(on=False) == []
    after = LogisticRegression.fit, xgboost.train, lightgbm.train, xgboost.sklearn.train  # type: ignore[attr-defined]
    assert after == before
    LogisticRegression().fit(X, Y)
    assert search_runs() == []


def test_trouble_with_logging_does_not_stop_a_training(monkeypatch, caplog):
    def full(*_, **__):
        raise StoreError("The disk is full.")

    with start_run() as run:
        monkeypatch.setattr(run.store.metadata.runs, "set_tags", full)
        monkeypatch.setattr(run, "log_metric", full)
        assert LogisticRegression().fit(X, Y).score(X, Y) > 0.5
    assert "The disk is full." in caplog.text


def test_a_training_that_fails_is_a_failed_run():
    with pytest.raises(ValueError, match="inconsistent"):
        LogisticRegression().fit(X, Y[:3])
    [run] = search_runs()
    assert run.state == "failed"


def test_threads_train_at_once_each_in_its_run():
    runs = []

    def work(c: float) -> None:
        with start_run(f"c{c}", store="sqlite:///.penstock/penstock.db") as run:
            LogisticRegression(C=c).fit(X, Y)
        runs.append((c, run.run_id))

    threads = [threading.Thread(target=work, args=(c,)) for c in (0.1, 0.2, 0.3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(runs) == 3
    for c, run_id in runs:
        assert get_run(run_id).params["C"] == c


def test_what_is_not_there_is_explained(monkeypatch):
    with pytest.raises(ParameterError, match="Did you mean 'sklearn'"):
        autolog("sklern")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(MissingPackageError, match="xgboost is not installed"):
        autolog("xgboost")


def test_the_encoders_that_a_booster_fits_for_itself_make_no_runs():
    labels = np.array(["a", "b"])[Y]
    lightgbm.LGBMClassifier(n_estimators=2, verbose=-1).fit(X, labels)
    assert not any("Encoder" in run.name for run in search_runs())
