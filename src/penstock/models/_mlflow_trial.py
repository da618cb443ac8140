"""The program of the process that describes a model folder of MLflow's: its library never runs here."""

import importlib
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from penstock.models._mlflow_signature import describe_mlflow
from penstock.stores import find_model_format, read_mlflow_folder, stored_mlflow_model

_LIBRARIES = ("polars", "sklearn.base")


def prepare(arguments: Mapping[str, Any]) -> None:
    """Import the libraries of the folder's format."""
    for name in _LIBRARIES:
        importlib.import_module(name)
    with suppress(ImportError):  # the trial says what is missing
        name = str(arguments["format"])
        importlib.import_module("skops.io" if name == "skops" else name)


def describe(data: bytes, arguments: Mapping[str, Any]) -> str:
    """Read the model of a folder, and return its signature as JSON.

    Raises:
        PenstockError: If the file is no model of its format, or cannot be described.
    """
    folder = read_mlflow_folder(arguments["mlmodel"])
    model_format = find_model_format(folder.format)
    assert model_format is not None
    model = model_format.read(stored_mlflow_model(folder, data))
    return json.dumps(describe_mlflow(folder, model, arguments["example"]).to_json())
