"""ONNX graphs as stored models: the same bytes for the same graph, and nothing but arithmetic."""

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from penstock.core import SerializationError
from penstock.models import require_safe
from penstock.stores import open_store, read_onnx

onnx = pytest.importorskip("onnx", reason='pip install "penstock[onnx]"')
from onnx import helper, numpy_helper  # noqa: E402 - the helpers need onnx
from tests.stores import onnx_graphs as graphs  # noqa: E402


@pytest.fixture
def store(tmp_path):
    return open_store(f"sqlite:///{tmp_path}/penstock.db")


def test_a_graph_is_stored_as_it_is_and_read_with_the_same_digest(store):
    record = store.put(graphs.linear())
    assert (record.format, record.unsafe, record.type_name) == ("onnx", False, "onnx.ModelProto")
    assert require_safe(record) is record
    assert record.metadata == {"inputs": ["x"], "outputs": ["y"], "operators": 1}
    read = store.load(record)
    assert read == graphs.linear()
    assert store.put(read).digest == record.digest
    assert store.put(graphs.linear(((0.5,), (2.0,)))).content_digest != record.content_digest


def test_what_exporters_write_for_people_is_no_part_of_the_model(store):
    told = graphs.linear()
    told.doc_string = "made on Monday"
    node = told.graph.node[0]
    node.doc_string = "line 12"
    for key, text in (("pkg.torch.onnx.stack_trace", "/home/ann/train.py"), ("namespace", "a")):
        entry = node.metadata_props.add()
        entry.key, entry.value = key, text
    first, second = store.put(told), store.put(graphs.linear())
    assert (first.digest, first.content_digest) == (second.digest, second.content_digest)
    assert node.doc_string == "line 12"  # the user's own object is left alone


def test_the_order_of_operator_sets_does_not_change_the_bytes(store):
    one, other = graphs.linear(), graphs.linear()
    del one.opset_import[:], other.opset_import[:]
    one.opset_import.extend([helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)])
    other.opset_import.extend([helper.make_opsetid("ai.onnx.ml", 3), helper.make_opsetid("", 18)])
    assert store.put(one).digest == store.put(other).digest


def external(location: str, **facts: Any) -> Any:
    model = graphs.linear()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, text in {"location": location, **facts}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, str(text)
    return model


def within(model: Any) -> Any:
    """Put a graph inside of a branch of another, where a shallow search does not look."""
    inner = helper.make_graph(
        model.graph.node, "then", [], model.graph.output, model.graph.initializer
    )
    node = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    return graphs.graph(
        [node],
        [graphs.value("c", onnx.TensorProto.BOOL), graphs.value("x", graphs.DOUBLE, None, 2)],
        [graphs.value("y", graphs.DOUBLE, None, 1)],
        domains=("evil.ops",),
    )


def of_node(op: str, domain: str = "", **attributes: Any) -> Any:
    return graphs.graph(
        [helper.make_node(op, ["x"], ["y"], domain=domain, **attributes)],
        [graphs.value("x", graphs.FLOAT, None, 2)],
        [graphs.value("y", graphs.FLOAT, None, 2)],
        domains=(domain,) if domain else (),
    )


def in_attribute() -> Any:
    tensor = external("../secret").graph.initializer[0]
    node = helper.make_node("Constant", [], ["y"], value=tensor)
    return graphs.graph([node], [], [graphs.value("y", graphs.DOUBLE, 2, 1)])


def of_function() -> Any:
    """Hide an operator of another library inside of a local function."""
    body = [helper.make_node("Run", ["a"], ["b"], domain="evil.ops")]
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("evil.ops", 1)]
    local = helper.make_function("local", "Mild", ["a"], ["b"], body, opsets)
    model = of_node("Mild", "local")
    model.functions.append(local)
    return model


def _unmarked() -> Any:
    model = external("weights.bin")
    model.graph.initializer[0].data_location = onnx.TensorProto.DEFAULT
    return model


