"""OnnxEstimator: a graph of ONNX as an estimator that predicts frames."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator
from sklearn.utils.metaestimators import available_if

from penstock.core import DataError, ParameterError
from penstock.models._onnx_session import OnnxInput, OnnxSession
from penstock.models._task_tags import tag_task
from penstock.stores import nested_state, read_nested

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NESTED = "stored"
_LABELS = ("classlabels_int64s", "classlabels_strings", "classlabels_ints")
_SHARES = frozenset({"Softmax", "Sigmoid", "ZipMap"})
_CLASSIFIERS = frozenset({"TreeEnsembleClassifier", "LinearClassifier", "SVMClassifier"})


def _has_classes(estimator: "OnnxEstimator") -> bool:
    return estimator.labels is not None


class OnnxEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A graph of ONNX, as a scikit-learn estimator that onnxruntime computes.

    A graph with one input takes the columns as a matrix, in their order; a graph with several takes
    each from the column of its name. An ``onnx.ModelProto`` that a step returns is registered
    unchanged; wrap the proto to name classes that the graph does not name.

    >>> from penstock.models import OnnxEstimator
    >>> from penstock.stores import read_onnx
    >>> OnnxEstimator(read_onnx("churn.onnx"), classes=["no", "yes"])  # doctest: +SKIP

    A graph of a classifier, as skl2onnx and onnxmltools write it, has an output of labels and an
    output of probabilities, and mostly names its classes. A graph with a single output of numbers
    is a regression, or with ``classes`` a network that returns a score (logit) per class, or for
    two classes the logit of the second; if the graph ends with Softmax or Sigmoid, these are
    probabilities already.

    Each row is predicted as in a call with this row alone, on one thread: trees in a single call
    for all rows, all further graphs row by row.

    Threads: any number may predict at once.

    Args:
        model: The graph, ``onnx.ModelProto``; see `read_onnx` for a file.
        classes: Labels in the order of the scores; by default as the graph names them.

    Raises:
        DataError: When predicting, if the graph takes no tables, or returns no row for each row.
    """

    def __init__(self, model: object, classes: Sequence[Any] | None = None) -> None:
        self.model: Any = model
        self.classes = classes

    def fit(self, X: object, y: object = None) -> "OnnxEstimator":  # noqa: N803 - scikit-learn's name
        """Return the estimator: the graph is trained already."""
        del X, y
        return self

    @property
    def labels(self) -> tuple[Any, ...] | None:
        """Labels as given, or as the graph names them; None if there are none."""
        return self._facts.labels

    @property
    def classes_(self) -> "NDArray[Any]":
        """Labels in the order of the probabilities, as scikit-learn names them."""
        import numpy as np

        if self.labels is None:
            raise AttributeError("classes_")
        return np.asarray(self.labels)

    @property
    def inputs(self) -> tuple[OnnxInput, ...]:
        """The inputs of the graph."""
        return self._facts.session.inputs

    @property
    def feature_names_in_(self) -> "NDArray[Any]":
        """Names of the columns; there are none where a graph takes a matrix."""
        import numpy as np

        if len(self.inputs) == 1:
            raise AttributeError("feature_names_in_")
        return np.asarray([each.name for each in self.inputs], dtype=object)

    def predict(self, X: object) -> "NDArray[Any]":  # noqa: N803 - scikit-learn's name
        """Predict labels or numbers, shape (n,); numbers of several targets, shape (n, targets).

        Raises:
            DataError: If a column is missing, has a value that the graph's type cannot hold, or the
                graph fails.
        """
        labels: NDArray[Any] = self._predict(X)[0]
        return labels

    @available_if(_has_classes)  # type: ignore[untyped-decorator]  # scikit-learn has no types
    def predict_proba(self, X: object) -> "NDArray[Any]":  # noqa: N803 - scikit-learn's name
        """Compute the probability of each class, shape (n, classes).

        Raises:
            DataError: As for ``predict``; also if the graph has no score for each class.
        """
        shares: NDArray[Any] = self._predict(X)[1]
        return shares

    @available_if(_has_classes)  # type: ignore[untyped-decorator]  # scikit-learn has no types
    def predict_both(self, X: object) -> "tuple[NDArray[Any], NDArray[Any]]":  # noqa: N803 - scikit-learn's name
        """Compute labels and probabilities in a single call of the graph; see ``predict_proba``."""
        return self._predict(X)

    def predict_scores(self, X: object) -> "NDArray[Any]":  # noqa: N803 - scikit-learn's name
        """Compute probabilities, shape (n, classes), or numbers, without the graph's labels.

        Raises:
            DataError: As for ``predict``.
        """
        name = self._facts.score
        if name is None:
            raise DataError(
                what="The ONNX model returns labels alone.",
                fix="Ask it by predict.",
            )
        output = self._facts.session.run(make_feeds(self.inputs, X), [name])[0]
        if self.labels is not None:
            output = self._shares(output)
        elif output.ndim == 2 and output.shape[1] == 1:  # noqa: PLR2004 - a column
            output = output[:, 0]
        scores: NDArray[Any] = output
        return scores

    def row_scores(self, row: "NDArray[Any]") -> "NDArray[Any] | None":
        """Compute the scores of a row as ``predict_scores`` does, with nothing to convert.

        Args:
            row: The row in the type of the only input, shape (1, width).

        Returns:
            As ``predict_scores``; None if the graph takes or returns something else.
        """
        facts = self._facts
        if facts.score is None or len(facts.session.inputs) != 1:
            return None
        only = facts.session.inputs[0]
        if row.dtype != only.dtype or only.width not in {None, row.shape[1]}:
            return None
        output = facts.session.run({only.name: row}, [facts.score])[0]
        if isinstance(output, list):
            return None
        if facts.labels is not None:
            if output.shape != (1, len(facts.labels)) or not facts.is_shares:
                output = self._shares(output)
        elif output.ndim == 2 and output.shape[1] == 1:  # noqa: PLR2004 - a column
            output = output[:, 0]
        scores: NDArray[Any] = output
        return scores

    def _predict(self, X: object) -> "tuple[Any, Any]":  # noqa: N803 - scikit-learn's name
        facts = self._facts
        label, score = facts.label, facts.score
        wanted = [name for name in (label, score) if name is not None]
        outputs = dict(
            zip(wanted, facts.session.run(make_feeds(self.inputs, X), wanted), strict=True)
        )
        shares = None if self.labels is None or score is None else self._shares(outputs[score])
        if label is not None:
            labels = outputs[label]
            labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels  # noqa: PLR2004
            return labels if self.classes is None else self._own(labels), shares
        if shares is not None:
            return self.classes_[shares.argmax(axis=1)], shares
        numbers = outputs[str(score)]
        return numbers[:, 0] if numbers.ndim == 2 and numbers.shape[1] == 1 else numbers, None  # noqa: PLR2004

    def _own(self, labels: Any) -> Any:
        """Return the user's labels of the labels that the graph returns."""
        own, known = self.classes_, self._facts.classes
        if known is not None:
            places = {each: place for place, each in enumerate(known)}
            return own[[places[each] for each in labels.tolist()]]
        if labels.dtype.kind in "iu" and own.dtype.kind not in "iu":
            return own[labels]
        strange = [each for each in labels.tolist() if each not in own.tolist()]
        if strange:
            raise DataError(
                what=f"The ONNX model returned the label {strange[0]!r}, and classes are"
                f" {', '.join(map(repr, own.tolist()[:8]))}.",
                fix="Name the labels that the graph returns, in the order of its probabilities.",
            )
        return labels

    def _shares(self, scores: Any) -> Any:
        import numpy as np

        labels, facts = self.labels or (), self._facts
        if isinstance(scores, list):  # ZipMap: a dictionary for each row
            known = facts.classes or labels
            return np.asarray([[row[each] for each in known] for row in scores])
        scores = scores[:, 0] if scores.ndim == 2 and scores.shape[1] == 1 else scores  # noqa: PLR2004
        if scores.ndim == 1 and len(labels) == 2:  # noqa: PLR2004 - the second of two
            second = scores if facts.is_shares else 1 / (1 + np.exp(-scores.astype(np.float64)))
            return np.stack([1 - second, second], axis=1)
        if scores.ndim != 2 or scores.shape[1] != len(labels):  # noqa: PLR2004 - a matrix
            raise DataError(
                what=f"The ONNX model returned shape {scores.shape} for {len(labels)} classes.",
                why="There is one score for each class.",
                fix="Name as many classes as it has scores: OnnxEstimator(model, classes=[…]).",
            )
        if facts.is_shares:
            return scores
        powers = np.exp(scores.astype(np.float64) - scores.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    @property
    def _facts(self) -> "_Facts":
        known: _Facts | None = self.__dict__.get("_known")
        if known is None or known.model is not self.model or known.own is not self.classes:
            known = self.__dict__["_known"] = _Facts(self.model, self.classes)
        return known

    def __sklearn_is_fitted__(self) -> bool:
        """Tell scikit-learn that there is nothing to fit."""
        return True

    def __sklearn_tags__(self) -> object:
        """Tell scikit-learn whether the estimator is a classifier."""
        return tag_task(super().__sklearn_tags__(), is_classifier=self.labels is not None)

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:  # noqa: N803 - scikit-learn's name
        """Return a short text: a graph has thousands of lines."""
        del N_CHAR_MAX
        return f"OnnxEstimator({', '.join(each.name for each in self.inputs[:5])})"

    def __getstate__(self) -> Any:
        """Return the attributes; in a store with the graph in the format of ONNX."""
        state = {**super().__getstate__()}
        state.pop("_known", None)
        nested = nested_state(self.model)
        return state if nested is None else {**state, "model": {_NESTED: nested}}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Set the attributes; see ``__getstate__``."""
        state = dict(state)
        model = state.get("model")
        if isinstance(model, dict) and _NESTED in model:
            state["model"] = read_nested(model[_NESTED])
        super().__setstate__(state)


def _require_order(own: Sequence[Any], known: Sequence[Any]) -> None:
    """Refuse classes that would turn the labels of a graph around."""
    if len(own) != len(known) or (set(own) == set(known) and own != known):
        raise ParameterError(
            what=f"classes of OnnxEstimator are {own}, and the graph's own {known}.",
            why="A label stands for the class of its place in the graph.",
            fix="Leave classes out, or name them in the order of the graph.",
        )


class _Facts:
    """The session of a graph, the meaning of the outputs, and the classes."""

    def __init__(self, model: Any, own: Sequence[Any] | None) -> None:
        if type(model).__name__ != "ModelProto":
            raise ParameterError(
                what=f"model of OnnxEstimator is {type(model).__name__}.",
                why="A graph is checked and stored as onnx.ModelProto.",
                fix='Read the file: OnnxEstimator(read_onnx("churn.onnx")).',
            )
        self.model, self.own = model, own
        self.session = OnnxSession(model)
        self.label, self.score = _roles(self.session.outputs)
        makers = {name: node for node in model.graph.node for name in node.output}
        self.classes = _named_classes(model, makers)
        last = None if self.score is None else _maker(makers, self.score)
        if own is not None and self.classes is not None:
            _require_order(list(own), list(self.classes))
        self.labels = self.classes if own is None else tuple(own)
        self.is_shares = last in _SHARES or (self.label is not None and self.score is not None)


def make_feeds(inputs: Sequence[OnnxInput], table: Any) -> dict[str, Any]:
    """Return the arrays that a graph takes, of a frame or a matrix.

    Raises:
        DataError: If a column is missing, or has a value that the graph's type cannot hold.
    """
    import numpy as np

    if len(inputs) == 1:
        only = inputs[0]
        matrix = _typed(np.asarray(table), only)
        if only.width == 0:
            matrix = matrix.reshape(len(matrix))
        elif only.width is not None and matrix.shape[1:] != (only.width,):
            raise DataError(
                what=f"The rows have {matrix.shape[1] if matrix.ndim > 1 else 1} columns,"
                f" the ONNX model takes {only.width}.",
                why="It takes the columns as one matrix, in their order.",
                fix="Give the columns that it was trained on, in that order.",
            )
        return {only.name: matrix}
    if not hasattr(table, "columns"):
        table = np.asarray(table)
        if table.ndim != 2 or table.shape[1] != len(inputs):  # noqa: PLR2004 - a matrix
            raise DataError(
                what=f"The ONNX model takes {len(inputs)} columns by name.",
                fix="Give a frame with these columns: " + ", ".join(e.name for e in inputs[:8]),
            )
        columns = dict(zip((each.name for each in inputs), table.T, strict=True))
        return {each.name: _column(columns[each.name], each) for each in inputs}
    return {each.name: _column(_take(table, each.name), each) for each in inputs}


def _take(table: Any, name: str) -> Any:
    if name not in table.columns:
        raise DataError(
            what=f"The ONNX model takes an input {name!r}, and there is no such column.",
            fix=f"The rows have: {', '.join(map(str, table.columns))[:300]}.",
            column=name,
        )
    return table[name].to_numpy()


def _column(values: Any, wanted: OnnxInput) -> Any:
    typed = _typed(values, wanted)
    return typed if wanted.width == 0 else typed.reshape(len(typed), -1)


def _typed(values: Any, wanted: OnnxInput) -> Any:
    import numpy as np

    if wanted.dtype == "str":
        texts = np.asarray(values, dtype=object)
        if any(not isinstance(each, str) for each in texts.reshape(-1)):
            raise _unfit(wanted, "a value that is no text")
        return texts
    if values.dtype == object:
        if any(isinstance(each, str) for each in values.reshape(-1)):
            raise _unfit(wanted, "a text")
        values = values.astype(np.float64)
    if values.dtype.kind not in "fiub":
        raise _unfit(wanted, f"values of type {values.dtype}")
    kind = np.dtype(wanted.dtype)
    if values.dtype == kind and values.flags.c_contiguous:
        return values
    with np.errstate(invalid="ignore", over="ignore"):
        typed = np.ascontiguousarray(values, dtype=kind)
    if kind.kind in "iub" and values.dtype != kind and not (typed == values).all():
        raise _unfit(wanted, "a value that is no whole number of its range")
    return typed


def _unfit(wanted: OnnxInput, what: str) -> DataError:
    return DataError(
        what=f"The input {wanted.name!r} of the ONNX model takes {wanted.dtype}, and there is {what}.",
        fix="Fill missing values and encode texts before, or export the graph with another input type.",
        column=wanted.name,
    )


def _roles(outputs: Sequence[tuple[str, str]]) -> tuple[str | None, str | None]:
    """Return the names of the outputs with labels and with numbers."""
    labels = [name for name, kind in outputs if kind in {"tensor(int64)", "tensor(string)"}]
    scores = [
        name
        for name, kind in outputs
        if "float" in kind or kind == "tensor(double)" or "map" in kind
    ]
    if not labels and not scores:
        raise DataError(
            what=f"The ONNX model returns {', '.join(f'{n} ({k})' for n, k in outputs)}.",
            why="A prediction is a label or a number.",
            fix="Export a graph that returns labels, numbers or probabilities.",
        )
    return labels[0] if labels else None, scores[0] if scores else None


def _named_classes(model: Any, makers: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """Return the classes that a graph names, in the order of the probabilities."""
    for node in model.graph.node:
        if node.op_type not in _CLASSIFIERS | {"ZipMap"}:
            continue
        for attribute in node.attribute:
            if attribute.name not in _LABELS:
                continue
            values = attribute.ints or attribute.strings
            if len(values):
                return tuple(e.decode() if isinstance(e, bytes) else int(e) for e in values)
    for node in model.graph.node:  # as skl2onnx writes linear models of doubles
        if node.op_type == "ArrayFeatureExtractor" and node.input[0] not in makers:
            return _constants(model, node.input[0])
    return None


def _constants(model: Any, name: str) -> tuple[Any, ...] | None:
    for each in model.graph.initializer:
        if each.name == name and each.string_data:
            return tuple(text.decode() for text in each.string_data)
        if each.name == name and (each.int64_data or each.int32_data):
            return tuple(int(e) for e in (each.int64_data or each.int32_data))
    return None


def _maker(makers: Mapping[str, Any], name: str) -> str | None:
    """Return the operator that makes an output, behind those that change no value."""
    node = makers.get(name)
    while node is not None and node.op_type in {
        "Identity",
        "Cast",
        "Reshape",
        "Flatten",
        "Squeeze",
    }:
        node = makers.get(node.input[0])
    return None if node is None else str(node.op_type)
