"""More than two hundred hostile model files, generated; each says which format its record claims.

Payloads touch a file that must never exist. None of the files is stored in the repository.
"""

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import random
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from penstock.stores.artifacts._serializers import serialize
from penstock.stores.artifacts._value import Serialized

FORMATS = ("skops", "xgboost", "lightgbm", "catboost", "safetensors", "onnx")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 4))
Y = (X[:, 0] > 0).astype(int)


@dataclass(frozen=True)
class HostileFile:
    """A file, and what its forged record says.

    Args:
        name: What it is.
        format: The format that the record names.
        data: The bytes.
        metadata: The record's facts.
        source: Recorded source that lies beside it.
    """

    name: str
    format: str
    data: bytes
    metadata: dict[str, Any] = field(default_factory=dict)
    source: dict[str, bytes] = field(default_factory=dict)


def hostile_files(canary: str) -> list[HostileFile]:
    """Return all files; code in them would make the file `canary`."""
    makers = (_pickles, _wrapped, _nodes, _archives, _bombs, _tensors, _damaged, _forged, _confused)
    return [each for maker in makers for each in maker(canary)] + [*_own(canary)]


class _Call:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def _payloads(canary: str) -> dict[str, Any]:
    import runpy
    import subprocess

    code = f"open({canary!r}, 'w')"
    return {
        "os.system": _Call(os.system, f"touch {canary}"),
        "eval": _Call(eval, code),
        "exec": _Call(exec, code),
        "open": _Call(open, canary, "w"),
        "Popen": _Call(subprocess.Popen, ["touch", canary]),
        "runpy": _Call(runpy.run_path, canary),
        "mkdir": _Call(os.mkdir, canary),
    }


def _pickles(canary: str) -> Iterator[HostileFile]:
    payloads = _payloads(canary)
    for protocol in range(6):
        data = pickle.dumps(payloads["os.system"], protocol=protocol)
        for name in (*FORMATS, "npy", "npz", "parquet", "json", "cloudpickle", "joblib", "pt"):
            yield HostileFile(f"pickle of protocol {protocol} as {name}", name, data)
    for name, payload in payloads.items():
        yield HostileFile(f"pickle of {name}", "skops", pickle.dumps(payload))


def _wrapped(canary: str) -> Iterator[HostileFile]:
    inner = pickle.dumps(_payloads(canary)["open"])
    objects = io.BytesIO()
    np.savez(objects, np.array([_payloads(canary)["open"]], object), allow_pickle=True)
    array = io.BytesIO()
    np.save(array, np.array([_payloads(canary)["open"]], object), allow_pickle=True)
    legacy = io.BytesIO()
    with tarfile.open(fileobj=legacy, mode="w") as archive:
        archive.addfile(_tar_entry("pickle", len(inner)), io.BytesIO(inner))
    wrapped = {
        "npz of objects": objects.getvalue(),
        "npy of objects": array.getvalue(),
        "zip": _zip({"data.pkl": inner}),
        "torch's .pt": _zip({"archive/data.pkl": inner, "archive/version": b"3\n"}),
        "TorchScript": _zip({"m/code/__torch__.py": b"import os", "m/data.pkl": inner}),
        "legacy .pt": legacy.getvalue(),
        "skops with a pickle": _zip({"schema.json": _schema(), "1.pkl": inner}),
        "joblib in zlib": zlib.compress(inner),
        "joblib in gzip": gzip.compress(inner),
        "joblib in bz2": bz2.compress(inner),
        "joblib in lzma": lzma.compress(inner),
        "pickle after a zip": _zip({"schema.json": _schema()}) + inner,
        "zip after a pickle": inner + _zip({"schema.json": _schema(), "1.pkl": inner}),
    }
    for name, data in wrapped.items():
        for claimed in ("skops", "safetensors", "npz"):
            yield HostileFile(f"{name} as {claimed}", claimed, data)


def _tar_entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry


