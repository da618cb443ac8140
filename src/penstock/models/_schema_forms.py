"""A signature in standard formats: JSON Schema (draft 2020-12) and Open Inference Protocol v2."""

from collections.abc import Sequence
from typing import Any

from penstock.models._feature_inputs import FeatureInputs
from penstock.models._targets import Target
from penstock.tables import Column, base_name, family, show_limit

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
    "duration": {"type": ["number", "string"], "format": "duration"},
    "nothing": {"type": []},
}
# https://github.com/kserve/open-inference-protocol, "Tensor Data Types"
_TENSORS = {"number": "FP64", "decimal": "FP64", "boolean": "BOOL"}
_NARROW = {"Float16": "FP16", "Float32": "FP32", "Int128": "INT64", "UInt128": "UINT64"}
_MAX_EXAMPLES = 10


def json_schema_of(
    columns: Sequence[Column],
    *,
    accepts_missing: bool,
    ignored: Sequence[str] = (),
    accepts_extra: bool = False,
    features: FeatureInputs | None = None,
) -> dict[str, Any]:
    """Describe a row as a JSON Schema; training ranges are described, not enforced."""
    unused = {"description": "Not used by the model; may be left out."}
    looked_up = {} if features is None else features.columns
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            **{name: dict(unused) for name in ignored},
            **{
                column.name: _property(column, accepts_missing=accepts_missing)
                for column in columns
            },
        },
        "required": [
            column.name for column in columns if column.is_required and column.name not in looked_up
        ],
        "additionalProperties": accepts_extra,
    }
    if features is not None:
        _add_features(schema["properties"], features)
    return schema


def _add_features(properties: dict[str, dict[str, Any]], features: FeatureInputs) -> None:
    """Describe fields that may be left out, and those by which they are looked up or computed."""
    for name, view in features.columns.items():
        if name in properties:
            known = properties[name].get("description", "")
            text = f"From feature view {view!r} when left out."
            properties[name]["description"] = f"{known} {text}".strip()
    for each in features.views:
        for name, dtype in each.view["entity"]["keys"].items():
            form = {key: value for key, value in _TYPES[family(dtype)].items() if key != "type"}
            text = f"Key of feature view {each.name!r}."
            properties[name] = {
                **form,
                "type": _TYPES[family(dtype)]["type"][0],
                "description": text,
            }


def tensors_of(
    columns: Sequence[Column], task: str, classes: Sequence[Any], targets: Sequence[Target] = ()
) -> dict[str, Any]:
    """Describe inputs and outputs as Open Inference Protocol tensors of any number of rows."""
    datatype = label_type(classes, targets)
    shape = [-1, len(targets)] if targets else [-1]
    outputs = [{"name": "prediction", "datatype": datatype, "shape": shape}]
    if task not in {"regression", "multi_output"}:
        outputs.append({"name": "score", "datatype": "FP64", "shape": [-1]})
    return {
        "inputs": [
            {"name": column.name, "datatype": tensor_type(column), "shape": [-1]}
            for column in columns
        ],
        "outputs": outputs,
    }


def tensor_type(column: Column) -> str:
    """Return a column's type in the Open Inference Protocol; text and times are sent as BYTES.

    >>> (
    ...     tensor_type(Column("age", "integer", "Int32")),
    ...     tensor_type(Column("city", "text", "String")),
    ... )
    ('INT32', 'BYTES')
    """
    name = base_name(column.dtype)
    if name in _NARROW:
        return _NARROW[name]
    return name.upper() if column.family == "integer" else _TENSORS.get(column.family, "BYTES")


def _property(column: Column, *, accepts_missing: bool) -> dict[str, Any]:
    kind = column.family
    schema = {key: value for key, value in _TYPES[kind].items() if key != "type"}
    types = list(_TYPES[kind]["type"])
    if column.nullable or accepts_missing or kind == "nothing":
        types.append("null")
    schema["type"] = types[0] if len(types) == 1 else types
    if column.minimum is not None and column.maximum is not None:
        low, high = show_limit(column, column.minimum), show_limit(column, column.maximum)
        schema["description"] = f"Training values: {low} to {high}."
    if column.reading is not None and not column.reading.is_plain:
        schema["description"] = (
            f"{schema.get('description', '')} Read as {column.reading.words}.".strip()
        )
    if column.levels:
        schema["examples"] = list(column.levels[:_MAX_EXAMPLES])
    return schema


def label_type(classes: Sequence[Any], targets: Sequence[Target] = ()) -> str:
    """Return the Open Inference Protocol's type of a model's predictions.

    >>> label_type(("no", "yes")), label_type((0, 1)), label_type(())
    ('BYTES', 'INT64', 'FP64')

    Args:
        classes: Labels; empty for numbers.
        targets: The targets, if there are several.
    """
    if targets:
        label_types = {label_type(target.classes) for target in targets}
        if len(label_types) == 1:
            return label_types.pop()
        return "BYTES" if "BYTES" in label_types else "FP64"
    types = {type(label) for label in classes}
    if not types or (types <= {int, float} and types != {int}):
        return "FP64"
    return {bool: "BOOL", int: "INT64"}.get(types.pop(), "BYTES") if len(types) == 1 else "BYTES"
