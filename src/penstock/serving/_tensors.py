"""Open Inference Protocol tensors to rows and back; pure, and easily fuzzed.

Source: https://github.com/kserve/open-inference-protocol, REST form.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from penstock.core import did_you_mean
from penstock.http import HttpError
from penstock.models import Predictions, Signature, label_type

_MAX_VALUES = 10_000_000
_MAX_DIMENSIONS = 2
_MAX_WARNINGS = 100


class Tensor(msgspec.Struct):
    """A named input: values in row-major order, flat or nested."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]
    parameters: dict[str, Any] = {}


class Wanted(msgspec.Struct):
    """An output requested by name."""

    name: str
    parameters: dict[str, Any] = {}


class InferBody(msgspec.Struct):
    """The body of an infer request."""

    inputs: list[Tensor]
    id: str | None = None
    parameters: dict[str, Any] = {}
    outputs: list[Wanted] | None = None


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return _is_integer(value) or isinstance(value, float)


def _is_whole(value: Any) -> bool:
    return _is_integer(value) or (isinstance(value, float) and value.is_integer())


def _is_truth(value: Any) -> bool:
    return isinstance(value, bool) or (_is_integer(value) and value in {0, 1})


_ACCEPTS: dict[str, Callable[[Any], bool]] = {
    "BOOL": _is_truth,
    "BYTES": lambda value: isinstance(value, str),
    **{f"INT{bits}": _is_whole for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": _is_whole for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": _is_number for bits in (16, 32, 64)},
}


def rows_of(
    inputs: Sequence[Tensor],
    names: Sequence[str],
    unused: Callable[[str], bool] = lambda _: False,
) -> list[dict[str, Any]]:
    """Convert input tensors to rows.

    Either a tensor per column, of shape [n] or [n, 1], or a single tensor of shape [n, columns]
    with the columns in training order. A null is a missing value.

    >>> rows_of([Tensor("age", [2], "INT64", [20, 60])], ["age"])
    [{'age': 20}, {'age': 60}]

    Args:
        inputs: The tensors of the request.
        names: The model's input columns in order.
        unused: Whether a further input of that name may be sent; the model ignores such inputs.

    Raises:
        HttpError: 400 if shapes, names or values do not fit.
    """
    if not inputs:
        raise _wrong("The request has no inputs.", f"Send a tensor for each of: {_some(names)}.")
    single = inputs[0]
    # A single tensor with a column's name is that column, also with the shape [n, 1].
    if len(inputs) == 1 and len(single.shape) == _MAX_DIMENSIONS and single.name not in names:
        return _matrix_rows(single, names)
    columns: dict[str, list[Any]] = {}
    for tensor in inputs:
        if tensor.name not in names and not unused(tensor.name):
            raise _wrong(
                f"{tensor.name[:60]!r} is not an input of this model.",
                did_you_mean(tensor.name[:100], names),
            )
        if tensor.name in columns:
            raise _wrong(f"The input {tensor.name!r} is there twice.", "Send it once.")
        columns[tensor.name] = _column(tensor)
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        told = ", ".join(f"{name}: {len(values)}" for name, values in [*columns.items()][:5])
        raise _wrong(f"Inputs have different numbers of rows ({told}).", "Send as many of each.")
    column_names = list(columns)
    return [
        dict(zip(column_names, row, strict=True)) for row in zip(*columns.values(), strict=True)
    ]


def _column(tensor: Tensor) -> list[Any]:
    shape = tensor.shape
    if not (len(shape) == 1 or (len(shape) == _MAX_DIMENSIONS and shape[1] == 1)):
        raise _wrong(
            f"The input {tensor.name!r} has the shape {shape[:5]}.",
            "A column has the shape [rows] or [rows, 1].",
        )
    return _values(tensor)


def _matrix_rows(tensor: Tensor, names: Sequence[str]) -> list[dict[str, Any]]:
    if tensor.shape[1] != len(names):
        raise _wrong(
            f"The input {tensor.name[:60]!r} has {tensor.shape[1]} columns; "
            f"the model takes {len(names)}.",
            f"Send them in this order: {_some(names)}.",
        )
    values, width = _values(tensor), len(names)
    return [
        dict(zip(names, values[start : start + width], strict=True))
        for start in range(0, len(values), width)
    ]


