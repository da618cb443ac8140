"""EvaluationReport: what is known about a model on rows it has not seen; stored whole, read in parts."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from penstock.core import NotFoundError, did_you_mean
from penstock.data import Finding, Schema, TableProfile
from penstock.evaluation._calibration import Calibration
from penstock.evaluation._figures import draw_figures
from penstock.evaluation._metrics import TASK_METRICS, Estimate
from penstock.evaluation._outcomes import Outcomes, encode_labels
from penstock.evaluation._slices import SliceResult
from penstock.evaluation._trained_on import TrainedOn

if TYPE_CHECKING:
    import plotly.graph_objects as go
    import polars as pl


_LARGE = ("profile", "prediction_profile", "holdout", "trained_on")


@dataclass(frozen=True)
class Holdout:
    """The rows a report was made on, with what the model said.

    Args:
        X: Feature columns, n rows.
        answers: n rows: ``row`` (position in the split's table), ``truth``, ``prediction`` and
            ``score`` (positive class) or ``score_0``, ``score_1``, … (by class).
        probability: Whether the scores are probabilities.
        epsilon: Resolution of the scores.
        rest: The table's other columns but the target, n rows: the model never sees them, but an
            older one may have been trained on them. Empty if nothing was left out.
    """

    bundle_type: ClassVar[str] = "penstock.evaluation:Holdout"

    X: "pl.DataFrame"
    answers: "pl.DataFrame"
    probability: bool
    epsilon: float
    rest: "pl.DataFrame | None" = None

    @property
    def table(self) -> "pl.DataFrame":
        """All columns of the rows but the target."""
        return self.X if self.rest is None else self.X.hstack(self.rest)

    @property
    def y(self) -> "pl.Series":
        """True values, shape (n,)."""
        return self.answers["truth"]

    @property
    def predictions(self) -> "pl.Series":
        """What the model said, shape (n,)."""
        return self.answers["prediction"]

    @property
    def scores(self) -> "pl.Series | pl.DataFrame | None":
        """Score of the positive class (n,), or one column per class; None if there is none."""
        if "score" in self.answers.columns:
            return self.answers["score"]
        columns = [name for name in self.answers.columns if name.startswith("score_")]
        return self.answers.select(columns) if columns else None

    @property
    def rows(self) -> "pl.Series":
        """Positions of the rows in the table that was split, shape (n,)."""
        return self.answers["row"]

    def outcomes(self, task: str, classes: tuple[Any, ...]) -> Outcomes:
        """Give truth, predictions and scores as arrays; for classes as codes."""
        import polars as pl

        scores = None if self.scores is None else self.scores.to_numpy()
        if task == "regression":
            truth, prediction = (
                each.cast(pl.Float64).to_numpy() for each in (self.y, self.predictions)
            )
        else:
            truth = encode_labels(self.y.to_list(), classes, owner="target")
            prediction = encode_labels(self.predictions.to_list(), classes, owner="prediction")
        return Outcomes(task, classes, truth, prediction, scores, self.probability, self.epsilon)

    def to_bundle(self) -> dict[str, Any]:
        """Give the storable parts."""
        facts = {"probability": self.probability, "epsilon": self.epsilon}
        parts = {"X": self.X, "answers": self.answers, "facts": facts}
        return parts if self.rest is None else {**parts, "rest": self.rest}

    @classmethod
    def from_bundle(cls, parts: Mapping[str, Any]) -> Self:
        """Read what ``to_bundle`` gave."""
        rest = parts.get("rest")
        return cls(X=parts["X"], answers=parts["answers"], **parts["facts"], rest=rest)


@dataclass(frozen=True)
class EvaluationReport:
    """Metrics with intervals on a holdout, whole and per slice, and what a gate needs to judge.

    Args:
        task: ``binary``, ``multiclass`` or ``regression``.
        target: The target column.
        part: Which part of the split was used: ``test`` or ``validation``.
        positive: The positive class of a binary target; None for other targets, and where nobody
            declared it and the labels do not say it.
        classes: All labels, sorted; empty for regression.
        metrics: By name.
        absent: Why each other metric of the task is absent.
        baseline: The metrics of always answering the majority class (or the training mean).
        slices: Per column the results of its values.
        fairness: Per sensitive column parity figures, and gap and ratio of each metric; slices with
            fewer than 30 rows are left out.
        calibration: Scores against what came true; None without probabilities.
        leakage: What the split's checks found.
        rows: Row counts of ``train``, ``validation`` and ``test``.
        schema: The feature columns.
        notes: What a reader must know, as sentences.
        resamples: Bootstrap resamples behind the intervals.
        seed: Seed of the resamples.
        parts: The large parts, read on use: ``holdout``, ``profile``, ``prediction_profile``,
            ``trained_on``.
    """

    bundle_type: ClassVar[str] = "penstock.evaluation:EvaluationReport"

    task: str
    target: str
    part: str
    positive: Any
    classes: tuple[Any, ...]
    metrics: Mapping[str, Estimate]
    absent: Mapping[str, str]
    baseline: Mapping[str, float]
    slices: Mapping[str, tuple[SliceResult, ...]]
    fairness: Mapping[str, Mapping[str, float]]
    calibration: Calibration | None
    leakage: tuple[Finding, ...]
    rows: Mapping[str, int]
    schema: Schema
    notes: tuple[str, ...]
    resamples: int
    seed: int
    parts: Mapping[str, Any] = field(repr=False, compare=False)

    def metric(self, name: str) -> Estimate:
        """Get a metric by name.

        Raises:
            NotFoundError: If the report has no such metric; it says why if that is known.
        """
        if name in self.metrics:
            return self.metrics[name]
        if name in self.absent:
            raise NotFoundError(what=f"The report has no {name}: {self.absent[name]}.", metric=name)
        raise NotFoundError(
            what=f"The report has no metric {name!r}.",
            fix=did_you_mean(name, self.metrics),
            metric=name,
        )

    @property
    def headline(self) -> str | None:
        """Name of the task's first metric that the report has."""
        return next((name for name in TASK_METRICS[self.task] if name in self.metrics), None)

    @property
    def outcome_classes(self) -> tuple[Any, ...]:
        """Labels by code: (negative, positive) for a binary target."""
        if self.task != "binary" or self.positive is None:
            return self.classes
        negative = next(label for label in self.classes if label != self.positive)
        return (negative, self.positive)

    @property
    def holdout(self) -> Holdout:
        """The rows it was made on."""
        holdout: Holdout = self.parts["holdout"]
        return holdout

    @property
    def trained_on(self) -> TrainedOn | None:
        """The rows that the model has seen; None in reports of versions that did not record them."""
        found: TrainedOn | None = self.parts.get("trained_on")
        return found

    @property
    def profile(self) -> TableProfile:
        """Profile of the training features: the reference for drift."""
        return TableProfile.from_json(self.parts["profile"])

    @property
    def prediction_profile(self) -> TableProfile:
        """Profile of predictions and scores on the holdout: the reference for prediction drift."""
        return TableProfile.from_json(self.parts["prediction_profile"])

    def outcomes(self) -> Outcomes:
        """Give truth, predictions and scores of the holdout as arrays."""
        outcomes = self.holdout.outcomes(self.task, self.outcome_classes)
        return replace(outcomes, oriented=self.task != "binary" or self.positive is not None)

    def figures(self) -> dict[str, "go.Figure"]:
        """Draw the report.

        Returns:
            By name, as far as the task has them: ``roc``, ``precision_recall``, ``calibration``,
            ``confusion``, ``predicted_vs_actual``, ``residuals``, ``slices``.
        """
        return draw_figures(self)

    def to_json(self) -> dict[str, Any]:
        """Give everything but the rows and the profiles as plain JSON."""
        return {
            "task": self.task,
            "target": self.target,
            "part": self.part,
            "positive": self.positive,
            "classes": list(self.classes),
            "metrics": {name: estimate.to_json() for name, estimate in self.metrics.items()},
            "absent": dict(self.absent),
            "baseline": dict(self.baseline),
            "slices": {
                column: [result.to_json() for result in results]
                for column, results in self.slices.items()
            },
            "fairness": {column: dict(figures) for column, figures in self.fairness.items()},
            "calibration": self.calibration.to_json() if self.calibration else None,
            "leakage": [asdict(finding) for finding in self.leakage],
            "rows": dict(self.rows),
            "schema": self.schema.to_json(),
            "notes": list(self.notes),
            "resamples": self.resamples,
            "seed": self.seed,
        }

    def to_bundle(self) -> dict[str, Any]:
        """Give the storable parts."""
        large = {name: self.parts[name] for name in _LARGE if name in self.parts}
        return {"facts": self.to_json(), **large}

    @classmethod
    def from_bundle(cls, parts: Mapping[str, Any]) -> Self:
        """Read what ``to_bundle`` gave; rows and profiles are read when they are asked for."""
        facts = dict(parts["facts"])
        calibration = facts.pop("calibration")
        return cls(
            classes=tuple(facts.pop("classes")),
            metrics={name: Estimate(**each) for name, each in facts.pop("metrics").items()},
            slices={
                column: tuple(SliceResult.from_json(each) for each in results)
                for column, results in facts.pop("slices").items()
            },
            calibration=Calibration.from_json(calibration) if calibration else None,
            leakage=tuple(Finding(**each) for each in facts.pop("leakage")),
            schema=Schema.from_json(facts.pop("schema")),
            notes=tuple(facts.pop("notes")),
            parts=parts,
            **facts,
        )