HOSTILE: dict[str, Callable[[], Any]] = {
    "an operator of a library": lambda: of_node("Run", "evil.ops"),
    "an operator of a library in a branch": lambda: within(of_node("Run", "evil.ops")),
    "an operator of a library in a function": of_function,
    "a cached context of a device": lambda: of_node("EPContext", "com.microsoft"),
    "random numbers": lambda: of_node("RandomNormalLike"),
    "weights of another file": lambda: external("weights.bin"),
    "weights of another folder": lambda: external("../secret"),
    "weights of another file in a branch": lambda: within(external("weights.bin")),
    "weights of another file in an attribute": in_attribute,
    "weights with a place and no mark": _unmarked,
    "no operator of ONNX": lambda: of_node("Nonsense"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_graph_that_is_more_than_arithmetic_is_no_model_and_is_not_read(name, store):
    model = HOSTILE[name]()
    with pytest.raises(SerializationError, match="is refused: "):
        require_safe(store.put(model))
    record = store.put(graphs.linear())
    digest, inline, size = store.keep_bytes(model.SerializeToString())
    with pytest.raises(SerializationError, match="is refused: "):
        store.load(replace(record, digest=digest, inline=inline, size_bytes=size))


@pytest.mark.parametrize(
    "data", [b"\x80\x04\x95\x0b", b"PK\x03\x04" * 8, b"\xff" * 64, b"", b"\x0a" + b"\xff" * 9]
)
def test_bytes_that_are_no_graph_are_refused(data, store):
    record = store.put(graphs.linear())
    digest, inline, size = store.keep_bytes(data)
    with pytest.raises(SerializationError, match="is refused: "):
        store.load(replace(record, digest=digest, inline=inline, size_bytes=size))


def test_a_graph_with_more_weights_than_it_has_bytes_is_refused(store):
    model = graphs.linear()
    model.graph.initializer[0].dims[0] = 1 << 40
    with pytest.raises(SerializationError, match="no valid graph"):
        require_safe(store.put(model))


def test_weights_beside_the_file_are_taken_in(tmp_path, store):
    weights = np.array([0.5, -2.0])
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "w.bin").write_bytes(b"\0" * 8 + weights.tobytes())
    path = tmp_path / "model.onnx"
    path.write_bytes(external("parts/w.bin", offset=8, length=16).SerializeToString())
    model = read_onnx(path)
    assert numpy_helper.to_array(model.graph.initializer[0]).tolist() == [[0.5], [-2.0]]
    (tmp_path / "parts" / "w.bin").unlink()  # the model has no need of it any more
    assert store.load(store.put(model)) == model


def test_weights_elsewhere_are_not_read(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(b"s" * 16)
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "up").symlink_to(tmp_path)
    (folder / "short.bin").write_bytes(b"s" * 8)
    os.mkfifo(folder / "pipe")
    cases: dict[str, Any] = {
        "../secret": ("outside of its folder", {}),
        "a/../../secret": ("outside of its folder", {}),
        "..\\secret": ("outside of its folder", {}),
        str(tmp_path / "secret"): ("outside of its folder", {}),
        "C:\\secret": ("outside of its folder", {}),
        "": ("outside of its folder", {}),
        "w\0.bin": ("outside of its folder", {}),
        "link": ("through the link", {}),
        "up/secret": ("through the link", {}),
        "pipe": ("no plain file", {}),
        "absent.bin": ("no such file", {}),
        "short.bin": ("which has 8", {"length": 16}),
        "./short.bin": ("which has 8", {"offset": 9}),
    }
    for location, (reason, facts) in cases.items():
        path = folder / "model.onnx"
        path.write_bytes(external(location, **facts).SerializeToString())
        with pytest.raises(SerializationError, match=reason):
            read_onnx(path)
    path.write_bytes(external("short.bin", length="many").SerializeToString())
    with pytest.raises(SerializationError, match="no number"):
        read_onnx(path)
    path.write_bytes(external("short.bin", length=-8).SerializeToString())
    with pytest.raises(SerializationError, match="refused"):
        read_onnx(path)
