"""Native boosters and graphs of ONNX as estimators: frames in, labels and probabilities out.

``xgboost.train`` and ``lightgbm.train`` return a Booster, whose ``predict`` returns probabilities
for the objectives of classification, and takes a DMatrix (XGBoost).
"""

import json
from importlib import import_module
from typing import Any

from penstock.models._learned_categories import with_categories

_BINARY = ("binary:logistic", "binary")
_MANY = ("multi:softprob", "multi:softmax", "multiclass", "multiclassova")
_ROOTS = ("xgboost", "lightgbm")


def as_estimator(value: Any) -> Any:
    """Return a native booster, a graph or a pipeline of texts as an estimator; others unchanged.

    A booster that has learned pandas categories, native or as an estimator, gets their codes.

    Args:
        value: A fitted estimator, a Booster of XGBoost or LightGBM, an ``onnx.ModelProto``, or a
            ``TextClassificationPipeline`` of transformers.
    """
    kind = type(value)
    root = kind.__module__.partition(".")[0]
    if kind.__name__ == "ModelProto" and root == "onnx":
        # Imported when a graph is there: the module loads scikit-learn.
        return import_module("penstock.models._onnx_estimator").OnnxEstimator(value)
    if kind.__module__ == "transformers.pipelines.text_classification":
        return import_module("penstock.models._language_models").estimator_of_pipeline(value)
    if kind.__module__ == "penstock.models._label_encoding":
        return with_categories(value, getattr(value, "classifier_", None))
    if root not in _ROOTS:
        return value
    if kind.__name__ != "Booster":
        return with_categories(value, value)
    adapted = _XGBoostRows(value) if root == "xgboost" else _LightGBMRows(value)
    return with_categories(adapted if not adapted.count else _ClassesOf(adapted), value)


class _ClassesOf:
    """A booster of a classification objective: the labels are 0 to n - 1."""

    def __init__(self, rows: "_XGBoostRows | _LightGBMRows") -> None:
        import numpy as np

        self._rows = rows
        self.classes_ = np.arange(rows.count)

    def predict(self, frame: Any) -> Any:
        """Predict the likeliest label, shape (n,); at exactly 0.5 the label 1, as XGBoost."""
        shares = self.predict_proba(frame)
        if shares.shape[1] == 2:  # noqa: PLR2004 - two classes
            return self.classes_.take((shares[:, 1] > 1 / 2).astype(int))
        return self.classes_.take(shares.argmax(axis=1))

    def predict_proba(self, frame: Any) -> Any:
        """Predict probabilities, shape (n, classes)."""
        import numpy as np

        shares = np.asarray(self._rows.predict(frame))
        return np.stack([1 - shares, shares], axis=1) if shares.ndim == 1 else shares

    def __getattr__(self, name: str) -> Any:
        if name != "feature_names_in_":
            raise AttributeError(name)
        return self._rows.feature_names_in_


class _XGBoostRows:
    """An XGBoost Booster that takes frames."""

    def __init__(self, booster: Any) -> None:
        self._booster = booster
        learner = json.loads(booster.save_config())["learner"]
        objective = learner["objective"]["name"]
        self._is_label = objective == "multi:softmax"
        self.count = _count(objective, int(learner["learner_model_param"]["num_class"]))

    def predict(self, frame: Any) -> Any:
        """Predict as ``booster.predict`` does; probabilities for classes."""
        from xgboost import DMatrix

        names = self._booster.feature_names
        if hasattr(frame, "columns"):
            rows = DMatrix(frame if names is None else frame[list(names)], enable_categorical=True)
        else:
            rows = DMatrix(frame, feature_names=names, feature_types=self._booster.feature_types)
        if not self._is_label:
            return self._booster.predict(rows, validate_features=names is not None)
        return _softmax(self._booster.predict(rows, output_margin=True))

    @property
    def feature_names_in_(self) -> list[str]:
        """Names of the features.

        Raises:
            AttributeError: If the booster was trained on an array without names.
        """
        names: list[str] | None = self._booster.feature_names
        if names is None:
            raise AttributeError("feature_names_in_")
        return list(names)


class _LightGBMRows:
    """A LightGBM Booster that takes frames."""

    def __init__(self, booster: Any) -> None:
        self._booster = booster
        self.count = _count(*_lightgbm_objective(booster))

    def predict(self, frame: Any) -> Any:
        """Predict as ``booster.predict`` does."""
        return self._booster.predict(frame)

    @property
    def feature_names_in_(self) -> list[str]:
        """Names of the features; made-up ones for an array."""
        return [str(name) for name in self._booster.feature_name()]


def _count(objective: str, classes: int) -> int:
    if objective in _BINARY:
        return 2
    return classes if objective in _MANY else 0


def _lightgbm_objective(booster: Any) -> tuple[str, int]:
    """Read the objective from the model's text, which a trained and a loaded booster have."""
    lines = booster.model_to_string(num_iteration=1).splitlines()
    head = dict(line.partition("=")[::2] for line in lines[:20] if "=" in line)
    return head.get("objective", "").partition(" ")[0], int(head.get("num_class", 0))


def _softmax(margins: Any) -> Any:
    import numpy as np

    shifted = np.exp(margins - margins.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)
