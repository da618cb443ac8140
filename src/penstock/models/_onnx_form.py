"""OnnxForm: a second form of a model's final estimator, with the rows on which both forms agreed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from itertools import repeat
from operator import le
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeAlias

from penstock.core import DataError, ModelVersionRecord, SerializationError
from penstock.models._predictions import plain_values
from penstock.models._threads import threads_for
from penstock.stores import open_store

if TYPE_CHECKING:
    from penstock.stores import Store

Form: TypeAlias = Literal["native", "onnx"]
_FEW_ROWS = 16
_NUMBERS = frozenset({float, int, bool, type(None)})
_FACTS = (
    "form",
    "reason",
    "covers",
    "converter",
    "tolerance",
    "largest_difference",
    "rows",
    "beside_thresholds",
    "missing",
    "bounded",
    "agrees",
)


@dataclass(frozen=True, slots=True)
class OnnxForm:
    """The result of converting a model's final estimator to ONNX, decided once at registration.

    Args:
        form: The form that answers requests and batches: ``onnx`` if proved to give the same
            answers, else ``native``.
        reason: Why, as a sentence.
        covers: Class of the estimator that was converted; the transformers before stay native.
        converter: Package and version of the conversion.
        tolerance: Largest difference allowed, relative to the larger of 1 and the value.
        largest_difference: Largest difference seen, in the same measure; None if none was computed.
        rows: Number of rows compared that came from data, or were made of data.
        beside_thresholds: Number of rows compared that lie beside a change of the native answer.
        missing: Whether rows with missing values were compared; if not, they are answered natively.
        bounded: Whether rows with values beyond twice the compared ones are answered natively: sums
            of large numbers round in a way that the compared rows do not show.
        agrees: Whether both forms agreed, so that a deployment may ask for ``onnx``.
        parts: ``graph`` (onnx.ModelProto), ``inputs`` (rows of the estimator) and ``answers`` (of the
            native form); empty where nothing was converted.
    """

    bundle_type: ClassVar[str] = "penstock.models:OnnxForm"

    form: Form
    reason: str
    covers: str = ""
    converter: str = ""
    tolerance: float = 0.0
    largest_difference: float | None = None
    rows: int = 0
    beside_thresholds: int = 0
    missing: bool = False
    bounded: bool = False
    agrees: bool = False
    parts: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Return the facts as plain JSON, without graph and rows."""
        return {name: getattr(self, name) for name in _FACTS}

    def to_bundle(self) -> dict[str, Any]:
        """Return the parts to store."""
        return {"facts": self.to_json(), **self.parts}

    @classmethod
    def from_bundle(cls, parts: Mapping[str, Any]) -> Self:
        """Return the form of parts that ``to_bundle`` returned; the graph is read on use."""
        return cls(**parts["facts"], parts=parts)

    def answers(self, native: object) -> "FormAnswers":
        """Return the form in place of the native estimator.

        Args:
            native: The final estimator; answers rows that the graph is not asked for.

        Raises:
            SerializationError: If the graph now computes different answers than at registration.
            MissingPackageError: If onnxruntime is not installed.
        """
        answers = FormAnswers(native, self)
        answers.require_same()
        return answers


