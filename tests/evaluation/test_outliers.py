"""Outlier detectors judged by a target: an outlier is the positive class."""

import numpy as np
import polars as pl
import pytest
from sklearn.cluster import KMeans
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.svm import OneClassSVM

from penstock.core import DataError
from penstock.data import split_table
from penstock.evaluation import evaluate

RNG = np.random.default_rng(3)
ODD = RNG.random(400) < 0.1
ROWS = pl.DataFrame({"a": RNG.normal(size=400) + 4 * ODD, "b": RNG.normal(size=400), "odd": ODD})


def split_of(labels, **options):
    return split_table(ROWS.with_columns(pl.Series("odd", labels)), target="odd", **options)


@pytest.mark.parametrize("labels", [("legit", "fraud"), ("zebra", "ant")])
def test_an_outlier_is_the_positive_class_whatever_its_name(labels):
    split = split_of([labels[int(odd)] for odd in ODD], positive=labels[1])
    forest = IsolationForest(n_estimators=20, random_state=0).fit(split.train.X.to_numpy())
    report = evaluate(forest, split, resamples=20)
    rows = split.test.X.to_numpy()
    truth = [label == labels[1] for label in split.test.y]
    expected = roc_auc_score(truth, -forest.decision_function(rows))
    assert report.metrics["roc_auc"].value == pytest.approx(expected)
    found = forest.predict(rows) == -1
    assert report.metrics["recall"].value == pytest.approx(found[truth].mean())
    assert "decision values" in report.absent["log_loss"]


def test_outliers_of_no_known_class_and_of_numbers_are_refused():
    unknown = split_of(["a" if odd else "b" for odd in ODD])
    detector = OneClassSVM().fit(unknown.train.X.to_numpy())
    with pytest.raises(DataError, match=r"Which class are the outliers is not known.*positive="):
        evaluate(detector, unknown, resamples=0)
    with pytest.raises(DataError, match="cannot be compared with 'odd': regression"):
        evaluate(detector, split_of(RNG.normal(size=400)), resamples=0)


def test_clusters_are_refused_with_a_measure_that_needs_no_target():
    split = split_of(ODD)
    clusters = KMeans(2, n_init=1).fit(split.train.X)
    with pytest.raises(DataError, match=r"numbers of clusters, not values of 'odd'.*silhouette"):
        evaluate(clusters, split, resamples=0)
