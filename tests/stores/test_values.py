# ruff: noqa: DTZ001 - naive moments are values, too
"""What code can tell apart has another digest, and comes back from the store as it was."""

import copy
import datetime as dt
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.stores.samples import (
    ALONE,
    CODE,
    SAMPLES,
    Color,
    Couple,
    Items,
    Options,
    Pair,
    Text,
    Whole,
)

import penstock as ps
from penstock.core import PenstockError, SerializationError
from penstock.stores import content_digest, open_store

_EXAMPLES = int(os.environ.get("PENSTOCK_VALUES", "200"))
_LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.integers(5000, 5001).map(lambda power: 10**power), st.floats(width=16),
    st.text("1a", max_size=2), st.binary(max_size=1), st.sampled_from(list(Color)),
    st.integers(0, 2).map(Whole), st.text("1", max_size=2).map(Text),
    st.integers(0, 2).map(np.int64), st.integers(0, 2).map(np.int32),
    st.floats(-1, 1, width=16).map(np.float32), st.floats(-1, 1, width=16).map(np.float64),
    st.datetimes(dt.datetime(2024, 10, 27, 1), dt.datetime(2024, 10, 27, 3),
                 timezones=st.sampled_from([None, dt.UTC]) | st.timezones()),
    st.sampled_from([dt.date(2024, 1, 1), pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-01", tz="UTC")]),
    st.lists(st.integers(0, 2), max_size=2).map(np.array),
    st.lists(st.integers(0, 2), max_size=2).map(lambda x: np.array(x, dtype="int8")),
)  # fmt: skip
_KEYS = st.none() | st.booleans() | st.integers(0, 2) | st.text("1a", max_size=1) | st.just((1,))
VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=2).map(Items),
        st.tuples(inner, inner),
        st.tuples(inner, inner).map(lambda pair: Pair(*pair)),
        st.tuples(inner, inner).map(lambda pair: Couple(*pair)),
        st.dictionaries(_KEYS, inner, max_size=3),
        st.builds(Options, inner),
        st.sets(st.integers(0, 2) | st.text("1", max_size=1), max_size=3),
    ),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with open_store(f"sqlite:///{tmp_path_factory.mktemp('values')}/penstock.db") as store:
        yield store


def seen(value):
    """Tell a value as code sees it: types, order, offsets, sets without an order."""
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if isinstance(value, np.ndarray):
        return (kind, value.dtype.str, value.shape, value.tobytes())
    if isinstance(value, dict):
        return (kind, tuple((seen(key), seen(item)) for key, item in value.items()))
    if isinstance(value, list | tuple):
        return (kind, tuple(map(seen, value)))
    if isinstance(value, set):
        return (kind, frozenset(map(seen, value)))
    if isinstance(value, Options):
        return (kind, seen(value.depth), seen(value.names))
    if isinstance(value, dt.datetime):
        zone = value.tzinfo
        return (kind, repr(value), value.fold, f"{type(zone)} {zone!r}")
    return (kind, hex(value) if isinstance(value, int) else repr(value))


@settings(max_examples=_EXAMPLES, deadline=None)
@given(VALUES, VALUES)
def test_two_values_have_one_digest_if_and_only_if_code_sees_no_difference(one, two):
    assert (content_digest(one) == content_digest(two)) == (seen(one) == seen(two))
    assert content_digest(copy.deepcopy(one)) == content_digest(one)


