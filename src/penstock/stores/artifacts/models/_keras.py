"""Models of Keras 3: the settings of their layers as JSON, the weights in safetensors.

Keras makes a model from settings that may name any function of any module; here each name must stand on a closed list of
layers and operations that compute and do nothing else. A model is written and read by Keras on torch: with another
framework its sizes cannot be told before memory is taken.
"""

import copy
import importlib
import json
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from penstock.core import SerializationError, require, summarize_error
from penstock.stores.artifacts._value import Serialized, type_name
from penstock.stores.artifacts.models._file_bundle import pack_files, unpack_files
from penstock.stores.artifacts.models._protocol import StoredModel
from penstock.stores.artifacts.models._sizes import require_sizes

_CONFIG, _WEIGHTS = "config.json", "model.safetensors"
_NAMES = re.compile(r"config\.json|model\.safetensors")
_MODELS = frozenset({"Functional", "Sequential"})
_LAYERS = frozenset(
    # No Lambda, no table of texts (its vocabulary may be a file), no layer around another framework.
    [
        "Activation",
        "ActivityRegularization",
        "Add",
        "AdditiveAttention",
        "AlphaDropout",
        "Attention",
        "Average",
        "AveragePooling1D",
        "AveragePooling2D",
        "AveragePooling3D",
        "BatchNormalization",
        "Bidirectional",
        "CategoryEncoding",
        "Concatenate",
        "Conv1D",
        "Conv1DTranspose",
        "Conv2D",
        "Conv2DTranspose",
        "Conv3D",
        "Conv3DTranspose",
        "ConvLSTM1D",
        "ConvLSTM2D",
        "ConvLSTM3D",
        "Cropping1D",
        "Cropping2D",
        "Cropping3D",
        "Dense",
        "DepthwiseConv1D",
        "DepthwiseConv2D",
        "Dot",
        "Dropout",
        "ELU",
        "EinsumDense",
        "Embedding",
        "Flatten",
        "GRU",
        "GRUCell",
        "GaussianDropout",
        "GaussianNoise",
        "GlobalAveragePooling1D",
        "GlobalAveragePooling2D",
        "GlobalAveragePooling3D",
        "GlobalMaxPooling1D",
        "GlobalMaxPooling2D",
        "GlobalMaxPooling3D",
        "GroupNormalization",
        "GroupQueryAttention",
        "Identity",
        "InputLayer",
        "LSTM",
        "LSTMCell",
        "LayerNormalization",
        "LeakyReLU",
        "Masking",
        "MaxPooling1D",
        "MaxPooling2D",
        "MaxPooling3D",
        "Maximum",
        "Minimum",
        "MultiHeadAttention",
        "Multiply",
        "Normalization",
        "PReLU",
        "Permute",
        "RMSNormalization",
        "RNN",
        "ReLU",
        "RepeatVector",
        "Rescaling",
        "Reshape",
        "SeparableConv1D",
        "SeparableConv2D",
        "SimpleRNN",
        "SimpleRNNCell",
        "Softmax",
        "SpatialDropout1D",
        "SpatialDropout2D",
        "SpatialDropout3D",
        "StackedRNNCells",
        "Subtract",
        "TimeDistributed",
        "UnitNormalization",
        "UpSampling1D",
        "UpSampling2D",
        "UpSampling3D",
        "ZeroPadding1D",
        "ZeroPadding2D",
        "ZeroPadding3D",
    ]
)
# Modules whose classes hold numbers and compute with them, whatever their name.
_MODULES = frozenset(
    {
        "keras.initializers",
        "keras.regularizers",
        "keras.constraints",
        "keras.dtype_policies",
        "keras.src.ops.numpy",
        "keras.src.ops.nn",
    }
)
_MARKS = frozenset({"__keras_tensor__", "__numpy__", "__tensor__"})  # numbers and arrows
_ARRAYS = frozenset({"__numpy__", "__tensor__"})
# A text type such as U1000000000 would take memory while the settings are read.
_NUMBERS = re.compile(r"bool|(u?int|b?float|complex)\d{1,3}")
_POLICIES = frozenset({"DTypePolicy", "FloatDTypePolicy"})


