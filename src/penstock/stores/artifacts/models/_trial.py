"""The program of the process that tries a model: read, check, predict made-up rows."""

import importlib.util
import warnings
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from penstock.core import SerializationError
from penstock.stores.artifacts.models._protocol import StoredModel
from penstock.stores.artifacts.models._structure import require_sound, require_sound_bytes
from penstock.stores.artifacts.models._table import find_model_format

_ROWS = (0.0, 1.0, -1e30, 1e30, float("nan"))
_MOST_INPUTS = 100_000
_READS = 2


def prepare(arguments: Mapping[str, Any]) -> None:
    """Import the libraries of a format, and the installed packages that the model imports."""
    importlib.import_module("sklearn.base")
    model_format = find_model_format(str(arguments["format"]))
    if model_format is not None:
        model_format.load_library()
    for name in arguments["libraries"]:
        if _is_package(name):
            with suppress(Exception):  # the trial says what is wrong with it
                importlib.import_module(name)


def _is_package(name: str) -> bool:
    """Return whether a package is installed: a module of a project is imported in trials only."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return False
    origin = "" if spec is None else str(spec.origin)
    return "site-packages" in origin or "dist-packages" in origin


def read_model(data: bytes, arguments: Mapping[str, Any]) -> str:
    """Read a model, and return the name of the class.

    Raises:
        SerializationError: If the bytes are no model of the format.
    """
    model_format = find_model_format(arguments["format"])
    if model_format is None:
        raise SerializationError(what=f"There is no format {arguments['format']!r}.")
    require_sound_bytes(arguments["format"], data)
    stored = StoredModel(data, arguments["metadata"], arguments["source"])
    for _ in range(_READS):  # into memory that was used before: what is read beyond an end differs
        model: Any = model_format.read(stored)
        require_sound(model)
        _predict(model)
    if arguments["format"] == "onnx":
        _open_session(data)
    return type(model).__name__


def _open_session(data: bytes) -> None:
    """Let the runtime build the graph, where installed, which plans memory by the graph."""
    if importlib.util.find_spec("onnxruntime") is None:
        return
    runtime = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def _predict(model: Any) -> None:
    """Predict rows of numbers where the model takes them: a forged model may only fail here."""
    import numpy as np

    inputs = getattr(model, "n_features_in_", None)
    if not isinstance(inputs, int) or not 0 < inputs <= _MOST_INPUTS:
        return
    rows = np.repeat(np.asarray(_ROWS)[:, None], inputs, axis=1)
    for name in ("predict", "predict_proba", "transform", "score_samples", "decision_function"):
        for values in (rows[:2], rows[:4], rows):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    getattr(model, name)(values)
            except Exception:  # noqa: BLE001, S112 - a model need not take such rows
                continue
