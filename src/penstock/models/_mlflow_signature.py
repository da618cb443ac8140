"""describe_mlflow: the signature of a model folder of MLflow's, from its own and a test call.

MLflow's signature has names and types of the inputs, and no classes, categories or ranges. Classes
come from the model; requests are checked for types, and not warned about unseen values.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from penstock.core import DataError
from penstock.models._inference import infer_signature
from penstock.models._native_boosters import as_estimator
from penstock.models._onnx_signature import infer_onnx_signature
from penstock.models._signature import Signature
from penstock.stores import MlflowFolder

if TYPE_CHECKING:
    import polars as pl

_MOST_ROWS, _MOST_COLUMNS = 100, 5_000
_TYPES: dict[str, tuple[str, Any]] = {
    "boolean": ("Boolean", False),
    "integer": ("Int32", 0),
    "long": ("Int64", 0),
    "float": ("Float32", 0.0),
    "double": ("Float64", 0.0),
    "string": ("String", "a"),
    "datetime": ("Datetime", datetime(2020, 1, 1)),  # noqa: DTZ001 - MLflow's times have no zone
}
_TENSORS = {
    "float16": "float",
    "float32": "float",
    "float64": "double",
    "int8": "integer",
    "int16": "integer",
    "int32": "integer",
    "int64": "long",
    "uint8": "integer",
    "uint16": "integer",
    "bool": "boolean",
}
_MATRIX = 2


def describe_mlflow(folder: MlflowFolder, model: object, example: bytes | None = None) -> Signature:
    """Describe the loaded model of a folder.

    Args:
        folder: What the folder says of itself.
        model: The loaded model.
        example: The rows that the folder has as an example, as their file has them.

    Raises:
        DataError: If the folder does not say which columns the model needs, the model takes no table
            of them, or fails on the example.
    """
    if folder.inputs is None:
        if folder.format == "onnx":  # a graph states its inputs itself
            return infer_onnx_signature(model)
        raise DataError(
            what="The model folder of MLflow has no signature.",
            why="Requests could not be checked: it does not say which columns the model needs.",
            fix="Log it with signature=mlflow.models.infer_signature(X, y), or input_example=X[:5].",
        )
    columns = _columns(folder.inputs)
    if folder.format == "onnx" and len(as_estimator(model).inputs) == 1:
        signature = infer_onnx_signature(model, names=[name for name, _, _ in columns])
    else:
        signature = _infer(model, columns, example)
    optional = {name for name, _, required in columns if not required}
    inputs = tuple(
        replace(each, minimum=None, maximum=None, levels=None, nullable=each.name in optional)
        for each in signature.inputs
    )
    return replace(signature, inputs=inputs)


def _infer(
    model: object, columns: Sequence[tuple[str, str, bool]], example: bytes | None
) -> Signature:
    given = _given_rows(columns, example) if example else None
    try:
        return infer_signature(model, _made_up_row(columns) if given is None else given)
    except DataError as error:
        if given is not None:
            raise
        raise DataError(
            what=f"The model cannot predict a made-up row of its signature. {error.what}",
            why=f"No row of the training comes with the folder. {error.why}",
            fix="Log it with input_example=X[:5]: rows that it can predict. See also: " + error.fix,
        ) from error


def _columns(inputs: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, bool]]:
    """Return name, type and whether the column is required."""
    if len(inputs) == 1 and inputs[0].get("type") == "tensor" and not inputs[0].get("name"):
        return _columns_of_matrix(inputs[0])
    found = []
    for place, each in enumerate(inputs):
        name, kind = each.get("name", f"x{place}"), each.get("type")
        if not isinstance(name, str) or not name or kind not in _TYPES:
            raise DataError(
                what=f"The column {str(name)[:80]!r} of the signature has the type"
                f" {str(kind)[:40]!r}.",
                why="A request has a number, text, time or truth value for each column.",
                fix=f"Types: {', '.join(_TYPES)}; or an array of shape [-1, columns].",
            )
        found.append((name, str(kind), each.get("required", True) is not False))
    if len({name for name, _, _ in found}) != len(found):
        raise DataError(what="The signature has two columns of one name.", fix="Rename one.")
    return found


def _columns_of_matrix(tensor: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
    spec = tensor.get("tensor-spec")
    shape = spec.get("shape") if isinstance(spec, dict) else None
    kind = _TENSORS.get(str(spec.get("dtype"))) if isinstance(spec, dict) else None
    is_matrix = isinstance(shape, list) and len(shape) == _MATRIX and type(shape[1]) is int
    if not is_matrix or kind is None or not 0 < shape[1] <= _MOST_COLUMNS:  # type: ignore[index]
        raise DataError(
            what=f"The model takes an array of shape {str(shape)[:80]} and type"
            f" {str(spec.get('dtype') if isinstance(spec, dict) else None)[:40]}.",
            why="A request has a row of named values.",
            fix="Train it on a table, or on an array of shape [-1, columns] of numbers.",
        )
    return [(f"x{place}", kind, True) for place in range(shape[1])]  # type: ignore[index]


def _given_rows(columns: Sequence[tuple[str, str, bool]], example: bytes) -> "pl.DataFrame | None":
    """Return the rows of an example; None if they are not of the signature's columns and types."""
    import polars as pl

    given = _example_rows(example, [name for name, _, _ in columns])
    if given is None:
        return None
    try:
        return pl.DataFrame(given, schema=_schema(columns), strict=False)
    except (pl.exceptions.PolarsError, TypeError, ValueError, OverflowError):
        return None


def _made_up_row(columns: Sequence[tuple[str, str, bool]]) -> "pl.DataFrame":
    import polars as pl

    made_up = {name: [_TYPES[kind][1]] for name, kind, _ in columns}
    return pl.DataFrame(made_up, schema=_schema(columns))


def _schema(columns: Sequence[tuple[str, str, bool]]) -> dict[str, Any]:
    return {name: _dtype(kind) for name, kind, _ in columns}


def _dtype(kind: str) -> Any:
    import polars as pl

    return pl.Datetime("us") if kind == "datetime" else getattr(pl, _TYPES[kind][0])


def _example_rows(example: bytes, names: list[str]) -> dict[str, list[Any]] | None:
    """Return an example in pandas' form ``split`` by column; None in any other form."""
    try:
        found = json.loads(example)
        columns, rows = found["columns"], found["data"][:_MOST_ROWS]
        places = [columns.index(name) for name in names]
        taken = {
            name: [row[place] for row in rows] for name, place in zip(names, places, strict=True)
        }
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        return None
    return taken if rows else None
