"""UnsafeModel: a pickle that this process never loads, in a process that can do no harm."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest
from litestar.testing import TestClient
from sklearn.linear_model import LogisticRegression

import penstock as ps
from penstock.core import GateError, ParameterError, SerializationError, ServingError
from penstock.models import Model, infer_signature, require_model, require_safe
from penstock.registry import Registry
from penstock.sandbox import why_no_isolation
from penstock.serving import create_app
from penstock.serving import predict as predict_batch
from penstock.stores import STORE_HISTORY, UnsafeModel, open_store
from penstock.stores.artifacts.models._unsafe_process import read_answer, write_answer

pytest.importorskip("cloudpickle", reason='pip install "penstock[pickle]"')
pytestmark = pytest.mark.skipif(
    why_no_isolation() is not None, reason=str(why_no_isolation() or "")
)

RNG = np.random.default_rng(0)
X = pl.DataFrame(RNG.normal(size=(60, 2)), schema=["a", "b"])
Y = np.where(X["a"].to_numpy() > 0, "yes", "no")

PROJECT = """
import os, signal, socket, subprocess, time
from sklearn.linear_model import LogisticRegression


def attempts(file):
    tries = {
        "network": lambda: socket.create_connection(("127.0.0.1", 9), 1),
        "unix socket": lambda: socket.socket(socket.AF_UNIX),
        "write": lambda: open(file, "w").write("x"),
        "delete": lambda: os.unlink(__file__ if os.path.exists(__file__) else file),
        "program": lambda: subprocess.run(["touch", file]),
        "kill": lambda: os.kill(os.getppid(), signal.SIGTERM),
        "environment": lambda: open(f"/proc/{os.getppid()}/environ").read(),
        "read the project": lambda: open(file + ".secret").read(),
        "room": lambda: open("scratch", "w").write("x"),
    }
    done = []
    for name, attempt in tries.items():
        try:
            attempt()
        except OSError:
            continue
        done.append(name)
    return done


class Harmful(LogisticRegression):
    '''Tries on loading and on predicting.'''

    def __setstate__(self, state):
        super().__setstate__(state)
        self.on_load_ = attempts(self.file_)

    def aim(self, file):
        self.file_ = file
        return self

    def score_samples(self, X):
        return [f"{','.join(self.on_load_)} / {','.join(attempts(self.file_))}"] * len(X)

    def decision_function(self, X):
        if len(X) == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        if len(X) == 4:
            time.sleep(60)
        if len(X) == 5:
            return [bytearray(8 << 30)]
        if len(X) == 6:
            return [object()] * 6
        if len(X) == 7:
            raise KeyError("a mistake")
        return super().decision_function(X)
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "harm.py").write_text(PROJECT)
    monkeypatch.syspath_prepend(str(folder))
    sys.modules.pop("harm", None)
    import harm  # type: ignore[import-not-found]

    yield harm
    sys.modules.pop("harm", None)


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as opened:
        yield opened


def harmful(project: ModuleType, target: Path, **more) -> UnsafeModel:
    fitted = project.Harmful().fit(X.to_numpy(), Y).aim(str(target))
    return UnsafeModel(fitted, reason="Its library has no format.", **more)


@pytest.fixture
def handle(project, store, tmp_path):
    """The model as another process reads it, and the file that it would write."""
    target = tmp_path / "owned"
    target.with_suffix(".secret").write_text("a password")
    read = store.load(store.put(harmful(project, target, timeout_s=1.5, memory_bytes=2 << 30)))
    yield read, target
    read.close()


def test_code_in_the_pickle_has_no_network_and_writes_in_its_room_alone(handle):
    model, target = handle
    (said,) = model.score_samples(X[:1].to_numpy())
    assert said == "room / room"
    assert not target.exists()
    assert Path(sys.modules["harm"].__file__).exists()


