"""Models of Keras as stored values: settings of a closed list of layers, and weights; no code, no memory beyond the file."""

import json
import resource

import numpy as np
import pytest

from penstock.core import SerializationError
from penstock.models import require_safe
from penstock.stores import open_store
from penstock.stores.artifacts.models._file_bundle import pack_files, unpack_files
from penstock.stores.artifacts.models._keras import _NAMES, KerasFormat
from penstock.stores.artifacts.models._protocol import StoredModel

torch = pytest.importorskip("torch", reason="pip install 'penstock[keras]'")
keras = pytest.importorskip("keras", reason="pip install 'penstock[keras]'")
layers = keras.layers
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
X = np.random.default_rng(0).random((6, 3)).astype("float32")


@pytest.fixture
def store(tmp_path):
    return open_store(f"sqlite:///{tmp_path}/penstock.db")


def residual():
    """A network with two paths, an operation of ``keras.ops`` and weights that training does not change."""
    keras.utils.set_random_seed(1)
    rows = keras.Input((3,))
    first = layers.Dense(4, activation="relu")(rows)
    normed = layers.BatchNormalization()(layers.Dropout(0.2)(first) + first)
    return keras.Model(rows, layers.Dense(2, activation="softmax")(normed))


def sequence():
    keras.utils.set_random_seed(2)
    recurrent = layers.Bidirectional(layers.GRU(3))
    return keras.Sequential([keras.Input((3, 1)), recurrent, layers.Dense(1)])


def nested():
    keras.utils.set_random_seed(3)
    return keras.Sequential([keras.Input((3,)), residual(), layers.Dense(1)])


def files_of(store, record):
    return unpack_files(store.artifacts.path(record.digest).read_bytes(), _NAMES)


def read(record, files):
    return KerasFormat().read(StoredModel(pack_files(files), record.metadata))


@pytest.mark.parametrize("make", [residual, sequence, nested])
def test_a_model_is_stored_and_read_with_the_same_digest_and_answers(store, make):
    model = make()
    model.compile("adam", "mse")
    record = require_safe(store.put(model))
    assert (record.format, record.unsafe) == ("keras", False)
    assert record.metadata["parameters"] == model.count_params()
    back = store.get(record.digest)
    assert type(back) is type(model)
    assert store.digest(back) == record.content_digest
    rows = X[..., None] if make is sequence else X
    assert torch.equal(back(rows, training=False), model(rows, training=False))


def test_keras_alone_reads_the_stored_files(store):
    import safetensors.torch

    model = residual()
    files = files_of(store, store.put(model))
    alone = keras.saving.deserialize_keras_object(json.loads(files["config.json"]))
    tensors = safetensors.torch.load(files["model.safetensors"])
    alone.set_weights([tensors[name] for name in sorted(tensors)])
    assert torch.equal(alone(X), model(X))


def test_the_same_training_gives_the_same_bytes_whatever_was_made_before(store):
    first = store.put(residual())
    layers.Dense(1), layers.Dense(1), sequence()  # Keras counts the layers of a process
    assert store.put(residual()).digest == first.digest
    renamed = keras.Sequential([keras.Input((3,)), layers.Dense(1, name="score")])
    assert b'"score"' in files_of(store, store.put(renamed))["config.json"]


def test_another_weight_or_setting_is_another_model(store):
    model = residual()
    before = store.digest(model)
    model.layers[-1].bias.assign([0.0, 1e-3])
    assert store.digest(model) != before
    keras.utils.set_random_seed(1)
    other = keras.Sequential([keras.Input((3,)), layers.Dense(4, activation="relu")])
    keras.utils.set_random_seed(1)
    linear = keras.Sequential([keras.Input((3,)), layers.Dense(4)])
    assert store.digest(other) != store.digest(linear)


@keras.saving.register_keras_serializable()
class Own(keras.Model):  # type: ignore[name-defined]  # keras is imported if installed
    def call(self, rows):
        return rows


def with_lambda():
    return keras.Sequential([keras.Input((3,)), layers.Lambda(lambda rows: rows)])


def with_own_layer():
    return keras.Sequential([keras.Input((3,)), layers.Dense(2), OwnLayer()])


