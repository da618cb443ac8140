"""Alerts: one open record per fault, repeated while the fault lasts, resolved afterwards."""

from dataclasses import replace
from datetime import datetime

from penstock.core import AlertRecord, new_id, now
from penstock.monitoring._report import DriftReport
from penstock.stores import Store

Findings = dict[tuple[str, str], str]
_OURS = frozenset(
    {"feature_drift", "prediction_drift", "data_quality", "performance", "errors", "skew"}
)


def update_alerts(store: Store, report: DriftReport, artifact: str) -> list[AlertRecord]:
    """Raise, repeat and resolve alerts according to a report.

    Alerts that the report could not judge (no rows, no ground truth) are left as they were: missing
    data is no recovery.

    Args:
        store: The store of the alerts.
        report: The drift report.
        artifact: Stored digest of the report.

    Returns:
        The alerts that are open now, oldest first.
    """
    at = now()
    findings = _by_subject(report)
    for alert in store.metadata.deployments.list_alerts(report.deployment, open_only=True):
        message = findings.pop((alert.kind, alert.subject), None)
        if message is not None:
            store.metadata.deployments.save_alert(_seen_again(alert, message, at, artifact))
        elif _is_judged(report, alert):
            store.metadata.deployments.save_alert(replace(alert, resolved_at=at))
    for (kind, subject), message in findings.items():
        store.metadata.deployments.save_alert(
            AlertRecord(
                alert_id=new_id(),
                deployment=report.deployment,
                model=report.model,
                kind=kind,
                subject=subject,
                message=message,
                raised_at=at,
                last_seen_at=at,
                report=artifact,
            )
        )
    still_open = store.metadata.deployments.list_alerts(report.deployment, open_only=True)
    return sorted(still_open, key=lambda alert: (alert.raised_at, alert.alert_id))


def _by_subject(report: DriftReport) -> Findings:
    findings: Findings = {}
    for kind, subject, message in report.findings:
        before = findings.get((kind, subject))
        findings[kind, subject] = f"{before} {message}" if before else message
    return findings


def _seen_again(alert: AlertRecord, message: str, at: datetime, artifact: str) -> AlertRecord:
    return replace(alert, message=message, last_seen_at=at, count=alert.count + 1, report=artifact)


def _is_judged(report: DriftReport, alert: AlertRecord) -> bool:
    """Check whether the report judged the subject of the alert."""
    if alert.kind not in _OURS or not report.rows:
        return False
    if alert.kind == "performance":
        performance = report.performance
        enough = performance.truths >= int(report.limits["min_truth"])
        return performance.watched == alert.subject and enough
    if alert.kind == "errors":
        return alert.subject == "model"
    if alert.kind == "skew":
        return alert.subject in {each.subject for each in report.skew}
    unclear = {each.column for each in report.unclear_columns}
    return alert.subject not in unclear
