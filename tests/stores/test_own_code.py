"""Models with the user's own classes and functions: made from recorded source, and from nothing else."""

import importlib
import io
import json
import shutil
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from penstock.core import SerializationError
from penstock.models import require_safe
from penstock.stores import open_store
from penstock.stores.upkeep._reach import names_in

RATES = """
from os import system
import numpy as np
LIMIT = 3.0
TABLE = {}
TABLE["factor"] = 2

def cut(x, top=LIMIT):
    return np.minimum(x, top) * TABLE["factor"]
"""
TRAIN = """
from pathlib import Path
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from ownshop.rates import cut, system
from ownshop import rates

class Clip(TransformerMixin, BaseEstimator):
    def __init__(self, top=1.0):
        self.top = top
    def fit(self, X, y=None):
        self.mean_ = np.asarray(X).mean(axis=0)
        return self
    def transform(self, X):
        return cut(np.asarray(X) - self.mean_, self.top) + rates.LIMIT

double = lambda x: x * 2

def logs():
    return lambda x: np.log1p(np.abs(x)), lambda x, by=-1.0: np.multiply(x, by)

def times(n):
    return lambda x: x * n

def other():
    class Inner(Clip):
        pass
    return Inner()

Path(__file__).with_suffix(".ran").touch()
"""
X = np.random.default_rng(0).normal(size=(40, 3))
Y = X[:, 0] > 0


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of two modules; imported modules are forgotten afterwards."""
    folder = tmp_path / "project"
    (folder / "ownshop").mkdir(parents=True)
    (folder / "ownshop" / "rates.py").write_text(RATES)
    (folder / "owntrain.py").write_text(TRAIN)
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    forget()


def forget():
    for name in [
        each for each in sys.modules if each.partition(".")[0] in {"owntrain", "ownshop", "ownlazy"}
    ]:
        del sys.modules[name]


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as opened:
        yield opened


@pytest.fixture
def train(project):
    importlib.invalidate_caches()
    return importlib.import_module("owntrain")


def fitted(train):
    steps = train.Clip(2.0), FunctionTransformer(train.double), FunctionTransformer(train.cut)
    return make_pipeline(*steps, LogisticRegression()).fit(X, Y)


def test_a_model_is_loaded_without_the_project_and_beside_another_of_its_name(
    store, project, train, monkeypatch, tmp_path
):
    model = fitted(train)
    record = store.put(model)
    assert (record.format, record.unsafe) == ("skops", False)
    assert require_safe(record) is record
    assert sorted(record.metadata["parts"]) == ["ownshop/rates.py", "owntrain.py"]
    (project / "owntrain.ran").unlink()
    shutil.rmtree(project)
    forget()
    decoy = tmp_path / "decoy"
    decoy.mkdir()
    (decoy / "owntrain.py").write_text("raise RuntimeError('what happens to be installed')")
    monkeypatch.syspath_prepend(str(decoy))
    back = store.get(record.digest)
    assert store.digest(back) == record.content_digest
    assert back.predict_proba(X).tobytes() == model.predict_proba(X).tobytes()
    assert "owntrain" not in sys.modules
    assert not project.exists()  # the file's last line was not executed
    again = store.put(back)
    assert (again.digest, again.content_digest) == (record.digest, record.content_digest)


def test_the_loaded_class_is_used_while_its_code_is_the_same(store, train):
    record = store.put(train.Clip().fit(X))
    assert type(store.get(record.digest)) is train.Clip
    train.Clip.transform = lambda self, rows: rows
    changed = store.get(record.digest)
    assert type(changed) is not train.Clip
    assert (changed.transform(X) != X).any()


LAZY = """
def apply(x):
    from ownshop import late
    return late.triple(x)

def with_default():
    return lambda x, by=lambda y: y * 2, *, to=lambda z: z + 1: to(by(x))
"""
LATE = """
import json
SEEN = 3
def triple(x):
    import ownshop.deeper.last as last
    return last.plus(x * SEEN)
