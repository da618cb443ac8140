"""infer_onnx_signature: a graph's inputs and outputs as a signature, without a row of data."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from penstock.core import DataError
from penstock.models._inference import infer_signature
from penstock.models._native_boosters import as_estimator
from penstock.models._onnx_session import OnnxInput
from penstock.models._signature import Signature

if TYPE_CHECKING:
    import polars as pl


def infer_onnx_signature(
    model: object,
    *,
    names: Sequence[str] = (),
    target: str = "",
    positive: object = None,
) -> Signature:
    """Infer the signature of an ONNX graph from the graph itself.

    A graph states types, and no ranges: requests are checked for types, and not warned about values
    that training did not see. Where rows are at hand, `infer_signature` learns ranges from them.

    >>> from penstock.stores import read_onnx
    >>> infer_onnx_signature(read_onnx("churn.onnx"), target="left")  # doctest: +SKIP

    Args:
        model: An ``onnx.ModelProto``, or an OnnxEstimator.
        names: Names of the columns of a graph that takes a matrix, in order; by default ``x0``, …
        target: Name of the target.
        positive: The label that scores refer to.

    Raises:
        DataError: If the graph takes no table, fails on a row of zeros, or the names do not fit.
        ParameterError: If the model is no graph.
    """
    estimator = as_estimator(model)
    signature = infer_signature(
        estimator, _zeros(estimator.inputs, names), target=target, positive=positive
    )
    inputs = tuple(
        replace(each, minimum=None, maximum=None, nullable=each.family == "number")
        if signature.accepts_missing
        else replace(each, minimum=None, maximum=None)
        for each in signature.inputs
    )
    return replace(signature, inputs=inputs)


def _zeros(inputs: Sequence[OnnxInput], names: Sequence[str]) -> "pl.DataFrame":
    """Return a frame with a row of zeros, in the types of the graph."""
    import polars as pl

    if len(inputs) > 1:
        if names:
            raise DataError(
                what=f"names has {len(names)} names, and the ONNX model names its columns itself.",
                fix="Leave names out: " + ", ".join(each.name for each in inputs[:8]) + ".",
            )
        return pl.DataFrame([_zero(each.name, each.dtype) for each in inputs])
    only = inputs[0]
    width = len(names) or (1 if only.width == 0 else only.width)
    if width is None:
        raise DataError(
            what="The ONNX model takes a matrix of any number of columns.",
            why="A signature has a column for each.",
            fix='Name them: names=["age", "height"].',
        )
    if len(names) not in {0, only.width or width}:
        raise DataError(
            what=f"names has {len(names)} names, and the ONNX model takes {only.width} columns.",
            fix="Name each column, in the order of the matrix.",
        )
    columns = names or [f"x{place}" for place in range(width)]
    return pl.DataFrame([_zero(name, only.dtype) for name in columns])


def _zero(name: str, dtype: str) -> "pl.Series":
    import polars as pl

    kinds: dict[str, Any] = {"str": (pl.String, ""), "bool": (pl.Boolean, False)}
    plain = "UInt" + dtype[4:] if dtype.startswith("uint") else dtype.capitalize()
    kind, value = kinds.get(dtype, (getattr(pl, plain, None), 0))
    if kind is None:
        raise DataError(
            what=f"The input {name!r} of the ONNX model is of type {dtype}.",
            fix="Export the graph with inputs of float32, float64, int64, bool or string.",
            column=name,
        )
    return pl.Series(name, [value], kind)
