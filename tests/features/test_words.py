import numpy as np
import polars as pl
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from penstock.core import ParameterError
from penstock.features import WordWeights

NOTES = ["the ride was late", "late again, sorry", None, "a fine ride"]


def test_weights_are_scikit_learns():
    table = pl.DataFrame({"note": NOTES})
    found = WordWeights(max_words=4).fit_transform(table)
    texts = [note or "(missing)" for note in NOTES]
    assert np.array_equal(found, TfidfVectorizer(max_features=4).fit_transform(texts).toarray())


def test_a_column_without_words_gives_no_features():
    fitted = WordWeights().fit(pl.DataFrame({"note": ["!", "?", "a"]}))
    assert fitted.transform(pl.DataFrame({"note": ["a real word", None]})).shape == (2, 0)
    assert fitted.get_feature_names_out().tolist() == []


def test_new_words_and_missing_texts_are_no_error():
    fitted = WordWeights().fit(pl.DataFrame({"note": ["late ride", "fine ride"]}))
    assert fitted.transform(pl.DataFrame({"note": [None, "unheard"]})).tolist() == [[0.0] * 3] * 2


def test_n_grams_of_words_and_characters_are_scikit_learns_and_bounded():
    table = pl.DataFrame({"note": NOTES, "more": NOTES[::-1]})
    texts = [note or "(missing)" for note in NOTES]
    found = WordWeights(7, ngrams=(2, 3), characters=True).fit_transform(table)
    oracle = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 3), max_features=7)
    assert np.array_equal(found[:, :7], oracle.fit(texts).transform(texts).toarray())
    assert found.shape == (4, 14)


@pytest.mark.parametrize("ngrams", [(2, 1), (0, 1), (1,), 3, ("a", "b"), (1, 2, 3)])
def test_a_wrong_length_of_n_grams_is_refused(ngrams):
    with pytest.raises(ParameterError, match="ngrams of WordWeights is"):
        WordWeights(ngrams=ngrams).fit(pl.DataFrame({"note": NOTES}))


def test_a_model_stored_before_n_grams_answers_as_it_did():
    table = pl.DataFrame({"note": NOTES})
    fitted = WordWeights(max_words=4).fit(table)
    before = {key: item for key, item in vars(fitted).items() if key[:7] != "vectori"}
    for option in ("ngrams", "characters"):
        before.pop(option)
    old = WordWeights.__new__(WordWeights)
    old.__setstate__({**before, "has_words_": True, "vectorizer_": fitted.vectorizers_[0]})
    assert np.array_equal(old.transform(table), fitted.transform(table))
