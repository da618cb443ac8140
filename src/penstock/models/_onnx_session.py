"""OnnxSession: a graph of ONNX under onnxruntime, whose answers do not depend on threads or rows.

One thread, in order, and without folding of constants, so that loading a graph computes nothing.
Kernels of matrix products may add in a different order for many rows than for a single row. A graph
with further operators than those listed here, which treat each row and value by itself, is called
row by row; for many rows by a loop inside of the graph, whose bits are compared with those of single
calls.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from penstock.core import DataError, SerializationError, require, summarize_error
from penstock.models._onnx_rows import are_equal, make_scan, run_scan

# Sums over trees in one order for every row, and single operations that IEEE 754 rounds in one way.
_BY_ROW = frozenset(
    {
        "Add",
        "Cast",
        "Div",
        "Identity",
        "Mul",
        "Scaler",
        "Sub",
        "TreeEnsemble",
        "TreeEnsembleClassifier",
        "TreeEnsembleRegressor",
        "ZipMap",
    }
)
_MANY = 64  # rows from which on a loop in the graph is made
_COMPARED = 16  # rows of each call whose bits are compared
_TEXT = 8  # TensorProto.STRING
_WHOLE = "iu"


@dataclass(frozen=True, slots=True)
class OnnxInput:
    """An input of a graph.

    Args:
        name: Name of the input.
        dtype: NumPy's name of the type: ``float32``, ``int64``, ``bool``; ``str`` for texts.
        width: Values per row; 0 for an input of shape [rows]; None where the graph leaves the width
            open.
        rows: Rows per call where the graph states a number; None for any number.
    """

    name: str
    dtype: str
    width: int | None
    rows: int | None


class OnnxSession:
    """A loaded graph.

    Threads: any number may call ``run`` at once.

    Args:
        model: An ``onnx.ModelProto``.
    """

    def __init__(self, model: Any) -> None:
        onnx = require("onnx", extra="onnx", purpose="predicting with an ONNX model")
        self.inputs = _inputs(model, onnx)
        self._by_row = any(node.op_type not in _BY_ROW for node in model.graph.node)
        if any(each.rows not in {None, 1} for each in self.inputs):
            rows = next(each.rows for each in self.inputs if each.rows not in {None, 1})
            raise DataError(
                what=f"The ONNX model takes exactly {rows} rows per call.",
                why="A request may have one row only.",
                fix="Export it for any number of rows: dynamic_shapes of torch.onnx.export, or a first"
                " dimension None of skl2onnx.",
            )
        self._by_row = self._by_row or any(each.rows == 1 for each in self.inputs)
        self._session = _open(model)
        # Until its loop over rows was tried.
        self._model: Any = model if self._by_row else None
        self._scan: Any = None
        self.outputs = tuple((each.name, each.type) for each in self._session.get_outputs())

    @property
    def is_by_row(self) -> bool:
        """Whether each row is a separate call."""
        return self._by_row

    def run(self, feeds: Mapping[str, Any], outputs: Sequence[str]) -> list[Any]:
        """Compute outputs of rows, each row as a call with that row alone.

        Args:
            feeds: Arrays by input, shape (n,) or (n, width).
            outputs: Names of the outputs.

        Returns:
            For each output an array of n rows, or a list of n dictionaries by label (ZipMap).

        Raises:
            DataError: If the graph does not return a row for each row.
        """
        rows = len(next(iter(feeds.values())))
        if rows > 1 and self._by_row:
            looped = self._run_scan(feeds, outputs, rows) if rows >= _MANY else None
            joined = self._one_by_one(feeds, outputs, range(rows)) if looped is None else looped
        else:
            joined = self._call(feeds, outputs)
        for name, each in zip(outputs, joined, strict=True):
            if len(each) != rows:
                raise DataError(
                    what=f"The output {name!r} of the ONNX model has {len(each)} rows for {rows}.",
                    why="A prediction belongs to a row.",
                    fix="Export a graph whose outputs have a row for each row of the inputs.",
                )
        return joined

    def _one_by_one(
        self, feeds: Mapping[str, Any], outputs: Sequence[str], places: Iterable[int]
    ) -> list[Any]:
        parts = [
            self._call({name: table[place : place + 1] for name, table in feeds.items()}, outputs)
            for place in places
        ]
        return [_join(each) for each in zip(*parts, strict=True)]

    def _run_scan(
        self, feeds: Mapping[str, Any], outputs: Sequence[str], rows: int
    ) -> list[Any] | None:
        """Compute rows by the loop in the graph; None where it is not possible or not the same."""
        model, self._model = self._model, None
        if model is not None:
            made = make_scan(model, require("onnx", extra="onnx", purpose="predicting"))
            with suppress(SerializationError):
                self._scan = None if made is None else _open(made)
        if self._scan is None:
            return None
        places = range(0, rows, max(rows // _COMPARED, 1))
        try:
            found = run_scan(self._scan, feeds, outputs)
            few = self._one_by_one(feeds, outputs, places)
            if all(are_equal(a[list(places)], b) for a, b in zip(found, few, strict=True)):
                return found
        except Exception:  # noqa: BLE001 - a row that fails is named by its own call
            return None
        self._scan = None
        return None

    def _call(self, feeds: Mapping[str, Any], outputs: Sequence[str]) -> list[Any]:
        try:
            outputs_read: list[Any] = self._session.run(list(outputs), dict(feeds))
        except Exception as error:
            raise DataError(
                what=f"The ONNX model cannot predict these rows: {summarize_error(error)[:300]}.",
                fix="Compare the columns and their order with the inputs of the graph: "
                + ", ".join(f"{each.name} ({each.dtype})" for each in self.inputs[:8])
                + ".",
            ) from error
        return [each if isinstance(each, list) else _as_rows(each) for each in outputs_read]


@lru_cache(maxsize=1)
def _library() -> Any:
    return require("onnxruntime", extra="onnx", purpose="predicting with an ONNX model")


def _open(model: Any) -> Any:
    runtime = _library()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = 4  # its own warnings would stand between those of the program
    try:
        return runtime.InferenceSession(
            model.SerializeToString(),
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=["ConstantFolding"],
        )
    except Exception as error:
        raise SerializationError(
            what=f"onnxruntime cannot load the ONNX model: {summarize_error(error)[:300]}.",
            why="It is served with onnxruntime.",
            fix="Export it with a lower opset, or install a newer onnxruntime.",
            format="onnx",
        ) from error


def _inputs(model: Any, onnx: Any) -> tuple[OnnxInput, ...]:
    weights = {each.name for each in model.graph.initializer}
    return tuple(_input(each, onnx) for each in model.graph.input if each.name not in weights)


def _input(value: Any, onnx: Any) -> OnnxInput:
    tensor = value.type.tensor_type
    sizes = [each.dim_value if each.HasField("dim_value") else None for each in tensor.shape.dim]
    if not tensor.elem_type or len(sizes) not in {1, 2}:
        raise DataError(
            what=f"The input {value.name!r} of the ONNX model has the shape {sizes}.",
            why="A row of a table has a value per column: inputs are [rows], [rows, 1] or"
            " [rows, columns].",
            fix="Export the model for a table of numbers, or wrap it in a class with predict.",
        )
    if tensor.elem_type == _TEXT:
        dtype = "str"
    else:
        dtype = str(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    return OnnxInput(value.name, dtype, sizes[1] if len(sizes) > 1 else 0, sizes[0])


def _as_rows(output: Any) -> Any:
    return output.reshape(1) if output.ndim == 0 else output


def _join(parts: Sequence[Any]) -> Any:
    import numpy as np

    if isinstance(parts[0], list):
        return [each for part in parts for each in part]
    return np.concatenate(parts)