def _nodes(canary: str) -> Iterator[HostileFile]:
    """Archives of skops that name something else than an estimator."""
    text = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "is_json": True}
    argument = {**text, "content": json.dumps(f"touch {canary}"), "__id__": 9001}
    items = {"__class__": "tuple", "__module__": "builtins", "__loader__": "TupleNode"}
    call = {**items, "content": [argument], "__id__": 9002}
    loaders = {
        "FunctionNode": ("os:system", "posix:system", "builtins:eval", "builtins:exec", "runpy:run_path"),
        "TypeNode": ("subprocess:Popen", "builtins:eval", "zipimport:zipimporter", "ctypes:CDLL"),
        "ObjectNode": ("subprocess:Popen", "pathlib:Path", "logging.handlers:SocketHandler"),
        "ConstructorFromReduceNode": ("subprocess:Popen", "os:popen", "ctypes:CDLL"),
        "ReduceNode": ("os:system", "builtins:eval"),
        "PartialNode": ("os:system", "builtins:exec"),
        "MethodNode": ("os:system", "builtins:open", "sklearn.utils:_Bunch"),
        "OperatorFuncNode": ("operator:methodcaller", "os:system", "operator:attrgetter"),
        "MaskedArrayNode": ("os:system",),
        "NdArrayNode": ("os:system",),
        "RandomStateNode": ("os:system",),
        "TreeNode": ("os:system",),
        "SGDNode": ("os:system",),
        "QuantileForestNode": ("os:system",),
        "UnknownNode": ("os:system",),
    }  # fmt: skip
    for loader, names in loaders.items():
        for name in names:
            module, _, short = name.partition(":")
            node = {"__class__": short, "__module__": module, "__loader__": loader, "__id__": 9000}
            node |= {"content": {**call, "func": argument, "obj": argument, "args": call}}
            node |= {"attrs": call, "func": argument, "args": call, "kwargs": call, "type": "json"}
            yield HostileFile(f"{loader} of {name}", "skops", _with_parameter("C", node))


