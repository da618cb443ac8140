"""Row-wise predictions: a row's result does not depend on the rows that are predicted with it.

Matrix products of BLAS choose a different order of summation for a single row than for many, so
that the last bits of a linear model's scores would depend on the size of the request. Linear models
are called here with a product per row, whose result is that of a request with a single row.
"""

import copy
from typing import Any

_LINEAR_CLASSIFIERS = frozenset({"LogisticRegression", "LogisticRegressionCV", "RidgeClassifier"})
_LINEAR_REGRESSORS = frozenset({"LinearRegression", "Ridge", "RidgeCV", "Lasso", "ElasticNet"})
# Each row is looked up in trees, or answered without its values.
_BY_ROW = frozenset(
    {
        ("catboost", "CatBoost"),
        ("catboost", "CatBoostClassifier"),
        ("catboost", "CatBoostRegressor"),
        ("lightgbm", "Booster"),
        ("lightgbm", "LGBMClassifier"),
        ("lightgbm", "LGBMRegressor"),
        ("onnx", "ModelProto"),
        ("penstock", "OnnxEstimator"),
        ("sklearn", "DecisionTreeClassifier"),
        ("sklearn", "DecisionTreeRegressor"),
        ("sklearn", "DummyClassifier"),
        ("sklearn", "DummyRegressor"),
        ("sklearn", "HistGradientBoostingClassifier"),
        ("sklearn", "HistGradientBoostingRegressor"),
        ("xgboost", "Booster"),
        ("xgboost", "XGBClassifier"),
        ("xgboost", "XGBRegressor"),
    }
)
# Trees whose results are added in threads: in a fixed order only with one thread.
_FORESTS = frozenset(
    {
        "ExtraTreesClassifier",
        "ExtraTreesRegressor",
        "IsolationForest",
        "RandomForestClassifier",
        "RandomForestRegressor",
    }
)
# libsvm computes the kernel of a row with each support vector, row by row.
_BY_KERNEL = frozenset({"NuSVC", "NuSVR", "OneClassSVM", "SVC", "SVR"})
_KERNELS = frozenset({"linear", "poly", "rbf", "sigmoid"})
# Transformers that compute each row from its own values alone, value by value.
_BY_VALUE = frozenset(
    {
        "DateParts",
        "LevelMeans",
        "MaxAbsScaler",
        "MinMaxScaler",
        "OneHotEncoder",
        "OrdinalEncoder",
        "RobustScaler",
        "SimpleImputer",
        "StandardScaler",
        "ToNumber",
        "ToText",
    }
)
_OURS = ("sklearn", "penstock")


def row_wise(estimator: Any) -> Any:
    """Return an estimator that predicts each row as a call with that row alone does.

    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> rows = np.random.default_rng(0).normal(size=(64, 5))
    >>> model = row_wise(LogisticRegression().fit(rows, rows[:, 0] > 0))
    >>> bool((model.predict_proba(rows)[:1] == model.predict_proba(rows[:1])).all())
    True

    Args:
        estimator: A fitted estimator; the final step of a pipeline.

    Returns:
        A copy of a linear model that shares the coefficients; all further estimators unchanged.
    """
    package, name = _kind(estimator)
    if package != "sklearn" or name not in _LINEAR_CLASSIFIERS | _LINEAR_REGRESSORS:
        return estimator
    method = "decision_function" if name in _LINEAR_CLASSIFIERS else "_decision_function"
    own = getattr(estimator, method, None)
    if own is None:
        return estimator
    copied = copy.copy(estimator)
    setattr(copied, method, _ByRow(estimator, own))
    return copied


def is_row_wise(estimator: Any) -> bool:
    """Check whether ``row_wise`` makes each row's result independent of the remaining rows.

    False where that is not known for the estimator's kind: clusterers, mixtures and detectors that
    multiply a matrix of all rows, such as KMeans, GaussianMixture and EllipticEnvelope, neighbours,
    and networks.

    Args:
        estimator: A fitted estimator or pipeline.
    """
    package, name = _kind(estimator)
    if estimator in ("passthrough", "drop", None):
        return True
    if package == "sklearn" and name == "Pipeline":
        return all(is_row_wise(part) for _, part in estimator.steps)
    if package == "penstock" and name == "LabelEncodingClassifier":
        return _kind(estimator.classifier_) in _BY_ROW
    if package == "sklearn" and name == "ColumnTransformer":
        return all(is_row_wise(part) for _, part, _ in estimator.transformers_)
    if package in _OURS and name in _BY_VALUE:
        return True
    if package == "sklearn" and name in _LINEAR_CLASSIFIERS | _LINEAR_REGRESSORS:
        return True
    if package == "sklearn" and name in _FORESTS:
        return estimator.n_jobs in {None, 1}
    if package == "sklearn" and name in _BY_KERNEL:
        return isinstance(estimator.kernel, str) and estimator.kernel in _KERNELS
    return (package, name) in _BY_ROW


class _ByRow:
    """The linear function of a model, as in calls with each row alone."""

    def __init__(self, estimator: Any, own: Any) -> None:
        self._estimator, self._own = estimator, own

    def __call__(self, rows: Any) -> Any:
        import numpy as np

        coef, intercept = self._estimator.coef_, self._estimator.intercept_
        table = rows.to_numpy() if hasattr(rows, "to_numpy") else rows
        if not isinstance(table, np.ndarray) or table.ndim != 2 or table.shape[0] < 2:  # noqa: PLR2004
            return self._own(rows)  # a single row, or a sparse matrix, which is multiplied by row
        first = self._own(rows[:1])  # checks the form of the rows as the estimator does
        table = np.ascontiguousarray(table)
        products = np.matmul(table[:, None, :], coef.T)
        values = products[:, 0] + intercept
        return values.reshape((len(table), *first.shape[1:]))


def _kind(estimator: Any) -> tuple[str, str]:
    kind = type(estimator)
    return kind.__module__.split(".")[0], kind.__name__
