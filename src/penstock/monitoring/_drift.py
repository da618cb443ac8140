"""check_drift: the rows of a window against the training profile of the version that predicted."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

from penstock.core import DataError, ModelVersionRecord, PenstockError, PredictionRecord
from penstock.data import Snapshot, TableProfile
from penstock.models import Signature
from penstock.monitoring._column_drift import ColumnDrift
from penstock.monitoring._columns import compare_column
from penstock.monitoring._evidence import wilson
from penstock.monitoring._feature_skew import FeatureSkew
from penstock.monitoring._limits import Limits
from penstock.monitoring._performance import measure_performance
from penstock.monitoring._report import DriftReport
from penstock.monitoring._verdicts import judge_columns
from penstock.monitoring._window import add_truth, frame_of, read_window, series_of
from penstock.stores import Store, open_store

if TYPE_CHECKING:
    import polars as pl

    from penstock.evaluation import EvaluationReport


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

    Features that come from feature views are compared with their histories, too (`check_skew`).
    The result depends on the rows, and on the histories at their times, alone: the same ones give
    the same bytes.

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
    deployed = store.metadata.deployments.get(deployment)
    record = store.metadata.models.get_version(deployed.model, version or deployed.control)
    answered = read_window(store, deployment, record.version, since, until, limits.max_rows)
    rows = [one for one in answered if one.error is None]
    errors = len(answered) - len(rows)
    signature = Signature.from_json(record.signature)
    inputs = frame_of(rows, signature)
    features = compare_table(training_profile(record, store=store), inputs, limits)
    skew, skew_problem = _compare_histories(rows, inputs, signature, limits)
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
            add_truth(store, deployment, rows, record.version, since, until),
            limits,
        ),
        limits=limits.to_json(),
        skew=skew,
        skew_problem=skew_problem,
    )


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


def compare_snapshots(
    before: Snapshot, after: Snapshot, limits: Limits | None = None
) -> tuple[ColumnDrift, ...]:
    """Compare the columns that two snapshots share, with verdicts; drifted ones come first.

    Times are left out: later rows have later times.

    >>> import polars as pl
    >>> old = Snapshot.of(pl.DataFrame({"x": [i % 7 for i in range(700)]}))
    >>> new = Snapshot.of(pl.DataFrame({"x": [i % 7 + 3 for i in range(700)]}))
    >>> [(drift.column, drift.verdict) for drift in compare_snapshots(old, new)]
    [('x', 'drifted')]

    Args:
        before: The reference.
        after: Rows in the order in which they came.
        limits: See Limits; by default those of a monitor.
    """
    limits = limits or Limits()
    profile = before.profile
    shared = {
        name: one
        for name, one in profile.columns.items()
        if name in after.schema and one.kind not in {"date", "datetime"}
    }
    compared = compare_table(replace(profile, columns=shared), after.table, limits)
    columns, _ = judge_columns(compared, (), limits)
    return tuple(sorted(columns, key=lambda drift: not drift.drifted))


def _compare_histories(
    rows: Sequence[PredictionRecord], inputs: "pl.DataFrame", signature: Signature, limits: Limits
) -> tuple[tuple[FeatureSkew, ...], str]:
    """Compare features with their histories; drift is reported even if these cannot be read."""
    if signature.features is None:
        return (), ""
    # Imported here: it loads polars and the feature store, which a page about drift does without.
    compare_served = import_module("penstock.monitoring._skew").compare_served
    try:
        skews = compare_served(rows, signature.features, sent=inputs, limit=limits.skew)
        return tuple(sorted(skews, key=lambda each: each.subject)), ""
    except PenstockError as error:
        return (), str(error)


# Their predictions are not the labels that the report compares with a target.
_UNLIKE_REPORT = frozenset({"outliers", "clustering", "multi_output"})


def _compare_predictions(
    store: Store, version: ModelVersionRecord, rows: Sequence[PredictionRecord], limits: Limits
) -> tuple[ColumnDrift, ...]:
    if version.report is None or version.signature.get("task") in _UNLIKE_REPORT:
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
            series_of(name, column),
            limits,
            role=name,
            as_category=name == "prediction" and report.task != "regression",
        )
        for name, column in values.items()
        if name in columns
    )