def _archives(canary: str) -> Iterator[HostileFile]:
    schema, away = _schema(), f"../../../..{canary}"
    for name in (
        away,
        canary,
        f"..\\..{canary}",
        "C:\\temp\\x",
        "a/b",
        "\0hidden",
        "./schema.json",
    ):
        yield HostileFile(f"zip with {name!r}", "skops", _zip({"schema.json": schema, name: b"x"}))
    link = zipfile.ZipInfo("1.npy")
    link.external_attr = 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr("schema.json", _schema("1.npy"))
    yield HostileFile("zip with a link", "skops", buffer.getvalue())
    zeros = bytes(200 << 20)
    yield HostileFile("zip bomb", "skops", _zip({"schema.json": schema, "1.npy": zeros}, 8))
    del zeros
    inner = _zip({"schema.json": bytes(50 << 20)}, 8)
    yield HostileFile("bomb in a zip", "skops", _zip({"schema.json": schema, "1.npz": inner}))
    yield HostileFile("bomb of a schema", "skops", _zip({"schema.json": b" " * (100 << 20)}, 12))
    many = {f"{place}.npy": b"" for place in range(20_000)}
    yield HostileFile("zip of many files", "skops", _zip({"schema.json": b"{}", **many}))
    whole = _zip({"schema.json": schema})
    yield HostileFile("zip with a false size", "skops", _false_size(whole))
    yield HostileFile("two directories", "skops", whole + whole)
    yield HostileFile("half a zip", "skops", whole[: len(whole) // 2])
    yield HostileFile("zip without a schema", "skops", _zip({"other.json": schema}))
    yield HostileFile("a schema twice", "skops", _twice(schema))


def _false_size(data: bytes) -> bytes:
    place = data.index(b"PK\x01\x02")
    return data[: place + 24] + struct.pack("<I", 0x7FFFFFFF) + data[place + 28 :]


def _twice(schema: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("schema.json", schema)
        archive.writestr("schemo.json", schema)
    return buffer.getvalue().replace(b"schemo", b"schema")


def _bombs(canary: str) -> Iterator[HostileFile]:
    del canary
    laughs = "\n".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10))
    texts = {
        "YAML bomb": f'a0: &a0 ["lol"]\n{laughs}'.encode(),
        "YAML object": b"!!python/object/apply:os.system ['true']",
        "deep JSON": b"[" * 200_000,
        "deep closed JSON": b"[" * 50_000 + b"]" * 50_000,
        "JSON of lists": b"[" + b"[]," * 1_000_000 + b"[]]",
        "huge number": b'{"learner": ' + b"9" * 2_000_000 + b"}",
        "XML bomb": b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>',
    }
    for name, text in texts.items():
        for claimed in ("xgboost", "lightgbm", "json"):
            if claimed != "json" or name not in {"JSON of lists", "deep closed JSON"}:
                yield HostileFile(f"{name} as {claimed}", claimed, text)
        yield HostileFile(f"{name} in a schema", "skops", _zip({"schema.json": text}))
        header = struct.pack("<Q", len(text)) + text
        yield HostileFile(f"{name} in a header", "safetensors", header)


def _tensors(canary: str) -> Iterator[HostileFile]:
    names = ("os:system", "torch:load", "torch:save", "torch:_dynamo", "torch:os", "builtins:eval",
             "torch.nn.modules.module:OrderedDict", "torch.utils.data.dataset:Dataset",
             "torch.hub:load", "torch.nn.functional:importlib", "subprocess:run")  # fmt: skip
    for name in names:
        call = {"partial": {"list": [{"named": name}, {"tuple": [canary]}, {"dict": []}]}}
        yield HostileFile(f"network naming {name}", "safetensors", _network({"named": name}))
        yield HostileFile(f"network calling {name}", "safetensors", _network(call))
    trees: dict[str, Any] = {
        "an own class": {"own": "train:Net"},
        "a function as module": {"module": {"named": "torch.nn.functional:relu"}, "state": [], "number": 0},
        "an unknown mark": {"pickle": "gASVAA=="},
        "another's number": {"again": 7},
        "an unknown type": {"dtype": "load"},
        "an unknown device": {"device": canary},
        "a missing tensor": {"tensor": "9"},
    }  # fmt: skip
    for name, tree in trees.items():
        yield HostileFile(f"network with {name}", "safetensors", _network(tree))
    stretched = _network({"tensor": "0"}, {"0": ["Tensor", [1 << 50], False]}, b"0" * 64)
    yield HostileFile("network with a stretched tensor", "safetensors", stretched)
    for size in (1 << 62, (1 << 64) - 1, 0, 1 << 40, 100_000_001):
        data = struct.pack("<Q", size) + b"{}"
        yield HostileFile(f"header of {size} bytes", "safetensors", data)
    for claim in ({"shape": [1 << 40]}, {"shape": [-1]}, {"data_offsets": [0, 1 << 40]},
                  {"data_offsets": [8, 0]}, {"dtype": "PICKLE"}, {"shape": [1 << 62, 1 << 62]}):  # fmt: skip
        data = _network({"tensor": "0"}, {"0": ["Tensor", [1], False]}, b"0" * 64, claim)
        yield HostileFile(f"tensor with {claim}", "safetensors", data)


def _network(
    tree: Any, forms: Any = None, data: bytes = b"", claim: dict[str, Any] | None = None
) -> bytes:
    facts = json.dumps({"tree": tree, "tensors": forms or {}})
    header: dict[str, Any] = {"__metadata__": {"penstock": facts}}
    if data:
        offsets = {"data_offsets": [0, len(data)]}
        header["0"] = {"dtype": "F32", "shape": [len(data) // 4], **offsets, **(claim or {})}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def _damaged(canary: str) -> Iterator[HostileFile]:
    """Native bytes with a few changes: libraries end the process on some of them."""
    del canary
    for name in ("xgboost", "lightgbm", "catboost", "onnx"):
        whole = sound_models()[name]
        for seed in range(30):
            data = _mutated(whole.data, random.Random(seed))
            yield HostileFile(f"damaged {name} {seed}", name, data, dict(whole.metadata))
        for data in (b"", whole.data[:5], whole.data[: len(whole.data) // 2], bytes(1000)):
            yield HostileFile(f"{len(data)} bytes of {name}", name, data, dict(whole.metadata))


def _mutated(data: bytes, rng: random.Random) -> bytes:
    changed, kind = bytearray(data), rng.randrange(4)
    if kind == 0:
        for _ in range(rng.randrange(5, 60)):
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    elif kind == 1:
        start = rng.randrange(len(changed))
        changed[start : start + rng.randrange(8, 400)] = b""
    elif kind == 2:
        for _ in range(4):
            start = rng.randrange(len(changed))
            changed[start : start + 4] = rng.choice([b"\xff" * 4, b"\xff\xff\xff\x7f"])
    else:
        numbers = [each.span() for each in re.finditer(rb"(?<=[\[,= ])\d+", data)]
        for start, end in sorted(rng.sample(numbers, min(9, len(numbers))), reverse=True):
            changed[start:end] = rng.choice([b"-77", b"99999999", b"-2147483648", b"1e308"])
        changed += b"" if numbers else b"\xff"
        if not numbers:
            changed[12:40] = b"\xff" * 28
    return bytes(changed)


def _forged(canary: str) -> Iterator[HostileFile]:
    """Whole files whose trees lead out of the model, or in a circle."""
    del canary
    model = sound_models()["xgboost"]
    for key, value in {
        "left_children": 0, "right_children": 1_000_000, "split_indices": 1 << 30, "parents": None,
    }.items():  # fmt: skip
        document = json.loads(model.data)
        for tree in document["learner"]["gradient_booster"]["model"]["trees"]:
            tree[key] = tree[key][:1] if value is None else [value] * len(tree[key])
        yield HostileFile(f"XGBoost with {key}", "xgboost", json.dumps(document).encode())
    text = sound_models()["lightgbm"].data.decode()
    for name, number in {
        "left_child": "0",
        "right_child": "9999",
        "split_feature": "99999",
    }.items():
        lines = [
            f"{name}={' '.join([number] * len(line.split()))}" if line.startswith(name) else line
            for line in text.split("\n")
        ]
        yield HostileFile(f"LightGBM with {name}", "lightgbm", "\n".join(lines).encode())
    yield from _forged_arrays()


def _forged_arrays() -> Iterator[HostileFile]:
    estimators = {
        "tree": DecisionTreeClassifier().fit(X, Y),
        "histogram": HistGradientBoostingClassifier(max_iter=2).fit(X, Y),
        "neighbours": KNeighborsClassifier(algorithm="kd_tree").fit(X, Y),
    }
    for name, estimator in estimators.items():
        files = _files(serialize(estimator).data)
        arrays = [each for each in files if each.endswith(".npy")]
        for each in arrays:
            array = np.load(io.BytesIO(files[each]), allow_pickle=False)
            for number in (77, -(1 << 30)):
                if (changed := _overwritten(array, number)) is not None:
                    data = _zip({**files, each: changed})
                    yield HostileFile(f"{name}: {number} in {each}", "skops", data)


def _overwritten(array: Any, number: int) -> bytes | None:
    """Write a number over children or indices; None if the array has none."""
    changed = array.copy()
    if array.dtype.names:
        names = {"left_child", "left", "idx_start", "idx_end"} & set(array.dtype.names)
        for name in names:
            changed[name] = np.asarray(number).astype(array.dtype[name])
        if not names:
            return None
    elif array.dtype.kind == "i" and array.size == len(X):
        changed[:] = number
    else:
        return None
    buffer = io.BytesIO()
    np.save(buffer, changed, allow_pickle=False)
    return buffer.getvalue()


def _confused(canary: str) -> Iterator[HostileFile]:
    """The whole bytes of one format under the name of another."""
    del canary
    for name, model in sound_models().items():
        for claimed in FORMATS:
            if claimed != name:
                facts = {"class": "CatBoost", **model.metadata}
                yield HostileFile(f"{name} as {claimed}", claimed, model.data, facts)
    cat = sound_models()["catboost"].data
    for claimed in ("Pool", "CatBoostClassifier.fit", "__init__", ""):
        yield HostileFile(f"CatBoost of {claimed!r}", "catboost", cat, {"class": claimed})


def _own(canary: str) -> Iterator[HostileFile]:
    """Archives that want code of theirs: not in the record, not in the source, or not a definition."""
    code = (
        f"import os\nfrom os import system\nclass Net:\n    pass\nopen({canary!r}, 'w')\n".encode()
    )
    node = {"__class__": "system", "__module__": "train", "__loader__": "FunctionNode", "__id__": 9}
    data = _with_parameter("C", node)
    listed = {"code": {"definitions": {"train:system": "sha256:0"}}}
    other = {"code": {"definitions": {"train:Net": "sha256:0"}}}
    missing = {"code": {"definitions": {"gone:Net": "sha256:0"}}}
    cases = {
        "an import": (listed, {"train.py": code}),
        "a name of another": (other, {"train.py": code}),
        "source that is missing": (missing, {"train.py": code}),
        "no source": (listed, {}),
        "no record": ({}, {"train.py": code}),
        "source that is no Python": (listed, {"train.py": b"\x00\xff"}),
    }
    for name, (facts, source) in cases.items():
        yield HostileFile(f"archive with {name}", "skops", data, facts, source)
        tree = _network({"own": "train:system"})
        yield HostileFile(f"network with {name}", "safetensors", tree, facts, source)


@cache
def sound_models() -> dict[str, Serialized]:
    """Return a small whole model of each format."""
    import catboost
    import lightgbm
    import torch
    import xgboost

    options = {"iterations": 4, "thread_count": 1, "verbose": 0, "allow_writing_files": False}
    quiet = {"objective": "binary", "verbose": -1, "num_threads": 1}
    models = {
        "skops": LogisticRegression().fit(X, Y),
        "xgboost": xgboost.train(
            {"objective": "binary:logistic", "nthread": 1}, xgboost.DMatrix(X, label=Y), 4
        ),
        "lightgbm": lightgbm.train(quiet, lightgbm.Dataset(X, Y), 4),
        "catboost": catboost.CatBoostClassifier(**options).fit(X, Y),
        "safetensors": torch.nn.Linear(2, 1),
        "onnx": _graph(),
    }
    return {name: serialize(model) for name, model in models.items()}


def _graph() -> Any:
    from onnx import TensorProto, helper, numpy_helper

    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    ends = [
        helper.make_tensor_value_info(name, TensorProto.DOUBLE, [None, width])
        for name, width in (("x", 4), ("y", 1))
    ]
    weights = numpy_helper.from_array(np.ones((4, 1)), "w")
    graph = helper.make_graph([node], "score", ends[:1], ends[1:], [weights])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def _schema(file: str = "") -> bytes:
    schema = json.loads(_files(sound_models()["skops"].data)["schema.json"])
    if file:
        schema["content"]["content"]["coef_"]["file"] = file
    return json.dumps(schema).encode()


def _with_parameter(name: str, node: dict[str, Any]) -> bytes:
    files = _files(sound_models()["skops"].data)
    schema = json.loads(files["schema.json"])
    schema["content"]["content"][name] = node
    return _zip({**files, "schema.json": json.dumps(schema).encode()})


def _files(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _zip(files: dict[str, bytes], compression: int = 0) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, compress_type=compression)
    return buffer.getvalue()
