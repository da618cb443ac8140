"""Networks of PyTorch: the tensors in safetensors, the modules' further attributes as plain values.

A module is made as in pickle, without the constructor: the class, then the attributes. The
classes are torch's own on a closed list, or the user's from recorded source; an attribute is a plain
value, a tensor, an array, a module, a function of these places, or an object or member of an enum
of the user's own classes. Nothing else can be written or read.
"""

import importlib
import json
import struct
from collections import OrderedDict
from collections.abc import Mapping
from enum import Enum
from functools import partial
from types import BuiltinFunctionType, FunctionType
from typing import Any

import msgspec
import numpy as np

from penstock.core import SerializationError, require
from penstock.stores.artifacts._value import Serialized, type_name
from penstock.stores.artifacts.models._alignment import aligned
from penstock.stores.artifacts.models._own_code import (
    OwnCode,
    find_definitions,
    gather_code,
    is_own,
)
from penstock.stores.artifacts.models._own_objects import (
    NUMBER_KINDS,
    array_form,
    has_plain_state,
    is_own_object,
    own_parts,
)
from penstock.stores.artifacts.models._protocol import StoredModel

_KEY = "penstock"
_MOST_HEADER = 4 << 20  # beside a sixteenth of the file: JSON takes twenty times its size when read
_MOST_STRETCH = 16  # a view's span in memory, in multiples of its elements
# Packages whose modules are data holders with a forward: nothing runs when one is made by attributes.
_ROOTS = ("torch.nn.modules.", "torchvision.", "torchmetrics.", "lightning.", "pytorch_lightning.")
_FUNCTIONS = ("torch.nn.functional", "torch", "torch.special", "torch._C._nn")
# Of safetensors: texts by name, and for each tensor its type, shape and place. Other forms are
# refused while they are read, before they fill memory.
_Header = dict[str, dict[str, str | list[int]]]
_PLAIN = (bool, int, str, type(None))
_CONTAINERS: dict[type, str] = {list: "list", tuple: "tuple", set: "set", frozenset: "frozenset"}
_MAPPINGS: dict[type, str] = {dict: "dict", OrderedDict: "ordered"}
# Lightning's dict of hyperparameters, whose values are plain as all others.
_ATTRIBUTE_DICTS = ("lightning.fabric.utilities.data", "lightning_fabric.utilities.data")


class TorchFormat:
    """See ModelFormat."""

    name = "safetensors"
    is_safe = True

    def can_write(self, value: Any) -> bool:
        """See ModelFormat."""
        torch = importlib.import_module("torch")
        return isinstance(value, torch.nn.Module)

    def write(self, value: Any, content_digest: str) -> Serialized:
        """See ModelFormat."""
        torch = importlib.import_module("torch")
        safetensors = _import_safetensors()
        _require_eager(value, torch)
        writer = _Writer(torch, value)
        tree = writer.encode(value, type_name(value))
        header = {"tree": tree, "tensors": writer.forms}
        text = json.dumps(header, separators=(",", ":"), allow_nan=True)
        data: bytes = safetensors.save(writer.tensors, metadata={_KEY: text})
        facts: dict[str, Any] = {"parameters": writer.parameters}
        if writer.code.digests:
            facts["code"] = writer.code.facts
        return Serialized(
            data, self.name, content_digest, type_name(value), facts, source=writer.code.source
        )

    def read(self, stored: StoredModel) -> Any:
        """See ModelFormat."""
        torch = require("torch", extra="torch", purpose="reading a network")
        safetensors = _import_safetensors()
        header = _read_header(stored.data)
        tensors = {name: aligned(each) for name, each in safetensors.load(stored.data).items()}
        digests = stored.metadata.get("code", {}).get("definitions", {})
        own = find_definitions(stored.source, digests) if digests else {}
        try:
            return _Reader(torch, header["tensors"], tensors, own, digests).decode(header["tree"])
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise _damaged(f"it is not in the form that is written ({error})") from error

    def state(self, value: Any) -> None:
        """See ModelFormat: compiled networks do not tell theirs, and are refused by name."""
        torch = importlib.import_module("torch")
        if isinstance(value, torch.jit.ScriptModule) or hasattr(value, "parametrizations"):
            _require_eager(value, torch)

    def load_library(self) -> None:
        """See ModelFormat."""
        importlib.import_module("torch")


