"""The bytes of CatBoost's binary format; apart: archives of scikit-learn's pipelines hold them, too."""

from typing import Any

from penstock.core import require

_MAGIC = b"CBM1"
# Entries of the metadata that differ from fit to fit of the same model.
_CHANGING = ("model_guid", "train_finish_time")


def is_catboost_model(data: bytes) -> bool:
    """Return whether bytes begin as CatBoost's binary format does."""
    return data.startswith(_MAGIC)


def stable_model(data: bytes, kind: str = "CatBoost") -> bytes:
    """Return a model in the binary format without bytes that differ from fit to fit of the same model."""
    copied = load_catboost(kind, data)
    metadata = copied.get_metadata()
    for key in _CHANGING:
        if key in metadata.keys():  # noqa: SIM118 - a proxy without __contains__
            metadata[key] = ""
    return bytes(copied._serialize_model())  # noqa: SLF001


def load_catboost(kind: str, data: bytes) -> Any:
    """Load a model of a class of CatBoost's from the binary format."""
    catboost = require("catboost", extra="catboost", purpose="reading a CatBoost model")
    model = getattr(catboost, kind)()
    model.load_model(blob=data)
    return model
