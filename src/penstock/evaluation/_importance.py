"""Permutation importance: how much the headline metric loses when a column is shuffled.

A column that a second one stands in for loses little when shuffled alone; columns that tell
the same are therefore shuffled together too.

Source: Breiman (2001), Random Forests; Fisher, Rudin and Dominici (2019) on correlated columns.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from penstock.core import PenstockError
from penstock.evaluation._association import find_groups
from penstock.evaluation._labels import judge_labels, lists_of
from penstock.evaluation._measuring import point_values, why_absent
from penstock.evaluation._metrics import METRICS, Estimate
from penstock.evaluation._moves import find_moves
from penstock.evaluation._outcomes import Outcomes
from penstock.evaluation._prediction import align, predict_with
from penstock.evaluation.intervals import student, why_too_few
from penstock.models import Model

if TYPE_CHECKING:
    import polars as pl

Floats = NDArray[np.float64]
MOST_ROWS = 1_000
REPEATS = 5
_FEWEST_ROWS = 200
_MOST_PREDICTIONS = 500_000
_MOST_COLUMNS = 500


@dataclass(frozen=True, slots=True)
class ColumnImportance:
    """Loss of the metric when columns are shuffled.

    Args:
        columns: The column; or several that tell the same, shuffled together.
        loss: By how much the metric gets worse, with a 95 % interval; negative if better.
    """

    columns: tuple[str, ...]
    loss: Estimate


@dataclass(frozen=True)
class Importances:
    """Permutation importance of a model's inputs.

    Args:
        metric: The metric that is lost.
        rows: Number of test rows that were used.
        repeats: How often each column was shuffled.
        columns: The inputs, the most important first.
        groups: Columns that tell the same, shuffled together, the most important first.
    """

    metric: str
    rows: int
    repeats: int
    columns: tuple[ColumnImportance, ...]
    groups: tuple[ColumnImportance, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the importances as plain JSON."""

        def plain(each: ColumnImportance) -> dict[str, Any]:
            return {"columns": list(each.columns), "loss": each.loss.to_json()}

        return {
            "metric": self.metric,
            "rows": self.rows,
            "repeats": self.repeats,
            "columns": [plain(each) for each in self.columns],
            "groups": [plain(each) for each in self.groups],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Importances":
        """Return the importances that ``to_json`` wrote."""

        def read(stored: Sequence[Mapping[str, Any]]) -> tuple[ColumnImportance, ...]:
            return tuple(
                ColumnImportance(tuple(each["columns"]), Estimate(**each["loss"]))
                for each in stored
            )

        return cls(
            document["metric"],
            document["rows"],
            document["repeats"],
            read(document["columns"]),
            read(document["groups"]),
        )

    def notes(self) -> Iterator[str]:
        """Iterate over remarks on columns that tell the same."""
        for group in self.groups:
            names = ", ".join(repr(name) for name in group.columns[:5])
            yield (
                f"{names} tell the same: shuffled alone, each is stood in for by the others; "
                f"shuffled together, {self.metric} loses {group.loss}."
            )


def measure_importance(
    model: Model, table: "pl.DataFrame", outcomes: Outcomes, *, metric: str, seed: int
) -> Importances | str:
    """Shuffle each input of a model on some rows, and measure the loss of a metric.

    Equal rows, models and seeds give equal importances: nothing depends on the time of the
    computation.

    Args:
        model: The model.
        table: Feature columns, n rows.
        outcomes: Truth and prediction of the same rows.
        metric: A metric of penstock that the rows define.
        seed: Seed of the choice of rows and of the shuffles.

    Returns:
        The importances; or the reason why there are none.
    """
    names = [name for name in model.signature.names if name in table.columns]
    if not names or len(names) > _MOST_COLUMNS:
        return f"the model has {len(names):,} inputs, 1 to {_MOST_COLUMNS} are measured"
    generator = np.random.default_rng(seed)
    rows, repeats = _choose_size(len(names), table.height)
    chosen = np.sort(generator.choice(table.height, rows, replace=False))
    shuffle = _Shuffle(model, table[chosen], outcomes.take(chosen), metric, repeats, generator)
    if reason := why_absent(metric, shuffle.outcomes):
        return reason
    try:
        single = [shuffle.loss((name,)) for name in names]
        groups = [shuffle.loss(group) for group in find_groups(table[chosen].select(names))]
    except PenstockError as error:
        return f"the model cannot predict shuffled rows ({error.what.rstrip('.')})"
    return Importances(metric, rows, repeats, _ranked(single), _ranked(groups))


def _choose_size(columns: int, rows: int) -> tuple[int, int]:
    """Return how many rows and repeats keep the number of predictions bounded."""
    used = min(rows, MOST_ROWS)
    repeats = max(2, min(REPEATS, _MOST_PREDICTIONS // max(used * columns, 1)))
    least = min(used, _FEWEST_ROWS)
    return max(least, min(used, _MOST_PREDICTIONS // (repeats * columns))), repeats


def _ranked(importances: list[ColumnImportance]) -> tuple[ColumnImportance, ...]:
    return tuple(sorted(importances, key=lambda each: (-each.loss.value, each.columns)))


class _Shuffle:
    """Shuffles of columns on the same rows."""

    def __init__(
        self,
        model: Model,
        table: "pl.DataFrame",
        outcomes: Outcomes,
        metric: str,
        repeats: int,
        generator: np.random.Generator,
    ) -> None:
        self.model, self.table, self.outcomes, self.metric = model, table, outcomes, metric
        self.orders = [generator.permutation(table.height) for _ in range(repeats)]
        self.value = point_values([metric], outcomes)[metric]
        self.moves = find_moves(metric, outcomes)
        self.sign = 1.0 if METRICS[metric].better == "higher" else -1.0

    def loss(self, columns: tuple[str, ...]) -> ColumnImportance:
        """Shuffle columns together; all shuffles are predicted in a single call."""
        import polars as pl

        shuffled = pl.concat(
            self.table.with_columns(self.table[name][order] for name in columns)
            for order in self.orders
        )
        parts = self._outcomes(shuffled)
        losses = np.array(
            [self.value - point_values([self.metric], each)[self.metric] for each in parts]
        )
        moves = np.mean([find_moves(self.metric, each) for each in parts], axis=0)
        return ColumnImportance(columns, self._estimate(self.sign * losses, self.moves - moves))

    def _outcomes(self, shuffled: "pl.DataFrame") -> list[Outcomes]:
        import polars as pl

        own = self.outcomes
        rows = len(own)
        if own.task == "multilabel":
            lists = lists_of(own.truth, own.classes) * len(self.orders)
            dtype = pl.List(pl.Series(own.classes).dtype)
            aligned = judge_labels(self.model, shuffled, pl.Series(lists, dtype=dtype), own.classes)
            return [aligned.take(np.arange(at * rows, (at + 1) * rows)) for at in self._places()]
        truth = np.tile(own.truth, len(self.orders))
        labels = [own.classes[code] for code in truth] if own.classes else truth.tolist()
        aligned = align(
            predict_with(self.model, shuffled), labels, task=own.task, classes=own.classes
        )
        return [aligned.take(np.arange(at * rows, (at + 1) * rows)) for at in self._places()]

    def _places(self) -> range:
        return range(len(self.orders))

    def _estimate(self, losses: Floats, moves: Floats) -> Estimate:
        value, rows = float(losses.mean()), len(moves)
        over_rows = float(moves @ moves) * rows / max(rows - 1, 1)
        over_shuffles = float(losses.var(ddof=1)) / len(losses) if len(losses) > 1 else 0.0
        half = student(moves) * sqrt(over_rows + over_shuffles)
        return Estimate(value, value - half, value + half, why_too_few(self.metric, self.outcomes))
