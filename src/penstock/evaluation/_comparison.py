"""``compare``: challenger and champion on the same rows, each difference with a paired interval."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from penstock.core import DataError
from penstock.evaluation._labels import judge_labels
from penstock.evaluation._measuring import interval, point_values, why_absent
from penstock.evaluation._metrics import TASK_METRICS, format_figure
from penstock.evaluation._outcomes import Outcomes
from penstock.evaluation._paired import MEANS, paired_ends
from penstock.evaluation._prediction import ScoredRows, align, as_model, predict_with
from penstock.evaluation._quantile_forecasts import predict_quantiles
from penstock.evaluation._report import EvaluationReport
from penstock.evaluation._trained_on import TrainedOn
from penstock.evaluation._user_estimates import compare_user_metric
from penstock.evaluation._user_functions import find_metric
from penstock.evaluation._user_metrics import JudgedRows
from penstock.evaluation.intervals import Ends, why_too_few
from penstock.models import Model

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Difference:
    """A metric of both models on the same rows.

    >>> print(Difference(0.81, 0.80, 0.01, -0.002, 0.021))
    0.810 against 0.800: +0.010 [-0.002, +0.021]

    Args:
        challenger: Value of the new model.
        champion: Value of the production model.
        difference: Challenger minus champion.
        low: Lower end of the difference's 95 % interval, paired row by row.
        high: Upper end of the interval.
        needs: Why the rows are too few for a valid interval; empty if they are not.
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
        """The difference and the interval with signs."""
        if self.needs:
            return f"{_signed(self.difference)} (no interval: {self.needs})"
        return f"{_signed(self.difference)} [{_signed(self.low)}, {_signed(self.high)}]"

    @property
    def significant(self) -> bool:
        """True if the interval excludes 0; never where the rows are too few for an interval."""
        return not self.needs and (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class Comparison(Mapping[str, Difference]):
    """Differences of two models on the same rows, by metric.

    Args:
        differences: Difference by metric, as far as both models have the metric.
        absent: Why the remaining metrics are not compared.
        rows: Number of rows on which both models were scored.
        left_out: Number of holdout rows left out because the champion was trained on them.
        note: Remark for readers of the values; empty if none.
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
        """Return the comparison as plain JSON."""
        figures = {name: asdict(difference) for name, difference in self.differences.items()}
        known = {"differences": figures, "absent": dict(self.absent), "rows": self.rows}
        return {**known, "left_out": self.left_out, "note": self.note}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Comparison":
        """Return the comparison that ``to_json`` wrote."""
        figures = {name: Difference(**each) for name, each in document["differences"].items()}
        return cls(
            figures,
            dict(document["absent"]),
            document["rows"],
            document.get("left_out", 0),
            document.get("note", ""),
        )


FEWEST_UNSEEN = 30
"""Minimum number of rows after the champion's training rows have been left out."""


def compare(
    report: EvaluationReport,
    champion: object,
    *,
    trained_on: TrainedOn | None = None,
    resamples: int = 500,
    seed: int = 0,
) -> Comparison:
    """Score the champion on unseen rows of a report, and compare the champion with the challenger.

    The moves of both figures are compared row by row, so that the difficulty of a row cancels out.

    Args:
        report: The challenger's report; the report's holdout rows are used.
        champion: The production model, or a fitted estimator.
        trained_on: The champion's training rows, which are left out.
        resamples: Bootstrap resamples, where a model's own interval needs resampling.
        seed: Seed of the resamples.

    Raises:
        DataError: If the holdout lacks columns that the champion needs, the labels differ, or the
            champion was trained on nearly all of the rows.
    """
    unseen, note = _unseen(report, trained_on)
    holdout = report.holdout
    # A model that names its features is offered the columns that the challenger dropped, too.
    named = isinstance(champion, Model) or getattr(champion, "feature_names_in_", None) is not None
    rows = (holdout.table if named else holdout.X)[unseen]
    ours = report.outcomes().take(unseen)
    champion_model = as_model(champion, rows)
    if report.task == "multilabel":
        theirs = judge_labels(champion_model, rows, holdout.y[unseen], report.classes)
    else:
        theirs = align(
            _predict(champion_model, rows, report),
            holdout.y[unseen].to_list(),
            task=report.task,
            classes=report.outcome_classes,
        )
    theirs = replace(theirs, oriented=ours.oriented)
    comparison = compare_outcomes(ours, theirs, resamples=resamples, seed=seed)
    if report.user_metrics:
        table = holdout.table[unseen].with_columns(holdout.y[unseen].alias(report.target))
        sides = JudgedRows(ours, table), JudgedRows(theirs, table)
        comparison = _with_user_metrics(comparison, report, sides, resamples=resamples, seed=seed)
    return replace(comparison, left_out=len(holdout.y) - len(unseen), note=note)


def _predict(champion: Model, rows: "pl.DataFrame", report: EvaluationReport) -> ScoredRows:
    """Predict rows in the report's form; of quantiles where the champion forecasts them."""
    if report.quantiles and champion.signature.targets:
        return predict_quantiles(champion, rows, report.quantiles)
    return predict_with(champion, rows)


def _unseen(report: EvaluationReport, trained_on: TrainedOn | None) -> tuple[NDArray[np.intp], str]:
    """Return the positions of the rows unseen by the champion, and a remark about them."""
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
        # The paired interval of a mean needs no interval of either model.
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


def _with_user_metrics(
    comparison: Comparison,
    report: EvaluationReport,
    sides: tuple[JudgedRows, JudgedRows],
    *,
    resamples: int,
    seed: int,
) -> Comparison:
    """Add the metrics that are functions of the user's; the functions are found again first."""
    differences, absent = dict(comparison.differences), dict(comparison.absent)
    order = _joint_order(sides[0].outcomes, sides[1].outcomes)
    ordered = sides[0].take(order), sides[1].take(order)
    for facts in report.user_metrics:
        own = find_metric(facts)
        if isinstance(own, str):
            absent[facts["name"]] = own
            continue
        try:
            ours, theirs, low, high, needs = compare_user_metric(
                own, ordered, resamples=resamples, seed=seed
            )
        except DataError as error:
            absent[own.name] = error.what.rstrip(".")
            continue
        differences[own.name] = Difference(ours, theirs, ours - theirs, low, high, needs)
    return replace(comparison, differences=differences, absent=absent)


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
    # The second model breaks the first's ties, so the order depends only on the rows' content.
    inner = second.canonical_order()
    return inner[first.take(inner).canonical_order()]


def _signed(value: float) -> str:
    return ("+" if value > 0 else "") + format_figure(value)
