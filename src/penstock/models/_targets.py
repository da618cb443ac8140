"""Target: a column among several that a model predicts; rows of values by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.tables import plain_value

_MATRIX = 2


@dataclass(frozen=True, slots=True)
class Target:
    """A target of a model that predicts several.

    >>> Target("height").task, Target("came", ("no", "yes")).task
    ('regression', 'binary')

    Args:
        name: Name of the predicted column.
        classes: Labels; empty for a number.
    """

    name: str
    classes: tuple[Any, ...] = ()

    @property
    def task(self) -> str:
        """``binary``, ``multiclass`` or ``regression``."""
        if not self.classes:
            return "regression"
        return "binary" if len(self.classes) <= 2 else "multiclass"  # noqa: PLR2004 - two is binary

    def to_json(self) -> dict[str, Any]:
        """Return the target as plain JSON."""
        return {"name": self.name, "classes": [*self.classes]}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Target":
        """Read the JSON of ``to_json``."""
        return cls(document["name"], tuple(document["classes"]))


def is_row_of_values(output: Any) -> bool:
    """Return whether an estimator's predictions have several values per row.

    >>> import numpy as np
    >>> is_row_of_values(np.zeros((3, 2))), is_row_of_values(np.zeros((3, 1)))
    (True, False)
    """
    shape: tuple[int, ...] = getattr(output, "shape", ())
    return len(shape) == _MATRIX and shape[1] > 1


def rows_by_target(output: Any, targets: Sequence[Target]) -> list[dict[str, Any]]:
    """Convert predictions of several targets to a value by name for each row.

    >>> import numpy as np
    >>> rows_by_target(np.array([[1.5, 2.0]]), [Target("height"), Target("weight")])
    [{'height': 1.5, 'weight': 2.0}]
    """
    output = output.to_numpy() if hasattr(output, "to_numpy") else output
    columns = [_as_labels(output[:, place], target.classes) for place, target in enumerate(targets)]
    names = [target.name for target in targets]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _as_labels(column: Any, classes: Sequence[Any]) -> list[Any]:
    """Return a column as values; labels in the type of the classes: chains predict 1.0 for 1."""
    values = [plain_value(value) for value in column.tolist()]
    known = {label: label for label in classes}
    return [known.get(value, value) for value in values]


class TargetColumn:
    """An estimator of several targets that predicts a single one; for evaluation, never stored.

    Args:
        estimator: The estimator of all targets.
        place: Position of the target.
        classes: The target's labels; empty for a number.
    """

    def __init__(self, estimator: Any, place: int, classes: Sequence[Any] = ()) -> None:
        self._estimator, self._place, self._classes = estimator, place, classes

    def predict(self, rows: Any) -> list[Any]:
        """Predict the values of the target, n rows."""
        output = self._estimator.predict(rows)
        output = output.to_numpy() if hasattr(output, "to_numpy") else output
        return _as_labels(output[:, self._place], self._classes)

    def __getattr__(self, name: str) -> Any:
        if name != "predict_proba" or not self._classes:
            raise AttributeError(name)
        method = self._estimator.predict_proba  # raises AttributeError where there is none
        return lambda rows: self._shares(method(rows))

    def _shares(self, output: Any) -> Any:
        """Return probabilities of the target's labels, shape (n, classes)."""
        import numpy as np

        if isinstance(output, list):
            return output[self._place]
        chance = output[:, self._place]  # a chain returns the probability of label 1 only
        return np.stack([1 - chance, chance], axis=1)
