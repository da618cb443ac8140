"""infer_signature: a model's inputs and outputs, from the training columns and a test call."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

from penstock.core import DataError, did_you_mean
from penstock.models._estimator_kinds import (
    OUTLIER_LABELS,
    cluster_labels,
    find_extras,
    find_targets,
    special_task,
)
from penstock.models._native_boosters import as_estimator
from penstock.models._predictions import plain_values
from penstock.models._rows import ExtraFields
from penstock.models._servability import (
    TestCall,
    accepts_missing_values,
    cast_sample,
    offer_rows,
    select_features,
    try_estimator,
)
from penstock.models._signature import Signature
from penstock.models._targets import is_row_of_values
from penstock.models._values import find_reader
from penstock.tables import (
    FRAME_TYPES,
    Column,
    Family,
    Kind,
    convert_frame,
    family,
    find_positive,
    plain_value,
    to_seconds,
)
from penstock.tables.reading import ReadingRule

if TYPE_CHECKING:
    import polars as pl

_KINDS: dict[Family, Kind] = {
    "number": "number",
    "decimal": "number",
    "integer": "integer",
    "boolean": "boolean",
    "text": "text",
    "enum": "category",
    "datetime": "datetime",
    "date": "date",
    "nothing": "constant",
}
_LABELLED = frozenset({"binary", "multiclass", "regression"})
_TRIED = 5  # rows that the further outputs are computed for
_RANGED = frozenset({"number", "integer", "date", "datetime"})
_READS = {
    "text": {"text", "enum"},
    "integer": {"integer", "number", "decimal"},
    "number": {"integer", "number", "decimal"},
    "boolean": {"boolean"},
    "date": {"date"},
    "datetime": {"datetime"},
}


def infer_signature(
    estimator: object,
    sample: "pl.DataFrame",
    y: Iterable[Any] | None = None,
    *,
    columns: Iterable[Column] = (),
    target: str = "",
    positive: object = None,
    reading: Mapping[str, ReadingRule] | None = None,
    ignored: Iterable[str] = (),
    extra_fields: ExtraFields = "refuse",
    evaluated: Signature | None = None,
) -> Signature:
    """Infer an estimator's signature, and test the estimator as serving calls estimators.

    >>> import polars as pl
    >>> from sklearn.dummy import DummyClassifier
    >>> X, y = pl.DataFrame({"age": [20, 60]}), ["no", "yes"]
    >>> infer_signature(DummyClassifier().fit(X, y), X, y).classes
    ('no', 'yes')

    Args:
        estimator: The fitted estimator.
        sample: Some rows of the features, shape (n, inputs), with the training types.
        y: True values of some rows, to distinguish classes from numbers. For several targets a
            frame, whose columns name them.
        columns: The training columns with their limits and categories (may be more than the
            inputs); the sample's own for inputs that are not among them.
        target: Name of the target column.
        positive: The label that scores refer to; by default the class told by the labels (see
            ``penstock.tables.find_positive``). Where neither tells, scores refer to the likelier class.
        reading: How the source parsed the texts of columns, by name.
        ignored: Columns of the training rows that are no inputs of the model.
        extra_fields: Treatment of unknown request fields: ``refuse`` or ``ignore``.
        evaluated: The signature with which the estimator was evaluated: inputs and frame type are
            taken from there, so that the model that is served is the model that was evaluated.

    Raises:
        DataError: If the estimator cannot predict rows of the sample, predicts labels that the
            target does not have, or has input columns that no request can carry.
    """
    estimator, rules = as_estimator(estimator), reading or {}
    described = _inputs(sample, columns) if evaluated is None else evaluated.inputs
    inputs = tuple(_with_reading(column, rules.get(column.name)) for column in described)
    for column in inputs:
        find_reader(column)
    rows = cast_sample(sample, inputs)
    frame_types = FRAME_TYPES if evaluated is None else (evaluated.frame,)
    call = try_estimator(estimator, rows, frame_types=frame_types)
    targets = find_targets(estimator, call.output, y)
    taken = {column.name for column in inputs}
    unused = sample.columns if evaluated is not None else ()
    task, classes = _task_and_classes(estimator, call, () if targets or y is None else y)
    return Signature(
        inputs=inputs,
        target=target,
        task="multi_output" if targets else task,
        classes=() if targets else classes,
        frame=call.frame,
        positive=_positive(classes, positive) if task in _LABELLED and not targets else None,
        accepts_missing=accepts_missing_values(estimator, rows, inputs, call.frame),
        ignored=tuple(dict.fromkeys(name for name in (*ignored, *unused) if name not in taken)),
        extra_fields=extra_fields,
        targets=targets,
        extras=find_extras(estimator, convert_frame(rows.head(_TRIED), call.frame), task),
    )


def describe_estimator(
    estimator: Any, sample: "pl.DataFrame", *, columns: Iterable[Column] = ()
) -> Signature:
    """Describe an estimator as far as needed for predicting frames: inputs, classes, frame type.

    Raises:
        DataError: If columns are missing, or the estimator takes no type of frame.
    """
    estimator = as_estimator(estimator)
    rows = select_features(estimator, sample)
    frame, output = offer_rows(estimator, rows)
    targets, special = find_targets(estimator, output, None), special_task(estimator)
    classes = None if targets or special else getattr(estimator, "classes_", None)
    labels = () if classes is None else tuple(plain_values(classes))
    return Signature(
        inputs=_inputs(rows, columns),
        task="multi_output" if targets else special or _task(labels),
        classes=OUTLIER_LABELS if special == "outliers" else labels,
        frame=frame,
        positive=None if special else _positive(labels, None),
        targets=targets,
    )


def _task_and_classes(
    estimator: Any, call: TestCall, y: Iterable[Any]
) -> tuple[str, tuple[Any, ...]]:
    if is_row_of_values(call.output):
        return "multi_output", ()
    special = special_task(estimator)
    if special == "outliers":
        return special, OUTLIER_LABELS
    if special == "clustering":
        return special, cluster_labels(estimator, call.labels)
    classes = _classes(estimator, [plain_value(value) for value in y], call.labels)
    return _task(classes), classes


def _inputs(sample: "pl.DataFrame", columns: Iterable[Column]) -> tuple[Column, ...]:
    known = {column.name: column for column in columns}
    return tuple(_input(series, known.get(series.name)) for series in sample.iter_columns())


def _with_reading(column: Column, rule: ReadingRule | None) -> Column:
    """Attach a rule where the column still has the rule's type."""
    if rule is None:
        return column
    fits = column.family in _READS[rule.type]
    if column.family == "datetime" and fits:
        fits = bool(rule.zone) == column.has_zone
    return replace(column, reading=rule) if fits else column


