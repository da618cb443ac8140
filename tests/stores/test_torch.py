"""Networks in safetensors: bit for bit what they were, and nothing that a file asks for."""

import http
import json
import struct
import subprocess
import sys
import warnings
from collections import OrderedDict
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import numpy as np
import polars as pl
import pytest

from penstock.core import SerializationError
from penstock.models import Model, TorchEstimator, infer_signature, require_safe
from penstock.registry import Registry
from penstock.stores import StoredModel, find_model_format, open_store

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'penstock[torch]'")
nn = torch.nn


class Net(nn.Module):  # type: ignore[name-defined]  # torch is imported if installed
    """Has every kind of tensor that a network may have."""

    def __init__(self, activation=nn.functional.relu) -> None:
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.activation = activation
        self.norm = nn.BatchNorm1d(4)
        self.tied = self.first.weight
        self.turned = nn.Parameter(torch.randn(3, 4).t())
        self.bf16 = nn.Parameter(torch.randn(2).bfloat16())
        self.f64 = nn.Parameter(torch.randn(2).double(), requires_grad=False)
        self.register_buffer("count", torch.tensor([1, 2**60]))
        self.register_buffer("mask", torch.tensor([True, False]), persistent=False)
        self.parts = nn.ModuleList([self.norm, nn.GRU(3, 3), nn.MultiheadAttention(4, 2)])
        self.settings = {"rate": 0.1, "size": (1, None, float("inf"))}

    def forward(self, x):
        hidden = self.norm(self.activation(self.first(x)))
        return hidden @ self.turned + self.parts[1](x)[0]


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as opened:
        yield opened


def test_a_network_is_read_back_bit_for_bit(store, monkeypatch):
    torch.manual_seed(0)
    net, rows = Net(), torch.randn(5, 3)
    net(rows)  # moves the running means
    net.eval()
    record = store.put(net)
    assert (record.format, record.unsafe) == ("safetensors", False)
    assert require_safe(record) is record
    monkeypatch.delitem(sys.modules, __name__)  # so that recorded source makes the class
    back = store.get(record.digest)
    assert type(back) is not Net
    assert store.digest(back) == record.content_digest
    assert torch.equal(back(rows), net(rows))
    assert back.tied is back.first.weight
    assert back.parts[0] is back.norm
    assert back.turned.stride() == (1, 4)
    assert (back.bf16.dtype, back.f64.dtype) == (torch.bfloat16, torch.float64)
    assert list(back.state_dict()) == list(net.state_dict())
    assert back.settings == net.settings


def test_torchs_own_containers_need_no_source_and_other_libraries_read_the_weights(store, tmp_path):
    from safetensors.torch import load

    net = nn.Sequential(OrderedDict(a=nn.Conv1d(1, 2, 3), b=nn.ReLU(), c=nn.Dropout(0.5))).eval()
    record = store.put(net)
    assert "code" not in record.metadata
    assert record.metadata["parameters"] == 8
    assert repr(store.get(record.digest)) == repr(net)
    weights = load(store.read_bytes(record))
    assert any(torch.equal(each, net.a.weight) for each in weights.values())


class Act(Enum):
    RELU = "relu"
    TANH = "tanh"


@dataclass
class Settings:
    width: int
    act: Act = Act.TANH
    more: Any = None


class Configured(nn.Module):  # type: ignore[name-defined]  # torch is imported if installed
    """Keeps what users keep in attributes: statistics of NumPy, settings, a member of an enum."""

    def __init__(self, settings: Settings, rows: np.ndarray) -> None:
        super().__init__()
        self.settings, self.act = settings, Act.RELU
        self.again = settings
        self.mean, self.spread = rows.mean(axis=0), np.asfortranarray(rows[:2].T)
        self.scale, self.count = rows.std(), np.int16(7)
        self.flags, self.empty = np.array([True, False]), np.zeros((0, 2), dtype=np.complex64)
        self.table = {"code": b"\x00\xff", "turn": 1 + 2j, "order": range(3, 0, -1)}
        self.last = nn.Linear(rows.shape[1], 1)

    def forward(self, x):
        centred = (x - torch.from_numpy(self.mean)) / float(self.scale)
        return getattr(torch, self.act.value)(self.last(centred.float()))


