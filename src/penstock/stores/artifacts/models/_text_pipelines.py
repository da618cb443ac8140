"""Pipelines of transformers that classify texts: a model and its tokenizer, and how texts are cut."""

import importlib
from collections.abc import Mapping
from typing import Any

from penstock.core import SerializationError

_PLAIN = (str, int, float, bool, type(None))
_KNOWN = frozenset({"truncation", "max_length", "padding", "top_k", "function_to_apply"})


def is_text_pipeline(value: Any) -> bool:
    """Return whether a value is the library's own pipeline that classifies texts."""
    kind = type(value)
    return (
        kind.__name__ == "TextClassificationPipeline"
        and kind.__module__ == "transformers.pipelines.text_classification"
    )


def pipeline_settings(value: Any) -> dict[str, Any]:
    """Return what a pipeline was told beside its model and tokenizer, as plain values.

    Raises:
        SerializationError: If a setting is no plain value.
    """
    parts = ("_preprocess_params", "_forward_params", "_postprocess_params")
    settings = {name: each for part in parts for name, each in vars(value)[part].items()}
    settings.pop("_legacy", None)  # follows from top_k
    if "function_to_apply" in settings:
        settings["function_to_apply"] = str(settings["function_to_apply"].name).lower()
    if odd := unknown_settings(settings):
        raise SerializationError(
            what=f"The pipeline was told {odd[0]}={settings[odd[0]]!r:.80}.",
            why=f"A stored pipeline keeps {', '.join(sorted(_KNOWN))}, as plain values.",
            fix="Leave it out, or return model and tokenizer as"
            " penstock.models.LanguageModelEstimator(model, tokenizer).",
        )
    return settings


def unknown_settings(settings: Mapping[str, Any]) -> list[str]:
    """Return the settings that are not known, or are no plain values."""
    return [n for n, each in settings.items() if n not in _KNOWN or not isinstance(each, _PLAIN)]


def make_text_pipeline(model: Any, tokenizer: Any, settings: Mapping[str, Any]) -> Any:
    """Make a pipeline of a model and its tokenizer.

    Raises:
        ValueError: If a setting is not known.
    """
    if odd := unknown_settings(settings):
        raise ValueError(f"its record names the setting {odd[0]!r}")
    library = importlib.import_module("transformers")
    return library.TextClassificationPipeline(
        model=model, tokenizer=tokenizer, task="text-classification", device="cpu", **settings
    )