class FormAnswers:
    """A final estimator whose rows a graph answers.

    Rows whose likeliest two classes are closer than twice the tolerance, and rows with values that
    were not compared, are answered by the native estimator: each as in a call with that row alone.

    Threads: several at once are as safe as the native estimator.

    Args:
        native: The final estimator.
        form: The form.
    """

    def __init__(self, native: Any, form: OnnxForm) -> None:
        import numpy as np

        self._native, self._form = native, form
        # Imported when a graph is there: the module loads scikit-learn.
        graph_of = import_module("penstock.models._onnx_estimator").OnnxEstimator
        graph = graph_of(form.parts["graph"])
        classes = getattr(native, "classes_", None)
        is_classifier = classes is not None and len(classes) > 0  # a regressor's may be empty
        self._classes: Any = np.asarray(classes) if is_classifier else None
        if self._classes is not None and graph.labels is None:
            graph = graph_of(form.parts["graph"], classes=list(range(len(self._classes))))
        self._graph = graph
        self._limits: Any = None
        if form.bounded:
            compared = form.parts["inputs"].to_numpy()
            self._limits = 2 * np.nanmax(np.abs(compared), axis=0, initial=0.0)
        self.is_single = graph.inputs[0].dtype == "float32"
        largest = np.finfo(np.float32 if self.is_single else np.float64).max
        self._largest = float(largest)
        self._bounds = (
            None
            if self._limits is None
            else [min(each, self._largest) for each in self._limits.tolist()]
        )
        self._labels = [] if self._classes is None else plain_values(self._classes)

    def predict(self, rows: Any) -> Any:
        """Predict labels or numbers, shape (n,)."""
        if self._classes is not None:
            return self.predict_both(rows)[0]
        return self._numbers(rows)

    def predict_proba(self, rows: Any) -> Any:
        """Predict probabilities, shape (n, classes)."""
        return self.predict_both(rows)[1]

    def predict_both(self, rows: Any) -> tuple[Any, Any]:
        """Predict labels, shape (n,), and probabilities, shape (n, classes)."""
        import numpy as np

        table = as_numbers(rows)
        usable = self._is_usable(table)
        shares = np.zeros((len(table), len(self._classes)))
        if usable.any():
            shares[usable] = self.scores(table if usable.all() else table[usable])
        labels = self._classes.take(shares.argmax(axis=1))
        top = np.partition(shares, -2, axis=1)[:, -2:]
        unclear = ~usable | (top[:, 1] - top[:, 0] <= 2 * self._form.tolerance)
        for place in np.flatnonzero(unclear).tolist():
            row = _row(rows, place)
            with threads_for(1):
                labels[place] = self._native.predict(row)[0]
                shares[place] = self._native.predict_proba(row)[0]
        return labels, shares

    def answer_row(self, values: "tuple[Any, ...]") -> "tuple[Any, Any] | None":
        """Answer a row of finite numbers with the bits of ``predict_both``, or of ``predict``.

        One row is most requests, and arrays of a few values cost more than the graph.

        Args:
            values: The row, in the order of the columns.

        Returns:
            The label or number, and the probabilities, shape (1, classes), or None for a number;
            None for a row that the graph alone does not answer.
        """
        import numpy as np

        bounds = repeat(self._largest) if self._bounds is None else self._bounds
        if not all(map(le, map(abs, values), bounds)):
            return None
        # By way of doubles, as whole numbers of 64 bits are rounded for a table.
        row = np.array([values], dtype=np.float64)
        scores = self._graph.row_scores(row.astype(np.float32) if self.is_single else row)
        if scores is None:
            return None
        scores = np.asarray(scores, dtype=np.float64)
        if self._classes is None:
            return scores.tolist()[0], None
        shares = scores[0].tolist()
        second, top = sorted(shares)[-2:] if len(shares) > 1 else (0.0, 0.0)
        # Written so that NaN is unclear, wherever sorting put it.
        if not top - second > 2 * self._form.tolerance or sum(shares) != sum(shares):
            return None
        return self._labels[shares.index(top)], scores

    def scores(self, table: Any) -> Any:
        """Compute probabilities or numbers by the graph alone, as doubles.

        Args:
            table: Rows of the estimator, shape (n, columns), doubles.
        """
        import numpy as np

        return np.asarray(self._graph.predict_scores(table), dtype=np.float64)

    def require_same(self) -> None:
        """Check that the graph computes the values of registration, within the tolerance.

        Raises:
            SerializationError: If the values differ.
        """
        inputs = self._form.parts["inputs"].to_numpy()
        expected = self._form.parts["answers"].to_numpy()
        scores = self.scores(inputs).reshape(expected.shape)
        worst = largest_difference(scores, expected)
        if not worst <= self._form.tolerance:
            raise SerializationError(
                what=f"The ONNX form differs by {worst:.2g} from the answers recorded at registration"
                f" (tolerance {self._form.tolerance:g}).",
                why="This onnxruntime or this processor computes otherwise.",
                fix="Answer by the native form: penstock deploy MODEL --form native.",
                format="onnx",
            )

    def _numbers(self, rows: Any) -> Any:
        import numpy as np

        table = as_numbers(rows)
        usable = self._is_usable(table)
        numbers = np.zeros(len(table))
        if usable.any():
            numbers[usable] = self.scores(table if usable.all() else table[usable])
        for place in np.flatnonzero(~usable).tolist():
            with threads_for(1):
                answer = self._native.predict(_row(rows, place))
            numbers[place] = np.asarray(answer).reshape(-1)[0]
        return numbers

    def _is_usable(self, table: Any) -> Any:
        """Find the rows whose values were compared at registration: finite, in the graph's type."""
        import numpy as np

        with np.errstate(over="ignore"):
            cast = table.astype(np.float32) if self.is_single else table
        known = np.isfinite(cast)
        if self._form.missing:
            known |= np.isnan(cast)
        if self._limits is not None:
            known &= ~(np.abs(table) > self._limits)
        return known.all(axis=1)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_native"], name)


