import numpy as np
import polars as pl
from sklearn.feature_extraction.text import TfidfVectorizer

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
