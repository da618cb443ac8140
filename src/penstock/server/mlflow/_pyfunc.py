"""The loader that a model folder names: ``mlflow.pyfunc.load_model`` calls it with the folder's data."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.models import Model, Signature
from penstock.stores import open_store

FACTS = "version.json"
DATABASE = "penstock.db"


class PyfuncModel:
    """A model of penstock's as MLflow calls it.

    Args:
        model: The model.
    """

    def __init__(self, model: Model) -> None:
        self.model = model

    def predict(self, rows: Any, params: Mapping[str, Any] | None = None) -> Any:
        """Predict rows.

        Args:
            rows: A pandas frame, a list of dicts, a dict of lists, or an array with columns in the
                order of the signature.
            params: Not used.

        Returns:
            An array of the predictions, shape (n,); for several targets a dict of them.

        Raises:
            DataError: If a row cannot be used; the error names the field.
        """
        import numpy as np

        del params
        found: Any = self.model.predict_rows(_rows(rows, self.model.signature.names)).values
        if isinstance(found, dict):
            return {name: np.asarray(values) for name, values in found.items()}
        return np.asarray(found)


def _load_pyfunc(path: str) -> PyfuncModel:
    """Load the model in a folder's data; MLflow's name for it."""
    folder = Path(path)
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    with open_store(f"sqlite:///{folder.resolve()}/{DATABASE}") as store:
        estimator = store.get(facts["digest"])
    return PyfuncModel(Model(estimator, Signature.from_json(facts["signature"])))


def _rows(data: Any, names: list[str]) -> list[dict[str, Any]]:
    if hasattr(data, "to_dict") and hasattr(data, "columns"):
        data = data.to_dict("records")
    if isinstance(data, Mapping):
        columns = [list(values) for values in data.values()]
        return [dict(zip(data, row, strict=True)) for row in zip(*columns, strict=True)]
    return [{name: _plain(value) for name, value in _named(row, names).items()} for row in data]


def _named(row: Any, names: list[str]) -> Mapping[str, Any]:
    return row if isinstance(row, Mapping) else dict(zip(names, row, strict=True))


def _plain(value: Any) -> Any:
    """Return a value as JSON would bring it: numbers of NumPy plain, missing ones None."""
    if hasattr(value, "isoformat"):
        return value.isoformat() if value == value else None  # noqa: PLR0124 - false for NaT
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and math.isnan(value) else value