def test_arrays_settings_and_members_of_enums_are_read_back(store, monkeypatch):
    torch.manual_seed(0)
    rows = np.random.default_rng(0).normal(size=(5, 3))
    settings = Settings(3, more={"names": ["a", None]})
    settings.more["self"] = settings
    net = Configured(settings, rows)
    record = store.put(net)
    assert (record.format, record.unsafe) == ("safetensors", False)
    assert record.metadata["code"]["definitions"].keys() >= {
        f"{__name__}:{name}" for name in ("Configured", "Settings", "Act")
    }
    monkeypatch.delitem(sys.modules, __name__)  # so that recorded source makes the classes
    back = store.get(record.digest)
    assert type(back.settings) is not Settings
    assert store.digest(back) == record.content_digest
    assert store.put(back).digest == record.digest
    assert (back.act.name, back.settings.act.name) == ("RELU", "TANH")
    assert back.again is back.settings is back.settings.more["self"]
    for name in ("mean", "spread", "scale", "count", "flags", "empty"):
        was, now = getattr(net, name), getattr(back, name)
        assert (type(now), now.dtype, now.shape) == (type(was), was.dtype, was.shape)
        assert now.flags.f_contiguous == was.flags.f_contiguous
        assert now.tobytes() == was.tobytes()
    assert back.table == net.table
    x = torch.randn(4, 3)
    assert torch.equal(back(x), net(x))


class Guarded:
    def __setstate__(self, state):
        raise AssertionError("never run")


class Slotted:
    __slots__ = ("size",)


class Listed(list):
    pass


def computed():
    return nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))


def with_attribute(value):
    net = nn.Sequential(nn.Linear(1, 1))
    net.extra = value
    return net