class _Writer:
    def __init__(self, torch: Any, value: Any) -> None:
        self._torch = torch
        self.tensors: dict[str, Any] = {}
        self.forms: dict[str, Any] = {}
        self.parameters = sum(each.numel() for each in value.parameters())
        self._names: dict[int, str] = {}
        self._modules: dict[int, int] = {}
        self._kept: list[Any] = []
        self.code: OwnCode = gather_code(own_parts(value))

    def encode(self, value: Any, place: str) -> Any:
        torch, kind = self._torch, type(value)
        if kind in _PLAIN:
            return value
        if kind is float:
            return {"float": value.hex()}
        if kind in _CONTAINERS:
            items = sorted(value, key=repr) if kind in {set, frozenset} else value
            return {_CONTAINERS[kind]: [self.encode(item, place) for item in items]}
        if kind in _MAPPINGS:
            pairs = [
                [self.encode(key, place), self.encode(item, f"{place}[{key!r}]")]
                for key, item in value.items()
            ]
            return {_MAPPINGS[kind]: pairs}
        if kind.__name__ == "AttributeDict" and kind.__module__ in _ATTRIBUTE_DICTS:
            return {"attributes": [kind.__module__, self.encode(dict(value), place)]}
        if kind in {torch.Tensor, torch.nn.Parameter, torch.nn.Buffer}:
            return {"tensor": self._tensor(value, place)}
        if isinstance(value, torch.nn.Module):
            return self._module(value, place)
        return self._other(value, place)

    def _other(self, value: Any, place: str) -> Any:
        torch, kind = self._torch, type(value)
        if kind in {torch.dtype, torch.device, torch.memory_format}:
            return {kind.__name__: str(value).removeprefix("torch.")}
        if kind is torch.Size:
            return {"size": list(value)}
        if isinstance(value, type | FunctionType | BuiltinFunctionType):
            return self._name(value, place)
        if kind is partial and not vars(value):
            return {"partial": self.encode([value.func, value.args, value.keywords], place)}
        return self._own_value(value, place)

    def _own_value(self, value: Any, place: str) -> Any:
        kind = type(value)
        if isinstance(value, np.ndarray | np.generic) and (form := array_form(value)):
            return {"array": [*form, self._bytes_of(value)]}
        if kind is bytes:
            return {"bytes": value.hex()}
        if kind is complex:
            return {"complex": [value.real.hex(), value.imag.hex()]}
        if kind is range:
            return {"range": [value.start, value.stop, value.step]}
        if isinstance(value, Enum) and is_own(kind) and value.name in kind.__members__:
            return {"member": [self._name(kind, place), value.name]}
        if is_own_object(value):
            return self._stated(value, "object", vars(value), place)
        raise _unstorable(value, place)

    def _bytes_of(self, value: Any) -> str:
        """Store an array's numbers as bytes, which every library of tensors has."""
        known = self._names.get(id(value))
        if known is not None:
            return known
        name = self._names[id(value)] = str(len(self._names))
        self._kept.append(value)
        held = bytearray(np.asarray(value).tobytes())
        torch = self._torch
        empty = torch.empty(0, dtype=torch.uint8)
        self.tensors[name] = torch.frombuffer(held, dtype=torch.uint8) if held else empty
        self.forms[name] = ["Tensor", [1], False]
        return name

    def _module(self, value: Any, place: str) -> dict[str, Any]:
        if id(value) in self._modules:
            return {"again": self._modules[id(value)]}
        state = value.__getstate__()
        if not isinstance(state, dict):
            raise _unstorable(value, place)
        return self._stated(value, "module", state, place)

    def _stated(self, value: Any, tag: str, state: Mapping[str, Any], place: str) -> dict[str, Any]:
        """Write a class and the attributes; the second time, that it is the same object."""
        known = self._modules.get(id(value))
        if known is not None:
            return {"again": known}
        number = self._modules[id(value)] = len(self._modules)
        self._kept += [value, state]  # an id is only unique while the object lives
        pairs = [[key, self.encode(item, f"{place}.{key}")] for key, item in state.items()]
        return {tag: self._name(type(value), place), "state": pairs, "number": number}

    def _name(self, value: Any, place: str) -> dict[str, Any]:
        if id(value) in self.code.names:
            return {"own": self.code.names[id(value)]}
        for module in (value.__module__, *_FUNCTIONS):
            name = f"{module}:{value.__name__}"
            if _find_named(self._torch, name) is value:
                return {"named": name}
        raise _unstorable(value, place)

    def _tensor(self, value: Any, place: str) -> str:
        known = self._names.get(id(value))
        if known is not None:
            return known
        if value.device.type != "cpu" or value.layout != self._torch.strided or value.is_quantized:
            raise SerializationError(
                what=f"{place} is a tensor on {value.device}, {value.layout}.",
                why="A stored network is loaded on machines without that device.",
                fix="Return the network on the processor: net.cpu(), with dense tensors.",
            )
        name = self._names[id(value)] = str(len(self._names))
        self._kept.append(value)
        self.tensors[name] = value.detach().contiguous().clone()
        self.forms[name] = [type(value).__name__, list(value.stride()), value.requires_grad]
        return name