class KerasFormat:
    """See ModelFormat."""

    name = "keras"
    is_safe = True

    def can_write(self, value: Any) -> bool:
        """See ModelFormat."""
        return isinstance(value, importlib.import_module("keras").Model)

    def write(self, value: Any, content_digest: str) -> Serialized:
        """See ModelFormat."""
        _require_plain(value)
        config = _config_of(value)
        data = pack_files(_files_of(value, config))
        facts = {"class": type(value).__name__, "parameters": int(value.count_params())}
        if _config_of(self.read(StoredModel(data, facts))) != config:
            raise _unstorable(value, "would be read back with other settings")
        return Serialized(data, self.name, content_digest, type_name(value), facts)

    def read(self, stored: StoredModel) -> Any:
        """See ModelFormat."""
        keras = _import_keras()
        try:
            files = unpack_files(stored.data, _NAMES)
            config = json.loads(files[_CONFIG])
            tensors = importlib.import_module("safetensors.torch").load(files[_WEIGHTS])
        except Exception as error:  # each part says in classes of its own that it is damaged
            raise _damaged(summarize_error(error)) from error
        if strange := next(_strange_names(config), None):
            raise _damaged(f"its settings name {strange}")
        return _made(keras, config, [tensors[name] for name in sorted(tensors)])

    def state(self, value: Any) -> bytes:
        """See ModelFormat."""
        _require_plain(value)
        return pack_files(_files_of(value, _config_of(value)))

    def load_library(self) -> None:
        """See ModelFormat."""
        _import_keras()


def _made(keras: Any, config: Any, tensors: list[Any]) -> Any:
    def make() -> Any:
        # Keras takes the settings apart that it reads.
        return keras.saving.deserialize_keras_object(copy.deepcopy(config), safe_mode=True)

    def make_without_memory() -> Any:
        with keras.device("meta"):
            return make()

    try:
        sizes = {str(place): tensor.numel() for place, tensor in enumerate(tensors)}
        require_sizes(
            make_without_memory, sizes, lambda made: [each.value for each in made.weights]
        )
        model = make()
        wanted = [tuple(each.shape) for each in model.weights]
    except Exception as error:  # the library says what is wrong with settings in many classes
        raise _damaged(f"it cannot be made of its settings ({summarize_error(error)})") from error
    if wanted != [tuple(each.shape) for each in tensors]:
        raise _damaged(f"its weights are not those of its {len(model.layers)} layers")
    for weight, tensor in zip(model.weights, tensors, strict=True):
        weight.assign(tensor)
    return model


def _files_of(value: Any, config: Any) -> dict[str, bytes]:
    safetensors = importlib.import_module("safetensors.torch")
    tensors = {
        f"{place:06}": each.value.detach().cpu().contiguous().clone()
        for place, each in enumerate(value.weights)
    }
    text = json.dumps(config, indent=2, ensure_ascii=False).encode()
    return {_CONFIG: text, _WEIGHTS: safetensors.save(tensors)}


def _config_of(value: Any) -> Any:
    """Return the settings of a model as plain values, without its training.

    Keras numbers the layers of a process (``dense_7``), so names that it gave count anew in each model: the same training
    gives the same bytes.
    """
    keras = _import_keras()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras reads the numbers of its optimizers in an old way
        config = json.loads(json.dumps(keras.saving.serialize_keras_object(value)))
    names: dict[str, str] = {}
    for layer in _layers(config):
        given, root = layer["config"].get("name"), _snake_case(layer["class_name"])
        if isinstance(given, str) and re.fullmatch(rf"{root}(_\d+)?", given) and given not in names:
            count = sum(_numberless(each) == root for each in names.values())
            names[given] = f"{root}_{count}" if count else root
    return _renamed(_without_training(config), names)


def _layers(tree: Any) -> Iterator[dict[str, Any]]:
    """Find the settings of layers and models, the outer ones first."""
    waiting = [tree]
    while waiting:
        each = waiting.pop(0)
        if isinstance(each, dict):
            if isinstance(each.get("config"), dict) and "class_name" in each:
                yield each
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)