@settings(max_examples=_EXAMPLES // 2, deadline=None)
@given(value=VALUES)
def test_any_value_comes_back_as_code_saw_it_with_the_digest_that_it_had(value, store):
    record = store.pack(value)[0]
    back = store.load(record, check=True)
    assert seen(back) == seen(value)
    assert record.content_digest == content_digest(value) == content_digest(back)


@settings(max_examples=_EXAMPLES // 4, deadline=None)
@given(st.dictionaries(_KEYS, _LEAVES, min_size=2, max_size=3))
def test_the_order_of_a_dicts_items_counts(value):
    assert content_digest(dict(reversed(value.items()))) != content_digest(value)


def test_no_two_of_some_240_samples_have_one_digest():
    wrong, known = [], {}  # type: ignore[var-annotated]
    for value in SAMPLES:
        digest = content_digest(value)
        if digest in known:
            wrong.append(("equal digests", value, known[digest]))
        known[digest] = value
    assert not wrong
    assert len(known) == len(SAMPLES) > 230


def test_every_sample_comes_back_with_its_type_and_its_digest(store):
    wrong = []
    for value in SAMPLES:
        record = store.pack(value)[0]
        back = store.load(record, check=True)
        if type(back).__qualname__ != type(value).__qualname__:
            wrong.append(("type", value, type(back)))
        if not record.content_digest == content_digest(value) == content_digest(back):
            wrong.append(("digest", value, back))
        if "not_comparable" in record.metadata:
            wrong.append(("not comparable", value, record.metadata))
    assert not wrong


_CHILD = """
import sys
from penstock.stores import content_digest
from tests.stores.samples import SAMPLES
print("\\n".join(content_digest(value) for value in SAMPLES))
"""


def test_another_process_with_another_hash_seed_gives_every_sample_the_same_digest():
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", _CHILD], check=True, capture_output=True, text=True, cwd=root,
        env={**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(root)},
    )  # fmt: skip
    assert done.stdout.split() == [content_digest(value) for value in SAMPLES]


def test_functions_and_estimators_behave_as_before_when_they_are_loaded(store):
    first, second, *_ = CODE
    loaded = [store.load(store.pack(value)[0]) for value in (first, second)]
    assert [function(10) for function in loaded] == [20, 50]


def test_a_value_without_a_state_is_stored_but_never_called_equal_to_another(store):
    class Opaque:
        def __reduce_ex__(self, protocol):
            return Opaque, (), {"made": np.random.default_rng().random()}

        def __setstate__(self, state):
            pass

    record = store.pack(Opaque())[0]
    assert "does not tell its state" in record.metadata["not_comparable"]
    whole = store.pack([Opaque(), np.array([1])])[0]
    assert "not_comparable" in whole.metadata
    with pytest.raises(SerializationError, match="does not tell its state"):
        content_digest(threading.Lock())


def test_what_cannot_be_read_back_is_refused_when_it_is_stored(store):
    class BrokenError(Exception):
        def __init__(self, one, two):
            super().__init__("x")

    with pytest.raises(SerializationError, match="cannot be stored"):
        store.pack(BrokenError(1, 2))
    with pytest.raises(PenstockError, match="cannot be stored"):
        store.pack(pl.DataFrame({"a": [object()]}, schema={"a": pl.Object}))


def test_a_value_without_an_end_is_refused_with_a_sentence(store):
    rows, facts, either, deep = [1], {}, (object, []), []  # type: ignore[var-annotated]
    rows.append(rows)  # type: ignore[arg-type]
    facts["all"] = facts
    either[1].append(either)
    for _ in range(2000):
        deep = [deep]
    for value, told in (
        (rows, r"A list .* contains itself, at \[1\]"),
        (facts, r"A dict .* contains itself, at \['all'\]"),
        (either, r"A tuple .* contains itself, at \[1\]\[0\]"),
        (deep, "A list .* is nested too deeply"),
    ):
        for keep in (store.pack, content_digest):
            with pytest.raises(SerializationError, match=told):
                keep(value)


def test_a_member_that_was_renamed_is_found_by_its_value(store, monkeypatch):
    import enum

    monkeypatch.setattr(
        sys.modules[__name__],
        "Rate",
        enum.Enum("Rate", {"SLOW": 1}, module=__name__),
        raising=False,
    )
    record = store.pack(sys.modules[__name__].Rate.SLOW)[0]
    monkeypatch.setattr(
        sys.modules[__name__], "Rate", enum.Enum("Rate", {"Slow": 1}, module=__name__)
    )
    assert store.load(record) is sys.modules[__name__].Rate.Slow
    monkeypatch.setattr(
        sys.modules[__name__], "Rate", enum.Enum("Rate", {"Other": 2}, module=__name__)
    )
    with pytest.raises(SerializationError, match="has no member 'SLOW'"):
        store.load(record)


def test_equal_bytes_of_other_values_are_each_read_as_what_they_are(store):
    values = [b"[1]", [1], bytearray(b"[1]"), np.array([1]), np.array([[1]]).view(np.matrix)]
    records = [store.put(value) for value in values]
    loaded = [store.get(record.digest, record.content_digest) for record in records]
    assert [type(value) for value in loaded] == [type(value) for value in values]
    assert pickle.dumps(loaded[:3]) == pickle.dumps(values[:3])


PROGRAM = """
import importlib
import sys
import penstock as ps

def there(name):
    return getattr(sys.modules.get(name) or importlib.import_module(name), "__dict__")  # in no key

@ps.step
def give_all() -> list:
    return there("tests.stores.samples")["SAMPLES"]

@ps.step
def look_at_all(values: list) -> list:
    return [there("tests.stores.test_values")["seen_by_step"](value) for value in values]

@ps.step
def give(place: int):
    return there("tests.stores.samples")["ALONE"][place]

@ps.step
def look(value) -> str:
    return there("tests.stores.test_values")["seen_by_step"](value)

@ps.pipeline
def hand():
    return [look_at_all(give_all()), *[look(give(place)) for place in range(5)]]
"""


def seen_by_step(value):
    """Tell what a step sees of any sample: its type and its digest."""
    return f"{type(value).__module__}.{type(value).__qualname__} {content_digest(value)}"


@pytest.mark.parametrize("runner", ["local", pytest.param("processes", marks=pytest.mark.slow)])
def test_steps_of_every_runner_are_given_what_was_returned(runner, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    (tmp_path / "job.py").write_text(PROGRAM)
    result = ps.run(
        f"{tmp_path}/job.py:hand", runner=runner, workers=1 if runner == "processes" else None,
        store=f"sqlite:///{tmp_path}/penstock.db", reporter=ps.execution.QuietReporter(),
    )  # fmt: skip
    assert result.ok, result.error
    together, *alone = result.output()
    assert together == [seen_by_step(value) for value in SAMPLES]
    assert alone == [seen_by_step(value) for value in ALONE]
