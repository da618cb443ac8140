"""Model folders of MLflow's whose model is in a form without code; the record's parts are its files.

The description names a flavor and a file; the flavor's own format reads the file, and no other
is tried. A file that is not what the description says is refused by that format.
"""

import struct
from typing import Any, NoReturn

from penstock.core import SerializationError, digest_bytes, digest_json
from penstock.stores.artifacts.models._admission import require_admitted
from penstock.stores.artifacts.models._mlflow_folder import (
    MLMODEL,
    MlflowFolder,
    read_mlflow_folder,
)
from penstock.stores.artifacts.models._protocol import StoredModel
from penstock.stores.artifacts.models._table import find_model_format
from penstock.stores.artifacts.models._ubjson import text_of_ubjson


class MlflowFormat:
    """See ModelFormat."""

    name = "mlflow"
    is_safe = True

    def can_write(self, value: Any) -> bool:
        """See ModelFormat: folders are written by MLflow's client."""
        del value
        return False

    def write(self, value: Any, content_digest: str) -> NoReturn:
        """See ModelFormat."""
        raise NotImplementedError(
            f"{value!r} of {content_digest}: only MLflow's client writes these"
        )

    def read(self, stored: StoredModel) -> Any:
        """See ModelFormat."""
        if MLMODEL not in stored.source:
            raise _missing(MLMODEL)
        folder = read_mlflow_folder(stored.source[MLMODEL])
        if folder.file not in stored.source:
            raise _missing(folder.file)
        inner = find_model_format(folder.format)
        assert inner is not None
        model = stored_mlflow_model(folder, stored.source[folder.file])
        # Of the format too: bytes that one library reads without harm may harm another.
        digest = digest_json([folder.format, dict(folder.facts), digest_bytes(model.data)])
        require_admitted(folder.format, digest, model)
        return inner.read(model)

    def state(self, value: Any) -> None:
        """See ModelFormat."""

    def load_library(self) -> None:
        """See ModelFormat: the record does not say which library its file needs."""


def stored_mlflow_model(folder: MlflowFolder, data: bytes) -> StoredModel:
    """Return the file of a folder's model as its format reads it.

    Args:
        folder: What the folder says of itself.
        data: The bytes of the file that it names.

    Raises:
        SerializationError: If the bytes are no model of that format.
    """
    # XGBoost's own default is its binary form; the text begins with a name in quotes.
    if folder.format == "xgboost" and not data.lstrip().startswith((b'{"', b"{\n", b"{ ")):
        try:
            data = text_of_ubjson(data)
        except (ValueError, struct.error) as error:
            raise SerializationError(
                what=f"{folder.file[:80]!r} is no XGBoost model: {error}.",
                why="A file is only read as what the description of its folder says.",
                fix="Log the model again with MLflow's client.",
                format=MlflowFormat.name,
            ) from error
    return StoredModel(data, folder.facts)


def _missing(name: str) -> SerializationError:
    return SerializationError(
        what=f"The model folder has no file {name[:80]!r}.",
        why="Its description names this file as the model.",
        fix="Log the model again with MLflow's client.",
        format="mlflow",
    )