class _Reader:
    def __init__(
        self,
        torch: Any,
        forms: Mapping[str, Any],
        tensors: Mapping[str, Any],
        own: Any,
        allowed: Mapping[str, str],
    ) -> None:
        self._torch, self._own, self._allowed = torch, own, allowed
        self._tensors = {name: self._formed(tensors[name], form) for name, form in forms.items()}
        self._modules: dict[int, Any] = {}
        self._arrays: dict[str, Any] = {}

    def decode(self, tree: Any) -> Any:
        if not isinstance(tree, dict):
            return tree
        key, held = next(iter(tree.items()))
        decoder = _DECODERS.get(key)
        if decoder is None:
            raise _damaged(f"it has a {key!r}")
        return decoder(self, held, tree)

    def module(self, held: Any, tree: Mapping[str, Any]) -> Any:
        kind = self.decode(held)
        if not isinstance(kind, type) or not issubclass(kind, self._torch.nn.Module):
            raise _damaged("a module's class is none")
        made: Any = object.__new__(kind)
        self._modules[tree["number"]] = made
        made.__setstate__({key: self.decode(item) for key, item in tree["state"]})
        return made

    def own_object(self, held: Any, tree: Mapping[str, Any]) -> Any:
        kind = self.decode(held)
        if not isinstance(kind, type) or not has_plain_state(kind):
            raise _damaged("an object's class is none of the user's")
        made: Any = object.__new__(kind)
        self._modules[tree["number"]] = made
        vars(made).update({key: self.decode(item) for key, item in tree["state"]})
        return made

    def member(self, held: Any) -> Any:
        kind, name = self.decode(held[0]), held[1]
        if not isinstance(kind, type) or not issubclass(kind, Enum) or name not in kind.__members__:
            raise _damaged(f"{name} is a member of no enum")
        return kind[name]

    def array(self, held: Any) -> Any:
        text, shape, order, name = held
        known = self._arrays.get(name)
        if known is not None:
            return known
        try:
            dtype = np.dtype(text)
            if dtype.kind not in NUMBER_KINDS:
                raise _damaged(f"an array has the type {text}")
            flat = np.frombuffer(self._tensors[name].numpy().tobytes(), dtype=dtype)
            made = flat[0] if shape is None else flat.reshape(shape).copy(order=order)
        except (TypeError, ValueError, IndexError) as error:
            raise _damaged(f"an array does not fit ({error})") from error
        self._arrays[name] = made
        return made

    def again(self, number: int) -> Any:
        return self._modules[number]

    def own(self, name: str) -> Any:
        if name not in self._allowed:
            raise _damaged(f"it names {name}, which its record does not list")
        return self._own[name]

    def named(self, name: str) -> Any:
        value = _find_named(self._torch, name)
        if value is None:
            raise _damaged(f"it names {name}, which is not allowed")
        return value

    def tensor(self, name: str) -> Any:
        return self._tensors[name]

    def partial(self, held: Any) -> Any:
        function, arguments, keywords = self.decode(held)
        return partial(function, *arguments, **keywords)

    def attributes(self, held: Any) -> Any:
        module, pairs = held
        if module not in _ATTRIBUTE_DICTS:
            raise _damaged(f"it has attributes of {module}")
        return importlib.import_module(module).AttributeDict(self.decode(pairs))

    def torch_value(self, kind: str, held: str) -> Any:
        if kind == "device":
            return self._torch.device(held)
        value = getattr(self._torch, held, None)
        if type(value).__name__ != kind:
            raise _damaged(f"{held} is no {kind}")
        return value

    def size(self, held: list[int]) -> Any:
        return self._torch.Size(held)

    def _formed(self, tensor: Any, form: Any) -> Any:
        kind, stride, requires_grad = form
        if list(tensor.stride()) != stride:
            span = 1 + sum((n - 1) * abs(s) for n, s in zip(tensor.shape, stride, strict=True))
            if not tensor.numel() or span > _MOST_STRETCH * tensor.numel():
                raise _damaged("a tensor's strides do not fit")
            tensor = self._torch.empty_strided(tensor.shape, stride, dtype=tensor.dtype).copy_(
                tensor
            )
        if kind == "Parameter":
            return self._torch.nn.Parameter(tensor, requires_grad=requires_grad)
        if kind == "Buffer":
            tensor = self._torch.nn.Buffer(tensor)
        return tensor.requires_grad_(requires_grad) if requires_grad else tensor


