"""Outcomes: truth, prediction and score of the same rows as plain arrays; the input of metrics.

Notation: n rows, K classes (or labels of a ``multilabel`` target); ``truth`` and ``prediction`` are class codes 0…K-1 (or numbers),
``scores`` is (n,) for the positive class of a binary target and (n, K) for several classes. With
several labels per row truth and prediction are (n, K), 0 or 1.
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from penstock.core import DataError
from penstock.tables import plain_value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ties: TypeAlias = tuple[NDArray[np.intp] | None, NDArray[np.intp], NDArray[np.intp]]


@dataclass(frozen=True)
class Outcomes:
    """Truth and prediction, row by row.

    Args:
        task: ``binary``, ``multiclass``, ``multilabel`` or ``regression``.
        classes: Labels by code; for a binary target (negative, positive); empty for regression.
        truth: Shape (n,): class codes, or numbers in the target's unit; (n, K) for several labels.
        prediction: Shape (n,): predicted class codes or numbers; (n, K) for several labels.
        scores: Shape (n,) or (n, K); of a regression the forecasts of quantiles; None if the model
            has no scores.
        probability: True if the scores are probabilities.
        epsilon: Resolution of the scores as returned by the model: log loss is clipped there.
        oriented: True if the second of two classes is known to be the positive class.
    """

    task: str
    classes: tuple[Any, ...]
    truth: "NDArray[Any]"
    prediction: "NDArray[Any]"
    scores: "NDArray[np.float64] | None" = None
    probability: bool = False
    epsilon: float = sys.float_info.epsilon
    oriented: bool = True

    def __len__(self) -> int:
        return len(self.truth)

    def take(self, rows: "NDArray[Any]") -> "Outcomes":
        """Return rows chosen by position or mask."""
        return replace(
            self,
            truth=self.truth[rows],
            prediction=self.prediction[rows],
            scores=None if self.scores is None else self.scores[rows],
        )

    def canonical_order(self) -> "NDArray[np.intp]":
        """Return the order of rows by content, so that results do not depend on the stored order.

        Rows that tie are identical, so any permutation of the table gives bitwise equal figures.
        """
        import numpy as np

        # Several labels are a key each.
        keys: list[NDArray[Any]] = [
            key for side in (self.prediction, self.truth) for key in np.atleast_2d(side.T)
        ]
        if self.scores is not None:
            keys.extend(np.atleast_2d(self.scores.T))
        elif self.task == "regression":
            keys.reverse()
        return np.lexsort(keys)

    def of_label(self, code: int) -> "Outcomes":
        """Return the rows of a ``multilabel`` target as those of a single label: present (1) or not."""
        return replace(
            self,
            task="binary",
            classes=(0, 1),
            truth=self.truth[:, code].astype("int64"),
            prediction=self.prediction[:, code].astype("int64"),
            scores=None if self.scores is None else self.scores[:, code],
        )

    def all_labels(self) -> "Outcomes":
        """Return each label of each row as a separate row, (n x K,), row by row."""
        return replace(
            self,
            task="binary",
            classes=(0, 1),
            truth=self.truth.reshape(-1).astype("int64"),
            prediction=self.prediction.reshape(-1).astype("int64"),
            scores=None if self.scores is None else self.scores.reshape(-1),
        )

    @cached_property
    def bad_scores(self) -> int:
        """Number of rows with a score that is no finite number."""
        import numpy as np

        if self.scores is None:
            return 0
        finite = np.isfinite(self.scores)
        return int((~(finite if finite.ndim == 1 else finite.all(axis=1))).sum())

    @cached_property
    def score_order(self) -> "Ties":
        """Rows by rising score (None: already sorted), and first and last row of each row's tie."""
        assert self.scores is not None
        return order_scores(self.scores)


def order_scores(scores: "NDArray[np.float64]") -> "Ties":
    """Return the rows by rising score; per position, where the tie starts and ends."""
    import numpy as np

    rising = bool(np.all(scores[1:] >= scores[:-1]))
    order = None if rising else np.argsort(scores, kind="stable")
    ordered = scores if order is None else scores[order]
    starts = np.searchsorted(ordered, ordered, side="left")
    ends = np.searchsorted(ordered, ordered, side="right") - 1
    return order, starts, ends


def sort_labels(labels: Iterable[Any]) -> tuple[Any, ...]:
    """Sort labels, also if their types cannot be compared.

    >>> sort_labels(["yes", "no"]), sort_labels([1, "a"])
    (('no', 'yes'), (1, 'a'))
    """
    values = [plain_value(label) for label in labels]
    try:
        return tuple(sorted(values))
    except TypeError:
        return tuple(sorted(values, key=lambda label: (type(label).__name__, str(label))))


def encode_labels(
    labels: "Sequence[Any] | NDArray[Any]", classes: Sequence[Any], *, owner: str
) -> "NDArray[np.int64]":
    """Convert labels to class codes; 1, 1.0 and True are the same label, 1 and "1" are not.

    >>> encode_labels(["yes", "no"], ["no", "yes"], owner="target").tolist()
    [1, 0]

    Args:
        labels: Labels, shape (n,).
        classes: Known labels by code.
        owner: Owner of the labels, for the message.

    Raises:
        DataError: If a label is not among the classes.
    """
    import numpy as np

    code_of = {plain_value(label): code for code, label in enumerate(classes)}
    values = labels.tolist() if isinstance(labels, np.ndarray) else list(labels)
    try:
        return np.fromiter((code_of[value] for value in values), np.int64, count=len(values))
    except KeyError as error:
        unknown = error.args[0]
        known = ", ".join(f"{label!r} ({type(label).__name__})" for label in list(code_of)[:5])
        raise DataError(
            what=f"The {owner} holds the label {unknown!r} ({type(unknown).__name__}), "
            f"which is none of the target's classes: {known}.",
            why="Truth and prediction can only be compared in the same words.",
            fix="Train the model on the target's own labels, or encode them before the split.",
            label=unknown,
        ) from error
