"""Models of texts: each text as by itself, stored with their tokenizer, served as any other model."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from litestar.testing import TestClient
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import penstock as ps
from penstock.core import DataError, ParameterError, SerializationError
from penstock.execution import QuietReporter
from penstock.models import (
    LanguageModelEstimator,
    Model,
    SentenceEncoder,
    infer_signature,
    require_safe,
)
from penstock.registry import Registry
from penstock.serving import create_app
from penstock.stores import open_store

NEEDED = "pip install 'penstock[torch,transformers]'"
torch = pytest.importorskip("torch", reason=NEEDED)
pytest.importorskip("transformers", reason=NEEDED)
pytest.importorskip("sentence_transformers", reason=NEEDED)
from tests import language_models as small  # noqa: E402 - it needs the libraries

TEXTS = pl.DataFrame(
    {"note": ["late again", "the train", "fine ride the ride", "late late unseen"]}
)
LABELS = {0: "fine", 1: "late", 2: "lost"}


def classifier(**facts):
    return LanguageModelEstimator(
        small.make_classifier(num_labels=3, id2label=LABELS), small.make_tokenizer(), **facts
    )


def test_probabilities_are_the_softmax_of_the_librarys_own_scores():
    estimator = classifier()
    found = estimator.predict_proba(TEXTS)
    for row, text in enumerate(TEXTS["note"]):
        tokens = estimator.tokenizer(text, return_tensors="pt")
        with torch.inference_mode():
            scores = estimator.model(**tokens).logits.double()
        expected = torch.softmax(scores, dim=1)[0].numpy()
        np.testing.assert_allclose(found[row], expected, rtol=1e-6)
    assert estimator.predict(TEXTS).tolist() == [LABELS[place] for place in found.argmax(axis=1)]
    assert estimator.classes_.tolist() == ["fine", "late", "lost"]


def test_a_text_is_answered_with_the_same_bits_alone_and_among_others():
    estimator = classifier()
    together = estimator.predict_proba(TEXTS)
    for row in range(TEXTS.height):
        assert (estimator.predict_proba(TEXTS[row : row + 1]) == together[row]).all()
    threads = torch.get_num_threads()
    estimator.predict(TEXTS)
    assert torch.get_num_threads() == threads


def test_a_model_with_one_score_is_a_regression():
    estimator = LanguageModelEstimator(small.make_classifier(num_labels=1), small.make_tokenizer())
    assert not hasattr(estimator, "predict_proba")
    assert infer_signature(estimator, TEXTS).task == "regression"
    assert estimator.predict(TEXTS).shape == (4,)


def test_texts_are_cut_at_what_the_model_takes():
    long = pl.DataFrame({"note": ["late " * 40]})
    assert (
        classifier().predict_proba(long)
        == classifier().predict_proba(pl.DataFrame({"note": ["late " * 16]}))
    ).all()
    assert (
        classifier(max_tokens=2).predict_proba(long)
        == classifier().predict_proba(pl.DataFrame({"note": ["late late"]}))
    ).all()
    assert (classifier(max_tokens=99).predict_proba(long) == classifier().predict_proba(long)).all()


@pytest.mark.parametrize("text", ["", None])
def test_a_text_without_tokens_is_a_sentence_and_for_vectors_zeros(text, tmp_path):
    with pytest.raises(DataError, match="has no tokens"):
        classifier().predict([text])
    encoder = SentenceEncoder(small.make_sentence_model(tmp_path / "made"))
    assert not encoder.transform([text]).any()
    assert encoder.transform(["late", text]).any(axis=1).tolist() == [True, False]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (pl.DataFrame({"a": ["x"], "b": ["y"]}), "takes one text column"),
        (pl.DataFrame({"a": [3]}), "3, of type int"),
    ],
)
def test_what_is_no_text_is_a_sentence(table, said):
    with pytest.raises(DataError, match=said):
        classifier().predict(table)


def test_classes_have_a_score_each():
    with pytest.raises(ParameterError, match="3 scores"):
        classifier(classes=["a", "b"]).predict(TEXTS)


def test_both_are_stored_safely_with_the_estimators_after_them_and_predict_the_same(tmp_path):
    store = open_store(f"sqlite:///{tmp_path}/penstock.db")
    sentences = small.make_sentence_model(tmp_path / "made")
    encoder = SentenceEncoder(sentences)
    vectors = encoder.fit(TEXTS).transform(TEXTS)
    assert np.array_equal(vectors[0], sentences.encode(["late again"])[0].astype(float))
    assert encoder.get_feature_names_out()[-1] == "embedding_15"
    head = LogisticRegression().fit(vectors, ["a", "b", "a", "b"])
    for estimator in (classifier(), make_pipeline(encoder, head)):
        record = require_safe(store.put(estimator))
        assert record.format == "skops"
        back = store.get(record.digest)
        assert store.digest(back) == record.content_digest
        assert (back.predict_proba(TEXTS) == estimator.predict_proba(TEXTS)).all()
    assert clone(classifier(max_tokens=3), safe=False).max_tokens == 3


STEPS = """
import polars as pl
import penstock as ps
from penstock.models import LanguageModelEstimator
import small


