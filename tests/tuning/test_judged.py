"""A study whose rows choose a model and then judge it says so, and so does the version."""

import logging

import numpy as np
import polars as pl
from sklearn.neighbors import KNeighborsClassifier

from penstock import Split, Table, steps
from penstock.pipelines import pipeline, step
from penstock.registry import CHOSEN_TAG, Registry
from penstock.tuning import tune


@step
def rows() -> Table:
    rng = np.random.default_rng(0)
    x = rng.normal(size=120)
    return pl.DataFrame({"x": x, "z": rng.normal(size=120), "y": x + rng.normal(size=120) > 0})


@step
def train(split: Split, k: int) -> KNeighborsClassifier:
    return KNeighborsClassifier(k).fit(split.train.X, split.train.y)


@pipeline
def same_rows(k: int = 3) -> object:
    split = steps.split(rows(), target="y", validation=0.2)
    model = train(split, k)
    return steps.register("near", model, steps.evaluate(model, split), onnx=False)


def study(target, store, metric):
    return tune(
        target, search={"k": "1,3"}, metric=metric, direction="maximize", sampler="grid",
        register=True, quiet=True, store=store,
    )  # fmt: skip


def test_rows_that_choose_and_judge_are_told_once_and_with_the_version(store, caplog):
    with caplog.at_level(logging.WARNING, "penstock"):
        study(same_rows, store, "accuracy")
    told = [each.getMessage() for each in caplog.records if "too good" in each.getMessage()]
    assert len(told) == 1
    assert told[0].startswith("The rows of step 'evaluate' choose the best of all trials")
    version = Registry(store=store).get("near")
    assert version.tags[CHOSEN_TAG] == "the best accuracy of 2 trials on the rows of its report"
    assert "chosen as the best accuracy of 2 trials" in Registry(store=store).card("near")


def test_a_search_on_validation_rows_is_not_blamed_and_means_these_rows(store, caplog):
    @pipeline
    def validated(k: int = 3) -> object:
        split = steps.split(rows(), target="y", validation=0.2)
        model = train(split, k)
        steps.evaluate(model, split, subset="validation")
        return steps.register("near", model, steps.evaluate(model, split), onnx=False)

    with caplog.at_level(logging.WARNING, "penstock"):
        found = study(validated, store, "validation_accuracy")
    assert not [each for each in caplog.records if "too good" in each.getMessage()]
    assert CHOSEN_TAG not in Registry(store=store).get("near").tags
    trial = found.best_trial
    run = store.metadata.runs.get(trial.run_id)
    assert trial.values == (run.metrics["validation_accuracy"].last,)
    for name in ("accuracy", "validation_accuracy"):
        assert run.metrics[name].count == 1  # neither subset's figure overwrote the other's
