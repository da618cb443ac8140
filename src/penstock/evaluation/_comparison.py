"""``compare``: challenger and champion on the same rows, each difference with a paired interval."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.core import DataError
from penstock.evaluation._intervals import Ends, why_too_few
from penstock.evaluation._measuring import interval, point_values, why_absent
from penstock.evaluation._metrics import TASK_METRICS, format_figure
from penstock.evaluation._outcomes import Outcomes
from penstock.evaluation._paired import MEANS, paired_ends
from penstock.evaluation._prediction import align, predict_with
from penstock.evaluation._report import EvaluationReport
from penstock.evaluation._trained_on import TrainedOn


@dataclass(frozen=True, slots=True)
class Difference:
    """One metric of both models on the same rows.

    >>> print(Difference(0.81, 0.80, 0.01, -0.002, 0.021))
    0.810 against 0.800: +0.010 [-0.002, +0.021]

    Args:
        challenger: The new model's figure.
        champion: The production model's figure.
        difference: Challenger minus champion.
        low: Lower end of the difference's 95 % interval, paired row by row.
        high: Upper end.
        needs: What the rows lack for an interval that holds; empty if nothing.
    """

    challenger: float
    champion: float
    difference: float
    low: float
    high: float
    needs: str = ""

    def __str__(self) -> str:
        return (
            f"{format_figure(self.challenger)} against {format_figure(self.champion)}: {self.text}"
        )

    @property
    def text(self) -> str:
        """The difference and its interval with signs."""
        if self.needs:
            return f"{_signed(self.difference)} (no interval: {self.needs})"
        return f"{_signed(self.difference)} [{_signed(self.low)}, {_signed(self.high)}]"

    @property
    def significant(self) -> bool:
        """Whether the interval excludes 0; never where the rows are too few for one."""
        return not self.needs and (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class Comparison(Mapping[str, Difference]):
    """Differences by metric, of two models on the same rows.

    Args:
        differences: By metric, as far as both models have it.
        absent: Why the other metrics are not compared.
        rows: How many rows both were scored on.
        left_out: How many rows of the holdout were left out, because the champion has seen them.
        note: What a reader of the figures must know; empty if nothing.
    """

    differences: Mapping[str, Difference]
    absent: Mapping[str, str]
    rows: int
    left_out: int = 0
    note: str = ""

    def __getitem__(self, metric: str) -> Difference:
        return self.differences[metric]

    def __iter__(self) -> Iterator[str]:
        return iter(self.differences)

    def __len__(self) -> int:
        return len(self.differences)

    def to_json(self) -> dict[str, Any]:
        """Give it as plain JSON."""
        figures = {name: asdict(difference) for name, difference in self.differences.items()}
        known = {"differences": figures, "absent": dict(self.absent), "rows": self.rows}
        return {**known, "left_out": self.left_out, "note": self.note}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Comparison":
        """Read what ``to_json`` wrote."""
        figures = {name: Difference(**each) for name, each in document["differences"].items()}
        return cls(
            figures,
            dict(document["absent"]),
            document["rows"],
            document.get("left_out", 0),
            document.get("note", ""),
        )


FEWEST_UNSEEN = 30
"""Rows that must be left once those are gone which the champion was trained on."""


def compare(
    report: EvaluationReport,
    champion: Any,
    *,
    trained_on: TrainedOn | None = None,
    resamples: int = 500,
    seed: int = 0,
) -> Comparison:
    """Score the champion on rows of a report that it has not seen, and compare it with the challenger.

    Row by row it is asked how both figures move, so what makes a row easy or hard for both cancels out.

    Args:
        report: The challenger's report; its holdout rows are used.
        champion: The production model, scikit-learn-like.
        trained_on: The rows that the champion has seen: they are left out.
        resamples: Bootstrap resamples, where a model's own interval needs any.
        seed: Seed of the resamples.

    Raises:
        DataError: If the holdout lacks columns that the champion needs, its labels are others, or
            the champion has seen nearly all of the rows.
    """
    unseen, note = _unseen(report, trained_on)
    holdout = report.holdout
    # Columns that the challenger dropped are offered to a model that names what it takes.
    named = getattr(champion, "feature_names_in_", None) is not None
    rows = (holdout.table if named else holdout.X)[unseen]
    ours = report.outcomes().take(unseen)
    theirs = align(
        predict_with(champion, rows),
        holdout.y[unseen].to_list(),
        task=report.task,
        classes=report.outcome_classes,
    )
    theirs = replace(theirs, oriented=ours.oriented)
    found = compare_outcomes(ours, theirs, resamples=resamples, seed=seed)
    return replace(found, left_out=len(holdout.y) - len(unseen), note=note)


def _unseen(report: EvaluationReport, trained_on: TrainedOn | None) -> tuple[NDArray[np.intp], str]:
    """Give the places of the rows that the champion has not seen, and what to say of it."""
    holdout, own = report.holdout, report.trained_on
    every = np.arange(len(holdout.y))
    if trained_on is None or own is None:
        return every, "whether the champion was trained on some of these rows is not recorded"
    table = holdout.table.with_columns(holdout.y.alias(report.target))
    seen = trained_on.find(table, holdout.rows.to_numpy(), own.table_digest)
    if isinstance(seen, str):
        return every, f"whether the champion was trained on some of these rows is not known: {seen}"
    unseen = np.flatnonzero(~seen)
    if len(unseen) < len(every) and len(unseen) < FEWEST_UNSEEN:
        raise DataError(
            what=f"The champion was trained on {len(every) - len(unseen):,} of the {len(every):,} "
            f"rows, and {len(unseen)} are too few to compare on.",
            why="A model is better on rows that it has seen, and would win by that.",
            fix="Split by time (by_time=), so that the test rows are newer than all training, or "
            f"test on more rows: {FEWEST_UNSEEN} unseen ones are needed.",
        )
    note = f"{len(every) - len(unseen):,} rows that the champion was trained on were left out"
    return unseen, note if len(unseen) < len(every) else ""


def compare_outcomes(
    challenger: Outcomes, champion: Outcomes, *, resamples: int, seed: int
) -> Comparison:
    """Compare two models' outcomes of the same rows in the same order."""
    order = _joint_order(challenger, champion)
    sides = (challenger.take(order), champion.take(order))
    absent = _why_not_compared(*sides)
    names = [name for name in TASK_METRICS[challenger.task] if name not in absent]
    ours, theirs = (point_values(names, side) for side in sides)

    def ends(name: str, side: Outcomes, value: float) -> Ends:
        if name in MEANS:
            return value, value
        return interval(name, value, side, resamples=resamples, seed=seed)

    differences = {}
    for name in names:
        values = ours[name], theirs[name]
        alone = ends(name, sides[0], values[0]), ends(name, sides[1], values[1])
        low, high = paired_ends(name, sides, values, alone)
        needs = _what_is_needed(name, *sides)
        differences[name] = Difference(*values, values[0] - values[1], low, high, needs)
    return Comparison(differences, absent, len(challenger))


def _what_is_needed(name: str, challenger: Outcomes, champion: Outcomes) -> str:
    if needs := why_too_few(name, challenger):
        return needs
    needs = why_too_few(name, champion)
    return f"for the champion, {needs}" if needs else ""


def _why_not_compared(challenger: Outcomes, champion: Outcomes) -> dict[str, str]:
    absent = {}
    for name in TASK_METRICS[challenger.task]:
        if reason := why_absent(name, challenger):
            absent[name] = reason
        elif reason := why_absent(name, champion):
            absent[name] = f"for the champion, {reason}"
    return absent


def _joint_order(first: Outcomes, second: Outcomes) -> NDArray[np.intp]:
    # The second model breaks the first's ties, so the order depends on the rows' content alone.
    inner = second.canonical_order()
    return inner[first.take(inner).canonical_order()]


def _signed(value: float) -> str:
    return ("+" if value > 0 else "") + format_figure(value)
