"""Models, tokenizers and text classifiers of Hugging Face, and sentence-transformers, as their files.

Notes of the libraries about the machine are left out. The files are read by their own library: a
class of transformers itself that ``config.json`` names, weights in safetensors, a tokenizer of
plain tables. Code that comes with a model is never run.
"""

import importlib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from penstock.core import SerializationError, require, summarize_error
from penstock.stores.artifacts._value import Serialized, type_name
from penstock.stores.artifacts.models._alignment import aligned
from penstock.stores.artifacts.models._file_bundle import (
    pack_files,
    read_folder,
    unpack_files,
    write_folder,
)
from penstock.stores.artifacts.models._protocol import StoredModel
from penstock.stores.artifacts.models._sizes import require_sizes
from penstock.stores.artifacts.models._text_pipelines import (
    is_text_pipeline,
    make_text_pipeline,
    pipeline_settings,
)

# A folder of one module of sentence-transformers (1_Pooling) may stand before the name.
_NAMES = re.compile(
    r"(?:\d{1,2}_[A-Za-z]{1,40}/)?(?:config\.json|generation_config\.json|model(?:-\d{5}-of-\d{5})?"
    r"\.safetensors|model\.safetensors\.index\.json|tokenizer\.json|tokenizer_config\.json"
    r"|special_tokens_map\.json|added_tokens\.json|vocab\.(?:txt|json)|merges\.txt|spiece\.model"
    r"|tokenizer\.model|sentencepiece\.bpe\.model|chat_template\.jinja|modules\.json"
    r"|sentence_bert_config\.json|config_sentence_transformers\.json)"
)
# Notes about the machine and the installed versions: no property of the model.
_NOTES = frozenset(
    {"transformers_version", "__version__", "is_local", "local_files_only", "name_or_path"}
    | {"_name_or_path", "_commit_hash", "cache_dir", "tokenizer_file", "vocab_file"}
)
_LAST_CALL = frozenset({"truncation", "padding"})  # each call of a tokenizer sets them anew
# Settings by which a file could bring code, or a library of kernels from elsewhere.
_CODE = frozenset({"auto_map", "custom_pipelines", "quantization_config", "kernel_config"})
_MODULES = re.compile(
    r"sentence_transformers(?:\.\w+)*\.(?:Transformer|Pooling|Normalize|StaticEmbedding)"
)
_PIPELINE = "pipeline"
_OWN_CLASSES = "transformers.models."


class TransformersFormat:
    """See ModelFormat."""

    name = "transformers"
    is_safe = True

    def can_write(self, value: Any) -> bool:
        """See ModelFormat."""
        return _kind(value) is not None

    def write(self, value: Any, content_digest: str) -> Serialized:
        """See ModelFormat."""
        kind = _require_own(value)
        data = pack_files(_files_of(value, kind))
        model = value.model if kind == _PIPELINE else value
        facts: dict[str, Any] = {"kind": kind, "class": type(model).__name__}
        if kind == _PIPELINE:
            facts["settings"] = pipeline_settings(value)
        self._require_kept(value, StoredModel(data, facts), kind)
        if hasattr(model, "parameters"):
            facts["parameters"] = sum(each.numel() for each in model.parameters())
        return Serialized(data, self.name, content_digest, type_name(value), facts)

    def read(self, stored: StoredModel) -> Any:
        """See ModelFormat."""
        kind = str(stored.metadata.get("kind"))
        if kind not in _READERS:
            raise _damaged(f"its record names the kind {kind!r}")
        try:
            files = unpack_files(stored.data, _NAMES)
        except ValueError as error:
            raise _damaged(str(error)) from error
        _require_plain(files)
        with TemporaryDirectory() as place, _quiet():
            write_folder(files, Path(place))
            read = _READERS[kind](Path(place), files, stored.metadata)
        model = read.model if kind == _PIPELINE else read
        if hasattr(model, "parameters"):
            for tensor in (*model.parameters(), *model.buffers()):
                tensor.data = aligned(tensor.data)
        return read

    def _require_kept(self, value: Any, stored: StoredModel, kind: str) -> None:
        """Refuse a value that differs from the value of the files: they do not keep everything."""
        back = self.read(stored)
        for name, stated in _facts_of(value, kind).items():
            fact = _facts_of(back, kind).get(name)
            if fact != stated:
                raise SerializationError(
                    what=f"{type_name(value)} would be read back with another {name}.",
                    why="The files of the library do not keep what was changed after it was made:"
                    " the stored model would answer otherwise.",
                    fix="Set it in the configuration or by from_pretrained(…), or export the model to"
                    " ONNX.",
                )

    def state(self, value: Any) -> bytes | None:
        """See ModelFormat."""
        kind = _kind(value)
        if kind is None:
            return None
        # With what the files do not keep: a model with a hook must not count as the one without.
        facts = json.dumps(_facts_of(value, kind), sort_keys=True, default=str)
        return pack_files(_files_of(value, kind)) + facts.encode()

    def load_library(self) -> None:
        """See ModelFormat."""
        importlib.import_module("transformers")


