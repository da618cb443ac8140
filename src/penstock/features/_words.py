"""WordWeights: prose as the weights of its most frequent words."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.utils.validation import check_is_fitted

from penstock.features._columns import NamedColumns
from penstock.features._plain import texts_of
from penstock.tables import columns_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


class WordWeights(NamedColumns):
    """Transformer of a text column to weights of its words (scikit-learn's TfidfVectorizer).

    Only the most frequent words are used. A column without any word has no features instead of an
    error.

    >>> import polars as pl
    >>> texts = pl.DataFrame({"note": ["late again", "on time", "late"]})
    >>> WordWeights(max_words=2).fit(texts).get_feature_names_out().tolist()
    ['note_again', 'note_late']

    Args:
        max_words: Number of words to use.
    """

    def __init__(self, max_words: int = 64) -> None:
        self.max_words = max_words

    def fit(self, X: object, y: object = None) -> Self:  # noqa: N803 - scikit-learn's words
        """Choose the words."""
        super().fit(X, y)
        vectorizer = TfidfVectorizer(max_features=self.max_words)
        analyse = vectorizer.build_analyzer()
        texts = texts_of(columns_of(X)[0])
        # scikit-learn refuses an empty vocabulary.
        self.has_words_ = any(analyse(text) for text in texts)
        if self.has_words_:
            self.vectorizer_ = vectorizer.fit(texts)
        return self

    def transform(self, X: object) -> "NDArray[np.float64]":  # noqa: N803
        """Return weights of shape (rows, words)."""
        check_is_fitted(self)
        texts = texts_of(columns_of(X)[0])
        if not self.has_words_:
            return np.empty((len(texts), 0))
        return np.asarray(self.vectorizer_.transform(texts).toarray())

    def get_feature_names_out(self, input_features: object = None) -> "NDArray[Any]":  # noqa: ARG002
        """Return ``column_word`` for every word."""
        check_is_fitted(self)
        words = self.vectorizer_.get_feature_names_out() if self.has_words_ else []
        return np.asarray([f"{self.feature_names_in_[0]}_{word}" for word in words], dtype=object)
