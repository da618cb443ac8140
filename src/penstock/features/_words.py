"""WordWeights: prose as the weights of its most frequent words or pieces of words."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.utils.validation import check_is_fitted

from penstock.core import ParameterError
from penstock.features._columns import NamedColumns, is_count
from penstock.features._plain import texts_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class WordWeights(NamedColumns):
    """Transformer of text columns to weights of their words (scikit-learn's TfidfVectorizer).

    Only the most frequent words are used. A column without any word has no features instead of an
    error.

    >>> import polars as pl
    >>> texts = pl.DataFrame({"note": ["late again", "on time", "late"]})
    >>> WordWeights(max_words=2).fit(texts).get_feature_names_out().tolist()
    ['note_again', 'note_late']
    >>> pairs = WordWeights(max_words=5, ngrams=(1, 2)).fit(texts)
    >>> pairs.get_feature_names_out().tolist()
    ['note_again', 'note_late', 'note_late again', 'note_on', 'note_on time']

    Args:
        max_words: Number of words, or of n-grams, to use of a column.
        ngrams: Shortest and longest number of words, or of characters, that count as an entry.
        characters: Whether to use characters within words instead of words: for misspelled words,
            codes and languages without blanks.
    """

    def __init__(
        self,
        max_words: int = 64,
        *,
        ngrams: "Sequence[int]" = (1, 1),
        characters: bool = False,
    ) -> None:
        self.max_words = max_words
        self.ngrams = ngrams
        self.characters = characters

    def fit(self, X: object, y: object = None) -> Self:  # noqa: N803, ARG002 - scikit-learn's words
        """Choose the words.

        Raises:
            ParameterError: If ``ngrams`` is no pair of whole numbers, or ``max_words`` is below 1.
        """
        self._check()
        columns = self._read(X, reset=True)
        self.vectorizers_ = [self._vectorizer(texts_of(column)) for column in columns]
        return self

    def transform(self, X: object) -> "NDArray[np.float64]":  # noqa: N803
        """Return weights of shape (rows, words)."""
        check_is_fitted(self)
        parts = []
        for column, vectorizer in zip(self._read(X), self.vectorizers_, strict=True):
            if vectorizer is None:
                parts.append(np.empty((len(column), 0)))
            else:
                parts.append(np.asarray(vectorizer.transform(texts_of(column)).toarray()))
        return np.column_stack(parts)

    def get_feature_names_out(self, input_features: object = None) -> "NDArray[Any]":  # noqa: ARG002
        """Return ``column_word`` for every word."""
        check_is_fitted(self)
        names = [
            f"{name}_{word}"
            for name, vectorizer in zip(self._names(), self.vectorizers_, strict=True)
            if vectorizer is not None
            for word in vectorizer.get_feature_names_out()
        ]
        return np.asarray(names, dtype=object)

    def __setstate__(self, state: "dict[str, Any]") -> None:
        """Restore the state, also of a model that was stored before columns had n-grams."""
        if "has_words_" in state:
            state = {"ngrams": (1, 1), "characters": False, **state}
            vectorizer = state.pop("vectorizer_", None)
            state["vectorizers_"] = [vectorizer if state.pop("has_words_") else None]
        super().__setstate__(state)

    def _vectorizer(self, texts: "NDArray[Any]") -> TfidfVectorizer | None:
        vectorizer = TfidfVectorizer(
            analyzer="char_wb" if self.characters else "word",
            ngram_range=tuple(self.ngrams),
            max_features=self.max_words,
        )
        analyse = vectorizer.build_analyzer()
        # scikit-learn refuses an empty vocabulary.
        return vectorizer.fit(texts) if any(analyse(text) for text in texts) else None

    def _check(self) -> None:
        if not _is_span(self.ngrams):
            raise ParameterError(
                what=f"ngrams of WordWeights is {self.ngrams!r}.",
                fix="Give the shortest and the longest length, for example ngrams=(1, 2).",
            )
        if not is_count(self.max_words):
            raise ParameterError(
                what=f"max_words of WordWeights is {self.max_words!r}.",
                fix="Give a whole number of 1 or more, for example max_words=64.",
            )


def _is_span(ngrams: Any) -> bool:
    if not isinstance(ngrams, tuple | list) or len(ngrams) != 2:  # noqa: PLR2004 - shortest and longest
        return False
    return all(is_count(length) for length in ngrams) and ngrams[0] <= ngrams[1]
