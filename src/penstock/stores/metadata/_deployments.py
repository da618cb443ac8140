"""Deployments with their events, monitoring reports and alerts."""

from dataclasses import replace
from typing import Any

from penstock.core import (
    AlertRecord,
    ConflictError,
    DeploymentEvent,
    DeploymentRecord,
    DeploymentState,
    NotFoundError,
    ReportRecord,
    RolloutRecord,
    did_you_mean,
    to_json,
)
from penstock.stores._json import dump_json, load_json
from penstock.stores.metadata._audit import note_change
from penstock.stores.metadata._codec import RecordTable
from penstock.stores.metadata._database import Database, Transaction, put_owned
from penstock.stores.metadata._outbox import Outbox
from penstock.stores.metadata._settings import count_change


def _read_weights(text: str) -> dict[int, float]:
    return {int(version): share for version, share in load_json(text)}


def _weights_text(weights: dict[int, float]) -> str:
    return dump_json([[version, share] for version, share in weights.items()])


def _rollout_text(rollout: RolloutRecord) -> str:
    return dump_json(to_json(rollout))


def read_rollout(text: str) -> RolloutRecord:
    """Read a stored rollout of any form."""
    return RolloutRecord.from_json(load_json(text))


DEPLOYMENTS = RecordTable(
    "deployments",
    DeploymentRecord,
    times=("updated_at",),
    kinds={
        "state": DeploymentState,
        "weights": (_weights_text, _read_weights),
        "rollout": (_rollout_text, read_rollout),
    },
)
EVENTS = RecordTable("deployment_events", DeploymentEvent, times=("at",), structures=("facts",))
REPORTS = RecordTable(
    "reports", ReportRecord, times=("at",), structures=("summary",), flags=("drifted",)
)
ALERTS = RecordTable("alerts", AlertRecord, times=("raised_at", "last_seen_at", "resolved_at"))
_UPSERT = DEPLOYMENTS.upsert("name")
_UPSERT_REPORT = REPORTS.upsert("report_id", owner="deployment")
_UPSERT_ALERT = ALERTS.upsert("alert_id", owner="deployment")


