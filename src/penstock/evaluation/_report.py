"""EvaluationReport: evaluation of a model on unseen rows; stored as a whole, read in parts."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from penstock.core import NotFoundError, did_you_mean
from penstock.data import Finding, Schema, TableProfile, label_matrix
from penstock.evaluation._calibration import Calibration
from penstock.evaluation._importance import Importances
from penstock.evaluation._metrics import TASK_METRICS, Estimate
from penstock.evaluation._outcomes import Outcomes, encode_labels
from penstock.evaluation._slices import SliceResult
from penstock.evaluation._trained_on import TrainedOn
from penstock.evaluation.figures import draw_figures
from penstock.models import Signature
from penstock.tables import Column

if TYPE_CHECKING:
    import plotly.graph_objects as go
    import polars as pl


_LARGE = ("profile", "prediction_profile", "holdout", "trained_on", "signature")


@dataclass(frozen=True)
class Holdout:
    """The rows that a report was made on, with the model's predictions.

    Args:
        X: Feature columns, n rows.
        answers: n rows: ``row`` (position in the split's table), ``truth``, ``prediction`` and
            ``score`` (positive class) or ``score_0``, ``score_1``, … (by class or quantile).
        probability: True if the scores are probabilities.
        epsilon: Resolution of the scores.
        rest: Remaining columns of the table except the target, n rows: not seen by the model, but
            an older model may have been trained on them. None if nothing was left out.
    """

    bundle_type: ClassVar[str] = "penstock.evaluation:Holdout"

    X: "pl.DataFrame"
    answers: "pl.DataFrame"
    probability: bool
    epsilon: float
    rest: "pl.DataFrame | None" = None

    @property
    def table(self) -> "pl.DataFrame":
        """All columns of the rows except the target."""
        return self.X if self.rest is None else self.X.hstack(self.rest)

    @property
    def y(self) -> "pl.Series":
        """True values, shape (n,)."""
        return self.answers["truth"]

    @property
    def predictions(self) -> "pl.Series":
        """Predicted values, shape (n,)."""
        return self.answers["prediction"]

    @property
    def scores(self) -> "pl.Series | pl.DataFrame | None":
        """Score of the positive class (n,), or a column per class; None if there are no scores."""
        if "score" in self.answers.columns:
            return self.answers["score"]
        columns = [name for name in self.answers.columns if name.startswith("score_")]
        return self.answers.select(columns) if columns else None

    @property
    def rows(self) -> "pl.Series":
        """Positions of the rows in the table that was split, shape (n,)."""
        return self.answers["row"]

    def outcomes(self, task: str, classes: tuple[Any, ...]) -> Outcomes:
        """Return truth, predictions and scores as arrays; class labels as codes."""
        import polars as pl

        scores = None if self.scores is None else self.scores.to_numpy()
        if task == "multilabel":
            truth, prediction = (
                label_matrix(each, classes).astype("int64") for each in (self.y, self.predictions)
            )
        elif task == "regression":
            truth, prediction = (
                each.cast(pl.Float64).to_numpy() for each in (self.y, self.predictions)
            )
        else:
            truth = encode_labels(self.y.to_list(), classes, owner="target")
            prediction = encode_labels(self.predictions.to_list(), classes, owner="prediction")
        return Outcomes(task, classes, truth, prediction, scores, self.probability, self.epsilon)

    def to_bundle(self) -> dict[str, Any]:
        """Return the parts to store."""
        facts = {"probability": self.probability, "epsilon": self.epsilon}
        parts = {"X": self.X, "answers": self.answers, "facts": facts}
        return parts if self.rest is None else {**parts, "rest": self.rest}

    @classmethod
    def from_bundle(cls, parts: Mapping[str, Any]) -> Self:
        """Return the holdout of parts that ``to_bundle`` returned."""
        rest = parts.get("rest")
        return cls(X=parts["X"], answers=parts["answers"], **parts["facts"], rest=rest)


@dataclass(frozen=True)
class EvaluationReport:
    """Metrics with intervals on a holdout, whole and per slice, and all inputs of gates.

    Args:
        task: ``binary``, ``multiclass``, ``multilabel`` or ``regression``.
        target: The target column.
        subset: Subset of the split that was used: ``test`` or ``validation``.
        positive: The positive class of a binary target; None for multiclass and regression targets,
            and where the class was not declared and the labels do not tell.
        classes: All labels, sorted; empty for regression.
        metrics: Estimates by name.
        absent: Why each remaining metric of the task is absent.
        baseline: Metrics of a constant model: the majority class (or the training mean).
        slices: Results of a column's values, by column.
        fairness: Per sensitive column the parity figures, and gap and ratio of each metric; slices
            with fewer than 30 rows are left out.
        calibration: Scores against ground truth; None without probabilities.
        leakage: Findings of the split's checks.
        rows: Row counts of ``train``, ``validation`` and ``test``.
        schema: The feature columns.
        notes: Remarks for readers, as sentences.
        resamples: Bootstrap resamples for the intervals.
        seed: Seed of the resamples.
        parts: The large parts, read on use: ``holdout``, ``profile``, ``prediction_profile``,
            ``trained_on``, ``signature``.
        user_metrics: Name, direction and code of the metrics that are functions of the user's.
        importance: Permutation importance of the model's inputs; None if not measured.
        quantiles: Quantiles that the model forecasts, lowest first; empty for all models without
            quantiles.
        labels: Rows and metrics of each label of a ``multilabel`` target; else empty.
    """

    bundle_type: ClassVar[str] = "penstock.evaluation:EvaluationReport"

    task: str
    target: str
    subset: str
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
    user_metrics: tuple[Mapping[str, Any], ...] = ()
    importance: Importances | None = None
    quantiles: tuple[float, ...] = ()
    labels: tuple[SliceResult, ...] = ()

    def metric(self, name: str) -> Estimate:
        """Return a metric by name.

        Raises:
            NotFoundError: If the report has no such metric; with the reason if known.
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
    def user_metric_names(self) -> tuple[str, ...]:
        """Names of the metrics that are functions of the user's."""
        return tuple(each["name"] for each in self.user_metrics)

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
        """The rows that the report was made on."""
        holdout: Holdout = self.parts["holdout"]
        return holdout

    @property
    def trained_on(self) -> TrainedOn | None:
        """The model's training rows; None in reports of versions that did not record them."""
        recorded: TrainedOn | None = self.parts.get("trained_on")
        return recorded

    @property
    def profile(self) -> TableProfile:
        """Profile of the training features: the reference for drift."""
        return TableProfile.from_json(self.parts["profile"])

    @property
    def signature(self) -> Signature | None:
        """Signature of the evaluated model; None in reports of versions that did not record a signature."""
        stored = self.parts.get("signature")
        return None if stored is None else Signature.from_json(stored)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The feature columns with the limits and categories of the training rows."""
        return self.profile.describe(self.schema)

    @property
    def prediction_profile(self) -> TableProfile:
        """Profile of predictions and scores on the holdout: the reference for prediction drift."""
        return TableProfile.from_json(self.parts["prediction_profile"])

    def outcomes(self) -> Outcomes:
        """Return truth, predictions and scores of the holdout as arrays."""
        outcomes = self.holdout.outcomes(self.task, self.outcome_classes)
        return replace(outcomes, oriented=self.task != "binary" or self.positive is not None)

    def figures(self) -> dict[str, "go.Figure"]:
        """Draw the plots of the report.

        Returns:
            Plots by name, as far as the task has them: ``roc``, ``precision_recall``,
            ``calibration``, ``confusion``, ``predicted_vs_actual``, ``residuals``, ``slices``,
            ``importance``.
        """
        return draw_figures(self)

    def to_json(self) -> dict[str, Any]:
        """Return everything except the rows and the profiles as plain JSON."""
        return {
            "task": self.task,
            "target": self.target,
            "part": self.subset,
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
            "user_metrics": [dict(each) for each in self.user_metrics],
            "importance": self.importance.to_json() if self.importance else None,
            # Other reports have none, and retain their digests.
            **({"quantiles": list(self.quantiles)} if self.quantiles else {}),
            **({"labels": [each.to_json() for each in self.labels]} if self.labels else {}),
        }

    def to_bundle(self) -> dict[str, Any]:
        """Return the parts to store."""
        large = {name: self.parts[name] for name in _LARGE if name in self.parts}
        return {"facts": self.to_json(), **large}

    @classmethod
    def from_bundle(cls, parts: Mapping[str, Any]) -> Self:
        """Return the report of parts that ``to_bundle`` returned; large parts are read on use."""
        facts = dict(parts["facts"])
        calibration = facts.pop("calibration")
        importance = facts.pop("importance", None)
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
            user_metrics=tuple(facts.pop("user_metrics", ())),
            importance=Importances.from_json(importance) if importance else None,
            quantiles=tuple(facts.pop("quantiles", ())),
            labels=tuple(SliceResult.from_json(each) for each in facts.pop("labels", ())),
            parts=parts,
            subset=facts.pop("part"),  # its stored name, so that reports keep their digests
            **facts,
        )