_DECODERS: dict[str, Any] = {
    "float": lambda _, held, __: float.fromhex(held),
    "list": lambda read, held, _: [read.decode(item) for item in held],
    "tuple": lambda read, held, _: tuple(read.decode(item) for item in held),
    "set": lambda read, held, _: {read.decode(item) for item in held},
    "frozenset": lambda read, held, _: frozenset(read.decode(item) for item in held),
    "dict": lambda read, held, _: {read.decode(k): read.decode(v) for k, v in held},
    "ordered": lambda read, held, _: OrderedDict((read.decode(k), read.decode(v)) for k, v in held),
    "attributes": lambda read, held, _: read.attributes(held),
    "tensor": lambda read, held, _: read.tensor(held),
    "module": lambda read, held, tree: read.module(held, tree),
    "object": lambda read, held, tree: read.own_object(held, tree),
    "member": lambda read, held, _: read.member(held),
    "array": lambda read, held, _: read.array(held),
    "bytes": lambda _, held, __: bytes.fromhex(held),
    "complex": lambda _, held, __: complex(*map(float.fromhex, held)),
    "range": lambda _, held, __: range(*held),
    "again": lambda read, held, _: read.again(held),
    "own": lambda read, held, _: read.own(held),
    "named": lambda read, held, _: read.named(held),
    "partial": lambda read, held, _: read.partial(held),
    "dtype": lambda read, held, _: read.torch_value("dtype", held),
    "device": lambda read, held, _: read.torch_value("device", held),
    "memory_format": lambda read, held, _: read.torch_value("memory_format", held),
    "size": lambda read, held, _: read.size(held),
}