@pytest.mark.parametrize(
    ("net", "reason"),
    [
        (lambda: with_attribute(object()), r"Sequential\.extra is builtins\.object"),
        (lambda: with_attribute(open), "cannot be stored"),
        (lambda: with_attribute(Guarded()), r"Guarded, which cannot be stored"),
        (lambda: with_attribute(Slotted()), r"Slotted, which cannot be stored"),
        (lambda: with_attribute(Listed([1])), r"Listed, which cannot be stored"),
        (lambda: with_attribute(np.array(["text"])), r"ndarray, which cannot be stored"),
        (lambda: with_attribute(np.array([None])), r"ndarray, which cannot be stored"),
        (lambda: with_attribute(http.HTTPStatus.OK), r"HTTPStatus, which cannot be stored"),
        (computed, r"weight is computed .*remove_parametrizations"),
        (lambda: nn.utils.spectral_norm(nn.Linear(2, 2)), "remove_spectral_norm"),
        (lambda: with_attribute(torch.load), "cannot be stored"),
        (lambda: nn.Linear(1, 1, device="meta"), r"on meta"),
        (lambda: torch.jit.trace(nn.Linear(1, 1), torch.ones(1, 1)), "TorchScript"),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_what_cannot_be_stored_is_named_with_its_place(net, reason):
    with pytest.raises(SerializationError, match=reason):
        find_model_format("safetensors").write(net(), "")


def forged(tree, tensors=None, data=b""):
    header: dict[str, Any] = {
        "__metadata__": {"penstock": json.dumps({"tree": tree, "tensors": tensors or {}})}
    }
    if data:
        header["0"] = {
            "dtype": "F32",
            "shape": [len(data) // 4],
            "data_offsets": [0, len(data)],
        }
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


FLAT = {"0": ["Tensor", [1], False]}
CALL = {"partial": {"list": [{"named": "os:system"}, {"tuple": ["true"]}, {"dict": []}]}}
HOSTILE = {
    "a function of the system": forged({"named": "os:system"}),
    "a partial of one": forged(CALL),
    "a loader of pickles": forged({"named": "torch:load"}),
    "a private function": forged({"named": "torch:_dynamo"}),
    "a module of torch": forged({"named": "torch:os"}),
    "a class that is no module": forged({"named": "torch.nn.modules.module:OrderedDict"}),
    "a class beside the list": forged({"named": "torch.utils.data.dataset:Dataset"}),
    "an own class without a record": forged({"own": "train:Net"}),
    "an object that is no module": forged(
        {"module": {"named": "torch.nn.functional:relu"}, "state": [], "number": 0}
    ),
    "an own object of torch's": forged(
        {"object": {"named": "torch.nn.modules.linear:Linear"}, "state": [], "number": 0}
    ),
    "an own object of no class": forged({"object": 3, "state": [], "number": 0}),
    "a member of a class": forged({"member": [{"named": "torch.nn.modules.linear:Linear"}, "mro"]}),
    "a member of a number": forged({"member": [7, "real"]}),
    "an array of objects": forged({"array": ["O", [1], "C", "0"]}, FLAT, b"12345678"),
    "an array beyond its bytes": forged({"array": ["<f8", [4], "C", "0"]}, FLAT, b"12345678"),
    "an array of nothing": forged({"array": ["<f8", [1], "C", "none"]}, FLAT, b"12345678"),
    "no bytes": forged({"bytes": "zz"}),
    "no number": forged({"complex": ["1", "2", "3"]}),
    "no range": forged({"range": ["a"]}),
    "a key that is a list": forged({"dict": [[{"list": [1]}, 2]]}),
    "a stretched tensor": forged({"tensor": "0"}, {"0": ["Tensor", [1 << 50], False]}, b"0" * 64),
    "an unknown mark": forged({"pickle": "gASVAA=="}),
    "an endless tree": forged({}).replace(b'{\\"tree\\": {}', b'{\\"tree\\": ' + b"[" * 90_000),
    "a header larger than the file": struct.pack("<Q", 1 << 62) + b"{}",
    "tensors only": struct.pack("<Q", 2) + b"{}",
    "nothing": b"",
    "a pickle": b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94\x8c\x06system\x94\x93\x94.",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused(name, tmp_path, store):
    record = store.put(nn.Linear(1, 1))
    digest, inline, size = store.keep_bytes(HOSTILE[name])
    with pytest.raises(SerializationError):
        store.load(replace(record, digest=digest, inline=inline, size_bytes=size))


def test_read_needs_only_the_bytes_and_the_facts():
    found = find_model_format("safetensors")
    net = nn.Linear(2, 1)
    stored = found.write(net, "")
    back: Any = found.read(StoredModel(stored.data, stored.metadata))
    assert torch.equal(back.weight, net.weight)
    assert stored.data == found.write(back, "").data


def test_tensors_begin_in_memory_where_those_of_a_fresh_network_do(store):
    net = nn.Sequential(nn.Linear(5, 3), nn.BatchNorm1d(3), nn.Linear(3, 1)).eval()
    back = store.load(store.put(net))
    assert all(each.data_ptr() % 64 == 0 for each in (*back.parameters(), *back.buffers()))
    assert all(map(torch.equal, back.parameters(), net.parameters()))


@pytest.fixture(scope="module")
def lit():
    pytest.importorskip("lightning", reason="pip install lightning")
    from tests.stores import lightning_net

    rows = torch.randn(64, 3, generator=torch.Generator().manual_seed(0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield lightning_net, rows, lightning_net.fit(rows, (rows[:, 0] > 0).long())


def test_a_trained_module_of_lightning_is_stored_without_its_trainer(lit, store):
    module, rows, net = lit
    assert net.trainer is not None
    record = store.put(net)
    assert (record.format, record.unsafe) == ("safetensors", False)
    assert [*record.metadata["parts"]] == ["tests/stores/lightning_net.py"]
    back = store.load(record)
    assert store.digest(back) == record.content_digest
    assert store.put(back).digest == record.digest
    assert torch.equal(back(rows), net(rows))
    assert dict(back.hparams) == {"width": 5, "rate": 0.1}
    assert back.hparams.width == 5
    with pytest.raises(RuntimeError, match="not attached to a `Trainer`"):
        _ = back.trainer
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = module.fit(rows, (rows[:, 0] > 0).long())
    assert store.put(again).digest == record.digest


def test_a_module_of_lightning_is_loaded_without_the_project_and_serves(lit, store, tmp_path):
    _, rows, net = lit
    estimator = TorchEstimator(net, classes=["no", "yes"])
    frame = pl.DataFrame(rows.numpy(), schema=["a", "b", "c"])
    signature = infer_signature(estimator, frame, ["no", "yes"] * 32)
    registry = Registry(store=store)
    registry.register("lit", Model(estimator, signature), actor="ann")
    expected = Model(estimator, signature).predict(frame).values
    program = (
        "import json, sys, warnings; warnings.simplefilter('ignore')\n"
        "import polars as pl\n"
        "from penstock.models import Model; from penstock.registry import Registry\n"
        "model = Model.load(Registry(store=sys.argv[1]).get('lit', 1), store=sys.argv[1])\n"
        "assert 'tests' not in sys.modules\n"
        "print(json.dumps(model.predict(pl.read_parquet(sys.argv[2])).values))"
    )
    frame.write_parquet(tmp_path / "rows.parquet")
    done = subprocess.run(
        [sys.executable, "-c", program, store.url, str(tmp_path / "rows.parquet")],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == expected
    assert len(set(expected)) == 2


def test_hyperparameters_that_are_no_plain_values_are_named(lit, store):
    module, _, _ = lit
    net = module.LitNet()
    net.hparams["teacher"] = object()
    record = store.put(net)
    assert record.unsafe
    assert "_hparams['teacher'] is builtins.object" in record.metadata["why_unsafe"]
    forged_attributes = forged({"attributes": ["os", {"dict": []}]})
    with pytest.raises(SerializationError, match="attributes of os"):
        find_model_format("safetensors").read(StoredModel(forged_attributes, {}))
