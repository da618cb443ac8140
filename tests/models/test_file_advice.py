"""A file, a state_dict or compiled code in place of a model is refused with the way to convert it."""

from pathlib import Path

import polars as pl
import pytest

from penstock.core import DataError, SerializationError
from penstock.models import Model, require_model
from penstock.stores import open_store

torch = pytest.importorskip("torch", reason='pip install "penstock[torch]"')

X = pl.DataFrame({"a": [1.0, 2.0]})


@pytest.mark.parametrize(
    ("value", "way"),
    [
        ("net.pt", "torch.load(file, weights_only=False)"),
        (Path("runs/net.pth"), "torch.load(file, weights_only=False)"),
        ("epoch=3.ckpt", "load_from_checkpoint"),
        ("churn.joblib", "joblib.load"),
        ("churn.PKL", "pickle.load"),
        ("churn.onnx", "read_onnx"),
        ("net.safetensors", "safetensors.torch.load_file"),
        ("net.keras", "keras.models.load_model"),
        ({"weight": torch.ones(2)}, "state_dict"),
        ({"pytorch-lightning_version": "2.6", "state_dict": {}}, "load_from_checkpoint"),
    ],
)
def test_what_stands_for_a_model_is_refused_with_the_way_to_convert_it(value, way):
    with pytest.raises(DataError, match="has no predict") as caught:
        Model.of(value, X)
    assert way in caught.value.fix


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_torchscript_is_refused_with_the_way_to_convert_it(tmp_path):
    scripted = torch.jit.trace(torch.nn.Linear(1, 1), torch.ones(1, 1))
    with pytest.raises(DataError) as caught:
        Model.of(scripted, X)
    assert "the network that was scripted" in caught.value.fix
    store = open_store(f"sqlite:///{tmp_path}/penstock.db")
    try:
        record = store.put(torch.jit.script(torch.nn.Linear(1, 1)))
    except SerializationError as error:
        told = str(error)
    else:
        told = str(record.metadata["why_unsafe"])
    assert "torch.onnx.export" in told


@pytest.mark.parametrize("value", ["net.pt", Path("net.pt")])
def test_a_step_that_returns_a_path_to_register_is_told_what_to_return(value, tmp_path):
    store = open_store(f"sqlite:///{tmp_path}/penstock.db")
    with pytest.raises(SerializationError, match="is no model") as caught:
        require_model(store.put(value))
    assert "torch.load" in caught.value.fix
