"""Explanation: contributions of a model's inputs to the predictions (Shapley values).

Exact for trees; else by permutations of the inputs, with the inputs of background rows in
the place of those left out. Contributions and base value add up to the explained output, or no
explanation is returned.

Source: Lundberg and Lee (2017); Lundberg et al. (2020), From local explanations to global
understanding with explainable AI for trees.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.core import DataError, ServingError, require
from penstock.models._tree_values import Contributions, explain_trees
from penstock.tables import plain_value

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from penstock.models._model import Model

    Floats = NDArray[np.float64]

FEWEST_ROWS = 20
_MOST_ROWS = 100  # of the background
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Explanation:
    """Contributions of the inputs to the predictions of n rows.

    Args:
        inputs: Names of the model's inputs.
        rows: The explained rows, n rows with the inputs as columns.
        contributions: Shape (n, inputs), in the explained output's unit.
        base: The output without knowledge of the row, shape (n,).
        output: The explained output of the model, shape (n,): base plus contributions.
        explains: Name of the output: a probability, log odds, or the predicted number.
        method: How the contributions were computed.
    """

    inputs: tuple[str, ...]
    rows: "pl.DataFrame"
    contributions: "Floats"
    base: "Floats"
    output: "Floats"
    explains: tuple[str, ...]
    method: str

    def __len__(self) -> int:
        return len(self.base)

    def row(self, place: int) -> dict[str, Any]:
        """Return the explanation of a row as plain JSON, the largest contributions first."""
        values = self.rows.row(place, named=True)
        contributions = [
            {"input": name, "value": plain_value(values[name]), "contribution": float(each)}
            for name, each in zip(self.inputs, self.contributions[place], strict=True)
        ]
        return {
            "explains": self.explains[place],
            "output": float(self.output[place]),
            "base": float(self.base[place]),
            "contributions": sorted(contributions, key=lambda each: -abs(each["contribution"])),
            "method": self.method,
        }

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self.row(place) for place in range(len(self)))


def explain_rows(
    model: "Model",
    frame: "pl.DataFrame",
    background: "pl.DataFrame | None",
    *,
    limit_s: float | None = None,
) -> Explanation:
    """Compute the contributions of each input to the predictions of rows.

    Args:
        model: The model.
        frame: The inputs, n rows.
        background: Rows that stand for the unknown, for models that are not trees; None for the
            frame itself.
        limit_s: Seconds of predicting after which models that are not trees give up; None for no
            limit.

    Raises:
        ServingError: If the computation takes longer than the limit.
        MissingPackageError: If shap is not installed.
        DataError: If there are too few background rows, or the contributions do not add up.
    """
    import numpy as np

    require("shap", extra="explain", purpose="explaining predictions")
    classes, chosen = _explained_classes(model, frame)
    explanation = explain_trees(model, frame, chosen)
    if explanation is None:
        background = frame if background is None else background
        explanation = _by_permutations(model, frame, background, chosen, limit_s)
    off = np.abs(explanation.base + explanation.contributions.sum(axis=1) - explanation.output)
    if not (off <= explanation.tolerance * np.maximum(1.0, np.abs(explanation.output))).all():
        raise DataError(
            what=f"The contributions miss the model's output by {off.max():.3g}.",
            why="Contributions that do not add up explain another prediction.",
            fix="Explain with more background rows, or report the model's type as an issue.",
        )
    labels = [f" of {classes[code]!r}" if classes else "" for code in chosen.tolist()]
    return Explanation(
        inputs=tuple(model.signature.names),
        rows=frame,
        contributions=explanation.contributions,
        base=explanation.base,
        output=explanation.output,
        explains=tuple(explanation.unit + label for label in labels),
        method=explanation.method,
    )


def _explained_classes(
    model: "Model", frame: "pl.DataFrame"
) -> "tuple[tuple[Any, ...], NDArray[np.intp]]":
    """Return the labels, and per row the class that is explained: positive, else predicted."""
    import numpy as np

    classes, positive = model.signature.classes, model.signature.positive
    if not classes:
        return (), np.zeros(frame.height, dtype=np.intp)
    if positive is not None:
        return classes, np.full(frame.height, classes.index(positive))
    said = model.predict_as_is(frame).values
    return classes, np.array([classes.index(value) for value in said], dtype=np.intp)


def _by_permutations(
    model: "Model",
    frame: "pl.DataFrame",
    background: "pl.DataFrame",
    chosen: "NDArray[np.intp]",
    limit_s: float | None,
) -> Contributions:
    """Compute Shapley values by permutations of the inputs (shap's PermutationExplainer)."""
    import numpy as np
    import polars as pl

    shap = require("shap", extra="explain", purpose="explaining predictions")
    if background.height < FEWEST_ROWS:
        raise DataError(
            what=f"{background.height} background rows are too few to explain this model.",
            why=f"Its inputs are replaced by those of other rows; {FEWEST_ROWS} are needed.",
            fix="Give rows of the training data: model.explain(rows, background=split.train.X).",
        )
    names = model.signature.names
    few = background.select(names)
    few = few.sample(min(few.height, _MOST_ROWS), seed=0)
    every = pl.concat([frame.select(names), few.cast(frame.select(names).schema)])
    levels = {name: every[name].unique(maintain_order=True) for name in names}
    codes = np.stack([_codes(every[name], levels[name]) for name in names], axis=1)
    explained_codes, other_codes = codes[: frame.height], codes[frame.height :]
    predict = _CodedModel(model, levels, limit_s)
    masker = shap.maskers.Independent(other_codes, max_samples=_MOST_ROWS)
    explained = shap.explainers.Permutation(predict, masker, seed=0)(explained_codes, silent=True)
    rows = np.arange(frame.height)
    output = predict(explained_codes)
    # shap drops the axis of a single output.
    values = explained.values.reshape(*explained_codes.shape, output.shape[1])
    base = np.asarray(explained.base_values).reshape(frame.height, -1)
    is_share = bool(model.signature.classes) and model.has_probabilities
    return Contributions(
        contributions=values[rows, :, chosen],
        base=np.broadcast_to(base, output.shape)[rows, chosen],
        output=output[rows, chosen],
        unit="probability" if is_share else "prediction",
        method=f"permutations of the inputs against {len(other_codes)} background rows",
        tolerance=_TOLERANCE,
    )


class _CodedModel:
    """A model that takes the codes of its inputs' values: shap permutes arrays of numbers.

    Args:
        model: The model.
        levels: Values of each input, by name; a code is a value's position.
        limit_s: Longest time that the model may compute, seconds; None for no limit.
    """

    def __init__(
        self, model: "Model", levels: "Mapping[str, pl.Series]", limit_s: float | None
    ) -> None:
        self._model, self._levels, self._limit_s = model, levels, limit_s
        self._spent_s = 0.0

    def __call__(self, codes: "Floats") -> "Floats":
        """Return probabilities by class, or predictions in one column."""
        # Only what the model takes counts: shap compiles its own functions on first use.
        if self._limit_s is not None and self._spent_s > self._limit_s:
            raise ServingError(
                what=f"The explanation takes longer than {self._limit_s:g} s.",
                why=f"The model has {len(self._levels):,} inputs, and each is replaced in many predictions.",
                fix="Explain it where there is time for it: penstock explain, or Model.explain.",
            )
        started = time.monotonic()
        try:
            return self._predict(codes)
        finally:
            self._spent_s += time.monotonic() - started

    def _predict(self, codes: "Floats") -> "Floats":
        import numpy as np
        import polars as pl

        columns = [
            values.gather(codes[:, at].astype(np.int64)).alias(name)
            for at, (name, values) in enumerate(self._levels.items())
        ]
        said = self._model.predict_as_is(pl.DataFrame(columns))
        if said.probabilities is not None:
            return np.asarray(said.probabilities, dtype=np.float64)
        classes = self._model.signature.classes
        if classes:
            hits = [[value == label for label in classes] for value in said.values]
            return np.asarray(hits, dtype=np.float64)
        return np.asarray(said.values, dtype=np.float64)[:, None]


def _codes(series: "pl.Series", levels: "pl.Series") -> "Floats":
    import numpy as np

    place = {value: at for at, value in enumerate(_hashable(levels))}
    return np.array([place[value] for value in _hashable(series)], dtype=np.float64)


def _hashable(series: "pl.Series") -> list[Any]:
    # NaN differs from itself, so a text stands for it.
    return ["\0nan" if value != value else value for value in series.to_list()]  # noqa: PLR0124
