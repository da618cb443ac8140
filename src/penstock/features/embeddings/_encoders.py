"""Loading a language model from a folder, and texts to vectors: each text alone, on one thread.

A text in a padded batch has different last bits than alone, and so has a product that two threads
share. Both are avoided, so that a request and a batch get the same numbers.
"""

import json
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.core import DataError, one_torch_thread, require
from penstock.features.embeddings._files import EmbeddingFile, as_folder, list_files, require_same

if TYPE_CHECKING:
    from numpy.typing import NDArray

Encode = Callable[[Sequence[str]], "NDArray[np.float64]"]

# Modules without code of the model's own, and without functions named by the model's files.
_MODULES = re.compile(
    r"sentence_transformers(\.\w+)*\.(Transformer|Pooling|Normalize|StaticEmbedding)"
)


@lru_cache(maxsize=2)
def load_encoder(place: Path, recorded: tuple[EmbeddingFile, ...]) -> Encode:
    """Load a language model whose files are compared with the recorded ones first.

    Raises:
        DataError: If a file is missing or changed, or the model brings code.
        MissingPackageError: If the library that reads the model is not installed.
    """
    require_same(place, recorded, list_files(place))
    with as_folder(place) as folder:
        return _load(folder)


def _load(folder: Path) -> Encode:
    settings = _read(folder / "config.json")
    if not isinstance(settings, dict):
        settings = {}
    for name in ("auto_map", "custom_pipelines"):
        if name in settings:
            raise _own_code(folder, f"config.json has {name}")
    modules = _read(folder / "modules.json")
    if not isinstance(modules, list):
        raise DataError(
            what=f"{folder} is no model of sentence-transformers or model2vec: it has no"
            " modules.json.",
            fix="Save it with SentenceTransformer(…).save(folder).",
        )
    for module in modules:
        if not _MODULES.fullmatch(str(module.get("type"))):
            raise _own_code(folder, f"modules.json names {module.get('type')}")
    is_static = str(modules[0].get("type")).endswith(".StaticEmbedding") if modules else False
    # Written by model2vec: which library reads the files does not depend on what is installed.
    return (
        _static(folder)
        if is_static and (folder / "tokenizer.json").is_file()
        else _sentences(folder)
    )


def _static(folder: Path) -> Encode:
    model2vec = require("model2vec", extra="transformers", purpose="embeddings by model2vec")
    model = model2vec.StaticModel.from_pretrained(folder)

    def encode(texts: Sequence[str]) -> "NDArray[np.float64]":
        return _stack([model.encode([text], use_multiprocessing=False) for text in texts])

    return encode


def _sentences(folder: Path) -> Encode:
    library = require("sentence_transformers", extra="transformers", purpose="embeddings of texts")
    torch = require("torch", extra="torch", purpose="embeddings of texts")
    model: Any = library.SentenceTransformer(
        str(folder),
        device="cpu",
        trust_remote_code=False,
        local_files_only=True,
        model_kwargs={"use_safetensors": True},
    )

    def encode(texts: Sequence[str]) -> "NDArray[np.float64]":
        with one_torch_thread(torch):
            return _stack(
                [model.encode([text], batch_size=1, show_progress_bar=False) for text in texts]
            )

    return encode


def _stack(vectors: "Sequence[NDArray[Any]]") -> "NDArray[np.float64]":
    return np.vstack(vectors).astype(np.float64)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise DataError(
            what=f"{path.name} of the language model is no JSON ({error}).",
            fix="Save the model again.",
        ) from error


def _own_code(folder: Path, what: str) -> DataError:
    return DataError(
        what=f"The language model at {folder} brings code: {what}.",
        why="Code that comes with a model's files is not run.",
        fix="Use a model of plain modules: Transformer, Pooling, Normalize, StaticEmbedding.",
    )
