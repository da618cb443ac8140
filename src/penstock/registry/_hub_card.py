"""``hub_card``: a version's model card in the form of Hugging Face's Hub, a README with front matter.

Only what is recorded is said: a section that nobody wrote stays empty and says so.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from penstock.core import ModelVersionRecord
from penstock.registry._card import source_names

if TYPE_CHECKING:
    from penstock.stores import Store

_TASKS = {
    "binary": "tabular-classification",
    "multiclass": "tabular-classification",
    "regression": "tabular-regression",
}
# Hugging Face's own names of libraries, by the format in which a model is stored.
_LIBRARIES = {"skops": "sklearn", "safetensors": "pytorch", "transformers": "transformers",
              "xgboost": "xgboost", "lightgbm": "lightgbm", "catboost": "catboost", "onnx": "onnx"}  # fmt: skip
_EMPTY_SECTIONS = ("Limitations", "Ethical considerations", "Licence", "Citation")


def render_hub_card(store: "Store", version: ModelVersionRecord, card: str) -> str:
    """Return a version's card in Hugging Face's form, with what the store knows of its model and data."""
    stored = store.metadata.artifacts.get(version.artifact)
    return hub_card(card, version, model_format=stored.format, sources=source_names(store, version))


def hub_card(
    card: str, version: ModelVersionRecord, *, model_format: str, sources: Sequence[str]
) -> str:
    """Return a README in Hugging Face's form.

    Args:
        card: The version's card, Markdown.
        version: The version.
        model_format: Format in which its model is stored.
        sources: Names of the data that it was made from.

    Returns:
        Markdown with front matter, which ends with a newline.
    """
    task = _TASKS.get(str(version.signature.get("task")))
    tags = ["penstock", *sorted(f"{k}:{v}" for k, v in version.tags.items())]
    matter: dict[str, Any] = {
        "library_name": _LIBRARIES.get(model_format, model_format),
        "pipeline_tag": task,
        "tags": tags,
        "model-index": _index(version, task, sources),
    }
    written = [f"{name}: {_yaml(value)}" for name, value in matter.items() if value]
    empty = [f"\n## {title}\n\nNot recorded.\n" for title in _EMPTY_SECTIONS]
    return "\n".join(["---", *written, "---", "", card.rstrip()]) + "\n" + "".join(empty)


def _index(
    version: ModelVersionRecord, task: str | None, sources: Sequence[str]
) -> list[Mapping[str, Any]]:
    """Return the results on the test rows; the Hub wants a task and a data set for each."""
    metrics = [
        {"type": name, "name": name, "value": value}
        for name, value in sorted(version.metrics.items())
        if math.isfinite(value)
    ]
    if not metrics:
        return []
    data = {"name": ", ".join(sources) or "not recorded", "type": "tabular", "split": "test"}
    result = {"task": {"type": task or "other"}, "dataset": data, "metrics": metrics}
    return [{"name": version.model, "results": [result]}]


def _yaml(value: Any) -> str:
    """Return a value as YAML: JSON is YAML, and needs no library."""
    return json.dumps(value, ensure_ascii=False)