"""


@pytest.fixture
def lazy(project):
    (project / "ownlazy.py").write_text(LAZY)
    (project / "ownshop" / "late.py").write_text(LATE)
    (project / "ownshop" / "other.py").write_text("raise RuntimeError('nobody needs it')")
    (project / "ownshop" / "deeper").mkdir()
    (project / "ownshop" / "deeper" / "last.py").write_text("def plus(x): return x + 1")
    (project / "plus.py").write_text("raise RuntimeError('a module named like an attribute')")
    importlib.invalidate_caches()
    return importlib.import_module("ownlazy")


def test_modules_that_are_imported_when_a_function_is_called_are_recorded(
    store, project, lazy, monkeypatch, tmp_path
):
    record = require_safe(store.put(FunctionTransformer(lazy.apply)))
    assert not {"ownshop", "ownshop.late"} & set(sys.modules)  # nothing was imported for it
    recorded = ["ownlazy.py", "ownshop/deeper/last.py", "ownshop/late.py"]
    assert sorted(record.metadata["parts"]) == recorded
    shutil.rmtree(project)
    forget()
    back = store.get(record.digest)
    assert (back.transform(X) == X * 3 + 1).all()
    assert "ownshop" not in sys.modules


@pytest.mark.parametrize("change", ["late.py", "deeper/last.py"])
def test_the_loaded_class_is_not_used_where_a_module_that_it_calls_is_another(
    store, project, lazy, change
):
    record = store.put(FunctionTransformer(lazy.apply))
    assert store.get(record.digest).func is lazy.apply
    file = project / "ownshop" / change
    file.write_text("# a comment alone is no change\n" + file.read_text())
    assert store.get(record.digest).func is lazy.apply
    file.write_text(file.read_text().replace("+ 1", "+ 100").replace("SEEN = 3", "SEEN = 300"))
    assert (store.get(record.digest).transform(X) == X * 3 + 1).all()


def test_a_lambda_may_have_lambdas_as_defaults(store, lazy):
    record = require_safe(store.put(FunctionTransformer(lazy.with_default())))
    forget()
    assert (store.get(record.digest).transform(X) == X * 2 + 1).all()


def note(store):
    return store.digest(np.arange(3))


def test_the_source_stays_as_long_as_the_model(store, train):
    record = store.put({"model": fitted(train), "note": np.arange(3)})
    (model,) = [each for each in names_in(store, record, manifest=False) if each != note(store)]
    named = names_in(store, store.metadata.artifacts.get(model), manifest=False)
    sources = [store.metadata.artifacts.get(digest) for digest in named]
    assert sorted(each.metadata["file"] for each in sources) == ["owntrain.py", "rates.py"]
    assert type(store.get(record.digest)["model"][0]).__name__ == "Clip"


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (
            lambda train: FunctionTransformer(train.times(3)),
            "uses variables of the function around",
        ),
        (lambda train: train.other(), "is defined inside of a function or class"),
    ],
)
def test_what_has_no_name_in_a_file_is_refused_with_the_way_out(store, train, make, reason):
    record = store.put(make(train).fit(X))
    with pytest.raises(SerializationError, match=reason):
        require_safe(record)


def test_lambdas_in_a_function_that_call_imported_modules_are_found_by_their_place(
    store, project, train
):
    log, negative = train.logs()
    model = make_pipeline(FunctionTransformer(log), FunctionTransformer(negative)).fit(X)
    record = store.put(model)
    assert require_safe(record) is record
    shutil.rmtree(project)
    forget()
    back = store.get(record.digest)
    assert store.digest(back) == record.content_digest
    assert (back.transform(X) == -np.log1p(np.abs(X))).all()


def test_a_file_that_has_changed_since_it_was_imported_is_not_recorded_as_the_code(
    store, project, train
):
    (project / "owntrain.py").write_text(TRAIN.replace("rates.LIMIT", "1"))
    record = store.put(train.Clip().fit(X))
    assert record.unsafe
    assert "is not what its source file defines" in record.metadata["why_unsafe"]


def forged(store, record, change, definitions=()):
    """The record of an archive whose schema was changed, with further names in the record."""
    with zipfile.ZipFile(io.BytesIO(store.read_bytes(record))) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files["schema.json"] = change(files["schema.json"].decode()).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    code = {**record.metadata["code"]["definitions"], **dict.fromkeys(definitions, "sha256:0")}
    digest, inline, size = store.keep_bytes(buffer.getvalue())
    facts = {**record.metadata, "code": {"definitions": code}}
    return replace(record, digest=digest, inline=inline, size_bytes=size, metadata=facts)


def as_call(text):
    """Let a function of the model be called with an argument instead of referred to."""
    schema = json.loads(text)

    def walk(node):
        if isinstance(node, dict):
            if node.get("__class__") == "cut":
                node["__loader__"] = "ConstructorFromReduceNode"
                node["content"] = {"__class__": "str", "__module__": "builtins"}
                node["content"] |= {"__loader__": "JsonNode", "content": "[1]", "__id__": 9999}
            for item in node.values():
                walk(item)
        elif isinstance(node, list):
            for item in node:
                walk(item)

    walk(schema)
    return json.dumps(schema)


@pytest.mark.parametrize(
    ("change", "definitions"),
    [
        (lambda text: text.replace('"cut"', '"system"'), ()),
        (lambda text: text.replace('"cut"', '"system"'), ["ownshop.rates:system"]),
        (lambda text: text.replace('"cut"', '"system"').replace("ownshop.rates", "os"), ()),
        (
            lambda text: text.replace('"cut"', '"system"').replace("ownshop.rates", "os"),
            ["os:system"],
        ),
        (lambda text: text.replace('"Clip"', '"other"'), ()),
        (lambda text: text.replace("owntrain", "ownshop"), ()),
        (as_call, ()),
    ],
)
def test_a_file_cannot_choose_what_is_loaded(store, train, change, definitions, monkeypatch):
    ran: list[str] = []
    monkeypatch.setattr("os.system", ran.append)
    record = forged(store, store.put(fitted(train)), change, definitions)
    forget()
    with pytest.raises(SerializationError):
        store.load(record)
    assert ran == []
