"""Model: a fitted estimator with a signature; loads from safe formats only."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from penstock.core import DataError, ModelVersionRecord, did_you_mean, require_type
from penstock.models._estimator_call import EstimatorCall
from penstock.models._explanation import Explanation, explain_rows
from penstock.models._inference import describe_estimator
from penstock.models._mlflow_model import require_no_files
from penstock.models._native_boosters import as_estimator
from penstock.models._onnx_form import Form, OnnxForm, require_onnx_form
from penstock.models._predictions import Predictions, plain_values, require_usable
from penstock.models._row_wise import is_row_wise
from penstock.models._rows import FEW_ROWS
from penstock.models._safety import require_allowed
from penstock.models._signature import Signature
from penstock.models._targets import TargetColumn, rows_by_target
from penstock.models._threads import threads_for
from penstock.stores import open_store
from penstock.tables import Column, convert_frame

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from penstock.stores import Store

_AS_DOUBLES = frozenset({"Float64", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32"})


@dataclass(frozen=True)
class Model:
    """A fitted estimator with a signature: evaluation, comparison and serving ask the same object.

    Threads: predicting from several threads at once is as safe as the estimator's ``predict``
    (scikit-learn's, xgboost's and lightgbm's are).

    Args:
        estimator: A fitted estimator with ``predict`` and for classes usually ``predict_proba``.
        signature: The estimator's inputs and outputs.
        form: The ONNX form that predicts in place of the final estimator; None for the native form,
            by which models are evaluated, compared and proved.
    """

    estimator: Any
    signature: Signature
    form: OnnxForm | None = None

    @classmethod
    def of(
        cls, estimator: object, sample: "pl.DataFrame", *, columns: Iterable[Column] = ()
    ) -> "Model":
        """Make a model that predicts frames; ``infer_signature`` also describes requests.

        >>> import polars as pl
        >>> from sklearn.dummy import DummyClassifier
        >>> X = pl.DataFrame({"age": [20, 60]})
        >>> Model.of(DummyClassifier().fit(X, ["no", "yes"]), X).predict(X).values
        ['no', 'no']

        Args:
            estimator: The fitted estimator.
            sample: Some rows of the features; columns that the estimator does not name as
                features are no inputs.
            columns: The training columns with their limits and categories, where known.

        Raises:
            DataError: If columns are missing, or the estimator takes no type of frame.
        """
        return cls(estimator, describe_estimator(estimator, sample, columns=columns))

    @classmethod
    def load(
        cls,
        version: ModelVersionRecord,
        *,
        form: Form = "native",
        store: "Store | str | None" = None,
    ) -> "Model":
        """Load a registered version, and check the stored bytes against the digest.

        Args:
            version: The version.
            form: ``onnx`` for the form that answers requests where the version has such a form; see
                OnnxForm.
            store: The version's store; by default the project's.

        Raises:
            SerializationError: If the stored format can run code, or the ONNX form computes
                different answers than at registration.
            MissingPackageError: If the ONNX form is asked for, and onnxruntime is not installed.
            StoreError: If the bytes are damaged or missing.
            DataError: If the signature is damaged, or the version has no ONNX form that may answer.
            ParameterError: If the version is no record, such as a name.
        """
        require_type(
            "version of Model.load",
            version,
            ModelVersionRecord,
            'Look it up: Model.load(Registry().get("churn", 1)).',
        )
        store = open_store(store)
        stored = store.metadata.artifacts.get(version.artifact, version.content_digest)
        if not version.signature:
            require_no_files(stored, store=store)
        record = require_allowed(stored, store=store)
        estimator = store.load(record, check=True)
        signature = Signature.from_json(version.signature)
        if form == "native":
            return cls(estimator, signature)
        model = cls(estimator, signature, require_onnx_form(version, store=store))
        model._call  # noqa: B018 - the graph is loaded and compared now, not with the first request
        return model

    @property
    def is_row_wise(self) -> bool:
        """Whether a row's prediction is known not to depend on the rows predicted with it."""
        if self.form is None:
            return is_row_wise(self.estimator)
        steps = getattr(as_estimator(self.estimator), "steps", ())
        return all(is_row_wise(part) for _, part in steps[:-1])

    @property
    def answered_by(self) -> Form:
        """The form that predicts: ``native`` or ``onnx``."""
        return "native" if self.form is None else "onnx"

    def score(self, shares: "NDArray[Any]") -> "NDArray[Any]":
        """Return the score of each row: the positive class's probability, or the largest.

        Args:
            shares: Class probabilities, shape (n, classes).
        """
        positive = self._positive
        return shares.max(axis=1) if positive is None else shares[:, positive]

    @cached_property
    def has_probabilities(self) -> bool:
        """Whether predictions have class probabilities; a support vector machine may have none."""
        return bool(self.signature.classes) and self._call.has_probabilities

    def predict(self, frame: "pl.DataFrame") -> Predictions:
        """Predict the rows of a frame.

        Args:
            frame: The inputs, shape (n, inputs), in any column order; further columns are ignored.

        Raises:
            DataError: If an input column is missing.
            ServingError: If the model returns NaN, infinity or the wrong number of rows.
        """
        return self._predict(self._select(frame))

    def predict_rows(
        self, rows: Sequence[Mapping[str, Any]], *, outputs: Sequence[str] = ()
    ) -> Predictions:
        """Check rows and predict them; see Signature.check_rows.

        Args:
            rows: Values by column name.
            outputs: Names of further outputs to compute; names that are no output are ignored.

        Raises:
            DataError: If a row cannot be used; the error names the field.
            ServingError: If the model fails to predict.
        """
        is_few = isinstance(rows, list | tuple) and 0 < len(rows) <= FEW_ROWS
        if is_few and not outputs and self._takes_numbers:
            if len(rows) == 1 and (plain := self.signature.plain_values(rows[0])) is not None:
                alone = self._predict_row(plain)
                if alone is not None:
                    return alone
            few, warnings = self.signature.check_few(rows)
            return self._predict_table(few, len(few), warnings)
        frame, warnings = self.signature.check_rows(rows)
        return self._predict(frame, warnings, outputs)

    def for_target(self, name: str) -> "Model":
        """Return the model of a single target of a model that predicts several.

        For evaluation, which compares a single target; the whole model is registered and served.

        >>> import polars as pl
        >>> from sklearn.linear_model import LinearRegression
        >>> X = pl.DataFrame({"age": [1, 2, 3]})
        >>> y = pl.DataFrame({"height": [2.0, 4.0, 6.0], "weight": [1.0, 1.0, 1.0]})
        >>> fitted = LinearRegression().fit(X, y)
        >>> from penstock.models import infer_signature
        >>> model = Model(fitted, infer_signature(fitted, X, y))
        >>> [round(value, 6) for value in model.for_target("height").predict(X).values]
        [2.0, 4.0, 6.0]

        Args:
            name: The target.

        Raises:
            DataError: If the model has no such target.
        """
        signature = self.signature
        names = [target.name for target in signature.targets]
        if name not in names:
            raise DataError(
                what=f"The model has no target {name!r}"
                + (f", but {', '.join(names)}." if names else ": it predicts a single one."),
                fix=did_you_mean(name, names) if names else "Use the model as it is.",
            )
        place = names.index(name)
        target = signature.targets[place]
        single = replace(
            signature,
            target=name,
            task=target.task,
            classes=target.classes,
            positive=target.classes[-1] if target.task == "binary" else None,
            targets=(),
        )
        return Model(TargetColumn(self.estimator, place, target.classes), single)

    def predict_checked(self, frame: "pl.DataFrame") -> "tuple[Any, NDArray[Any] | None]":
        """Predict rows that were checked, as the estimator returns them.

        Args:
            frame: The inputs with the training types, in the order of the signature.

        Returns:
            Labels or numbers, shape (n,), and class probabilities, shape (n, classes), or None.
        """
        table = convert_frame(frame, self.signature.frame)
        with threads_for(frame.height):
            if not self.has_probabilities:
                return self._call.predict(table), None
            output, shares = self._call.predict_both(table)
        return output, _as_array(shares)

    def values_of(self, output: object, rows: int) -> "pl.Series":
        """Return the labels or numbers that an estimator predicted, as a column.

        Raises:
            ServingError: If a value is NaN or infinite, or the number of rows is wrong.
        """
        import numpy as np
        import polars as pl

        if (
            isinstance(output, np.ndarray)
            and output.shape == (rows,)
            and output.dtype.kind in "fiu"
        ):
            values = pl.Series(output)
            if output.dtype.kind == "f":
                values = values.cast(pl.Float64)
            if output.dtype.kind != "f" or np.isfinite(output).all():
                return values
        plain = plain_values(output)
        require_usable(plain, rows)
        return pl.Series(plain)

    def predict_as_is(self, frame: "pl.DataFrame") -> Predictions:
        """Predict the rows of a frame without a check: evaluation reports unusable values.

        Where ``predict_proba`` fails there are no probabilities; there are no scores.

        Raises:
            DataError: If an input column is missing, or there is several values per row.
        """
        rows, call = self._select(frame), self._call
        if self.signature.targets:
            names = ", ".join(target.name for target in self.signature.targets)
            raise DataError(
                what=f"The model predicts {len(self.signature.targets)} values per row: {names}.",
                why="Evaluation compares a single target.",
                fix='Evaluate each: model.for_target("…"), with a split by that target; labels of one '
                "row together by split(target=[…]); quantiles by evaluate(quantiles=(0.05, 0.5, 0.95)).",
            )
        with threads_for(frame.height):
            table = convert_frame(rows, self.signature.frame)
            output, shares = None, None
            if call.has_probabilities:
                try:
                    output, shares = call.predict_both(table)
                except Exception:  # noqa: BLE001 - some models have the method and refuse to answer
                    shares = None
            if shares is None:
                output = call.predict(table)
        values = plain_values(output)
        matrix = None if shares is None else _as_array(shares)
        return Predictions(values, matrix, [None] * len(values), [()] * len(values))

    def decision_values(self, frame: "pl.DataFrame") -> "NDArray[Any] | None":
        """Compute the decision values of a classifier without probabilities.

        Returns:
            Shape (n,) or (n, classes); None if the estimator has none or refuses.

        Raises:
            DataError: If an input column is missing.
        """
        rows = self._select(frame)
        if not self._call.has_decisions:
            return None
        try:
            return _as_array(self._call.decide(convert_frame(rows, self.signature.frame)))
        except Exception:  # noqa: BLE001 - some models have the method and refuse to answer
            return None

    def explain(
        self,
        frame: "pl.DataFrame",
        *,
        background: "pl.DataFrame | None" = None,
        limit_s: float | None = None,
    ) -> Explanation:
        """Compute how much each input contributes to the predictions of rows (Shapley values).

        Exact for trees (scikit-learn, XGBoost, LightGBM, CatBoost, also behind a pipeline); by
        permutations of the inputs for all further models. Contributions and base value add up to
        the
        explained output of the native form: for two classes that of the positive class, else of the
        predicted class.

        Args:
            frame: The inputs, shape (n, inputs).
            background: Rows whose inputs stand in for unknown ones, 20 or more; only models that
                than trees need them. By default the frame.
            limit_s: Seconds of predicting after which models that are not trees give up; or None.

        Raises:
            ServingError: If the computation takes longer than the limit.
            MissingPackageError: If shap is not installed; penstock's extra ``explain`` has shap.
            DataError: If an input is missing, the background rows are too few, or the contributions
                do not add up.
        """
        # Of the native form, whose trees are computed exactly: the ONNX form is equal within a tolerance.
        native = self if self.form is None else type(self)(self.estimator, self.signature)
        return explain_rows(native, self._select(frame), background, limit_s=limit_s)

    @cached_property
    def _call(self) -> EstimatorCall:
        return EstimatorCall(self.estimator, self.form)

    @cached_property
    def _takes_numbers(self) -> bool:
        """Whether a graph alone answers, from columns whose values are doubles as they are."""
        signature = self.signature
        return (
            self._call.is_graph
            and signature.frame == "polars"
            and signature.task in {"binary", "multiclass", "regression"}
            and not signature.targets
            and all(column.dtype in _AS_DOUBLES for column in signature.inputs)
        )

    def _predict(
        self,
        frame: "pl.DataFrame",
        warnings: Sequence[tuple[str, ...]] | None = None,
        outputs: Sequence[str] = (),
    ) -> Predictions:
        table = convert_frame(frame, self.signature.frame)
        return self._predict_table(table, frame.height, warnings, outputs)

    def _predict_table(
        self,
        table: Any,
        rows: int,
        warnings: Sequence[tuple[str, ...]] | None,
        outputs: Sequence[str] = (),
    ) -> Predictions:
        output, matrix, decisions = None, None, None
        with nullcontext() if self._call.is_graph else threads_for(rows):
            if self.has_probabilities:
                output, shares = self._call.predict_both(table)
                matrix = _as_array(shares)
            else:
                output = self._call.predict(table)
            if self.signature.task == "outliers" and self._call.has_decisions:
                decisions = _as_array(self._call.decide(table)).reshape(-1).tolist()
            extras = {
                each.name: _as_array(self._call.compute(each.name, table))
                for each in self.signature.extras
                if each.name in outputs
            }
        values = self._values(output)
        require_usable(values, rows)
        scores = decisions or ([None] * rows if matrix is None else self.score(matrix).tolist())
        row_warnings = [()] * rows if warnings is None else warnings
        return Predictions(values, matrix, scores, row_warnings, extras)

    def _predict_row(self, values: tuple[Any, ...]) -> Predictions | None:
        """Predict a row of finite numbers as `_predict_table`; None if the graph alone cannot."""
        answer = self._call.last.answer_row(values)
        if answer is None:
            return None
        value, shares = answer
        require_usable([value], 1)
        if shares is None or not self.has_probabilities:
            return Predictions([value], None, [None], [()])
        if self._positive is None:
            return Predictions([value], shares, [max(shares[0].tolist())], [()])
        return Predictions([value], shares, [float(shares[0, self._positive])], [()])

    @cached_property
    def _positive(self) -> int | None:
        """Place of the positive class; None if there is none."""
        classes, positive = self.signature.classes, self.signature.positive
        return None if positive is None else classes.index(positive)

    def _values(self, output: Any) -> list[Any]:
        if self.signature.targets:
            return rows_by_target(output, self.signature.targets)
        return plain_values(output)

    def _select(self, frame: "pl.DataFrame") -> "pl.DataFrame":
        names, columns = list(self.signature.names), frame.columns
        if columns == names:
            return frame
        missing = [name for name in names if name not in columns]
        if missing:
            raise DataError(
                what=f"Column {missing[0]!r} is missing"
                + (f", and {len(missing) - 1} more" if len(missing) > 1 else "")
                + ".",
                why="The model was trained with it.",
                fix=did_you_mean(missing[0], frame.columns),
                columns=missing,
            )
        return frame.select(names)


def _as_array(shares: Any) -> "NDArray[Any]":
    import numpy as np

    return np.asarray(shares)
