"""Admission: a model that this machine wrote is read at once, any other is first read apart."""

import json
import time
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from penstock.core import SerializationError
from penstock.sandbox import has_processes, try_apart
from penstock.stores import open_store
from penstock.stores.artifacts.models import _admission, _known

xgboost = pytest.importorskip("xgboost", reason='pip install "penstock[boosters]"')
pytestmark = pytest.mark.skipif(not has_processes(), reason="needs processes")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = (X[:, 0] > 0).astype(int)


@pytest.fixture
def state(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(_known, "_known", set())
    return tmp_path / "state" / "penstock" / "models"


@pytest.fixture
def trials(monkeypatch):
    found, ask = [], try_apart
    monkeypatch.setattr(
        _admission, "try_apart", lambda *each: found.append(ask(*each)) or found[-1]
    )
    return found


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as opened:
        yield opened


def changed(store, record, data):
    digest, inline, size = store.keep_bytes(data)
    return replace(record, digest=digest, inline=inline, size_bytes=size)


def test_what_this_machine_wrote_or_read_is_read_at_once(state, trials, store):
    record = store.put(LogisticRegression().fit(X, Y))
    store.load(record)
    assert trials == []
    assert [each.name for each in state.iterdir()] == [record.digest.removeprefix("sha256:")]
    _known._known.clear()  # another process
    store.load(record)
    assert trials == []


def test_what_another_machine_wrote_is_read_apart_once(state, trials, store):
    record = store.put(LogisticRegression().fit(X, Y))
    _known._known.clear()
    for each in state.iterdir():
        each.unlink()
    assert store.load(record).predict(X).tolist() == store.load(record).predict(X).tolist()
    assert [each.outcome for each in trials] == ["done"]


def test_without_a_folder_of_state_a_process_remembers_its_own(state, trials, store, monkeypatch):
    state.parent.mkdir(parents=True)
    state.write_text("a file where the folder should be")
    record = store.put(LogisticRegression().fit(X, Y))
    store.load(record)
    assert trials == []
    _known._known.clear()
    store.load(record)
    store.load(record)
    assert [each.outcome for each in trials] == ["done"]


def test_a_refusal_says_what_happened_and_is_not_remembered(state, trials, store):
    booster = xgboost.train({"nthread": 1}, xgboost.DMatrix(X, label=Y), 2)
    record = store.put(booster)
    document = json.loads(store.read_bytes(record))
    trees = document["learner"]["gradient_booster"]["model"]["trees"]
    trees[0]["left_children"] = [1] * len(trees[0]["left_children"])
    forged = changed(store, record, json.dumps(document).encode())
    for _ in range(2):
        with pytest.raises(SerializationError, match="a node has one child"):
            store.load(forged)
    assert len(trials) == 2


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        ("ended", r"ended the process that tried \(killed by SIGSEGV\)"),
        ("slow", "takes more than 2 seconds of processor time"),
        ("memory", "takes more than 512 MiB"),
        ("raised", "its library says: killed by SIGSEGV"),
    ],
)
def test_each_end_of_a_trial_is_told(state, store, monkeypatch, outcome, text):
    from penstock.sandbox import TrialResult

    record = store.put(LogisticRegression().fit(X, Y))
    monkeypatch.setattr(
        _admission, "try_apart", lambda *_: TrialResult(outcome, reason="killed by SIGSEGV")
    )
    with pytest.raises(SerializationError, match=text) as caught:
        store.load(changed(store, record, store.read_bytes(record) + b" "))
    assert caught.value.fix


def test_old_names_are_forgotten(state, monkeypatch):
    monkeypatch.setattr(_known, "_LOOKED_THROUGH", 1)
    state.mkdir(parents=True)
    old = state / "old"
    old.touch()
    import os

    os.utime(old, (time.time() - 100 * 86400,) * 2)
    _known.remember("sha256:new")
    assert [each.name for each in state.iterdir()] == ["new"]


def test_the_time_of_imports_is_no_part_of_the_trial(state, trials, store):
    torch = pytest.importorskip("torch", reason='pip install "penstock[torch]"')
    from penstock.models import TorchEstimator

    for model in (
        TorchEstimator(torch.nn.Linear(3, 1)),
        xgboost.XGBClassifier(n_estimators=2).fit(X, Y),
    ):
        record = store.put(model)
        _known._known.clear()
        for each in state.iterdir():
            each.unlink()
        assert len(store.load(record).predict(X)) == len(X)
    assert [each.outcome for each in trials] == ["done", "done"]
    assert max(each.cpu_s for each in trials) < 1


def test_packages_that_a_model_imports_are_read_off_its_source_and_its_archive():
    from penstock.stores import StoredModel
    from penstock.stores.artifacts.models._trial import _is_package

    source = {
        "train.py": b"import os\nfrom lightning import Trainer\n    import numpy as np\n# import a"
    }
    stored = StoredModel(b"xgboost.sklearn", {}, source)
    found = _admission._libraries("skops", stored)
    assert found == ["lightning", "numpy", "os", "xgboost"]
    assert [_is_package(name) for name in ("numpy", "os", "tests", "no_such")] == [
        True,
        False,
        False,
        False,
    ]