def _input(series: "pl.Series", known: Column | None) -> Column:
    """Return the input of a sample's column, with the facts of the training column if known."""
    dtype = str(series.dtype)
    group = family(dtype)
    kind = known.kind if known else _KINDS.get(group, "other")
    column = Column(series.name, kind, dtype, nullable=series.null_count() > 0)
    limits = _limits(series, known) if group in _RANGED else (None, None)
    return replace(
        column,
        nullable=column.nullable or (known is not None and known.nullable),
        minimum=limits[0],
        maximum=limits[1],
        levels=_levels(series, column, known),
    )


def _limits(series: "pl.Series", known: Column | None) -> tuple[float | None, float | None]:
    if known is not None:
        return known.minimum, known.maximum
    return _as_number(series.min()), _as_number(series.max())


def _as_number(value: Any) -> float | None:
    """Return a limit as a number; for dates and times the seconds since 1970."""
    if isinstance(value, date):
        return to_seconds(value)
    number: float | None = value
    return number


def _levels(series: "pl.Series", column: Column, known: Column | None) -> tuple[str, ...] | None:
    if column.family == "enum":
        return tuple(series.dtype.categories.to_list())  # type: ignore[attr-defined] # an Enum has them
    return known.levels if known is not None and column.family == "text" else None


def _classes(estimator: Any, truth: list[Any], labels: list[Any]) -> tuple[Any, ...]:
    known = getattr(estimator, "classes_", None)
    if known is not None:
        classes = tuple(plain_values(known))
    elif truth and not _are_numbers(truth):
        classes = tuple(sorted(set(truth), key=str))
    else:
        return ()
    strange = sorted({str(label) for label in labels if label not in classes})
    if truth and not set(truth) & set(classes):
        strange = sorted({str(label) for label in classes})
    if strange:
        names = sorted({str(value) for value in truth})[:5]
        raise DataError(
            what=f"The model predicts {', '.join(strange[:5])}, but the target holds {', '.join(names)}.",
            why="Its predictions could not be compared with the ground truth.",
            fix="Fit it on split.train.y as it is; scikit-learn takes text labels.",
        )
    return classes


def _are_numbers(values: list[Any]) -> bool:
    return all(type(value) in {int, float} for value in values)


def _task(classes: tuple[Any, ...]) -> str:
    if not classes:
        return "regression"
    return "binary" if len(classes) <= 2 else "multiclass"  # noqa: PLR2004 - two is binary


def _positive(classes: tuple[Any, ...], positive: Any) -> Any:
    """Return the class that scores refer to: as declared, else by meaning; None if neither."""
    if positive is None:
        return find_positive(classes)
    if positive not in classes:
        raise DataError(
            what=f"The positive label {positive!r} is none of the model's classes.",
            fix=did_you_mean(str(positive), [str(label) for label in classes]),
        )
    return positive
