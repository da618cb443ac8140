"""Fifty kinds of model, trained by a pipeline: the rows of the table in docs/reference/model-kinds.md."""

from collections.abc import Callable
from typing import Any

import catboost
import lightgbm
import numpy as np
import polars as pl
import skl2onnx
import xgboost
from sklearn import (
    calibration,
    cluster,
    covariance,
    decomposition,
    discriminant_analysis,
    ensemble,
    gaussian_process,
    linear_model,
    mixture,
    multioutput,
    naive_bayes,
    neighbors,
    neural_network,
    preprocessing,
    svm,
    tree,
)
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from tests.models import network_kinds

import penstock as ps
from penstock.models import LabelEncodingClassifier
from penstock.stores import NamedParts

_RNG = np.random.default_rng(5)
X = pl.DataFrame(_RNG.normal(size=(90, 3)), schema=["a", "b", "c"])
NUMBER = X["a"] * 2 + X["b"] ** 2
LABEL = pl.Series("came", np.where(X["a"] + 0.5 * X["b"] > 0, "yes", "no"))
THREE = pl.Series("size", np.where(X["a"] > 0.6, "big", np.where(X["a"] < -0.4, "small", "usual")))
SIZES = pl.DataFrame({"height": NUMBER, "weight": X["c"] - 1})
FLAGS = pl.DataFrame({"came": (X["a"] > 0).cast(int), "paid": (X["b"] > 0).cast(int)})
_MIXED = make_column_transformer(
    (preprocessing.StandardScaler(), ["a", "b"]), remainder="passthrough"
)

Fit = Callable[[], Any]


def _kind(estimator: Any, y: Any = None) -> tuple[Any, Any]:
    return estimator, y


def _logistic() -> Any:
    return linear_model.LogisticRegression()


SCIKIT_LEARN: dict[str, Callable[[], tuple[Any, Any]]] = {
    "LogisticRegression": lambda: _kind(_logistic(), LABEL),
    "LinearSVC": lambda: _kind(svm.LinearSVC(random_state=0), LABEL),
    "SVC": lambda: _kind(svm.SVC(), THREE),
    "GaussianNB": lambda: _kind(naive_bayes.GaussianNB(), THREE),
    "KNeighborsClassifier": lambda: _kind(neighbors.KNeighborsClassifier(3), LABEL),
    "DecisionTreeClassifier": lambda: _kind(tree.DecisionTreeClassifier(random_state=0), LABEL),
    "RandomForestClassifier": lambda: _kind(ensemble.RandomForestClassifier(5), THREE),
    "HistGradientBoostingClassifier": lambda: _kind(
        ensemble.HistGradientBoostingClassifier(max_iter=5), LABEL
    ),
    "AdaBoostClassifier": lambda: _kind(ensemble.AdaBoostClassifier(n_estimators=5), LABEL),
    "LinearDiscriminantAnalysis": lambda: _kind(
        discriminant_analysis.LinearDiscriminantAnalysis(), THREE
    ),
    "MLPClassifier": lambda: _kind(
        neural_network.MLPClassifier((4,), solver="lbfgs", max_iter=500), LABEL
    ),
    "GaussianProcessClassifier": lambda: _kind(gaussian_process.GaussianProcessClassifier(), LABEL),
    "Ridge": lambda: _kind(linear_model.Ridge(), NUMBER),
    "PoissonRegressor": lambda: _kind(linear_model.PoissonRegressor(), NUMBER.abs()),
    "QuantileRegressor": lambda: _kind(linear_model.QuantileRegressor(), NUMBER),
    "SVR": lambda: _kind(svm.SVR(), NUMBER),
    "ExtraTreesRegressor": lambda: _kind(ensemble.ExtraTreesRegressor(5), NUMBER),
    "GradientBoostingRegressor": lambda: _kind(
        ensemble.GradientBoostingRegressor(n_estimators=5), NUMBER
    ),
    "pipeline with a ColumnTransformer": lambda: _kind(make_pipeline(_MIXED, _logistic()), LABEL),
    "pipeline with PCA": lambda: _kind(
        make_pipeline(decomposition.PCA(2), linear_model.Ridge()), NUMBER
    ),
    "SplineTransformer and Ridge": lambda: _kind(
        make_pipeline(preprocessing.SplineTransformer(), linear_model.Ridge()), NUMBER
    ),
    "CalibratedClassifierCV": lambda: _kind(
        calibration.CalibratedClassifierCV(svm.LinearSVC(random_state=0), cv=3), LABEL
    ),
    "StackingClassifier": lambda: _kind(
        ensemble.StackingClassifier([("a", _logistic()), ("b", naive_bayes.GaussianNB())], cv=3),
        LABEL,
    ),
    "VotingClassifier": lambda: _kind(
        ensemble.VotingClassifier(
            [("a", _logistic()), ("b", naive_bayes.GaussianNB())], voting="soft"
        ),
        THREE,
    ),
    "BaggingClassifier": lambda: _kind(ensemble.BaggingClassifier(_logistic(), 3), LABEL),
    "OneVsRestClassifier": lambda: _kind(OneVsRestClassifier(_logistic()), THREE),
    "TransformedTargetRegressor": lambda: _kind(
        TransformedTargetRegressor(
            linear_model.Ridge(), func=np.arcsinh, inverse_func=np.sinh, check_inverse=False
        ),
        NUMBER,
    ),
    "MultiOutputRegressor": lambda: _kind(
        multioutput.MultiOutputRegressor(linear_model.Ridge()), SIZES
    ),
    "MultiOutputClassifier": lambda: _kind(multioutput.MultiOutputClassifier(_logistic()), FLAGS),
    "ClassifierChain": lambda: _kind(multioutput.ClassifierChain(_logistic()), FLAGS),
    "KMeans": lambda: _kind(cluster.KMeans(3, n_init=1)),
    "MiniBatchKMeans": lambda: _kind(cluster.MiniBatchKMeans(3, n_init=1)),
    "GaussianMixture": lambda: _kind(mixture.GaussianMixture(2)),
    "IsolationForest": lambda: _kind(ensemble.IsolationForest(n_estimators=5)),
    "OneClassSVM": lambda: _kind(svm.OneClassSVM()),
    "LocalOutlierFactor(novelty=True)": lambda: _kind(neighbors.LocalOutlierFactor(novelty=True)),
    "EllipticEnvelope": lambda: _kind(covariance.EllipticEnvelope()),
}
_CAT = {"iterations": 3, "verbose": 0, "allow_writing_files": False, "thread_count": 1}
BOOSTERS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "XGBClassifier with text labels": lambda: _kind(
        LabelEncodingClassifier(xgboost.XGBClassifier(n_estimators=3)), LABEL
    ),
    "XGBRegressor": lambda: _kind(xgboost.XGBRegressor(n_estimators=3), NUMBER),
    "LGBMClassifier": lambda: _kind(lightgbm.LGBMClassifier(n_estimators=3, verbose=-1), THREE),
    "LGBMRegressor": lambda: _kind(lightgbm.LGBMRegressor(n_estimators=3, verbose=-1), NUMBER),
    "CatBoostClassifier": lambda: _kind(catboost.CatBoostClassifier(**_CAT), LABEL),
    "CatBoostRegressor": lambda: _kind(catboost.CatBoostRegressor(**_CAT), NUMBER),
}
NATIVE = ("xgboost.train", "lightgbm.train")
ONNX = {
    "ONNX of a scaled LogisticRegression": lambda: _kind(
        make_pipeline(preprocessing.StandardScaler(), _logistic()), LABEL
    ),
    "ONNX of a RandomForestRegressor": lambda: _kind(ensemble.RandomForestRegressor(5), NUMBER),
}
NETWORKS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "torch module of one's own": lambda: _kind(network_kinds.own_module(X, NUMBER), NUMBER),
    "module of Lightning": lambda: _kind(network_kinds.lightning_module(X, LABEL), LABEL),
    "model of Keras": lambda: _kind(network_kinds.keras_model(X, LABEL), LABEL),
    "LanguageModelEstimator": lambda: _kind(network_kinds.language_model(), network_kinds.TONE),
    "LanguageModelEstimator with one score": lambda: _kind(
        network_kinds.length_model(), network_kinds.LENGTH
    ),
    "SentenceEncoder and LogisticRegression": lambda: _kind(
        network_kinds.sentence_encoder(), network_kinds.TONE
    ),
}


