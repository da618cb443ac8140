"""The format of a model by class; and the format that a record names."""

import importlib
import sys
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from penstock.core import SerializationError, summarize_error
from penstock.stores.artifacts.models._protocol import ModelFormat

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "penstock.model_formats"
"""Entry points of packages that bring formats: the root package of the model's classes."""

_HERE = __name__.rpartition(".")[0]
# Module and class of each format. A module is imported with the first value of its package.
_FORMATS = {
    "skops": ("_skops", "SkopsFormat"),
    "xgboost": ("_xgboost", "XGBoostFormat"),
    "lightgbm": ("_lightgbm", "LightGBMFormat"),
    "catboost": ("_catboost", "CatBoostFormat"),
    "safetensors": ("_torch", "TorchFormat"),
    "onnx": ("_onnx", "OnnxFormat"),
    "unsafe": ("_unsafe", "UnsafeFormat"),
    "transformers": ("_transformers", "TransformersFormat"),
    "keras": ("_keras", "KerasFormat"),
    "mlflow": ("_mlflow", "MlflowFormat"),
}
# Formats for classes by root package, the most special first: a class counts by its bases, too.
_BY_PACKAGE = {
    "xgboost": ("xgboost",),
    "lightgbm": ("lightgbm",),
    "catboost": ("catboost",),
    "sentence_transformers": ("transformers",),
    "transformers": ("transformers",),
    "keras": ("keras",),
    "torch": ("safetensors",),
    "onnx": ("onnx",),
    "sklearn": ("skops",),
    "penstock": ("unsafe",),
}


def find_format(value: Any) -> ModelFormat | None:
    """Return the format for a model; None if the value is of no known kind of model."""
    kind: Any = type(value)  # a class is hashable, which mypy does not know
    return next((each for each in _formats_for(kind) if each.can_write(value)), None)


def find_model_format(name: str) -> ModelFormat | None:
    """Return the format of a name that a record has; None if the name is no model's format.

    >>> find_model_format("skops").is_safe, find_model_format("parquet")
    (True, None)

    Raises:
        SerializationError: If the package that brings the format cannot be loaded.
    """
    if name in _FORMATS:
        module, kind = _FORMATS[name]
        return _built_in(module, kind)
    return _of_package(name)


@lru_cache(maxsize=4096)
def _formats_for(kind: Any) -> tuple[ModelFormat, ...]:
    return tuple(_candidates(kind))


def _candidates(kind: type) -> Iterator[ModelFormat]:
    seen = set()
    for base in kind.__mro__:
        root = base.__module__.partition(".")[0]
        if root == "builtins" or root in seen:
            continue
        seen.add(root)
        names = _BY_PACKAGE.get(root)
        formats = map(find_model_format, names) if names else [_of_package(root)]
        yield from (each for each in formats if each is not None)


@lru_cache(maxsize=64)
def _built_in(module: str, kind: str) -> ModelFormat:
    model_format: ModelFormat = getattr(importlib.import_module(f"{_HERE}.{module}"), kind)()
    return model_format


@cache
def _points() -> "dict[str, EntryPoint]":
    # Imported here: it loads the packages of mail and archives, which few processes need.
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=GROUP)}


@lru_cache(maxsize=1024)
def _of_package(name: str) -> ModelFormat | None:
    point = None if name in sys.stdlib_module_names else _points().get(name)
    if point is None:
        return None
    try:
        loaded = point.load()
        model_format = loaded() if isinstance(loaded, type) else loaded
    except Exception as error:
        raise SerializationError(
            what=f"The model format {name!r} of {point.value} cannot be loaded: {summarize_error(error)}",
            fix="Install or repair the package that brings it.",
            format=name,
        ) from error
    if isinstance(model_format, ModelFormat) and model_format.name == name:
        return model_format
    raise SerializationError(
        what=f"{point.value} is no model format of the name {name!r}.",
        why=f"Its entry point in {GROUP} refers to it by that name.",
        fix="See penstock.stores.ModelFormat for the attributes of a format.",
        format=name,
    )
