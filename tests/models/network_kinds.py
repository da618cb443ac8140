"""Kinds of model made of networks: of torch, of Lightning, of Hugging Face; trained as users do."""

import io
import json
import os
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from tests import language_models
from tests.stores import lightning_net
from torch import nn

from penstock.models import KerasEstimator, LanguageModelEstimator, SentenceEncoder, TorchEstimator

os.environ.setdefault("KERAS_BACKEND", "torch")
TEXTS = pl.DataFrame({"note": [language_models.TEXTS[place % 5] or "late" for place in range(90)]})
TONE = pl.Series(
    "tone", ["bad" if "late" in note else "good" for note in TEXTS["note"]], dtype=pl.String
)
LENGTH = TEXTS["note"].str.len_chars().cast(float)


class Tower(nn.Module):
    """A network of the user's own."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first, self.norm = nn.Linear(inputs, 6), nn.LayerNorm(6)
        self.last = nn.Linear(6, outputs)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.last(torch.tanh(self.norm(self.first(rows))))
        return found


def train(net: Any, loss: Callable[[], Any], steps: int = 20) -> Any:
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    return net.eval()


def own_module(rows: pl.DataFrame, number: pl.Series) -> Any:
    x = torch.tensor(rows.to_numpy(), dtype=torch.float32)
    y = torch.tensor(number.to_numpy(), dtype=torch.float32)
    net = Tower(3, 1)
    return TorchEstimator(train(net, lambda: (net(x)[:, 0] - y).square().mean()))


def lightning_module(rows: pl.DataFrame, label: pl.Series) -> Any:
    x = torch.tensor(rows.to_numpy(), dtype=torch.float32)
    net = lightning_net.fit(x, torch.tensor((label == "yes").to_numpy()).long())
    return TorchEstimator(net, classes=["no", "yes"])


def keras_model(rows: pl.DataFrame, label: pl.Series) -> Any:
    import keras

    keras.utils.set_random_seed(0)
    layers = [keras.Input((3,)), keras.layers.Dense(5, "relu"), keras.layers.Dense(2, "softmax")]
    net = keras.Sequential(layers)
    net.compile("adam", "sparse_categorical_crossentropy")
    net.fit(rows.to_numpy(), (label == "yes").to_numpy().astype(int), epochs=2, verbose=0)
    return KerasEstimator(net, classes=["no", "yes"])


def language_model() -> Any:
    model = language_models.make_classifier(num_labels=2, id2label={0: "bad", 1: "good"})
    tokenizer = language_models.make_tokenizer()
    tokens = tokenizer(TEXTS["note"].to_list(), return_tensors="pt", padding=True)
    labels = torch.tensor((TONE == "good").to_numpy()).long()
    return LanguageModelEstimator(
        train(model, lambda: model(**tokens, labels=labels).loss, 3), tokenizer
    )


def length_model() -> Any:
    model, tokenizer = (
        language_models.make_classifier(num_labels=1),
        language_models.make_tokenizer(),
    )
    return LanguageModelEstimator(model, tokenizer)


def sentence_encoder() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        encoder = SentenceEncoder(language_models.make_sentence_model(folder))
    return make_pipeline(encoder, LogisticRegression()).fit(TEXTS, TONE.to_numpy())


# Reading the stored bytes without penstock: the archive of skops holds the network's own file.


def _files(data: bytes) -> list[bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [archive.read(name) for name in archive.namelist() if name.endswith(".bin")]


def _own_file(data: bytes, sign: bytes) -> bytes:
    return next(each for each in _files(data) if sign in each[:4096])


def _filled(net: nn.Module, data: bytes) -> nn.Module:
    """Give the tensors of a safetensors file to a module of the same class."""
    import safetensors.torch

    tensors = safetensors.torch.load(_own_file(data, b"__metadata__"))
    names = [*net.state_dict()]
    assert len(names) == len(tensors)
    net.load_state_dict({name: tensors[str(place)] for place, name in enumerate(names)})
    return net.eval()


def native_module(data: bytes, rows: pl.DataFrame) -> Any:
    x = torch.tensor(rows.to_numpy(), dtype=torch.float32)
    with torch.inference_mode():
        return _filled(Tower(3, 1), data)(x).double().numpy()[:, 0]


def native_lightning(data: bytes, rows: pl.DataFrame) -> Any:
    x = torch.tensor(rows.to_numpy(), dtype=torch.float32)
    with torch.inference_mode():
        scores = _filled(lightning_net.LitNet(5), data)(x)
    return np.asarray(["no", "yes"])[scores.argmax(dim=1).numpy()]


def _unpacked(data: bytes, sign: bytes, folder: str) -> None:
    with zipfile.ZipFile(io.BytesIO(_own_file(data, sign))) as archive:
        archive.extractall(folder)


def native_keras(data: bytes, rows: pl.DataFrame) -> Any:
    import keras
    import safetensors.torch

    with zipfile.ZipFile(io.BytesIO(_own_file(data, b"config.json"))) as archive:
        settings = json.loads(archive.read("config.json"))
        tensors = safetensors.torch.load(archive.read("model.safetensors"))
    net = keras.saving.deserialize_keras_object(settings)
    net.set_weights([tensors[name] for name in sorted(tensors)])
    scores = net(rows.to_numpy().astype("float32"), training=False)
    return np.asarray(["no", "yes"])[scores.argmax(dim=1).numpy()]


def native_language_model(data: bytes, rows: pl.DataFrame) -> Any:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    with tempfile.TemporaryDirectory() as folder:
        for each in _files(data):  # the model's files and those of the tokenizer
            with zipfile.ZipFile(io.BytesIO(each)) as archive:
                archive.extractall(folder)
        model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
        tokenizer = AutoTokenizer.from_pretrained(folder)
        for weights in model.parameters():  # they may begin anywhere in the mapped file
            weights.data = weights.data.clone()
    with torch.inference_mode():
        tokens = tokenizer(rows["note"].to_list(), return_tensors="pt")
        scores = model(**tokens).logits
    if scores.shape[1] == 1:
        return scores[:, 0].double().numpy()
    return np.asarray([model.config.id2label[int(each)] for each in scores.argmax(dim=1)])


def native_sentences(data: bytes, rows: pl.DataFrame) -> Any:
    import skops.io
    from sentence_transformers import SentenceTransformer

    with tempfile.TemporaryDirectory() as folder:
        _unpacked(data, b"config.json", folder)
        vectors = SentenceTransformer(str(Path(folder))).encode(rows["note"].to_list())
    head = skops.io.loads(data, trusted=["penstock.models._language_models.SentenceEncoder"])[1]
    return head.predict(vectors.astype(float))