def _find_named(torch: Any, name: str) -> Any:
    """Return a class or function of the closed list; None for all further names."""
    module, _, own = name.partition(":")
    if module in _FUNCTIONS:
        value = getattr(importlib.import_module(module), own, None)
        is_pure = isinstance(value, FunctionType | BuiltinFunctionType)
        return value if is_pure and own not in _NOT_PURE and not own.startswith("_") else None
    if not f"{module}.".startswith(_ROOTS):
        return None
    try:
        value = getattr(importlib.import_module(module), own, None)
    except ImportError:
        return None
    is_module = isinstance(value, type) and issubclass(value, torch.nn.Module)
    return value if is_module and value.__module__ == module else None


# Functions of torch that read files, write files or compile.
_NOT_PURE = frozenset({"load", "save", "compile", "from_file", "import_ir_module"})


def _require_eager(value: Any, torch: Any) -> None:
    if any(base.__module__.partition(".")[0] == "keras" for base in type(value).__mro__):
        raise SerializationError(
            what=f"{type_name(value)} is a layer of Keras, and no model.",
            why="A layer knows its inputs within a model.",
            fix="Put it into keras.Sequential or keras.Model(inputs, outputs).",
        )
    for module in value.modules():
        if isinstance(module, torch.jit.ScriptModule):
            raise SerializationError(
                what=f"{type_name(value)} is TorchScript.",
                why="Compiled code cannot be read before it runs.",
                fix="Return the network that was scripted or traced; for a fixed graph, export it to"
                " ONNX: torch.onnx.export(net, example, dynamo=True).",
            )
        if hasattr(module, "parametrizations"):
            name = next(iter(module.parametrizations), "weight")
            raise SerializationError(
                what=f"{type_name(value)} has a layer whose {name} is computed (parametrized).",
                why="Its class is made while the program runs; no file defines it.",
                fix="Compute it once, after training: torch.nn.utils.parametrize."
                f'remove_parametrizations(layer, "{name}") leaves the same numbers.',
            )
        if type(module).__name__ == "OptimizedModule":
            raise SerializationError(
                what=f"{type_name(value)} was made by torch.compile.",
                why="Compiled code belongs to this process.",
                fix="Return the network itself: net._orig_mod.",
            )


def _read_header(data: bytes) -> dict[str, Any]:
    """Read the facts of ours in the header, before a library sees the bytes."""
    size = struct.unpack("<Q", data[:8])[0] if len(data) >= 8 else 0  # noqa: PLR2004 - a u64
    if not 0 < size <= min(_MOST_HEADER + len(data) // 16, len(data) - 8):
        raise _damaged("its header does not fit")
    try:
        header = msgspec.json.decode(data[8 : 8 + size], type=_Header)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise _damaged(f"its header names no tensors ({error})") from error
    text = header.get("__metadata__", {}).get(_KEY)
    if not isinstance(text, str):
        raise _damaged("it has tensors only")
    entries: dict[str, Any] = json.loads(text)
    return entries


def _import_safetensors() -> Any:
    require("safetensors", extra="torch", purpose="storing a network")
    return importlib.import_module("safetensors.torch")


def _damaged(reason: str) -> SerializationError:
    return SerializationError(
        what=f"The bytes are no network that can be read: {reason}.",
        why="A network is made of torch's own modules and of the recorded source's, and of nothing"
        " else that a file asks for.",
        fix="Do not use this file; train the network again.",
    )


def _unstorable(value: Any, place: str) -> SerializationError:
    return SerializationError(
        what=f"{place} is {type(value).__module__}.{type(value).__qualname__}, which cannot be stored.",
        why="A network is stored as tensors, plain values and modules, so that loading it runs no code"
        " that came with the file.",
        fix=_REMEDIES.get(type(value).__name__)
        or "Keep plain values, tensors, arrays, modules, functions and objects of the project's own"
        " classes in its attributes; make other objects in forward.",
    )


_REMEDIES = {
    "SpectralNorm": "After training: torch.nn.utils.remove_spectral_norm(layer).",
    "WeightNorm": "After training: torch.nn.utils.remove_weight_norm(layer).",
    "ScriptObject": "Return the network as it was before it was quantized; to serve small numbers,"
    " export it to ONNX and quantize the graph: onnxruntime.quantization.quantize_dynamic.",
}
