"""A graph of ONNX that takes many rows and computes each as a call with that row alone: a Scan.

Every row goes through the same operators on the same shapes as in a call with one row, so that no
kernel for many rows is asked; only the loop over the rows is the runtime's instead of Python's.
"""

from collections.abc import Mapping, Sequence
from typing import Any

_MANY = "penstock_all_"
_ONE = "penstock_row_"
_AXIS = "penstock_axis"
_LARGEST = 1 << 26  # bytes of a graph: its weights are loaded a second time
_LEAST_OPSET = 13  # from there on the axes of Squeeze are an input


def make_scan(model: Any, onnx: Any) -> Any:
    """Return the model that computes each of many rows by a model's graph; None where there is none.

    Args:
        model: A model whose inputs and outputs have a row for each row.
        onnx: The package.
    """
    graph, make = model.graph, onnx.helper
    opsets = {each.domain: each.version for each in model.opset_import}
    is_plain = not graph.sparse_initializer and not model.functions
    if opsets.get("", 0) < _LEAST_OPSET or not is_plain or model.ByteSize() > _LARGEST:
        return None
    weights = {each.name for each in graph.initializer}
    inputs = [each for each in graph.input if each.name not in weights]
    if not all(each.type.HasField("tensor_type") for each in (*inputs, *graph.output)):
        return None  # ZipMap returns dictionaries
    before = [make.make_node("Unsqueeze", [_ONE + v.name, _AXIS], [v.name]) for v in inputs]
    after = [make.make_node("Squeeze", [v.name, _AXIS], [_ONE + v.name]) for v in graph.output]
    body = make.make_graph(
        [*before, *graph.node, *after],
        "row",
        [_value(make, _ONE, each, ()) for each in inputs],
        [_value(make, _ONE, each, ()) for each in graph.output],
        [*graph.initializer, make.make_tensor(_AXIS, onnx.TensorProto.INT64, [1], [0])],
    )
    scan = make.make_node(
        "Scan",
        [_MANY + each.name for each in inputs],
        [_MANY + each.name for each in graph.output],
        num_scan_inputs=len(inputs),
        body=body,
    )
    rows = make.make_graph(
        [scan],
        "rows",
        [_value(make, _MANY, each, (None,)) for each in inputs],
        [_value(make, _MANY, each, (None,)) for each in graph.output],
    )
    return make.make_model(rows, opset_imports=model.opset_import, ir_version=model.ir_version)


def run_scan(session: Any, feeds: Mapping[str, Any], outputs: Sequence[str]) -> list[Any]:
    """Compute outputs of rows by the session of a model of ``make_scan``."""
    named = {_MANY + name: table for name, table in feeds.items()}
    found: list[Any] = session.run([_MANY + name for name in outputs], named)
    return found


def are_equal(one: Any, other: Any) -> bool:
    """Return whether two arrays have the same type, shape and bits."""
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    if one.dtype.kind == "O":
        return bool(one.tolist() == other.tolist())
    return bool(one.tobytes() == other.tobytes())


def _value(make: Any, prefix: str, value: Any, first: tuple[None, ...]) -> Any:
    """Return the declaration of a value without its first dimension, or with another one."""
    kind = value.type.tensor_type
    sizes = [each.dim_value if each.HasField("dim_value") else None for each in kind.shape.dim]
    return make.make_tensor_value_info(prefix + value.name, kind.elem_type, [*first, *sizes[1:]])