def _without_training(tree: Any) -> Any:
    if isinstance(tree, list):
        return [_without_training(each) for each in tree]
    if not isinstance(tree, dict):
        return tree
    return {key: _without_training(each) for key, each in tree.items() if key != "compile_config"}


# Where a name of a layer stands: its own, and the arrows to it.
_NAMED = frozenset({"name", "keras_history", "input_layers", "output_layers"})


def _renamed(tree: Any, names: Mapping[str, str], key: str = "") -> Any:
    if isinstance(tree, str):
        return names.get(tree, tree) if key in _NAMED else tree
    if isinstance(tree, list):
        return [_renamed(each, names, key) for each in tree]
    if isinstance(tree, dict):
        return {key: _renamed(each, names, key) for key, each in tree.items()}
    return tree


def _snake_case(name: str) -> str:
    """Return a class's name as Keras makes a layer's name of it."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _numberless(name: str) -> str:
    return re.sub(r"_\d+$", "", name)


def _strange_names(tree: Any) -> Iterator[str]:
    """Find the classes and functions that settings name and that are on no list."""
    waiting = [tree]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting.extend(each)
        if not isinstance(each, dict):
            continue
        waiting.extend(each.values())
        if "class_name" in each and not _is_known(each.get("module"), each["class_name"], each):
            yield f"{each.get('module')}.{each['class_name']}"
        elif "module" in each and "class_name" not in each:
            yield str(each["module"])


def _is_known(module: Any, name: Any, facts: Mapping[str, Any]) -> bool:
    if not isinstance(name, str) or facts.get("registered_name") not in {None, name}:
        return False
    if module is None:
        return name in _MARKS and (name not in _ARRAYS or _is_of_numbers(facts.get("config")))
    if name in _MODELS:
        return module in {"keras", "keras.models", f"keras.src.models.{name.lower()}"}
    if module == "keras":
        return name in _POLICIES
    return (module == "keras.layers" and name in _LAYERS) or (
        module in _MODULES and re.fullmatch(r"[A-Z][A-Za-z0-9]*", name) is not None
    )


def _is_of_numbers(array: Any) -> bool:
    dtype = array.get("dtype") if isinstance(array, dict) else None
    return isinstance(dtype, str) and _NUMBERS.fullmatch(dtype) is not None


def _require_plain(value: Any) -> None:
    """Refuse a model whose settings would not make it again."""
    _import_keras()
    if type(value).__name__ not in _MODELS or not type(value).__module__.startswith("keras."):
        raise _unstorable(value, "is a class of its own, whose code no settings hold")
    if not value.built:
        raise _unstorable(value, "has no weights yet")
    if strange := next(_strange_names(_without_training(_config_of(value))), None):
        raise _unstorable(value, f"has {strange}, which is on no list of layers that only compute")


def _import_keras() -> Any:
    keras = require("keras", extra="keras", purpose="a model of Keras")
    if (backend := keras.backend.backend()) != "torch":
        raise SerializationError(
            what=f"Keras runs on {backend} here, and its models are stored and read on torch.",
            why="Only there can the sizes that a file asks for be told before memory is taken.",
            fix="Set KERAS_BACKEND=torch before Keras is imported, or export the model to ONNX:"
            ' model.export("model.onnx", format="onnx").',
        )
    return keras


def _unstorable(value: Any, reason: str) -> SerializationError:
    return SerializationError(
        what=f"{type_name(value)} {reason}.",
        why="A model of Keras is stored as the settings of its layers and its weights, and no code"
        " that comes with them is run.",
        fix="Build it of Keras's own layers as keras.Sequential or keras.Model(inputs, outputs); for"
        ' another, model.export("model.onnx", format="onnx") and penstock.models.OnnxEstimator.',
    )


def _damaged(reason: str) -> SerializationError:
    return SerializationError(
        what=f"The bytes are no model of Keras that can be read: {reason}.",
        why="Settings may name only layers and operations that compute, with the weights beside them.",
        fix="Train the model again; do not use files from elsewhere as they are.",
    )
