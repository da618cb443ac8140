"""Models of Hugging Face as stored values: the library's own files, and no code that comes with them."""

import json
import resource
import zipfile
from dataclasses import replace
from io import BytesIO

import pytest

from penstock.core import SerializationError
from penstock.models import require_safe
from penstock.stores import open_store
from penstock.stores.artifacts.models._file_bundle import pack_files, unpack_files
from penstock.stores.artifacts.models._protocol import StoredModel
from penstock.stores.artifacts.models._transformers import _NAMES, TransformersFormat

NEEDED = "pip install 'penstock[torch,transformers]'"
torch = pytest.importorskip("torch", reason=NEEDED)
transformers = pytest.importorskip("transformers", reason=NEEDED)
pytest.importorskip("sentence_transformers", reason=NEEDED)
from safetensors import torch as safetensors  # noqa: E402 - it needs torch
from tests import language_models as small  # noqa: E402 - it needs the libraries


@pytest.fixture
def store(tmp_path):
    return open_store(f"sqlite:///{tmp_path}/penstock.db")


def files_of(store, record):
    return unpack_files(store.artifacts.path(record.digest).read_bytes(), _NAMES)


def read(record, files):
    return TransformersFormat().read(StoredModel(pack_files(files), record.metadata))


def test_a_model_is_stored_in_its_librarys_files_and_read_with_the_same_digest(store, tmp_path):
    model = small.make_classifier(num_labels=2)
    record = require_safe(store.put(model))
    assert (record.format, record.unsafe) == ("transformers", False)
    assert record.metadata["class"] == "BertForSequenceClassification"
    back = store.get(record.digest)
    assert type(back) is type(model)
    assert not back.training
    assert store.digest(back) == record.content_digest
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, back.state_dict()[name])
    # The library alone reads the same files.
    for name, content in files_of(store, record).items():
        (tmp_path / name).write_bytes(content)
    alone = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert torch.equal(alone.classifier.weight, model.classifier.weight)


def test_another_weight_or_label_is_another_model(store):
    first, second = small.make_classifier(num_labels=2), small.make_classifier(num_labels=2)
    assert store.digest(first) == store.digest(second)
    with torch.no_grad():
        second.classifier.bias[0] += 1e-3
    assert store.digest(first) != store.digest(second)
    named = small.make_classifier(num_labels=2, id2label={0: "fine", 1: "late"})
    assert store.digest(first) != store.digest(named)


def test_notes_about_versions_and_places_are_no_part_of_the_model(store, tmp_path):
    tokenizer = small.make_tokenizer()
    tokenizer.save_pretrained(tmp_path)
    loaded = transformers.AutoTokenizer.from_pretrained(tmp_path, local_files_only=True)
    record = store.put(tokenizer)
    assert store.digest(loaded) == record.content_digest
    loaded("late late late", truncation=True, max_length=2)
    assert store.digest(loaded) == record.content_digest
    back = store.get(record.digest)
    assert [back(text)["input_ids"] for text in small.TEXTS] == [
        tokenizer(text)["input_ids"] for text in small.TEXTS
    ]
    files = files_of(store, store.put(small.make_classifier()))
    assert b"transformers_version" not in files["config.json"]


def test_a_model_of_sentences_keeps_its_modules(store, tmp_path):
    model = small.make_sentence_model(tmp_path / "made")
    record = require_safe(store.put(model))
    back = store.get(record.digest)
    assert store.digest(back) == record.content_digest
    assert (back.encode(small.TEXTS[:1]) == model.encode(small.TEXTS[:1])).all()


def test_a_class_of_ones_own_is_refused(store):
    class Mine(transformers.BertForSequenceClassification):  # type: ignore[name-defined]  # as installed
        pass

    with pytest.raises(SerializationError, match="no class of the library itself"):
        TransformersFormat().write(Mine(small.make_config()), "")
    with pytest.raises(SerializationError, match="no class of the library itself"):
        require_safe(store.put(Mine(small.make_config())))


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("config.json", {"auto_map": {"AutoModel": "evil.Model"}}, "auto_map"),
        ("config.json", {"text_config": {"auto_map": {"AutoConfig": "e.C"}}}, "auto_map"),
        ("config.json", {"quantization_config": {"quant_method": "x"}}, "quantization_config"),
        ("config.json", {"_attn_implementation": "ann/kernels"}, "ann/kernels"),
        ("config.json", {"architectures": ["Evil"]}, "config.json names"),
        ("config.json", {"architectures": ["BertModel"]}, "config.json names"),
        ("config.json", {"architectures": None}, "config.json names"),
    ],
)
def test_settings_that_bring_code_are_refused(store, file, change, said):
    record = store.put(small.make_classifier())
    files = files_of(store, record)
    files[file] = json.dumps({**json.loads(files[file]), **change}).encode()
    with pytest.raises(SerializationError, match=said):
        read(record, files)