def _values(tensor: Tensor) -> list[Any]:
    accepts = _ACCEPTS.get(tensor.datatype)
    if accepts is None:
        raise _wrong(
            f"The input {tensor.name[:60]!r} has the datatype {tensor.datatype[:20]!r}.",
            did_you_mean(tensor.datatype[:20], _ACCEPTS),
        )
    values = list(_flat(tensor.data))
    expected = math.prod(tensor.shape)
    if min(tensor.shape) < 0 or len(values) != expected or expected > _MAX_VALUES:
        raise _wrong(
            f"The input {tensor.name[:60]!r} has the shape {tensor.shape[:5]} and "
            f"{len(values):,} values.",
            "Send as many values as the shape says, in row-major order.",
        )
    for place, value in enumerate(values):
        if value is not None and not accepts(value):
            raise _wrong(
                f"The input {tensor.name[:60]!r} has {str(value)[:40]!r} at {place}.",
                f"Send values that are {tensor.datatype}.",
            )
    return values


def _flat(data: Sequence[Any]) -> Iterator[Any]:
    # Not recursive: a body may be nested as deeply as its length allows.
    stack = [iter(data)]
    while stack:
        for value in stack[-1]:
            if isinstance(value, list):
                stack.append(iter(value))
                break
            yield value
        else:
            stack.pop()


def input_tensors(signature: Signature) -> list[dict[str, Any]]:
    """Describe a model's inputs."""
    tensors: list[dict[str, Any]] = signature.to_oip()["inputs"]
    return tensors


def output_tensors(signature: Signature, *, has_scores: bool = True) -> list[dict[str, Any]]:
    """Describe a model's outputs.

    >>> output_tensors(Signature((), task="binary", classes=("no", "yes")))[0]
    {'name': 'predict', 'datatype': 'BYTES', 'shape': [-1]}
    """
    targets = signature.targets
    datatype = label_type(signature.classes, targets)
    shape = [-1, len(targets)] if targets else [-1]
    tensors: list[dict[str, Any]] = [{"name": "predict", "datatype": datatype, "shape": shape}]
    if signature.classes and has_scores:
        shape = [-1, len(signature.classes)]
        tensors.append({"name": "predict_proba", "datatype": "FP64", "shape": shape})
    tensors += [
        {"name": each.name, "datatype": "FP64", "shape": each.shape} for each in signature.extras
    ]
    return tensors


def answer_tensors(
    signature: Signature, predictions: Predictions, wanted: Sequence[Wanted] | None
) -> list[dict[str, Any]]:
    """Convert predictions to output tensors.

    Args:
        signature: The model's signature.
        predictions: Results of the model, in row order.
        wanted: The requested outputs; None for all.

    Raises:
        HttpError: 400 if a requested output does not exist.
    """
    shares = predictions.probabilities
    described = output_tensors(signature, has_scores=shares is not None)
    values = predictions.values
    if signature.targets:
        # One tensor has one type: beside texts, numbers are texts as well.
        as_text = described[0]["datatype"] == "BYTES"
        flat = [value for row in values for value in row.values()]
        values = [str(value) for value in flat] if as_text else flat
    data: Mapping[str, list[Any]] = {
        "predict": values,
        "predict_proba": [] if shares is None else shares.ravel().tolist(),
        **{name: extra.ravel().tolist() for name, extra in predictions.extras.items()},
    }
    tensors = [
        {
            **tensor,
            "shape": [len(predictions), *tensor["shape"][1:]],
            "data": data[tensor["name"]],
        }
        for tensor in described
        if tensor["name"] in data
    ]
    if wanted is None:
        return tensors
    by_name = {tensor["name"]: tensor for tensor in tensors}
    require_outputs(wanted, list(by_name))
    return [by_name[output.name] for output in wanted]


def join_warnings(warnings: Sequence[Sequence[str]]) -> str:
    """Join the warnings of all rows into a single text: the protocol's parameters are single values.

    >>> join_warnings([(), ("age: 120 is outside the training range 17 to 90.",)])
    'row 1: age: 120 is outside the training range 17 to 90.'
    """
    lines = [f"row {row}: {text}" for row, texts in enumerate(warnings) for text in texts]
    more = len(lines) - _MAX_WARNINGS
    return "\n".join(lines[:_MAX_WARNINGS] + ([f"and {more} more warnings"] if more > 0 else []))


def require_outputs(wanted: Sequence[Wanted] | None, known: Sequence[str]) -> None:
    """Check the requested outputs.

    Raises:
        HttpError: 400 if an output is not known.
    """
    for output in wanted or ():
        if output.name not in known:
            raise _wrong(
                f"The model has no output {output.name[:60]!r}.",
                did_you_mean(output.name[:100], known),
            )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""  # noqa: PLR2004 - a short line
    return ", ".join(names[:8]) + more


def _wrong(what: str, fix: str) -> HttpError:
    return HttpError(400, what, "The model needs its columns as it was trained on them.", fix)
