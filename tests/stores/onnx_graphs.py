"""Small ONNX graphs for tests, made by hand so that each has exactly one property."""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, DOUBLE, INT64, STRING = (
    TensorProto.FLOAT,
    TensorProto.DOUBLE,
    TensorProto.INT64,
    TensorProto.STRING,
)


def graph(
    nodes: list[Any],
    inputs: list[Any],
    outputs: list[Any],
    weights: list[Any] | None = None,
    domains: tuple[str, ...] = (),
    **options: Any,
) -> onnx.ModelProto:
    made = helper.make_graph(nodes, "g", inputs, outputs, initializer=weights or [])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    opsets += [helper.make_opsetid(each, 1) for each in domains]
    return helper.make_model(made, opset_imports=opsets, ir_version=9, **options)


def value(name: str, kind: int, *shape: Any) -> Any:
    return helper.make_tensor_value_info(name, kind, list(shape))


def linear(weights: Any = ((0.5,), (-2.0,)), name: str = "w") -> onnx.ModelProto:
    """Return rows @ weights, of doubles."""
    table = np.asarray(weights, dtype=np.float64)
    return graph(
        [helper.make_node("MatMul", ["x", name], ["y"])],
        [value("x", DOUBLE, None, table.shape[0])],
        [value("y", DOUBLE, None, table.shape[1])],
        [numpy_helper.from_array(table, name)],
    )


def by_name() -> onnx.ModelProto:
    """Return ``age * 2`` where the city is Oslo, else ``age``."""
    keys = helper.make_node(
        "LabelEncoder", ["city"], ["factor"], domain="ai.onnx.ml",
        keys_strings=["Oslo"], values_floats=[2.0], default_float=1.0,
    )  # fmt: skip
    return graph(
        [keys, helper.make_node("Mul", ["age", "factor"], ["y"])],
        [value("age", FLOAT, None, 1), value("city", STRING, None, 1)],
        [value("y", FLOAT, None, 1)],
    )
