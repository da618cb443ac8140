"""DriftReport: the result of monitoring a window; plain data that is stored, compared and drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from penstock.monitoring._column_drift import ColumnDrift, drifted_columns
from penstock.monitoring._feature_skew import FeatureSkew
from penstock.monitoring._figures import draw_figures
from penstock.monitoring._performance import Performance

if TYPE_CHECKING:
    import plotly.graph_objects as go

_LEAST_ROWS = 30
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class DriftReport:
    """The difference of a window's rows from training; equal data has equal bytes.

    Args:
        deployment: The watched endpoint.
        model: The endpoint's model.
        version: The version whose rows and training profile are compared.
        since: Time of the window's first row, ISO; None if the window is empty.
        until: Time of the window's last row.
        rows: Number of predicted rows.
        errors: Rows that the model failed on.
        errors_drifted: True if the share of errors is significantly above the limit.
        columns: Features in the training profile's order.
        predictions: Predictions and scores.
        performance: Metrics on the rows with ground truth.
        limits: See Limits.
        skew: Features of feature views, compared with their histories at the time of each row.
        skew_problem: Why they could not be compared, if so.
    """

    bundle_type: ClassVar[str] = "penstock.monitoring:DriftReport"

    deployment: str
    model: str
    version: int
    since: str | None
    until: str | None
    rows: int
    errors: int
    errors_drifted: bool
    columns: tuple[ColumnDrift, ...]
    predictions: tuple[ColumnDrift, ...]
    performance: Performance
    limits: Mapping[str, Any]
    skew: tuple[FeatureSkew, ...] = ()
    skew_problem: str = ""

    @property
    def drifted(self) -> bool:
        """True if the window raises an alarm."""
        return bool(self.findings)

    @property
    def verdict(self) -> Literal["drifted", "cannot tell", "steady"]:
        """The verdict: ``cannot tell`` if rows are too few to rule out a change that matters."""
        if self.drifted:
            return "drifted"
        return "cannot tell" if self.rows < _LEAST_ROWS or self.unclear_columns else "steady"

    @property
    def unclear_columns(self) -> tuple[ColumnDrift, ...]:
        """Features and predictions that may have changed, but with too few rows to decide."""
        return tuple(
            each for each in (*self.columns, *self.predictions) if each.verdict == "unclear"
        )

    @property
    def drifted_columns(self) -> tuple[ColumnDrift, ...]:
        """Features and predictions that drifted, the largest effect first."""
        return tuple(drifted_columns((*self.columns, *self.predictions)))

    @property
    def skewed_features(self) -> tuple[FeatureSkew, ...]:
        """Features that differ from their history on too many rows, the largest share first."""
        alarms = (each for each in self.skew if each.is_alarm)
        return tuple(sorted(alarms, key=lambda each: (-each.share, each.subject)))

    @property
    def findings(self) -> list[tuple[str, str, str]]:
        """The causes of an alarm, as (kind, subject, message); kinds as in AlertRecord."""
        listed = [
            (_kind(drift, check.aspect), drift.column, check.reason)
            for drift in self.drifted_columns
            for check in drift.checks
            if check.drifted
        ]
        listed += [("skew", each.subject, each.describe()) for each in self.skewed_features]
        if self.performance.dropped:
            listed.append(("performance", self.performance.watched, self.performance.reason))
        if self.errors_drifted:
            share = self.errors / (self.rows + self.errors)
            message = f"The model failed on {self.errors:,} rows ({share:.2%})."
            listed.append(("errors", "model", message))
        return listed

    @property
    def headline(self) -> str:
        """The report as a sentence."""
        if not self.rows:
            return "No row was answered in this window."
        sentences = [self._column_sentence(), *self._skew_sentences()]
        if self.performance.truths:
            sentences.append(self.performance.reason)
        return " ".join(sentences)

    def _column_sentence(self) -> str:
        drifted, unclear = self.drifted_columns, self.unclear_columns
        if drifted:
            return f"{_counted(drifted)} drifted: {_listed(drifted)}."
        if unclear:
            return (
                f"Cannot tell: {_counted(unclear)} may have changed ({_listed(unclear)}), and"
                f" {self.rows:,} rows are too few to know."
            )
        if self.rows < _LEAST_ROWS:
            return f"Cannot tell: {self.rows} rows are too few to know."
        return f"No column drifted in {self.rows:,} rows."

    def _skew_sentences(self) -> list[str]:
        if self.skew_problem:
            return [f"Features were not compared with their histories: {self.skew_problem}"]
        skewed = self.skewed_features
        if not skewed:
            return []
        names = _named([each.subject for each in skewed])
        return [f"{_count(len(skewed), 'feature')} served other values than the history: {names}."]

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain JSON."""
        return {
            "deployment": self.deployment,
            "model": self.model,
            "version": self.version,
            "since": self.since,
            "until": self.until,
            "rows": self.rows,
            "errors": self.errors,
            "errors_drifted": self.errors_drifted,
            "drifted": self.drifted,
            "verdict": self.verdict,
            "headline": self.headline,
            "columns": [column.to_json() for column in self.columns],
            "predictions": [column.to_json() for column in self.predictions],
            "performance": self.performance.to_json(),
            "limits": dict(self.limits),
            "skew": [each.to_json() for each in self.skew],
            "skew_problem": self.skew_problem,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read the JSON of ``to_json``."""
        return cls(
            deployment=value["deployment"],
            model=value["model"],
            version=value["version"],
            since=value["since"],
            until=value["until"],
            rows=value["rows"],
            errors=value["errors"],
            errors_drifted=value["errors_drifted"],
            columns=tuple(ColumnDrift.from_json(each) for each in value["columns"]),
            predictions=tuple(ColumnDrift.from_json(each) for each in value["predictions"]),
            performance=Performance.from_json(value["performance"]),
            limits=value["limits"],
            # Reports of earlier versions of penstock have none.
            skew=tuple(FeatureSkew.from_json(each) for each in value.get("skew", ())),
            skew_problem=value.get("skew_problem", ""),
        )

    def to_bundle(self) -> dict[str, Any]:
        """Return the storable parts."""
        return {"report": self.to_json()}

    @classmethod
    def from_bundle(cls, parts: Mapping[str, Any]) -> Self:
        """Read the parts of ``to_bundle``."""
        return cls.from_json(parts["report"])

    def summary(self) -> dict[str, Any]:
        """Return the fields of listings, as plain JSON."""
        return {
            "headline": self.headline,
            "rows": self.rows,
            "since": self.since,
            "until": self.until,
            "verdict": self.verdict,
            "drifted": [each.column for each in self.drifted_columns],
            "unclear": [each.column for each in self.unclear_columns],
            "skewed": [each.subject for each in self.skewed_features],
            "truths": self.performance.truths,
            "metric": self.performance.watched,
            "loss": self.performance.loss,
        }

    def figures(self) -> "dict[str, go.Figure]":
        """Draw an overview, each drifted column, predictions and performance."""
        return draw_figures(self.columns, self.predictions, self.performance)


def _counted(columns: Sequence[ColumnDrift]) -> str:
    return _count(len(columns), "column")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number > 1 else ''}"


def _listed(columns: Sequence[ColumnDrift]) -> str:
    return _named([each.column for each in columns])


def _named(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _kind(drift: ColumnDrift, aspect: str) -> str:
    if aspect in {"missing", "new"}:
        return "data_quality"
    return "feature_drift" if drift.role == "feature" else "prediction_drift"
