"""Values in and out of a store, whole and in parts, and what is refused."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar

import cloudpickle
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression

from penstock.core import NotFoundError, SerializationError, StoreError, digest_bytes
from penstock.stores import content_digest, open_store
from penstock.stores.artifacts._serializers import deserialize


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as opened:
        yield opened


VALUES: list[tuple[Any, str]] = [
    (None, "json"),
    (True, "json"),
    (3, "json"),
    (0.1, "json"),
    (np.float64(0.25), "json"),
    (np.int64(7), "json"),
    ("text", "json"),
    ("x" * 5000, "json"),
    ([1, [2, (3,)]], "json"),
    ({"a": {"b": None}, 3: {1, 2}}, "json"),
    (date(2026, 1, 1), "json"),
    (datetime(2026, 1, 1, tzinfo=UTC), "json"),
    (timedelta(hours=1), "json"),
    ({}, "json"),
    ((), "json"),
    (b"raw", "bytes"),
    (b"", "bytes"),
    (np.arange(6.0).reshape(2, 3), "npy"),
    (np.array([]), "npy"),
    (np.array(["a", None], dtype=object), "json"),
    (np.array([["a"], ["b"]], dtype=object), "json"),
    (np.array(["a", "b"], dtype=np.dtypes.StringDType()), "json"),
    (pl.DataFrame({"a": [1, None]}), "parquet"),
    (pl.Series("s", ["x"]), "parquet"),
    (pd.DataFrame({"a": [1.5]}), "parquet"),
    (pd.Series([1, 2], name="s"), "parquet"),
]


def same(left: Any, right: Any) -> bool:
    if isinstance(left, np.ndarray):
        return left.dtype == right.dtype and np.array_equal(left, right)
    if hasattr(left, "equals"):
        return left.equals(right)
    return left == right


@pytest.mark.parametrize("index", range(len(VALUES)))
def test_a_value_comes_back_by_either_digest(store, index):
    value, form = VALUES[index]
    record = store.put(value)
    assert record.format == form
    assert not record.unsafe
    for digest in (record.digest, record.content_digest):
        back = store.get(digest, check=True)
        assert same(back, value)
        assert type(back) is type(value) or type(value).__module__ == "numpy"
    assert content_digest(value) == store.digest(back) == record.content_digest
    assert (record.inline is None) == (record.size_bytes > 1024)


def test_values_that_differ_have_different_digests():
    digests = [content_digest(value) for value, _ in VALUES]
    assert len(set(digests)) == len(digests)


def test_the_same_bytes_of_two_types_stay_two_values(store):
    number, raw = store.put(1), store.put(b"1")
    assert number.digest == raw.digest
    assert store.get(number.content_digest) == 1
    assert store.get(raw.content_digest) == b"1"


def test_a_list_of_tables_is_kept_table_by_table(store):
    parts = (pl.DataFrame({"a": [1]}), {"b": np.arange(300)}, [LogisticRegression()], "text")
    records = store.pack(parts)
    store.metadata.artifacts.add(records)
    assert [record.format for record in records].count("bundle") == 3
    assert not records[0].unsafe
    back = store.get(records[0].content_digest, check=True)
    assert isinstance(back, tuple)
    assert back[0].equals(parts[0])
    assert np.array_equal(back[1]["b"], parts[1]["b"])
    assert isinstance(back[2][0], LogisticRegression)
    assert content_digest(back) == records[0].content_digest == content_digest(parts)


@dataclass(frozen=True)
class Pair:
    """A bundle that counts what it loads."""

    bundle_type: ClassVar[str] = "penstock.core:Pair"
    parts: Mapping[str, Any]

    def to_bundle(self) -> dict[str, Any]:
        return dict(self.parts)

    @classmethod
    def from_bundle(cls, parts: Mapping[str, Any]) -> "Pair":
        return cls(parts)


@pytest.fixture
def pair_is_ours(monkeypatch):
    monkeypatch.setattr("penstock.core.Pair", Pair, raising=False)


@pytest.mark.usefixtures("pair_is_ours")
def test_a_bundle_of_ours_loads_its_parts_when_they_are_asked_for(store, monkeypatch):
    pair = Pair({"table": pl.DataFrame({"a": range(1000)}), "note": "hi", "inner": Pair({"n": 1})})
    record = store.put(pair)
    asked = []
    read = store.artifacts.read
    monkeypatch.setattr(
        store.artifacts,
        "read",
        lambda digest, **kw: asked.append(digest) or read(digest, **kw),
    )
    back = store.get(record.digest)
    before = list(asked)
    assert back.parts["note"] == "hi"
    assert back.parts["inner"].parts["n"] == 1
    assert asked == before
    assert back.parts["table"].equals(pair.parts["table"])
    assert back.parts["table"] is back.parts["table"]
    assert len(asked) == len(before) + 1
    assert dict(back.parts).keys() == pair.parts.keys()
    assert content_digest(pair) == record.content_digest == content_digest(back)


def test_a_bundle_type_that_is_not_ours_is_refused_and_not_imported(store):
    for name in ("antigravity:fly", "penstock.nothing:Here", "penstock.core:now", "os:system"):
        thing = type("Thing", (Pair,), {"bundle_type": name})({"a": 1})
        record = store.put(thing)
        with pytest.raises(SerializationError, match="does not have"):
            store.get(record.digest)
    assert "antigravity" not in sys.modules


class Foreign:
    def __init__(self, value):
        self.value = value


def test_what_nothing_else_can_hold_is_pickled_and_marked_with_the_reason(store):
    record = store.put(Foreign(3))
    assert (record.format, record.unsafe) == ("cloudpickle", True)
    assert "not JSON-like" in record.metadata["why_unsafe"]
    assert store.get(record.digest).value == 3
    assert store.put(Foreign(3)).content_digest == record.content_digest
    assert store.put(Foreign(4)).content_digest != record.content_digest
    inside = store.put([Foreign(3), pl.DataFrame()])
    assert (inside.format, inside.unsafe) == ("bundle", True)
    assert "not JSON-like" in inside.metadata["why_unsafe"]


def test_thousands_of_objects_are_one_value(store):
    records = store.pack([Foreign(i) for i in range(1000)])
    assert [record.format for record in records] == ["cloudpickle"]
    assert content_digest([Foreign(i) for i in range(1000)]) == records[0].content_digest


def test_without_cloudpickle_it_is_said_what_to_do(store, monkeypatch):
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    with pytest.raises(SerializationError, match="pip install cloudpickle"):
        store.pack(Foreign(3))


def test_what_cannot_even_be_pickled_is_refused(store):
    with pytest.raises(SerializationError, match="generator cannot be stored"):
        store.pack(index for index in range(3))


def test_a_pickle_that_is_not_marked_is_never_loaded(store):
    record = store.put(Foreign(3))
    with pytest.raises(SerializationError, match="not marked unsafe"):
        store.load(replace(record, unsafe=False))
    whole = store.put([Foreign(3), pl.DataFrame()])
    with pytest.raises(SerializationError, match="not marked unsafe"):
        store.load(replace(whole, unsafe=False))


@pytest.mark.parametrize("form", ["skops", "npy", "parquet", "json", "xgboost", "figure"])
def test_a_renamed_pickle_is_refused(store, form):
    record = store.put(Foreign(3))
    with pytest.raises(SerializationError):
        store.load(replace(record, format=form, unsafe=False))


def test_a_format_that_is_not_known_is_said(store):
    with pytest.raises(SerializationError, match="format 'hdf'"):
        deserialize(b"", replace(store.put(1), format="hdf"))


def test_damaged_and_missing_bytes_are_said(store):
    record = store.put("x" * 2000)
    place = store.artifacts.path(record.digest)
    place.write_bytes(b'"changed"')
    with pytest.raises(StoreError, match="are damaged"):
        store.get(record.digest)
    assert store.get(record.digest, check=False) == "changed"
    place.unlink()
    with pytest.raises(StoreError, match="are gone"):
        store.get(record.digest)
    with pytest.raises(NotFoundError, match="has no artifact"):
        store.get(digest_bytes(b"never"))
    small = store.put("small")
    with pytest.raises(StoreError, match="damaged"):
        store.load(replace(small, inline=b'"other"'))


def test_a_figure_of_plotly_comes_back(store):
    import plotly.graph_objects as go

    figure = go.Figure(go.Scatter(x=[1, 2], y=np.array([3.0, 4.0])))
    record = store.put(figure)
    back = store.get(record.digest)
    assert record.format == "figure"
    assert isinstance(back, go.Figure)
    assert json.loads(back.to_json()) == json.loads(figure.to_json())
    assert store.put(back).digest == record.digest
    assert content_digest(back) == record.content_digest


def test_boosters_are_kept_in_their_own_text(store):
    xgboost, lightgbm = pytest.importorskip("xgboost"), pytest.importorskip("lightgbm")
    rows = np.random.default_rng(0).normal(size=(60, 2))
    target = (rows[:, 0] > 0).astype(int)
    first = xgboost.train({"max_depth": 2}, xgboost.DMatrix(rows, target), 3)
    second = lightgbm.train({"verbose": -1}, lightgbm.Dataset(rows, target), 3)
    for model, form in ((first, "xgboost"), (second, "lightgbm")):
        record = store.put(model)
        back = store.get(record.digest)
        assert record.format == form
        assert content_digest(back) == record.content_digest
        argument = xgboost.DMatrix(rows) if form == "xgboost" else rows
        assert np.array_equal(back.predict(argument), model.predict(argument))


def test_sparse_matrices_come_back(store):
    import scipy.sparse as sp

    matrix = sp.random(20, 5, density=0.2, random_state=0, format="csr")
    record = store.put(matrix)
    assert not record.unsafe
    assert (store.get(record.digest) != matrix).nnz == 0


def test_a_pandas_frame_of_objects_is_pickled_and_marked(store):
    frame = pd.DataFrame({"mixed": [1, "a", np.array([1])]})
    assert store.put(frame).unsafe


def test_a_pickle_of_cloudpickle_is_plain_pickle():
    import pickle

    assert pickle.loads(cloudpickle.dumps(len)) is len


def test_packing_records_nothing(store):
    record = store.pack({"a": 1})[0]
    with pytest.raises(NotFoundError):
        store.metadata.artifacts.get(record.digest)
    assert store.load(record) == {"a": 1}


def test_a_store_is_for_one_user_unless_it_says_otherwise(store):
    assert store.single_user
    store.metadata.settings.set("single_user", "false")
    assert not store.single_user