@pytest.mark.parametrize("kind", ["os.system", "sentence_transformers.evil.Transformer2", None])
def test_modules_of_other_packages_are_refused(store, tmp_path, kind):
    record = store.put(small.make_sentence_model(tmp_path / "made"))
    files = files_of(store, record)
    modules = json.loads(files["modules.json"])
    modules[0]["type"] = kind
    files["modules.json"] = json.dumps(modules).encode()
    with pytest.raises(SerializationError, match=r"modules.json names"):
        read(record, files)


@pytest.mark.parametrize(
    "name",
    [
        "../config.json",
        "/config.json",
        "modeling_evil.py",
        "pytorch_model.bin",
        "model.safetensors/x",
    ],
)
def test_other_files_are_refused(store, name):
    record = store.put(small.make_classifier())
    with pytest.raises(SerializationError, match="it has a file"):
        read(record, {**files_of(store, record), name: b"x"})


def test_archives_that_grow_or_are_damaged_are_refused(store):
    record = store.put(small.make_classifier())
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b" " * 1_000_000)
    data = store.artifacts.path(record.digest).read_bytes()
    for bad in (buffer.getvalue(), data[: len(data) // 2], b"", b"PK\x03\x04", b"\x80\x04."):
        with pytest.raises(SerializationError, match="no model of Hugging Face that can be read"):
            TransformersFormat().read(StoredModel(bad, record.metadata))
    stranger = replace(record, metadata={**record.metadata, "kind": "pickle"})
    with pytest.raises(SerializationError, match="'pickle'"):
        read(stranger, files_of(store, record))
    with pytest.raises(SerializationError, match="its record 'Popen'"):
        read(replace(record, metadata={"kind": "model", "class": "Popen"}), files_of(store, record))


def without_weight(content, name):
    tensors = safetensors.load(content)
    del tensors[name]
    return safetensors.save(tensors, metadata={"format": "pt"})


def test_weights_that_a_file_lacks_are_not_made_up(store, tmp_path):
    for model, name in (
        (small.make_classifier(), "classifier.weight"),
        (small.make_sentence_model(tmp_path / "made"), "pooler.dense.weight"),
    ):
        record = store.put(model)
        files = files_of(store, record)
        files["model.safetensors"] = without_weight(files["model.safetensors"], name)
        with pytest.raises(SerializationError, match="weights"):
            read(record, files)


def peak_memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.parametrize(
    "change",
    [
        {"vocab_size": 10**12},
        {"vocab_size": 10**7},
        {"hidden_size": 10**9},
        {"hidden_size": 20_000},  # some 20 GB, which a machine with less would begin to fill
        {"max_position_embeddings": 10**9},
        {"num_hidden_layers": 10**9},
    ],
)
@pytest.mark.parametrize("kind", ["classifier", "sentences"])
def test_sizes_that_the_weights_do_not_have_are_refused_before_memory_is_taken(
    store, tmp_path, kind, change
):
    is_classifier = kind == "classifier"
    made = small.make_classifier() if is_classifier else small.make_sentence_model(tmp_path / "m")
    record = store.put(made)
    files = files_of(store, record)
    files["config.json"] = json.dumps({**json.loads(files["config.json"]), **change}).encode()
    before = peak_memory()
    with pytest.raises(SerializationError, match=r"its settings ask for|cannot be made"):
        read(record, files)
    assert peak_memory() - before < 200 * 2**20


def side(model):
    model.tokenizer.truncation_side = "left"


def activation(model):
    model.bert.encoder.layer[0].intermediate.intermediate_act_fn = torch.nn.ReLU()


def rounding(model):
    model.bert.encoder.layer[0].output.LayerNorm.eps = 0.1


def hook(model):
    model.classifier.register_forward_hook(lambda module, given, found: found + 1)


def forward(model):
    model.classifier.forward = lambda given: given[:, :2]


@pytest.mark.parametrize("change", [activation, rounding, hook, forward])
def test_what_the_files_do_not_keep_is_refused(store, change):
    model = small.make_classifier()
    before = store.digest(model)
    change(model)
    assert store.digest(model) != before
    with pytest.raises(SerializationError, match="read back with another"):
        TransformersFormat().write(model, "")


def test_how_texts_are_cut_is_kept_or_refused(tmp_path):
    model = small.make_sentence_model(tmp_path / "made")
    TransformersFormat().write(model, "")
    side(model)
    with pytest.raises(SerializationError, match="another truncation_side"):
        TransformersFormat().write(model, "")
    tokenizer = small.make_tokenizer()
    TransformersFormat().write(tokenizer, "")
    tokenizer.truncation_side = "left"
    with pytest.raises(SerializationError, match="another truncation_side"):
        TransformersFormat().write(tokenizer, "")