@keras.saving.register_keras_serializable()
class OwnLayer(layers.Layer):  # type: ignore[name-defined]
    def call(self, rows):
        return rows


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (Own, "a class of its own"),
        (with_lambda, "Lambda"),
        (with_own_layer, "OwnLayer"),
        (lambda: keras.Sequential([layers.Dense(2)]), "no weights yet"),
    ],
)
def test_what_settings_do_not_hold_is_refused_with_the_way_out(store, make, said):
    with pytest.raises(SerializationError, match=said) as caught:
        KerasFormat().write(make(), "")
    assert "onnx" in caught.value.fix
    with pytest.raises(SerializationError, match=f"only be stored as a pickle.*{said}"):
        require_safe(store.put(make()))


def forged(files, change):
    text = files["config.json"].decode()
    assert change[0] in text
    return {**files, "config.json": text.replace(*change, 1).encode()}


DENSE = '"module": "keras.layers",\n        "class_name": "Dense"'


@pytest.mark.parametrize(
    "change",
    [
        (DENSE, '"module": "keras.layers",\n        "class_name": "Lambda"'),
        (DENSE, '"module": "keras.layers",\n        "class_name": "TFSMLayer"'),
        (DENSE, '"module": "keras.src.layers.core.dense",\n        "class_name": "Dense"'),
        (DENSE, '"module": "os",\n        "class_name": "system"'),
        (
            '"activation": "relu"',
            '"activation": {"module": "builtins", "class_name": "function", "config": "eval"}',
        ),
        ('"activation": "relu"', '"activation": {"class_name": "__lambda__", "config": {}}'),
        ('"registered_name": null', '"registered_name": "own>Layer"'),
    ],
)
def test_settings_that_name_code_are_refused_before_keras_sees_them(store, monkeypatch, change):
    record = store.put(residual())
    monkeypatch.setattr(keras.saving, "deserialize_keras_object", pytest.fail)
    with pytest.raises(SerializationError, match="its settings name"):
        read(record, forged(files_of(store, record), change))


@pytest.mark.parametrize("units", [10**9, 20_000_000, 5])
def test_sizes_that_the_weights_do_not_have_are_refused_before_memory_is_taken(store, units):
    record = store.put(residual())
    files = forged(files_of(store, record), ('"units": 2', f'"units": {units}'))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(SerializationError, match=r"cannot be made|its weights are not"):
        read(record, files)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 2**10


@pytest.mark.parametrize("kind", ["__numpy__", "__tensor__"])
def test_arrays_of_anything_but_numbers_are_refused_before_memory_is_taken(
    store, monkeypatch, kind
):
    rows = keras.Input((3,))
    shifted = keras.ops.add(rows, np.array([1, 2, 3], "float32"))
    record = store.put(keras.Model(rows, layers.Dense(1)(shifted)))
    assert read(record, files_of(store, record)).predict(X, verbose=0).shape == (6, 1)
    files = files_of(store, record)
    files = forged(files, ('"class_name": "__numpy__"', f'"class_name": "{kind}"'))
    config = files["config.json"].decode()
    place = config.index(kind)
    end = config.index('"dtype": "float32"', place)
    changed = config[:end] + '"dtype": "U1000000000"' + config[end + len('"dtype": "float32"') :]
    monkeypatch.setattr(keras.saving, "deserialize_keras_object", pytest.fail)
    with pytest.raises(SerializationError, match="its settings name"):
        read(record, {**files, "config.json": changed.encode()})


@pytest.mark.parametrize("damage", [b"", b"PK", b"\0" * 100])
def test_damaged_bytes_are_told(store, damage):
    record = store.put(residual())
    with pytest.raises(SerializationError, match="no model of Keras"):
        KerasFormat().read(StoredModel(damage, record.metadata))
    files = files_of(store, record)
    for name in files:
        with pytest.raises(SerializationError, match="no model of Keras"):
            read(record, {**files, name: files[name][:-40] + damage})


def test_another_framework_under_keras_is_told(store, monkeypatch):
    model = residual()
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(SerializationError, match="Keras runs on jax") as caught:
        KerasFormat().write(model, "")
    assert "KERAS_BACKEND=torch" in caught.value.fix
