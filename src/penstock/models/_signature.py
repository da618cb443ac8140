"""Signature: a model's inputs and outputs; converts rows to a frame with the training types."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from penstock.core import DataError
from penstock.models._estimator_kinds import ExtraOutput
from penstock.models._feature_inputs import FeatureInputs
from penstock.models._frame_check import CheckedFrame, check_frame
from penstock.models._rows import ExtraFields, FewRows, RowChecker
from penstock.models._schema_forms import json_schema_of, tensors_of
from penstock.models._targets import Target
from penstock.tables import Column, FrameType
from penstock.tables.reading import ReadingRule

if TYPE_CHECKING:
    import polars as pl

_TASKS = ("binary", "multiclass", "regression", "multi_output", "clustering", "outliers")


@dataclass(frozen=True)
class Signature:
    """The inputs and outputs of a model.

    >>> signature = Signature((Column("age", "integer", "Int64", minimum=17, maximum=90),))
    >>> frame, warnings = signature.check_rows([{"age": 120}])
    >>> warnings
    [('age: 120 is outside the training range 17 to 90.',)]

    Args:
        inputs: Input columns, in the order the model was trained on.
        target: Name of the predicted column.
        task: ``binary``, ``multiclass`` or ``regression``; ``multi_output`` for several targets;
            ``clustering`` or ``outliers`` for models without a target.
        classes: Labels in the order of the model's probabilities; empty for regression. Numbers of
            the clusters for clustering, (-1, 1) for outliers: -1 is an outlier.
        frame: The frame type of the estimator: ``polars``, ``pandas`` or ``numpy``.
        positive: The label that scores refer to; None if there are not two classes, and where the
            label was not declared and the classes do not tell: scores are those of the likelier class.
        accepts_missing: True if the model predicts missing values in columns that had none in
            training.
        ignored: Columns of the training rows that are no inputs of the model; requests may have
            them.
        extra_fields: Treatment of any further fields: ``refuse`` the row, or ``ignore`` them with a
            warning.
        features: Inputs that come from feature views: serving looks them up when a request leaves
            them out. None if there are none.
        targets: The targets of a ``multi_output`` model, in the order of the predictions.
        extras: Outputs beside the prediction, computed for requests that ask for them.
        unsafe: Why the model is stored as a pickle; empty for a model of a safe format.
    """

    inputs: tuple[Column, ...]
    target: str = ""
    task: str = "regression"
    classes: tuple[Any, ...] = ()
    frame: FrameType = "polars"
    positive: Any = None
    accepts_missing: bool = False
    ignored: tuple[str, ...] = ()
    extra_fields: ExtraFields = "refuse"
    features: FeatureInputs | None = None
    targets: tuple[Target, ...] = ()
    extras: tuple[ExtraOutput, ...] = ()
    unsafe: str = ""

    @property
    def names(self) -> list[str]:
        """Input column names in order."""
        return [column.name for column in self.inputs]

    @cached_property
    def _checker(self) -> RowChecker:
        return RowChecker(
            self.inputs,
            accepts_missing=self.accepts_missing,
            ignored=self.ignored_fields,
            extra_fields=self.extra_fields,
        )

    @property
    def ignored_fields(self) -> frozenset[str]:
        """Fields that requests may have and the model does not use: unused columns, the target."""
        return frozenset((*self.ignored, *([self.target] if self.target else []))) - {*self.names}

    def is_unused(self, name: str) -> bool:
        """Check whether a request may have a field that is no input of the model."""
        is_key = self.features is not None and name in self.features.request
        return is_key or name in self.ignored_fields or self.extra_fields == "ignore"

    def check_rows(
        self, rows: Sequence[Mapping[str, Any]]
    ) -> "tuple[pl.DataFrame, list[tuple[str, ...]]]":
        """Convert rows to a frame with the exact training types.

        Args:
            rows: Values by column name, 1 to 100,000 rows. Missing values are None. Fields that
                were never missing in training are required. Texts are parsed as the source parsed
                them, where the signature has the rule.

        Returns:
            The frame, columns in training order, and for each row the warnings for the sender:
            numbers outside the training range, categories never seen, unused fields.

        Raises:
            DataError: If a field is unknown, missing or has a value that cannot be read; the
                message names the first five, with the expected values. Attributes: ``field``,
                ``row``, ``problems``.
        """
        return self._checker.check(rows)

    def check_few(
        self, rows: Sequence[Mapping[str, Any]]
    ) -> "tuple[FewRows, list[tuple[str, ...]]]":
        """Check a few rows as `check_rows`, without making a frame of them."""
        return self._checker.check_few(rows)

    def plain_values(self, row: object) -> tuple[Any, ...] | None:
        """Return the values of a row that is used as it was sent; None if it may not be.

        Such a row has a number for each input and no other field, all of the training types and in
        the training ranges: it needs no reading, and there is nothing to warn of.

        Args:
            row: Values by column name.
        """
        return self._checker.plain_values(row)

    def check_frame(self, frame: "pl.DataFrame", *, encoded: Collection[str] = ()) -> CheckedFrame:
        """Check the rows of a frame, each as a request with that row alone is checked.

        >>> import polars as pl
        >>> signature = Signature((Column("age", "integer", "Int64"),))
        >>> checked = signature.check_frame(pl.DataFrame({"age": ["17", None]}, strict=False))
        >>> checked.accepted.to_list(), sorted(checked.refused)
        ([], [0, 1])

        Args:
            frame: Rows; columns that are no inputs are ignored, absent inputs are missing values.
            encoded: Columns whose texts hold a value as JSON.

        Returns:
            The accepted rows with the training types, and the reason for each refused row.
        """
        return check_frame(self._checker.columns, frame, encoded)

    def reading(self, rules: Mapping[str, ReadingRule]) -> "Signature":
        """Return a signature that reads the texts of some inputs by further rules.

        Args:
            rules: Reading rule by input.
        """
        inputs = (replace(each, reading=rules.get(each.name, each.reading)) for each in self.inputs)
        return replace(self, inputs=tuple(inputs))

    def to_json(self) -> dict[str, Any]:
        """Return the signature as plain JSON."""
        return {
            "inputs": [column.to_json() for column in self.inputs],
            "target": self.target,
            "task": self.task,
            "classes": list(self.classes),
            "frame": self.frame,
            "positive": self.positive,
            "accepts_missing": self.accepts_missing,
            "ignored": list(self.ignored),
            "extra_fields": self.extra_fields,
            **({} if self.features is None else {"features": self.features.to_json()}),
            **({"targets": [each.to_json() for each in self.targets]} if self.targets else {}),
            **(
                {"extras": [[each.name, each.width] for each in self.extras]} if self.extras else {}
            ),
            **({"unsafe": self.unsafe} if self.unsafe else {}),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Signature":
        """Read the JSON of ``to_json``.

        Raises:
            DataError: If the JSON is damaged.
        """
        try:
            signature = cls(
                inputs=tuple(Column.from_json(column) for column in document["inputs"]),
                target=document["target"],
                task=document["task"],
                classes=tuple(document.get("classes", ())),
                frame=document.get("frame", "polars"),
                positive=document.get("positive"),
                accepts_missing=document.get("accepts_missing", False),
                ignored=tuple(document.get("ignored", ())),
                extra_fields=document.get("extra_fields", "refuse"),
                features=_features_of(document),
                targets=tuple(map(Target.from_json, document.get("targets", ()))),
                extras=tuple(ExtraOutput(*each) for each in document.get("extras", ())),
                unsafe=str(document.get("unsafe", "")),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise _damaged(f"{type(error).__name__}: {error}") from error
        if signature.task not in _TASKS:
            raise _damaged(f"task {signature.task!r}")
        return signature

    def to_json_schema(self) -> dict[str, Any]:
        """Describe a row as a JSON Schema (draft 2020-12).

        >>> Signature((Column("age", "integer", "Int64"),)).to_json_schema()["required"]
        ['age']
        """
        return json_schema_of(
            self.inputs,
            accepts_missing=self.accepts_missing,
            ignored=sorted(self.ignored_fields),
            accepts_extra=self.extra_fields == "ignore",
            features=self.features,
        )

    def to_oip(self) -> dict[str, Any]:
        """Describe inputs and outputs as Open Inference Protocol v2 tensors.

        >>> Signature((Column("age", "integer", "Int64"),)).to_oip()["inputs"]
        [{'name': 'age', 'datatype': 'INT64', 'shape': [-1]}]
        """
        return tensors_of(self.inputs, self.task, self.classes, self.targets)


def _features_of(document: Mapping[str, Any]) -> FeatureInputs | None:
    features = document.get("features")
    return None if features is None else FeatureInputs.from_json(features)


def _damaged(detail: str) -> DataError:
    return DataError(
        what=f"The model's signature cannot be read ({detail}).",
        why="Rows cannot be checked without it.",
        fix="Register the model again.",
    )
