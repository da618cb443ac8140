"""infer_signature: a model's inputs and outputs, from the recorded schema, profile and a sample."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from penstock.core import DataError, did_you_mean
from penstock.models._dtypes import family
from penstock.models._fields import Field
from penstock.models._frames import plain_values
from penstock.models._rows import ExtraFields
from penstock.models._servability import answers_missing, cast_sample, try_estimator
from penstock.models._signature import Signature
from penstock.models._values import plain_number
from penstock.reading import ReadingRule

if TYPE_CHECKING:
    import polars as pl

_KINDS = {"number": "number", "decimal": "number", "text": "text", "enum": "category"}
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
    schema: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    profile: Mapping[str, Any] | None,
    model: Any,
    sample: "pl.DataFrame",
    y: Iterable[Any] | None = None,
    *,
    target: str = "",
    positive: Any = None,
    reading: Mapping[str, ReadingRule] | None = None,
    ignored: Iterable[str] = (),
    extra_fields: ExtraFields = "refuse",
) -> Signature:
    """Infer a model's signature, and test the model the way serving calls it.

    >>> import polars as pl
    >>> from sklearn.dummy import DummyClassifier
    >>> X, y = pl.DataFrame({"age": [20, 60]}), ["no", "yes"]
    >>> infer_signature([], None, DummyClassifier().fit(X, y), X, y).classes
    ('no', 'yes')

    Args:
        schema: ``Schema.to_json()`` of the features (may have more columns than the model's
            inputs).
        profile: ``TableProfile.to_json()`` of the training rows: ranges and categories; None to use
            those of the sample.
        model: The fitted estimator.
        sample: Some rows of the features, shape (n, inputs), with the training types.
        y: True values of some rows, to distinguish classes from numbers.
        target: Name of the target column.
        positive: The label that scores refer to; by default the last of two classes.
        reading: How the source parsed the texts of columns, by name.
        ignored: Columns of the training rows that are no inputs of the model.
        extra_fields: Treatment of unknown request fields: ``refuse`` or ``ignore``.

    Raises:
        DataError: If the model cannot predict rows of the sample, predicts labels that the target
            does not have, or has input columns that no request can carry.
    """
    columns, facts = _by_name(schema), _by_name(profile or {})
    fields = tuple(
        _with_reading(
            _field(sample[name], columns.get(name, {}), facts.get(name)), (reading or {}).get(name)
        )
        for name in sample.columns
    )
    rows = cast_sample(sample, fields)
    trial = try_estimator(model, rows)
    truth = [plain_number(value) for value in y] if y is not None else []
    classes = _classes(model, truth, trial.answers)
    return Signature(
        inputs=fields,
        target=target,
        task=_task(classes),
        classes=classes,
        frame=trial.frame,
        positive=_positive(classes, positive),
        accepts_missing=answers_missing(model, rows, fields, trial.frame),
        ignored=tuple(dict.fromkeys(name for name in ignored if name not in sample.columns)),
        extra_fields=extra_fields,
    )


def _with_reading(field: Field, rule: ReadingRule | None) -> Field:
    """Attach a rule where the column still has the rule's type."""
    if rule is None:
        return field
    group = family(field.dtype)
    fits = group in _READS[rule.type]
    if group == "datetime" and fits:
        fits = bool(rule.zone) == ("time_zone='" in field.dtype)
    return replace(field, reading=rule) if fits else field


def _by_name(document: Any) -> dict[str, Mapping[str, Any]]:
    """Index columns by name, from a list, a mapping under ``columns``, or a mapping by name."""
    columns = document.get("columns", document) if isinstance(document, Mapping) else document
    if isinstance(columns, Mapping):
        return {name: column for name, column in columns.items() if isinstance(column, Mapping)}
    return {column["name"]: column for column in columns}


def _field(
    series: "pl.Series", column: Mapping[str, Any], facts: Mapping[str, Any] | None
) -> Field:
    dtype = str(series.dtype)
    group = family(dtype)
    kind = column.get("kind") or _KINDS.get(group, group)
    missing = bool(column.get("nullable")) or series.null_count() > 0
    low, high = _span(series, facts) if group in _RANGED else (None, None)
    return Field(
        name=series.name,
        kind=kind,
        dtype=dtype,
        nullable=missing or bool((facts or {}).get("missing")),
        minimum=low,
        maximum=high,
        levels=_levels(series, kind, group, facts),
    )


def _span(
    series: "pl.Series", facts: Mapping[str, Any] | None
) -> tuple[float | None, float | None]:
    if facts is not None:
        return facts.get("min"), facts.get("max")
    low: Any = series.min()
    high: Any = series.max()
    return _as_number(low), _as_number(high)


def _as_number(value: Any) -> float | None:
    """Return a limit as a number; for dates and times the seconds since 1970."""
    if isinstance(value, datetime):
        value = value.replace(tzinfo=UTC) if value.tzinfo is None else value
        since = value - datetime(1970, 1, 1, tzinfo=UTC)
        return float(since / timedelta(seconds=1))
    if isinstance(value, date):
        return float((value - date(1970, 1, 1)).days * 86_400)
    number: float | None = value
    return number


def _levels(
    series: "pl.Series", kind: str, group: str, facts: Mapping[str, Any] | None
) -> tuple[str, ...] | None:
    categories = getattr(series.dtype, "categories", None) if group == "enum" else None
    if categories is not None:
        return tuple(categories.to_list())
    if kind not in {"category", "boolean"} or group != "text":
        return None
    if facts is None:
        return tuple(sorted(series.drop_nulls().cast(str).unique().to_list()))
    top = _top_values(facts.get("top") or ())
    # The profile stores the commonest categories only; with a shortened list, known categories
    # would raise warnings.
    return tuple(sorted(top)) if len(top) == facts.get("unique", len(top)) else None


def _top_values(top: Any) -> list[str]:
    if isinstance(top, Mapping):
        return [str(value) for value in top]
    return [str(entry["value"] if isinstance(entry, Mapping) else entry[0]) for entry in top]


def _classes(model: Any, truth: list[Any], answers: list[Any]) -> tuple[Any, ...]:
    known = getattr(model, "classes_", None)
    if known is not None:
        classes = tuple(plain_values(known))
    elif truth and not _are_numbers(truth):
        classes = tuple(sorted(set(truth), key=str))
    else:
        return ()
    strange = sorted({str(answer) for answer in answers if answer not in classes})
    if truth and not set(truth) & set(classes):
        strange = sorted({str(label) for label in classes})
    if strange:
        names = sorted({str(value) for value in truth})[:5]
        raise DataError(
            what=f"The model answers {', '.join(strange[:5])}, but the target holds {', '.join(names)}.",
            why="Its answers could not be compared with the truth.",
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
    if positive is not None and positive not in classes:
        raise DataError(
            what=f"The positive label {positive!r} is none of the model's classes.",
            fix=did_you_mean(str(positive), [str(label) for label in classes]),
        )
    if positive is not None:
        return positive
    return classes[-1] if len(classes) == 2 else None  # noqa: PLR2004 - two is binary
