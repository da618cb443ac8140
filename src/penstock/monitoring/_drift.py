"""check_drift: the rows of a window against the training profile of the version that predicted."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from penstock.core import DataError, ModelVersionRecord, PredictionRecord, now
from penstock.data import TableProfile
from penstock.models import Signature
from penstock.monitoring._column_drift import Check, ColumnDrift
from penstock.monitoring._columns import compare_column
from penstock.monitoring._evidence import holm, wilson
from penstock.monitoring._limits import Limits
from penstock.monitoring._performance import measure_performance
from penstock.monitoring._report import DriftReport
from penstock.stores import Store, open_store

if TYPE_CHECKING:
    import polars as pl

    from penstock.evaluation import EvaluationReport

_UNITS = {
    "w1": "robust standard deviations",
    "tvd": "of the rows changed",
    "share": "points",
    "ratio": "times",
}
EVERYTHING = datetime(1, 1, 1, tzinfo=UTC)
"""The ``since`` of a window over all rows of a version."""

_RECENT = timedelta(days=1)
_RECENT_ROWS = 1_000
_RECENT_TRUTHS = 5_000
_ROWS_AT_ONCE = 10_000


def check_drift(
    deployment: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    version: int | None = None,
    limits: Limits | None = None,
    store: Store | str | None = None,
) -> DriftReport:
    """Compare a window of logged predictions with training; stores nothing, raises no alert.

    The result depends on the rows alone: the same rows give the same bytes.

    Args:
        deployment: The endpoint.
        since: Start of the window, included; None for the last day before ``until``, or the newest
            1,000 rows of the version where the day has fewer; `EVERYTHING` for all rows. Labels are
            delayed: without ``since``, performance is computed from the newest 5,000 rows with
            ground truth.
        until: End of the window, excluded; None for now.
        version: The version; None for the deployment's control.
        limits: The alarm limits; by default ``Limits()``.
        store: The store of the predictions; by default the project's.

    Raises:
        NotFoundError: If the deployment or version does not exist.
        DataError: If the version was registered without a training profile.
    """
    store = open_store(store)
    limits = limits or Limits()
    found = store.metadata.deployments.get(deployment)
    record = store.metadata.models.get_version(found.model, version or found.control)
    answered = _answered(store, deployment, record.version, since, until, limits.max_rows)
    rows = [one for one in answered if one.error is None]
    errors = len(answered) - len(rows)
    features = compare_table(
        training_profile(record, store=store),
        _frame(rows, Signature.from_json(record.signature)),
        limits,
    )
    predictions = _compare_predictions(store, record, rows, limits)
    columns, predictions = judge_columns(features, predictions, limits)
    return DriftReport(
        deployment=deployment,
        model=record.model,
        version=record.version,
        since=rows[0].at.isoformat() if rows else None,
        until=rows[-1].at.isoformat() if rows else None,
        rows=len(rows),
        errors=errors,
        errors_drifted=bool(errors)
        and wilson(errors / len(answered), len(answered))[0] > limits.errors,
        columns=columns,
        predictions=predictions,
        performance=measure_performance(
            store,
            record,
            _with_truth(store, deployment, rows, record.version, since, until),
            limits,
        ),
        limits=limits.to_json(),
    )


def _answered(
    store: Store,
    deployment: str,
    version: int,
    since: datetime | None,
    until: datetime | None,
    most: int,
) -> list[PredictionRecord]:
    """Read the window's rows, oldest first."""

    def read(start: datetime | None, limit: int) -> list[PredictionRecord]:
        return store.metadata.predictions.list(
            deployment, version=version, since=start, until=until, limit=limit
        )

    found = read(since or (until or now()) - _RECENT, most)
    if since is None and len(found) < _RECENT_ROWS:
        found = read(None, min(_RECENT_ROWS, most))
    # Rows of one request share their time; ordering by id too makes the order reproducible.
    return sorted(found, key=lambda one: (one.at, one.prediction_id))


def _with_truth(
    store: Store,
    deployment: str,
    rows: list[PredictionRecord],
    version: int,
    since: datetime | None,
    until: datetime | None,
) -> list[PredictionRecord]:
    """Add the newest rows with ground truth: labels are often delayed by more than a day."""
    if since is not None:
        return rows
    older = store.metadata.predictions.list(
        deployment, version=version, until=until, with_truth=True, limit=_RECENT_TRUTHS
    )
    window = {row.prediction_id for row in rows}
    added = [row for row in older if row.error is None and row.prediction_id not in window]
    return [*added, *rows]


def training_profile(version: ModelVersionRecord, *, store: Store) -> TableProfile:
    """Read the profile of the rows that a version was trained on.

    Args:
        version: The version.
        store: The store of the profile.

    Raises:
        DataError: If the version was registered without a profile.
    """
    if version.profile is not None:
        value = store.get(version.profile)
        return value if isinstance(value, TableProfile) else TableProfile.from_json(value)
    if version.report is not None:
        report: EvaluationReport = store.get(version.report)
        return report.profile
    raise DataError(
        what=f"{version.ref} has no training profile.",
        why="Drift is the difference to training.",
        fix="Register it with a report, or with profile=profile_table(X).",
        version=version.version,
    )


def compare_table(
    profile: TableProfile, table: "pl.DataFrame", limits: Limits
) -> tuple[ColumnDrift, ...]:
    """Compare every column of a profile with a table; verdicts are set by ``judge_columns``.

    Args:
        profile: The training profile.
        table: Current rows in time order; columns absent from the table count as all missing.
        limits: See Limits.
    """
    import polars as pl

    empty = pl.Series("", [None] * table.height)
    return tuple(
        compare_column(
            column,
            table[name] if name in table.columns else empty.rename(name),
            limits,
        )
        for name, column in profile.columns.items()
    )


