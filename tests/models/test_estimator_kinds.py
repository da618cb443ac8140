"""Clusters, outliers and several targets: told from the estimator, described, predicted."""

import numpy as np
import polars as pl
import pytest
from sklearn.cluster import DBSCAN, Birch, KMeans, MeanShift
from sklearn.covariance import EllipticEnvelope
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.mixture import GaussianMixture
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from penstock.core import DataError
from penstock.models import ExtraOutput, Model, Signature, Target, infer_signature

RNG = np.random.default_rng(0)
X = pl.DataFrame({"a": RNG.normal(size=60), "b": RNG.normal(size=60)})
ROW = {"a": 0.1, "b": -0.2}


def described(estimator, y=None):
    model = Model(estimator, infer_signature(estimator, X, y))
    assert Signature.from_json(model.signature.to_json()) == model.signature
    return model


@pytest.mark.parametrize(
    ("clusterer", "labels", "extras"),
    [
        (KMeans(3, n_init=1), (0, 1, 2), {"transform": 3}),
        (make_pipeline(StandardScaler(), KMeans(2, n_init=1)), (0, 1), {"transform": 2}),
        (GaussianMixture(2), (0, 1), {"score_samples": 0}),
        (Birch(n_clusters=3, threshold=0.1), (0, 1, 2), None),
        (MeanShift(bandwidth=9), (0,), {}),
    ],
)
def test_a_clusterer_answers_the_number_of_the_cluster(clusterer, labels, extras):
    model = described(clusterer.fit(X))
    signature = model.signature
    assert (signature.task, signature.classes, signature.positive) == ("clustering", labels, None)
    if extras is not None:
        assert {each.name: each.width for each in signature.extras} == extras
    assert model.predict(X).values == clusterer.predict(X).tolist()


def test_probabilities_of_a_mixture_are_those_of_its_components():
    mixture = GaussianMixture(2, random_state=0).fit(X)
    found = described(mixture).predict(X)
    assert np.array_equal(found.probabilities, mixture.predict_proba(X))
    assert found.scores == mixture.predict_proba(X).max(axis=1).tolist()


@pytest.mark.parametrize(
    "detector",
    [
        IsolationForest(n_estimators=5, random_state=0),
        OneClassSVM(),
        LocalOutlierFactor(novelty=True),
        EllipticEnvelope(random_state=0),
        make_pipeline(StandardScaler(), OneClassSVM()),
    ],
)
def test_the_score_of_an_outlier_detector_is_its_decision_value(detector):
    rows = X.to_numpy()
    model = described(detector.fit(rows))
    assert (model.signature.task, model.signature.classes) == ("outliers", (-1, 1))
    assert [each.name for each in model.signature.extras] == ["decision_function", "score_samples"]
    found = model.predict(X)
    assert found.values == detector.predict(rows).tolist()
    assert found.scores == detector.decision_function(rows).tolist()
    assert all(
        (score < 0) == (value == -1)
        for value, score in zip(found.values, found.scores, strict=True)
    )
    asked = model.predict_rows([ROW], outputs=["score_samples"]).extras
    assert asked["score_samples"].tolist() == detector.score_samples([[0.1, -0.2]]).tolist()


@pytest.mark.parametrize(
    ("estimator", "words"),
    [
        (DBSCAN(), "DBSCAN labels only the rows that it was fitted on. Use KMeans"),
        (LocalOutlierFactor(), "Create it with novelty=True"),
        (make_pipeline(StandardScaler(), DBSCAN()), "DBSCAN labels only"),
    ],
)
def test_what_cannot_predict_is_refused_with_what_can(estimator, words):
    with pytest.raises(DataError, match=words):
        infer_signature(estimator.fit(X), X)


NUMBERS = pl.DataFrame({"height": X["a"] * 2, "weight": X["b"] - 1})
FLAGS = pl.DataFrame({"came": (X["a"] > 0).cast(int), "paid": (X["b"] > 0).cast(int)})
WORDS = FLAGS.select(pl.when(pl.all() == 1).then(pl.lit("yes")).otherwise(pl.lit("no")).name.keep())


def test_numbers_of_several_targets_are_named_by_the_columns_of_y():
    estimator = LinearRegression().fit(X, NUMBERS)
    model = described(estimator, NUMBERS)
    assert model.signature.task == "multi_output"
    assert model.signature.targets == (Target("height"), Target("weight"))
    alone = [estimator.predict(X[place])[0].tolist() for place in range(60)]
    expected = [dict(zip(["height", "weight"], row, strict=True)) for row in alone]
    assert model.predict(X).values == expected
    assert model.predict(X).scores == [None] * 60


@pytest.mark.parametrize(
    ("classifier", "y", "labels"),
    [
        (MultiOutputClassifier(LogisticRegression()), WORDS, ("no", "yes")),
        (RandomForestClassifier(5, random_state=0), WORDS, ("no", "yes")),
        (RandomForestClassifier(5, random_state=0), FLAGS, (0, 1)),
        (ClassifierChain(LogisticRegression()), FLAGS, (0, 1)),
    ],
)
def test_labels_of_several_targets_are_those_of_training(classifier, y, labels):
    classifier.fit(X.to_numpy(), y.to_numpy())
    model = described(classifier, y)
    assert model.signature.targets == (Target("came", labels), Target("paid", labels))
    values = model.predict(X).values
    assert {type(value) for row in values for value in row.values()} == {type(labels[0])}
    single = model.for_target("paid")
    assert single.signature.task == "binary"
    assert single.predict(X).values == [row["paid"] for row in values]
    shares = classifier.predict_proba(X.to_numpy())
    paid = shares[1][:, 1] if isinstance(shares, list) else shares[:, 1]
    assert single.predict(X).scores == paid.tolist()


def test_targets_without_names_are_numbered_and_wrong_ones_are_told():
    estimator = Ridge().fit(X, NUMBERS)
    assert [each.name for each in described(estimator).signature.targets] == [
        "target_0",
        "target_1",
    ]
    with pytest.raises(DataError, match="2 values per row, but y has 1"):
        infer_signature(estimator, X, NUMBERS.select("height"))
    with pytest.raises(DataError, match=r"no target 'hight'.*Did you mean 'height'"):
        described(estimator, NUMBERS).for_target("hight")
    single = Ridge().fit(X, NUMBERS["height"])
    with pytest.raises(DataError, match="predicts a single one"):
        described(single, NUMBERS["height"]).for_target("height")


def test_evaluating_several_targets_at_once_is_refused_with_the_way():
    model = Model.of(Ridge().fit(X, NUMBERS), X)
    with pytest.raises(DataError, match=r"2 values per row: target_0, target_1.*for_target"):
        model.predict_as_is(X)


def test_the_width_of_an_output_is_its_shape():
    assert ExtraOutput("transform", 3).shape == [-1, 3]
    assert ExtraOutput("score_samples").shape == [-1]