@ps.step
def train():
    model = small.make_classifier(num_labels=2, id2label={0: "fine", 1: "late"})
    return LanguageModelEstimator(model, small.make_tokenizer())


@ps.pipeline
def texts():
    return train()
"""


def test_it_is_trained_verified_registered_served_and_predicts_files(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "texts.py").write_text(STEPS)
    (tmp_path / "small.py").write_text(Path(small.__file__).read_text())
    store = open_store(f"sqlite:///{tmp_path}/.penstock/penstock.db")
    pipeline = ps.execution.load_pipeline(str(tmp_path / "texts.py"))
    result = ps.run(pipeline, store=store, reporter=QuietReporter())
    proof = ps.verify(result.run_id, hash_seeds=1, store=store)
    assert proof.verdict.value == "bitwise", proof
    estimator, registry = result.output("train"), Registry(store=store)
    model = Model(estimator, infer_signature(estimator, TEXTS, ["fine", "late", "fine", "late"]))
    registry.register("notes", model, run_id=result.run_id, actor="ann")
    registry.promote("notes", 1, actor="ann", reason="It is tried.", force_reason="A test.")
    with TestClient(create_app(names=["notes"], store=store)) as client:
        reply = client.post("/models/notes/predict", json={"rows": TEXTS.to_dicts()})
        served = reply.json()["predictions"]
    assert [each["prediction"] for each in served] == estimator.predict(TEXTS).tolist()
    TEXTS.write_parquet("notes.parquet")
    ps.predict("notes", data="notes.parquet", out="out.parquet", store=store)
    batch = pl.read_parquet("out.parquet")
    assert batch["prediction"].to_list() == [each["prediction"] for each in served]
    scores = [each["score"] for each in served]
    assert batch["score"].to_list() == scores


def text_pipeline(**settings):
    library = pytest.importorskip("transformers")
    facts = settings.pop("facts", {"num_labels": 3, "id2label": LABELS})
    return library.TextClassificationPipeline(
        model=small.make_classifier(**facts),
        tokenizer=small.make_tokenizer(),
        task="text-classification",
        device="cpu",
        **settings,
    )


@pytest.mark.parametrize("settings", [{}, {"truncation": True, "max_length": 2, "top_k": None}])
def test_a_pipeline_of_texts_is_a_model_with_its_own_answers(settings, tmp_path):
    pipeline = text_pipeline(**settings)
    texts = pl.DataFrame({"note": [*TEXTS["note"], "late fine the ride"]})
    with open_store(f"sqlite:///{tmp_path}/s.db") as store:
        signature = infer_signature(pipeline, texts, ["late", "fine", "fine", "late", "lost"])
        version = Registry(store=store).register("notes", Model(pipeline, signature))
        record = store.metadata.artifacts.get(version.artifact)
        assert (record.format, record.unsafe) == ("transformers", False)
        assert store.put(text_pipeline(**settings)).digest == record.digest
        back = store.load(record)
        answers = Model(back, signature).predict(texts)
    for text, label, share in zip(texts["note"], answers.values, answers.scores, strict=True):
        own = pipeline(text)
        while isinstance(own, list):
            own = own[0]
        assert label == own["label"]
        assert share == pytest.approx(own["score"], rel=1e-5)
        assert back(text) == pipeline(text)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"function_to_apply": "sigmoid"}, "function_to_apply"),
        ({"facts": {"num_labels": 1}}, "one score per text"),
        ({"add_special_tokens": False}, "add_special_tokens"),
    ],
)
def test_a_pipeline_that_answers_otherwise_is_refused_by_name(settings, named):
    with pytest.raises(ParameterError, match=named):
        infer_signature(text_pipeline(**settings), TEXTS)


def test_a_forged_setting_of_a_pipeline_is_refused(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/s.db") as store:
        record = store.put(text_pipeline())
        facts = {**record.metadata, "settings": {"model_card_data": "/etc/passwd"}}
        with pytest.raises(SerializationError, match="its record names the setting"):
            store.load(replace(record, metadata=facts))


def test_a_model_with_an_adapter_is_refused_with_the_way_out():
    adapted = type("PeftModelForSequenceClassification", (), {"__module__": "peft.peft_model"})()
    with pytest.raises(DataError, match=r"merge_and_unload\(\)"):
        infer_signature(adapted, TEXTS)
    with pytest.raises(SerializationError, match=r"merge_and_unload\(\)"):
        LanguageModelEstimator(adapted, small.make_tokenizer()).__getstate__()
