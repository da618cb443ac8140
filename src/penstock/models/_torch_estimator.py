"""TorchEstimator: a trained network of PyTorch as an estimator that predicts frames."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator
from sklearn.utils.metaestimators import available_if

from penstock.core import DataError, ParameterError, require
from penstock.models._task_tags import tag_task
from penstock.stores import nested_state, read_nested

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NESTED = "stored"
_TYPES = ("float32", "float64", "float16", "bfloat16")


def _has_classes(estimator: "TorchEstimator") -> bool:
    return estimator.classes is not None


class TorchEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A trained ``torch.nn.Module`` that takes a matrix of numbers, as a scikit-learn estimator.

    Columns become a matrix in their order, as type ``dtype``. To scale or encode them, put fitted
    transformers in front: ``make_pipeline(preparation, TorchEstimator(net, classes=[…]))``. The
    network is trained before; ``fit`` changes nothing. Predictions are made in evaluation mode,
    without gradients. Stored, the weights are in safetensors and the class comes from recorded
    source.

    >>> import torch
    >>> from penstock.models import TorchEstimator
    >>> net = torch.nn.Linear(2, 1)
    >>> _ = torch.nn.init.ones_(net.weight), torch.nn.init.zeros_(net.bias)
    >>> TorchEstimator(net).predict([[1.0, 2.0], [0.5, 0.5]]).tolist()
    [3.0, 1.0]

    Threads: several at once are as safe as the network's ``forward``.

    Args:
        module: The network. Returns a number per row, shape (n,) or (n, 1), or for classes a
            score (logit) per class, shape (n, classes); for two classes also the logit of the
            second.
        classes: Labels in the order of the scores; None for a regression.
        dtype: The matrix's type, that of the weights: ``float32``, ``float64``, ``float16`` or
            ``bfloat16``.
    """

    def __init__(
        self,
        module: object,
        classes: Sequence[Any] | None = None,
        dtype: str = "float32",
    ) -> None:
        self.module: Any = module
        self.classes = classes
        self.dtype = dtype

    def fit(self, X: object, y: object = None) -> "TorchEstimator":  # noqa: N803 - scikit-learn's name
        """Return the estimator: the network is trained already."""
        del X, y
        return self

    @property
    def classes_(self) -> "NDArray[Any]":
        """Labels in the order of the probabilities, as scikit-learn names them."""
        import numpy as np

        if self.classes is None:
            raise AttributeError("classes_")
        return np.asarray(self.classes)

    def predict(self, X: object) -> "NDArray[Any]":  # noqa: N803 - scikit-learn's name
        """Predict labels or numbers, shape (n,).

        Raises:
            DataError: If the network does not return a number per row, or per row and class.
        """
        if self.classes is not None:
            labels: NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
            return labels
        values = self._scores(X)
        if values.ndim != 1:
            raise DataError(
                what=f"The network returned {values.shape[1]} values per row.",
                why="A prediction of a number has one; scores of classes need the classes.",
                fix="Name the classes in the order of the scores: TorchEstimator(net, classes=[…]).",
            )
        predicted: NDArray[Any] = values.double().numpy()
        return predicted

    @available_if(_has_classes)  # type: ignore[untyped-decorator]  # scikit-learn has no types
    def predict_proba(self, X: object) -> "NDArray[Any]":  # noqa: N803 - scikit-learn's name
        """Compute the probability of each class, shape (n, classes).

        Raises:
            DataError: If the network does not return a score for each class.
        """
        probabilities: NDArray[Any] = self._probabilities(self._scores(X).double()).numpy()
        return probabilities

    def _probabilities(self, scores: Any) -> Any:
        torch, count = _import_torch(), len(self.classes or ())
        if scores.ndim == 1 and count == 2:  # noqa: PLR2004 - the logit of the second of two
            second = torch.sigmoid(scores)
            return torch.stack([1 - second, second], dim=1)
        if scores.ndim == 2 and scores.shape[1] == count:  # noqa: PLR2004 - a matrix
            return torch.softmax(scores, dim=1)
        raise self._other_shape(scores)

    def _other_shape(self, scores: Any) -> DataError:
        return DataError(
            what=f"The network returned shape {tuple(scores.shape)} for {len(self.classes or ())} classes.",
            why="There is one score for each class.",
            fix="Let forward return shape (n, classes), or name as many classes as it has scores.",
        )

    def _scores(self, X: object) -> Any:  # noqa: N803 - scikit-learn's name
        import numpy as np

        torch = _import_torch()
        if self.dtype not in _TYPES:
            raise ParameterError(
                what=f"dtype of TorchEstimator is {self.dtype!r}.",
                fix=f"Use {', '.join(_TYPES[:-1])} or {_TYPES[-1]}.",
            )
        wide = self.dtype if self.dtype == "float64" else "float32"  # NumPy has no bfloat16
        matrix = torch.from_numpy(np.ascontiguousarray(np.asarray(X), dtype=wide))
        matrix = matrix.to(getattr(torch, self.dtype))
        with torch.inference_mode():
            try:
                scores = self._forward(matrix)
            except RuntimeError as error:
                raise self._explained(error) from error
        rows = matrix.shape[0]
        if not isinstance(scores, torch.Tensor) or scores.shape[:1] != (rows,) or scores.ndim > 2:  # noqa: PLR2004 - a matrix
            raise DataError(
                what=f"The network returned {_describe(scores)} for {rows} rows.",
                why="A prediction belongs to a row.",
                fix="Let forward return a tensor of shape (n,), (n, 1) or (n, classes).",
            )
        return scores[:, 0] if scores.ndim == 2 and scores.shape[1] == 1 else scores  # noqa: PLR2004

    def _explained(self, error: RuntimeError) -> Exception:
        """Return an error that names the weights' type, where the matrix has another."""
        kinds = {
            str(each.dtype).removeprefix("torch.")
            for each in self.module.parameters()
            if each.is_floating_point()
        }
        if kinds == {self.dtype} or len(kinds) != 1 or "dtype" not in str(error):
            return error
        kind = kinds.pop()
        return DataError(
            what=f"The network's weights are {kind}, and the rows are given as {self.dtype}.",
            why=f"torch does not multiply the two: {str(error).splitlines()[0][:200]}.",
            fix=f'Say so: TorchEstimator(net, …, dtype="{kind}"), or convert it: net.float().',
        )

    def _forward(self, matrix: Any) -> Any:
        if any(each.training for each in self.module.modules()):
            self.module.eval()
        return self.module(matrix)

    def __sklearn_is_fitted__(self) -> bool:
        """Tell scikit-learn that there is nothing to fit."""
        return True

    def __sklearn_tags__(self) -> object:
        """Tell scikit-learn whether the estimator is a classifier."""
        return tag_task(super().__sklearn_tags__(), is_classifier=self.classes is not None)

    def __getstate__(self) -> Any:
        """Return the attributes; in a store with the network in torch's format."""
        state = super().__getstate__()
        nested = nested_state(self.module)
        if nested is None:
            return state
        return {**state, "module": {_NESTED: nested}}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Set the attributes; see ``__getstate__``."""
        state = dict(state)
        module = state.get("module")
        if isinstance(module, dict) and _NESTED in module:
            state["module"] = read_nested(module[_NESTED])
        super().__setstate__(state)


def _describe(value: object) -> str:
    shape = getattr(value, "shape", None)
    return type(value).__name__ if shape is None else f"shape {tuple(shape)}"


def _import_torch() -> Any:
    return require("torch", extra="torch", purpose="predicting with a network")
