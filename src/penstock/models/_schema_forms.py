"""A signature in standard formats: JSON Schema (draft 2020-12) and Open Inference Protocol v2."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from penstock.models._dtypes import family, tensor_type
from penstock.models._fields import Field

_TYPES: dict[str, dict[str, Any]] = {
    "number": {"type": ["number"]},
    "decimal": {"type": ["number"]},
    "integer": {"type": ["integer"]},
    "boolean": {"type": ["boolean"]},
    "text": {"type": ["string"]},
    "enum": {"type": ["string"]},
    "datetime": {"type": ["string", "number"], "format": "date-time"},
    "date": {"type": ["string", "number"], "format": "date"},
    "time": {"type": ["string"], "format": "time"},
    "duration": {"type": ["number"]},
    "nothing": {"type": []},
}
_MAX_EXAMPLES = 10


def json_schema_of(
    fields: Sequence[Field],
    *,
    accepts_missing: bool,
    ignored: Sequence[str] = (),
    accepts_extra: bool = False,
) -> dict[str, Any]:
    """Describe a row as a JSON Schema; training ranges are described, not enforced."""
    unused = {"description": "Not used by the model; may be left out."}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            **{name: dict(unused) for name in ignored},
            **{field.name: _property(field, accepts_missing=accepts_missing) for field in fields},
        },
        "required": [field.name for field in fields if _is_required(field)],
        "additionalProperties": accepts_extra,
    }


def tensors_of(fields: Sequence[Field], task: str, classes: Sequence[Any]) -> dict[str, Any]:
    """Describe inputs and outputs as Open Inference Protocol tensors of any number of rows."""
    outputs = [{"name": "prediction", "datatype": _answer_type(task, classes), "shape": [-1]}]
    if task != "regression":
        outputs.append({"name": "score", "datatype": "FP64", "shape": [-1]})
    return {
        "inputs": [
            {"name": field.name, "datatype": tensor_type(field.dtype), "shape": [-1]}
            for field in fields
        ],
        "outputs": outputs,
    }


def _property(field: Field, *, accepts_missing: bool) -> dict[str, Any]:
    kind = family(field.dtype)
    found = {key: value for key, value in _TYPES[kind].items() if key != "type"}
    types = list(_TYPES[kind]["type"])
    if field.nullable or accepts_missing or kind == "nothing":
        types.append("null")
    found["type"] = types[0] if len(types) == 1 else types
    if field.minimum is not None and field.maximum is not None:
        low, high = show_limit(field, field.minimum), show_limit(field, field.maximum)
        found["description"] = f"Training values: {low} to {high}."
    if field.reading is not None and not field.reading.is_plain:
        found["description"] = (
            f"{found.get('description', '')} Read as {field.reading.words}.".strip()
        )
    if field.levels:
        found["examples"] = list(field.levels[:_MAX_EXAMPLES])
    return found


def show_limit(field: Field, value: float) -> str:
    """Format a limit of the training values: dates and times in ISO form, numbers in short form.

    >>> show_limit(Field("day", "date", "Date"), 86_400.0)
    '1970-01-02'
    """
    kind = family(field.dtype)
    if kind not in {"date", "datetime"}:
        return f"{value:g}"
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=value)
    return f"{moment:%Y-%m-%d}" if kind == "date" else f"{moment:%Y-%m-%dT%H:%M:%S}"


def _is_required(field: Field) -> bool:
    return not field.nullable and family(field.dtype) != "nothing"


def _answer_type(task: str, classes: Sequence[Any]) -> str:
    if task == "regression":
        return "FP64"
    types = {type(label) for label in classes}
    if types == {bool}:
        return "BOOL"
    if types == {int}:
        return "INT64"
    return "FP64" if types and types <= {int, float} else "BYTES"