def _kind(value: Any) -> str | None:
    """Return ``model``, ``tokenizer``, ``sentences`` or ``pipeline``; None for all further values."""
    if is_text_pipeline(value):
        return _PIPELINE
    for base in type(value).__mro__:
        root = base.__module__.partition(".")[0]
        if root == "transformers" and base.__name__ == "PreTrainedModel":
            return "model"
        if root == "transformers" and base.__name__ == "PreTrainedTokenizerBase":
            return "tokenizer"
        if root == "sentence_transformers" and base.__name__ == "SentenceTransformer":
            return "sentences"
    return None


def _facts_of(value: Any, kind: str) -> dict[str, Any]:
    """Return all settings behind predictions, beside weights: modules, hooks, how texts are cut."""
    if kind == _PIPELINE:
        return {
            **_facts_of(value.model, "model"),
            **_facts_of(value.tokenizer, "tokenizer"),
            "settings": pipeline_settings(value),
        }
    facts: dict[str, Any] = {}
    if kind != "tokenizer":
        modules = list(value.modules())
        facts["module"] = [
            (type(each).__module__, type(each).__qualname__, each.extra_repr()) for each in modules
        ]
        # A forward set on an object, and hooks, are in no file.
        facts["forward or hook"] = [
            name
            for each in modules
            for name in ("forward", "_forward_hooks", "_forward_pre_hooks")
            if vars(each).get(name)
        ]
    tokenizer = value if kind == "tokenizer" else getattr(value, "tokenizer", None)
    for name in ("truncation_side", "padding_side", "model_max_length"):
        if hasattr(tokenizer, name):
            facts[name] = getattr(tokenizer, name)
    for name in ("max_seq_length", "truncate_dim", "default_prompt_name", "prompts"):
        if kind == "sentences":
            facts[name] = getattr(value, name, None)
    return facts


def _require_own(value: Any) -> str:
    """Return the kind of a value whose class is the library's own."""
    if is_text_pipeline(value):
        _require_own(value.model)
        _require_own(value.tokenizer)
        return _PIPELINE
    kind, module = _kind(value), type(value).__module__
    allowed = {
        "model": _OWN_CLASSES,
        "tokenizer": "transformers.",
        "sentences": "sentence_transformers.",
    }
    if kind is None or not f"{module}.".startswith(allowed[kind]):
        raise SerializationError(
            what=f"{type_name(value)} is a class of {module}, and no class of the library itself.",
            why="A model of Hugging Face is read by the class that its config.json names.",
            fix="Return a model of the library's own classes, or export the network to ONNX.",
        )
    if kind == "tokenizer" and not getattr(value, "is_fast", False):
        raise SerializationError(
            what=f"{type_name(value)} is a tokenizer written in Python.",
            why="Its files depend on the class; those of a fast tokenizer are one table.",
            fix="Load it with AutoTokenizer.from_pretrained(…, use_fast=True).",
        )
    return kind