def judge_columns(
    features: Sequence[ColumnDrift], predictions: Sequence[ColumnDrift], limits: Limits
) -> tuple[tuple[ColumnDrift, ...], tuple[ColumnDrift, ...]]:
    """Set the verdicts: drift is significant over all checks, and above the minimum effect.

    Args:
        features: Compared columns.
        predictions: Compared predictions and scores.
        limits: Source of the chance of a false alarm for the whole report.

    Returns:
        The same columns, with verdicts.
    """
    every = [*features, *predictions]
    # Adjusted over all columns together, so that alpha holds for the whole report.
    adjusted = iter(holm([check.p for drift in every for check in drift.checks]))
    judged = [
        replace(
            drift,
            checks=_told_once(
                [_judged(drift, check, next(adjusted), limits) for check in drift.checks]
            ),
        )
        for drift in every
    ]
    return tuple(judged[: len(features)]), tuple(judged[len(features) :])


def _told_once(checks: list[Check]) -> tuple[Check, ...]:
    """Remove the rare category's check where the whole distribution has drifted."""
    moved = any(check.drifted and check.aspect == "distribution" for check in checks)
    return tuple(check for check in checks if not (moved and check.aspect == "level"))


def _judged(drift: ColumnDrift, check: Check, p: float, limits: Limits) -> Check:
    evident, large = p < limits.alpha, check.effect.low > check.minimum
    return replace(
        check,
        p_adjusted=p,
        drifted=evident and large,
        reason=_reason(drift, check, evident=evident, large=large),
    )


def _reason(drift: ColumnDrift, check: Check, *, evident: bool, large: bool) -> str:
    effect = check.effect
    figures = f"{effect.value:.3f} [{effect.low:.3f}, {effect.high:.3f}]"
    if evident and large:
        return f"{_subject(drift, check)} {figures} {_UNITS[check.statistic]}, {_limit(check)}."
    if evident and effect.value > check.minimum:
        return f"A change of {figures} is significant, but may be too small to matter: {_limit(check)}."
    if evident:
        return f"A change of {figures} is significant, but negligible: {_limit(check)}."
    if effect.value > check.minimum and check.is_unclear:
        return f"A change of {figures} may be chance: too few rows ({drift.rows:,})."
    if effect.value > check.minimum:  # steady: the reason must not call the column unknown
        return f"A change of {figures} may be chance; a larger one than {effect.high:.3f} is ruled out."
    return "As in training."


def _subject(drift: ColumnDrift, check: Check) -> str:
    then, now = drift.missing
    if check.aspect == "missing":
        return f"Missing values rose from {then:.1%} to {now:.1%}, by"
    if check.aspect == "level":
        return f"{check.subject},"
    if check.aspect == "new":
        return f"Values that training never saw (such as {', '.join(drift.new_values[:3])}):"
    return "Moved by" if check.statistic == "w1" else "Shares moved:"


def _limit(check: Check) -> str:
    return f"the limit is {check.minimum:g}"


def _frame(rows: Sequence[PredictionRecord], signature: Signature) -> "pl.DataFrame":
    """Parse the callers' rows as the server parsed them: "$5" is a number, and 0 may be false."""
    import polars as pl

    if not rows:
        return pl.DataFrame(schema=dict.fromkeys(signature.names, pl.Null))
    sent = [row.inputs for row in rows]
    try:
        read = [
            signature.check_rows(sent[start : start + _ROWS_AT_ONCE])[0]
            for start in range(0, len(sent), _ROWS_AT_ONCE)
        ]
    except DataError:  # the server refuses such rows; logs filled elsewhere are used as they are
        read = []
    table = pl.concat(read) if read else pl.DataFrame()
    return pl.DataFrame(
        [
            # An Enum cannot hold a category absent from training.
            table[column.name]
            if column.name in table.columns and column.family != "enum"
            else _series(column.name, [row.get(column.name) for row in sent], column.family)
            for column in signature.inputs
        ]
    )


def _series(name: str, values: list[Any], family: str = "") -> "pl.Series":
    """Build a column from callers' values, which may mix 1 and 1.5, or 1 and true."""
    import polars as pl

    kinds = set(map(type, values)) - {type(None)}
    if family == "boolean" and len(kinds) > 1:
        return pl.Series(name, [None if value is None else bool(value) for value in values])
    if float in kinds and kinds <= {int, float}:
        return pl.Series(name, values, pl.Float64, strict=False)
    if len(kinds) <= 1:
        return pl.Series(name, values, strict=False)
    return pl.Series(name, [None if value is None else str(value) for value in values])


def _compare_predictions(
    store: Store, version: ModelVersionRecord, rows: Sequence[PredictionRecord], limits: Limits
) -> tuple[ColumnDrift, ...]:
    if version.report is None:
        return ()
    report: EvaluationReport = store.get(version.report)
    columns = report.prediction_profile.columns
    values: dict[str, list[Any]] = {
        "prediction": [row.prediction for row in rows],
        "score": [row.score for row in rows],
    }
    if rows and all(row.score is None for row in rows):
        del values["score"]  # a model without probabilities has no scores; none are missing
    return tuple(
        compare_column(
            columns[name],
            _series(name, found),
            limits,
            role=name,
            as_category=name == "prediction" and report.task != "regression",
        )
        for name, found in values.items()
        if name in columns
    )