class SQLDeploymentStore:
    """DeploymentStore on SQL."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database, self._outbox = database, outbox

    def save(
        self,
        deployment: DeploymentRecord,
        *,
        expected_generation: int | None,
        event: DeploymentEvent | None = None,
    ) -> DeploymentRecord:
        """See DeploymentStore."""
        with self._database.write(durable=True) as transaction:
            saved = write_deployment(transaction, deployment, expected_generation, event)
            if event is not None:
                self._outbox.note_deployment(transaction, event, deployment.model)
            shares = ", ".join(f"{each}: {share:g}" for each, share in saved.weights.items())
            facts = {"model": saved.model, "weights": shares, "generation": saved.generation}
            note_change(transaction, self._database, "deployment.save", saved.name, facts)
            count_change(transaction)
        return saved

    def get(self, name: str) -> DeploymentRecord:
        """See DeploymentStore."""
        with self._database.read() as transaction:
            record = _find(transaction, name)
            if record is not None:
                return record
            rows = transaction.execute("SELECT name FROM deployments").fetchall()
        raise NotFoundError(
            what=f"There is no deployment {name!r}.",
            fix=did_you_mean(name, [row[0] for row in rows]) or "Create one with: penstock deploy",
            name=name,
        )

    def add_event(self, event: DeploymentEvent) -> None:
        """See DeploymentStore."""
        with self._database.write() as transaction:
            transaction.execute(EVENTS.insert, EVENTS.row(event))
            record = _find(transaction, event.name)
            self._outbox.note_deployment(transaction, event, record.model if record else "")

    def list_events(self, name: str, *, limit: int = 200) -> list[DeploymentEvent]:
        """See DeploymentStore."""
        with self._database.read() as transaction:
            rows = transaction.execute(
                f"{EVENTS.select} WHERE name = ? ORDER BY id DESC LIMIT ?", (name, limit)
            ).fetchall()
        return [EVENTS.read(row) for row in reversed(rows)]

    def add_report(self, report: ReportRecord) -> None:
        """See DeploymentStore."""
        with self._database.write() as transaction:
            put_owned(transaction, _UPSERT_REPORT, REPORTS.row(report), report.report_id)

    def list_reports(self, deployment: str, *, limit: int = 50) -> list[ReportRecord]:
        """See DeploymentStore."""
        with self._database.read() as transaction:
            rows = transaction.execute(
                f"{REPORTS.select} WHERE deployment = ? ORDER BY at DESC, id DESC LIMIT ?",
                (deployment, limit),
            ).fetchall()
        return [REPORTS.read(row) for row in rows]

    def save_alert(self, alert: AlertRecord) -> None:
        """See DeploymentStore."""
        with self._database.write() as transaction:
            row = transaction.execute(
                f"{ALERTS.select} WHERE alert_id = ?", (alert.alert_id,)
            ).fetchone()
            put_owned(transaction, _UPSERT_ALERT, ALERTS.row(alert), alert.alert_id)
            if row is None:
                self._outbox.note_alert(transaction, "raised", alert)
            if alert.resolved_at is not None and (row is None or _is_open(row)):
                self._outbox.note_alert(transaction, "resolved", alert)

    def list_alerts(
        self, deployment: str | None = None, *, open_only: bool = False
    ) -> list[AlertRecord]:
        """See DeploymentStore."""
        wanted, values = ["1 = 1"], []
        if deployment is not None:
            wanted.append("deployment = ?")
            values.append(deployment)
        if open_only:
            wanted.append("resolved_at IS NULL")
        order = "raised_at DESC, kind, subject, alert_id"
        sql = f"{ALERTS.select} WHERE {' AND '.join(wanted)} ORDER BY {order}"
        with self._database.read() as transaction:
            rows = transaction.execute(sql, values).fetchall()
        return [ALERTS.read(row) for row in rows]

    def list(self) -> list[DeploymentRecord]:
        """See DeploymentStore."""
        with self._database.read() as transaction:
            rows = transaction.execute(f"{DEPLOYMENTS.select} ORDER BY name").fetchall()
        return [DEPLOYMENTS.read(row) for row in rows]


def write_deployment(
    transaction: Transaction,
    deployment: DeploymentRecord,
    expected_generation: int | None,
    event: DeploymentEvent | None,
) -> DeploymentRecord:
    """Write a deployment's next generation in a transaction that may contain further changes.

    Raises:
        ConflictError: If the deployment has a different generation than expected.
    """
    record = _find(transaction, deployment.name)
    generation = None if record is None else record.generation
    if generation != expected_generation:
        raise _moved(deployment.name, generation, expected_generation)
    deployment = replace(deployment, generation=(generation or 0) + 1)
    transaction.execute(_UPSERT, DEPLOYMENTS.row(deployment))
    if event is not None:
        transaction.execute(EVENTS.insert, EVENTS.row(event))
    return deployment


def _is_open(row: Any) -> bool:
    return ALERTS.read(row).resolved_at is None


def _find(transaction: Transaction, name: str) -> DeploymentRecord | None:
    row = transaction.execute(f"{DEPLOYMENTS.select} WHERE name = ?", (name,)).fetchone()
    return None if row is None else DEPLOYMENTS.read(row)


def _moved(name: str, generation: int | None, expected: int | None) -> ConflictError:
    if expected is None:
        what = f"Deployment {name!r} exists already, at generation {generation}."
    elif generation is None:
        what = f"Deployment {name!r} does not exist, but generation {expected} was expected."
    else:
        what = f"Deployment {name!r} is at generation {generation}, not {expected}."
    return ConflictError(
        what=what,
        why="Someone else changed it after you looked.",
        fix="Look again, and repeat what you did if it is still right.",
        generation=generation,
    )
