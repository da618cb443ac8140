"""LanguageModelEstimator and SentenceEncoder: models of Hugging Face as estimators of a text column."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.metaestimators import available_if

from penstock.core import DataError, ParameterError, SerializationError, one_torch_thread, require
from penstock.models._file_advice import MERGE
from penstock.models._task_tags import tag_task
from penstock.stores import nested_state, read_nested

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NESTED = "stored"
_MOST_TOKENS = 100_000  # tokenizers without a limit name a number far above


def _has_classes(estimator: "LanguageModelEstimator") -> bool:
    return estimator.labels is not None


class _Storable(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """An estimator whose parameters may be models of Hugging Face, stored in their own format."""

    def fit(self, X: object, y: object = None) -> Any:  # noqa: N803 - scikit-learn's name
        """Return the estimator: the model is trained already."""
        del X, y
        return self

    def __sklearn_is_fitted__(self) -> bool:
        """Tell scikit-learn that there is nothing to fit."""
        return True

    def __getstate__(self) -> Any:
        """Return the attributes; in a store with each model in the model's format."""
        state = super().__getstate__()
        for name in self._get_param_names():
            root = type(state.get(name)).__module__.partition(".")[0]
            if root == "peft":
                raise SerializationError(
                    what=f"The {name} is {type(state[name]).__name__}, a model with an adapter.",
                    why="Its files name the base model by a place, where another may lie tomorrow.",
                    fix=MERGE,
                )
            if root in _LIBRARIES:
                nested = nested_state(state[name])
                state = state if nested is None else {**state, name: {_NESTED: nested}}
        return state

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Set the attributes; see ``__getstate__``."""
        attributes = {
            name: read_nested(value[_NESTED])
            if isinstance(value, dict) and _NESTED in value
            else value
            for name, value in state.items()
        }
        super().__setstate__(attributes)


_LIBRARIES = frozenset({"transformers", "sentence_transformers"})


class LanguageModelEstimator(_Storable):
    """A trained model of Hugging Face that judges a text, as a scikit-learn estimator.

    Takes a single text column. Each text is predicted as in a call with this text alone, on one
    thread, so that a request and a batch get the same bits. A missing text is the empty text, which
    a tokenizer without special tokens refuses. Stored,
    model and tokenizer are the files that the library itself saves, with weights in safetensors.

    >>> from transformers import AutoModelForSequenceClassification, AutoTokenizer  # doctest: +SKIP
    >>> from penstock.models import LanguageModelEstimator
    >>> model = AutoModelForSequenceClassification.from_pretrained("tuned")  # doctest: +SKIP
    >>> tokenizer = AutoTokenizer.from_pretrained("tuned")  # doctest: +SKIP
    >>> LanguageModelEstimator(model, tokenizer).predict(["late again"])  # doctest: +SKIP
    array(['complaint'], dtype='<U9')

    Threads: calls are made in sequence.

    Args:
        model: A model with a score (logit) per class, or a single number:
            ``AutoModelForSequenceClassification``.
        tokenizer: The model's fast tokenizer.
        classes: Labels in the order of the scores; by default those of the model's ``id2label``. A
            model with a single score is a regression.
        max_tokens: Tokens of a text that are read; at most, and by default, as many as model and
            tokenizer take.
    """

    def __init__(
        self,
        model: object,
        tokenizer: object,
        classes: Sequence[Any] | None = None,
        max_tokens: int | None = None,
    ) -> None:
        self.model: Any = model
        self.tokenizer: Any = tokenizer
        self.classes = classes
        self.max_tokens = max_tokens

    @property
    def labels(self) -> tuple[Any, ...] | None:
        """Labels in the order of the scores; None for a regression."""
        count = self.model.config.num_labels
        if self.model.config.problem_type == "multi_label_classification":
            raise ParameterError(
                what=f"{type(self.model).__name__} judges several labels per text"
                " (problem_type is multi_label_classification).",
                why="This estimator answers one label or one number, and its probabilities would be"
                " other ones than the model's.",
                fix="Train it with problem_type single_label_classification, or a model per label.",
            )
        if self.classes is not None:
            labels = tuple(self.classes)
        elif count == 1:
            return None
        else:
            labels = tuple(self.model.config.id2label[place] for place in range(count))
        if len(labels) != count:
            raise ParameterError(
                what=f"classes of LanguageModelEstimator are {list(labels)}, and the model has"
                f" {count} scores.",
                why="There is one score for each class.",
                fix="Name the classes in the order of the scores.",
            )
        return labels

    @property
    def classes_(self) -> "NDArray[Any]":
        """Labels in the order of the probabilities, as scikit-learn names them."""
        import numpy as np

        if self.labels is None:
            raise AttributeError("classes_")
        return np.asarray(self.labels)

    def predict(self, X: object) -> "NDArray[Any]":  # noqa: N803 - scikit-learn's name
        """Predict labels or numbers, shape (n,).

        Raises:
            DataError: If X is no single column of texts, or the model has no score per class.
        """
        if self.labels is not None:
            labels: NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        else:
            labels = self._scores(X)[:, 0]
        return labels

    @available_if(_has_classes)  # type: ignore[untyped-decorator]  # scikit-learn has no types
    def predict_proba(self, X: object) -> "NDArray[Any]":  # noqa: N803 - scikit-learn's name
        """Compute the probability of each class, shape (n, classes).

        Raises:
            DataError: As for ``predict``.
        """
        import numpy as np

        scores = self._scores(X)
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares: NDArray[Any] = powers / powers.sum(axis=1, keepdims=True)
        return shares

    def _scores(self, X: object) -> "NDArray[Any]":  # noqa: N803 - scikit-learn's name
        import numpy as np

        torch = require("torch", extra="torch", purpose="predicting texts")
        if self.model.training:
            self.model.eval()
        texts, width = texts_of(X), self.model.config.num_labels
        scores = np.zeros((len(texts), width))
        with one_torch_thread(torch), torch.inference_mode():
            for place, text in enumerate(texts):
                tokens = self.tokenizer(
                    text, truncation=True, max_length=self._most_tokens, return_tensors="pt"
                )
                if not tokens["input_ids"].numel():
                    raise DataError(
                        what=f"The text {text[:40]!r} has no tokens.",
                        why="The model has nothing to judge, and would fail.",
                        fix="Use a tokenizer that adds special tokens, as those of BERT do, or leave"
                        " out rows without a text.",
                    )
                logits = getattr(self.model(**tokens), "logits", None)
                if logits is None or tuple(logits.shape) != (1, width):
                    raise DataError(
                        what=f"{type(self.model).__name__} returned no {width} scores for a text.",
                        why="A prediction is a label or a number for each text.",
                        fix="Use a model for sequence classification.",
                    )
                scores[place] = logits[0].double().numpy()
        return scores

    @property
    def _most_tokens(self) -> int:
        positions = getattr(self.model.config, "max_position_embeddings", None) or _MOST_TOKENS
        most = int(min(self.tokenizer.model_max_length, positions, _MOST_TOKENS))
        return most if self.max_tokens is None else min(self.max_tokens, most)

    def __sklearn_tags__(self) -> object:
        """Tell scikit-learn whether the estimator is a classifier."""
        return tag_task(super().__sklearn_tags__(), is_classifier=self.labels is not None)


_CUTS = frozenset({"truncation", "max_length", "padding", "top_k"})


def estimator_of_pipeline(pipeline: Any) -> LanguageModelEstimator:
    """Return the estimator that answers as a pipeline of transformers that classifies texts.

    Args:
        pipeline: A ``TextClassificationPipeline``; what it was told about truncation is followed, a
            text longer than the model takes is cut.

    Raises:
        ParameterError: If its scores are not the softmax of the model's, or a setting is unknown.
    """
    told = {**vars(pipeline)["_preprocess_params"], **vars(pipeline)["_postprocess_params"]}
    applied = getattr(told.pop("function_to_apply", None), "name", "SOFTMAX")
    told.pop("_legacy", None)
    config = pipeline.model.config
    is_sigmoid = config.num_labels == 1 and config.problem_type != "regression"
    if applied != "SOFTMAX" or is_sigmoid or not told.keys() <= _CUTS:
        odd = next(iter(told.keys() - _CUTS), "function_to_apply")
        raise ParameterError(
            what=f"The pipeline has {'one score per text' if is_sigmoid else f'a setting {odd!r}'}.",
            why="A model of penstock answers with the softmax of its scores; the pipeline would"
            " answer otherwise.",
            fix="Leave the setting out, or return penstock.models.LanguageModelEstimator(model,"
            " tokenizer), whose single score is a number.",
        )
    limit = told.get("max_length") if told.get("truncation") else None
    return LanguageModelEstimator(pipeline.model, pipeline.tokenizer, max_tokens=limit)


class SentenceEncoder(TransformerMixin, _Storable):  # type: ignore[misc]  # scikit-learn has no types
    """A model of sentence-transformers as a transformer of a text column; stored with the model.

    `TextEmbedding` records the digest of a model's files and finds them again; this class keeps
    them in the store, with the estimator behind: ``make_pipeline(SentenceEncoder(model),
    LogisticRegression())``. Each text is encoded alone, on one thread; a missing or blank text
    is a vector of zeros.

    Threads: calls are made in sequence.

    Args:
        model: A ``sentence_transformers.SentenceTransformer``.
    """

    def __init__(self, model: object) -> None:
        self.model: Any = model

    def transform(self, X: object) -> "NDArray[Any]":  # noqa: N803 - scikit-learn's name
        """Compute the vector of each text, shape (n, width), float64.

        Raises:
            DataError: If X is no single column of texts.
        """
        import numpy as np

        torch = require("torch", extra="torch", purpose="embeddings of texts")
        texts = texts_of(X)
        with one_torch_thread(torch):
            rows = [
                self.model.encode([text], batch_size=1, show_progress_bar=False)
                if text.strip()
                else np.zeros((1, self._width))
                for text in texts
            ]
        return np.vstack(rows).astype(np.float64) if rows else np.zeros((0, self._width))

    def get_feature_names_out(self, input_features: object = None) -> "NDArray[Any]":
        """Return names of the columns: ``embedding_0`` and so on."""
        import numpy as np

        del input_features
        return np.asarray([f"embedding_{place}" for place in range(self._width)], dtype=object)

    @property
    def _width(self) -> int:
        old = "get_sentence_embedding_dimension"  # its name before sentence-transformers 5.3
        ask = getattr(self.model, "get_embedding_dimension", None) or getattr(self.model, old)
        return int(ask() or 0)


def texts_of(table: object) -> list[str]:
    """Return the texts of a single column, of a frame, a matrix or a list.

    Raises:
        DataError: If there are several columns, or a value is no text.
    """
    import numpy as np

    values: Any = table.to_numpy() if hasattr(table, "to_numpy") else table
    values = np.asarray(values, dtype=object)
    if values.ndim == 2 and values.shape[1] == 1:  # noqa: PLR2004 - a matrix
        values = values[:, 0]
    if values.ndim != 1:
        raise DataError(
            what=f"The rows have shape {values.shape}.",
            why="A language model takes one text column.",
            fix="Choose the column by a ColumnTransformer, or drop the others.",
        )
    texts = ["" if _is_missing(value) else value for value in values.tolist()]
    if strange := [value for value in texts if not isinstance(value, str)]:
        raise DataError(
            what=f"A value is {strange[0]!r}, of type {type(strange[0]).__name__}.",
            why="A language model takes one column of texts.",
            fix="Convert the column to text, or choose another.",
        )
    return texts


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)  # noqa: PLR0124 - NaN