def test_it_predicts_as_the_estimator_does_and_its_digest_holds(project, store, tmp_path):
    model = harmful(project, tmp_path / "owned")
    record = store.put(model)
    assert (record.format, record.unsafe) == ("unsafe", True)
    assert record.metadata["why_unsafe"] == "Its library has no format."
    read = store.load(record)
    assert (read.is_apart, model.is_apart) == (True, False)
    rows = X.to_numpy()
    assert np.array_equal(read.predict_proba(rows), model.predict_proba(rows))
    assert read.predict(rows).tolist() == model.predict(rows).tolist()
    assert read.classes_.tolist() == ["no", "yes"]
    assert (read.n_features_in_, read.kind) == (2, "harm.Harmful")
    again = store.put(read)
    assert (again.digest, again.content_digest) == (record.digest, record.content_digest)
    assert store.digest(model) == record.content_digest
    assert not hasattr(read, "transform")
    read.close()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (3, "has ended: killed by SIGKILL"),
        (4, r"did not answer within 1\.5 seconds"),
        (5, "MemoryError"),
        (6, "failed: TypeError"),
        (7, "failed: KeyError: .*a mistake"),
    ],
)
def test_what_happens_in_its_process_is_a_sentence_and_the_next_call_is_answered(
    handle, rows, message
):
    model, _ = handle
    with pytest.raises(ServingError, match=message) as caught:
        model.decision_function(X[:rows].to_numpy())
    assert caught.value.fix
    assert len(model.decision_function(X[:8].to_numpy())) == 8