def _files_of(value: Any, kind: str) -> dict[str, bytes]:
    """Save a value with the library, and return the files without notes."""
    with TemporaryDirectory() as place, _quiet():
        if kind == "sentences":
            value.save(place, create_model_card=False, safe_serialization=True)
        elif kind == _PIPELINE:
            value.model.save_pretrained(place)
            value.tokenizer.save_pretrained(place)
        else:
            value.save_pretrained(place)
        files = read_folder(Path(place))
    if strange := [name for name in files if not _NAMES.fullmatch(name)]:
        raise SerializationError(
            what=f"{type_name(value)} saves a file {strange[0]!r}, which cannot be stored.",
            why="Weights are stored in safetensors, and tokenizers as tables: nothing else is read"
            " again.",
            fix="Merge adapters into the model (model.merge_and_unload()), or export it to ONNX.",
        )
    _require_plain(files)
    return {name: _without_notes(name, content) for name, content in files.items()}


def _without_notes(name: str, content: bytes) -> bytes:
    """Return a settings file without notes, and a tokenizer's without the settings of the last call."""
    if not name.endswith(("config.json", "config_sentence_transformers.json", "tokenizer.json")):
        return content
    settings = json.loads(content)
    if name.endswith("tokenizer.json"):
        settings.update(dict.fromkeys(_LAST_CALL))
    else:
        settings = {key: value for key, value in settings.items() if key not in _NOTES}
    return json.dumps(settings, indent=2, ensure_ascii=False).encode()


def _require_plain(files: Mapping[str, bytes]) -> None:
    """Refuse settings that bring code, name a class by path or a library from elsewhere."""
    for name, content in files.items():
        if not name.endswith("config.json") and name != "modules.json":
            continue
        try:
            settings = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise _damaged(f"{name} is no JSON ({error})") from error
        if name == "modules.json":
            _require_modules(settings)
        for key, value in _settings(settings):
            if key in _CODE and value:
                raise _damaged(f"{name} has {key}, which brings code")
            if ("implementation" in key or "kernel" in key) and "/" in str(value):
                raise _damaged(f"{name} names {value!r} as {key}")


def _require_modules(settings: Any) -> None:
    rows = settings if isinstance(settings, list) else [settings]
    for row in rows:
        if not isinstance(row, dict) or not _MODULES.fullmatch(str(row.get("type"))):
            kind = row.get("type") if isinstance(row, dict) else row
            raise _damaged(f"modules.json names {kind!r}")
        if not re.fullmatch(r"(\d{1,2}_[A-Za-z]{1,40})?", str(row.get("path"))):
            raise _damaged(f"modules.json names the folder {row.get('path')!r}")


def _settings(document: Any) -> Iterator[tuple[str, Any]]:
    waiting = [document]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            yield from ((str(key), value) for key, value in each.items())
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)


def _read_model(folder: Path, files: Mapping[str, bytes], facts: Mapping[str, Any]) -> Any:
    library = _import_transformers()
    named = json.loads(files.get("config.json", b"{}")).get("architectures")
    name = str(facts.get("class"))
    kind = getattr(library, name, None)
    is_own = isinstance(kind, type) and kind.__module__.startswith(_OWN_CLASSES)
    if named != [name] or not is_own or not issubclass(kind, library.PreTrainedModel):  # type: ignore[arg-type]
        raise _damaged(f"config.json names {named}, its record {name!r}")
    model: Any = kind
    try:
        settings = model.config_class.from_pretrained(folder, local_files_only=True)
        require_sizes(lambda: model(settings), _stored_sizes(folder))
        made, info = model.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            dtype="auto",
            output_loading_info=True,
        )
    except Exception as error:  # the library says what a forged file lacks in many classes
        raise _damaged(f"{name} cannot be made of its files ({summarize_error(error)})") from error
    # The library makes up weights that a file lacks, at random and with a warning only.
    if lacking := [*info["missing_keys"], *info["mismatched_keys"]]:
        raise _damaged(f"its file lacks the weights {lacking[0]}")
    return made