def read_onnx_form(
    version: ModelVersionRecord, *, store: "Store | str | None" = None
) -> OnnxForm | None:
    """Read the result of converting a registered version; None if not tried.

    Args:
        version: The version.
        store: The version's store; by default the project's.

    Raises:
        StoreError: If the stored form is damaged.
    """
    if version.onnx is None:
        return None
    form: OnnxForm = open_store(store).get(version.onnx)
    return form


def describe_form(version: ModelVersionRecord, *, store: "Store | str | None" = None) -> str:
    """Say which form of a version answers, and why, as the end of a sentence about the version."""
    form = read_onnx_form(version, store=store)
    if form is None:
        return "answers in its native form; no ONNX form was tried."
    if form.form == "onnx":
        return f"answers in its ONNX form ({form.converter}). {form.reason}"
    return f"answers in its native form. {form.reason}"


def require_onnx_form(
    version: ModelVersionRecord, *, store: "Store | str | None" = None
) -> OnnxForm:
    """Return the ONNX form of a version that may answer with the form.

    Raises:
        DataError: If the version has none, with the reason.
    """
    form = read_onnx_form(version, store=store)
    if form is not None and form.agrees:
        return form
    raise DataError(
        what=f"{version.ref} has no ONNX form that may answer.",
        why="None was tried when it was registered." if form is None else form.reason,
        fix="Use its native form"
        + (
            '; with `pip install "penstock[onnx]"`, a version registered anew is tried.'
            if form is None
            else "."
        ),
    )


def as_numbers(rows: Any) -> Any:
    """Return the input of a final estimator as a matrix of doubles.

    Raises:
        ValueError: If the input is no table of numbers.
    """
    import numpy as np

    if hasattr(rows, "rows") and len(rows) <= _FEW_ROWS:
        return _few_numbers(rows.rows())
    if hasattr(rows, "toarray"):
        rows = rows.toarray()
    elif hasattr(rows, "to_numpy"):
        rows = rows.to_numpy()
    array = np.asarray(rows)
    if array.ndim != 2 or array.dtype.kind not in "fiub":  # noqa: PLR2004 - a matrix
        raise ValueError(f"it takes values of type {array.dtype}")
    return np.ascontiguousarray(array, dtype=np.float64)


def _few_numbers(rows: list[tuple[Any, ...]]) -> Any:
    """Return rows of a polars frame as doubles, without the threads that polars converts with.

    On a busy machine of 2 cores these took a millisecond to synchronize.
    """
    import numpy as np

    for value in (value for row in rows for value in row):
        if type(value) not in _NUMBERS:
            raise ValueError(f"it takes values of type {type(value).__name__}")
    return np.array(rows, dtype=np.float64)


def largest_difference(computed: Any, expected: Any) -> float:
    """Return the largest difference, relative to the larger of 1 and the expected value."""
    import numpy as np

    if not computed.size:
        return 0.0
    share = np.abs(computed - expected) / np.maximum(np.abs(expected), 1.0)
    return float("inf") if np.isnan(share).any() else float(share.max())


def _row(rows: Any, place: int) -> Any:
    if hasattr(rows, "tocsr"):
        rows = rows.tocsr()
    return rows[place : place + 1]