def rows_of(name: str) -> pl.DataFrame:
    """Return the rows that a kind is trained on."""
    of_texts = name.startswith(("LanguageModel", "SentenceEncoder"))
    return network_kinds.TEXTS if of_texts else X


def truth(name: str) -> Any:
    """Return the true values of a kind's rows; None without a target."""
    if name == "xgboost.train":
        return (X["a"] > 0).cast(int)
    if name == "lightgbm.train":
        return NUMBER
    return (SCIKIT_LEARN | BOOSTERS | ONNX | NETWORKS)[name]()[1]


def _fit_all(kinds: dict[str, Callable[[], tuple[Any, Any]]]) -> dict[str, Any]:
    fitted = {}
    for name, make in kinds.items():
        estimator, y = make()
        rows = X.to_numpy()
        labels = None if y is None else y.to_numpy()
        fitted[name] = estimator.fit(X if "Column" in name else rows, labels)
    return fitted


@ps.step
def scikit_learn() -> NamedParts:
    return NamedParts(_fit_all(SCIKIT_LEARN))


@ps.step
def boosters() -> NamedParts:
    fitted = _fit_all(BOOSTERS)
    rows = X.to_pandas()
    data = xgboost.DMatrix(rows, truth("xgboost.train"))
    parameters = {"objective": "binary:logistic", "nthread": 1}
    fitted["xgboost.train"] = xgboost.train(parameters, data, 3)
    quiet = {"objective": "regression", "verbose": -1, "num_threads": 1}
    fitted["lightgbm.train"] = lightgbm.train(
        quiet, lightgbm.Dataset(rows, truth("lightgbm.train").to_numpy()), 3
    )
    return NamedParts(fitted)


@ps.step
def onnx_graphs() -> NamedParts:
    rows = X.to_numpy().astype(np.float32)
    return NamedParts(
        {
            name: skl2onnx.to_onnx(fitted, rows[:1], target_opset=18)
            for name, fitted in _fit_all(ONNX).items()
        }
    )


@ps.step
def networks() -> NamedParts:
    return NamedParts({name: make()[0] for name, make in NETWORKS.items()})


@ps.pipeline
def kinds():
    return scikit_learn(), boosters(), onnx_graphs(), networks()