def _read_tokenizer(folder: Path, files: Mapping[str, bytes], _: Mapping[str, Any]) -> Any:
    if "tokenizer.json" not in files:
        raise _damaged("it has no tokenizer.json")
    return _import_transformers().AutoTokenizer.from_pretrained(
        folder, local_files_only=True, trust_remote_code=False, use_fast=True
    )


def _read_pipeline(folder: Path, files: Mapping[str, bytes], facts: Mapping[str, Any]) -> Any:
    model, tokenizer = _read_model(folder, files, facts), _read_tokenizer(folder, files, facts)
    try:
        return make_text_pipeline(model, tokenizer, facts.get("settings") or {})
    except Exception as error:  # the library says what forged settings lack in many classes
        raise _damaged(f"no pipeline can be made of it ({summarize_error(error)})") from error


def _read_sentences(folder: Path, files: Mapping[str, bytes], _: Mapping[str, Any]) -> Any:
    if "modules.json" not in files:
        raise _damaged("it has no modules.json")
    library = require("sentence_transformers", extra="transformers", purpose="reading a model")
    try:
        stored = _stored_sizes(folder)
        for name in files:
            if name.endswith("/config.json") or name == "config.json":
                _require_base_sizes((folder / name).parent, stored)
        made = library.SentenceTransformer(
            str(folder),
            device="cpu",
            trust_remote_code=False,
            local_files_only=True,
            model_kwargs={"use_safetensors": True},
        )
    except Exception as error:  # the library says what a forged file lacks in many classes
        raise _damaged(f"it cannot be made of its files ({summarize_error(error)})") from error
    # The library makes up weights that a file lacks, at random and with a warning only.
    if (wanted := sum(each.numel() for each in made.parameters())) > sum(stored.values()):
        raise _damaged(f"its files have {sum(stored.values()):,} weights, its modules {wanted:,}")
    return made


def _require_base_sizes(folder: Path, stored: Mapping[str, int]) -> None:
    """Refuse settings of a module of sentence-transformers that ask for more than its files have."""
    library = _import_transformers()
    if "model_type" in json.loads((folder / "config.json").read_bytes()):  # others are no network
        settings = library.AutoConfig.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        base = library.AutoModel
        require_sizes(lambda: base.from_config(settings, trust_remote_code=False), stored)


def _stored_sizes(folder: Path) -> dict[str, int]:
    """Return the number of values of each tensor that the headers of the files name."""
    read_header = importlib.import_module("safetensors").safe_open
    sizes = {}
    for path in folder.rglob("*.safetensors"):
        with read_header(path, framework="numpy") as tensors:
            for name in tensors.keys():  # noqa: SIM118 - it is no mapping
                sizes[f"{path}/{name}"] = math.prod(tensors.get_slice(name).get_shape())
    return sizes


_Reader = Callable[[Path, Mapping[str, bytes], Mapping[str, Any]], Any]
_READERS: dict[str, _Reader] = {
    "model": _read_model,
    "tokenizer": _read_tokenizer,
    "sentences": _read_sentences,
    _PIPELINE: _read_pipeline,
}


@contextmanager
def _quiet() -> Iterator[None]:
    """Show no bars of the library's own while files are saved and read."""
    logging = importlib.import_module("transformers.utils.logging")
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _import_transformers() -> Any:
    return require("transformers", extra="transformers", purpose="reading a model of Hugging Face")


def _damaged(reason: str) -> SerializationError:
    return SerializationError(
        what=f"The bytes are no model of Hugging Face that can be read: {reason}.",
        why="A model is read by a class of the library itself, with weights in safetensors, and no"
        " code that comes with its files.",
        fix="Save it with the library's own class; do not use files from elsewhere as they are.",
    )
