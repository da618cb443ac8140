"""KerasEstimator: a trained model of Keras as an estimator that predicts frames."""

import importlib
from typing import Any

from penstock.core import DataError
from penstock.models._torch_estimator import TorchEstimator

_PROBABILITIES = frozenset({"sigmoid", "softmax"})


class KerasEstimator(TorchEstimator):
    """A trained ``keras.Model`` that takes a matrix of numbers, as a scikit-learn estimator.

    As `TorchEstimator`, for Keras 3 on torch (``KERAS_BACKEND=torch``). Whether the model returns probabilities or logits
    is told by its last layer: the activations ``softmax`` and ``sigmoid`` return probabilities.

    Example:
        ```python
        net = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, activation="softmax")])
        KerasEstimator(net, classes=["low", "middle", "high"]).predict([[1.0, 2.0]])
        ```

    Args:
        module: The model: built, with one input. Returns a number per row, shape (n, 1), or for classes a value per
            class, shape (n, classes); for two classes also that of the second, shape (n, 1).
        classes: Labels in the order of the values; None for a regression.
        dtype: The matrix's type: ``float32`` or ``float64``.
    """

    def _probabilities(self, scores: Any) -> Any:
        torch, count = importlib.import_module("torch"), len(self.classes or ())
        activation = _last_activation(self.module)
        if activation not in _PROBABILITIES:
            return super()._probabilities(scores)
        if scores.ndim == 1 and count == 2 and activation == "sigmoid":  # noqa: PLR2004 - of the second of two
            return torch.stack([1 - scores, scores], dim=1)
        if scores.ndim == 2 and scores.shape[1] == count and activation == "softmax":  # noqa: PLR2004
            return scores
        if scores.ndim == 2 and activation == "sigmoid":  # noqa: PLR2004 - a matrix
            raise DataError(
                what=f"The model applies sigmoid to {scores.shape[1]} classes.",
                why="Its values belong to labels that may hold together, and add up to no probability of one.",
                fix='End it with Dense(classes, activation="softmax"), or with one value for two classes.',
            )
        raise self._other_shape(scores)

    def _forward(self, matrix: Any) -> Any:
        return self.module(matrix, training=False)


def _last_activation(model: Any) -> str:
    """Return the name of the function that a model's last layer applies; empty if it applies none."""
    last = model
    while getattr(last, "layers", None):
        last = last.layers[-1]
    named = getattr(last, "activation", None) or type(last)
    return str(getattr(named, "__name__", "")).lower()