def test_the_process_and_its_folder_end_with_the_model(handle):
    model, _ = handle
    model.predict(X.to_numpy())
    process = model._process
    pid, room = process._helper.pid, process._room or process._holder.room
    assert room.is_dir()
    model.close()
    assert not room.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_process_ends_when_the_asking_process_is_killed(store, tmp_path):
    store.put(UnsafeModel(LogisticRegression().fit(X.to_numpy(), Y), reason="A test."))
    program = (
        "import os, signal, sys; from penstock.stores import open_store\n"
        "store = open_store(sys.argv[1])\n"
        "record = store.metadata.artifacts.get(sys.argv[2])\n"
        "model = store.load(record); model.predict([[0.0, 1.0]])\n"
        "print(model._process._helper.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    record = store.put(UnsafeModel(LogisticRegression().fit(X.to_numpy(), Y), reason="A test."))
    done = subprocess.run(
        [sys.executable, "-c", program, store.url, record.digest],
        capture_output=True,
        text=True,
        check=False,
    )
    pid = int(done.stdout)
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text():
            break
        time.sleep(0.1)
    else:
        pytest.fail("the process still runs")


def test_the_store_refuses_it_until_its_policy_allows_it(store, project, tmp_path):
    model = harmful(project, tmp_path / "owned")
    signature = infer_signature(model, X, Y)
    registry = Registry(store=store)
    whole = Model(model, signature)
    with pytest.raises(SerializationError, match="this store refuses unsafe models") as caught:
        registry.register("m", whole, actor="ann")
    assert "penstock store unsafe-models register" in caught.value.fix
    with pytest.raises(ParameterError, match="yes"):
        store.allow_unsafe_models("yes")

    store.allow_unsafe_models("register", actor="ann")
    version = registry.register("m", whole, actor="ann")
    assert version.unsafe == "Its library has no format."
    assert "Its library has no format." in registry.card("m", 1)
    for stage in ("staging", "production"):
        with pytest.raises(GateError, match=f"may not go to {stage} in this store"):
            registry.promote("m", 1, to=stage, actor="ann", force_reason="It is urgent.")
    with pytest.raises(GateError, match="may not go to production"):
        registry.require_promotable("m", 1)
    loaded = Model.load(version, store=store)
    assert loaded.estimator.is_apart
    expected = model.predict(X[:10].to_numpy()).tolist()
    assert loaded.predict(X[:10]).values == expected
    evaluated = loaded.predict_rows([{"a": 3.0, "b": 0.0}])
    assert evaluated.values == ["yes"]
    assert evaluated.scores[0] > 0.5
    loaded.estimator.close()

    store.allow_unsafe_models("production", actor="ann")
    registry.promote("m", 1, actor="ann", reason="Allowed.")
    events = store.metadata.models.list_stage_events(STORE_HISTORY)
    told = " ".join(event.reason for event in events)
    assert "Setting unsafe_models: register -> production" in told

    store.allow_unsafe_models("refuse", actor="ann")
    with pytest.raises(SerializationError, match="refuses unsafe models"):
        Model.load(version, store=store)


def test_a_batch_is_predicted_by_the_isolated_process(store, project, tmp_path):
    model = harmful(project, tmp_path / "owned")
    store.allow_unsafe_models("production")
    registry = Registry(store=store)
    registry.register("m", Model(model, infer_signature(model, X, Y)), actor="ann")
    registry.promote("m", 1, actor="ann", reason="Allowed.")
    out = tmp_path / "out.parquet"
    predict_batch("m", data=X, out=str(out), store=store)
    assert pl.read_parquet(out)["prediction"].to_list() == model.predict(X.to_numpy()).tolist()


def test_a_server_answers_by_it_says_so_and_survives_its_death(store, project, tmp_path):
    target = tmp_path / "owned"
    store.allow_unsafe_models("production")
    registry = Registry(store=store)
    model = harmful(project, target)
    registry.register("m", Model(model, infer_signature(model, X, Y)), actor="ann")
    registry.promote("m", 1, actor="ann", reason="Allowed.")
    row = {"a": 2.0, "b": 0.0}
    with TestClient(create_app(names=["m"], store=store)) as client:
        assert client.get("/models/m").json()["unsafe"] == "Its library has no format."
        answer = client.post("/models/m/predict", json={"rows": [row] * 2}).json()
        assert [each["prediction"] for each in answer["predictions"]] == ["yes", "yes"]
        failed = client.post("/models/m/predict", json={"rows": [row] * 3})
        assert failed.status_code == 500
        assert "killed by SIGKILL" in failed.text
        again = client.post("/models/m/predict", json={"rows": [row] * 2})
        assert again.status_code in {200, 201}
    store.allow_unsafe_models("register")
    with TestClient(create_app(names=["m"], store=store)) as client:
        refused = client.post("/models/m/predict", json={"rows": [row]})
        assert refused.status_code == 503
        assert "may not answer requests in this store" in refused.text
    assert not target.exists()


def test_a_pickle_that_is_not_declared_is_refused_and_the_way_out_is_named(store):
    record = store.put(UnsafeModel(LogisticRegression().fit(X.to_numpy(), Y), reason="A test."))
    assert require_model(record) is record
    with pytest.raises(SerializationError):
        require_safe(record)
    with pytest.raises(SerializationError, match="UnsafeModel"):
        require_model(replace(record, format="cloudpickle"))


def test_an_unsafe_model_needs_a_reason_and_predict():
    with pytest.raises(ParameterError, match="reason"):
        UnsafeModel(LogisticRegression(), reason=" ")
    with pytest.raises(ParameterError, match="no predict"):
        ps.models.UnsafeModel(object(), reason="A test.")


@pytest.mark.parametrize(
    "head",
    [
        {"array": "O", "shape": [1]},
        {"array": "<f8", "shape": [2]},
        {"array": "<f8", "shape": [-1]},
        {"array": "V8", "shape": [1]},
        {"labels": [["nested"]]},
    ],
)
def test_a_forged_answer_is_no_answer(head):
    with pytest.raises((ValueError, TypeError)):
        read_answer(write_answer(head, bytes(8)))


def test_answers_keep_numbers_and_labels():
    found = read_answer(write_answer({"array": "<f8", "shape": [1]}, np.float64(0.1).tobytes()))
    assert found.tolist() == [0.1]
    assert read_answer(write_answer({"labels": ["a", 1, None]})).tolist() == ["a", 1, None]
    assert read_answer(write_answer({})) is None
