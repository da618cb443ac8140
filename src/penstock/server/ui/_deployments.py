"""Deployments: the list, and a deployment's traffic, rollout, events, drift and alerts."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from penstock.core import (
    AlertRecord,
    DeploymentRecord,
    PredictionRecord,
    ReportRecord,
    RolloutRecord,
    RolloutState,
    now,
)
from penstock.server.ui._figures import is_report
from penstock.server.ui._page import Page, Query
from penstock.server.ui._site import Site
from penstock.serving import availability, rollout_outlook

_SAMPLE = 20
_LATEST = 2000
_BARS = 48
_MEASURES = {"w1": "shift (in IQRs)", "tvd": "share of rows moved", "share": "change of share"}


def deployments_page(site: Site, query: Query) -> Page:  # noqa: ARG001 - a page's form
    """List the deployments with requests, errors, drift and alerts."""
    day = now() - timedelta(days=1)
    rows = []
    for deployment in sorted(site.metadata.deployments.list(), key=lambda d: d.name):
        name = deployment.name
        reports = site.metadata.deployments.list_reports(name, limit=1)
        rows.append(
            {
                "deployment": deployment,
                "weights": weights(deployment),
                "available": availability(name, store=site.store),
                "day": _sum(site.metadata.predictions.count(name, since=day)),
                "all": _sum(site.metadata.predictions.count(name)),
                "open_alerts": len(site.metadata.deployments.list_alerts(name, open_only=True)),
                "report": reports[0] if reports else None,
            }
        )
    view = {"verdict": verdict}
    return Page(
        "deployments.html", "Deployments", {"deployments": rows}, view, section="deployments"
    )


def deployment_page(site: Site, query: Query, name: str) -> Page:  # noqa: ARG001 - a page's form
    """Show a deployment.

    Raises:
        NotFoundError: If there is no such deployment.
    """
    deployment = site.metadata.deployments.get(name)
    latest = site.metadata.predictions.list(name, limit=_LATEST)
    reports = site.metadata.deployments.list_reports(name)
    drift = site.facts(reports[0].artifact) if reports else None
    record = site.artifact(reports[0].artifact) if reports else None
    alerts = site.metadata.deployments.list_alerts(name)
    data = {
        "deployment": deployment,
        "counts": site.metadata.predictions.count(name),
        "latency": latency(latest),
        "alerts": {
            "open": [alert for alert in alerts if alert.resolved_at is None],
            "resolved": [alert for alert in alerts if alert.resolved_at is not None],
        },
        "reports": reports,
        "drift": drift,
        "events": _newest_first(site.metadata.deployments.list_events(name)),
        "predictions": latest[::-1][:_SAMPLE],
    }
    rollout = deployment.rollout
    view = {
        "weights": weights(deployment),
        "available": availability(name, store=site.store),
        "rollout_steps": rollout_steps(rollout) if rollout else [],
        "traffic": traffic(latest),
        "drift_digest": record.digest if record and is_report(record) else "",
        "drift_columns": drift_columns(drift),
        "performance": performance_rows((drift or {}).get("performance") or {}),
        "performance_verdict": performance_verdict((drift or {}).get("performance") or {}),
        "verdict": verdict,
        "alert_versions": _alert_versions(alerts, reports),
        "served": [number for number, share in deployment.weights.items() if share],
        "outlook": rollout_outlook(deployment, store=site.store),
    }
    is_running = rollout is not None and rollout.state is RolloutState.RUNNING
    live = is_running or _recent(latest)
    return Page(
        "deployment.html", name, data, view, section="deployments", charts=bool(drift), live=live
    )


def weights(deployment: DeploymentRecord) -> list[dict[str, Any]]:
    """Return the shares as pieces of a bar 100 wide, the control first."""
    order = sorted(deployment.weights, key=lambda v: (int(v) != deployment.control, int(v)))
    pieces, start = [], 0.0
    for version in order:
        share = float(deployment.weights[version])
        pieces.append(
            {
                "version": int(version),
                "share": share,
                "start": round(100 * start, 2),
                "length": round(100 * share, 2),
                "control": int(version) == deployment.control,
            }
        )
        start += share
    return pieces


def rollout_steps(rollout: RolloutRecord) -> list[dict[str, Any]]:
    """Return for each step of a rollout whether done, current, undone or still to come."""
    position, state = rollout.position, rollout.state
    looks = []
    for index, percent in enumerate(rollout.steps):
        look = "done" if index < position or state is RolloutState.PROMOTED else "later"
        if index == position and rollout.is_open:
            look = "now"
        elif state is RolloutState.ROLLED_BACK and index >= position:
            look = "back" if index == position else "later"
        looks.append({"percent": percent, "look": look})
    return looks


def latency(predictions: Sequence[PredictionRecord]) -> dict[str, float] | None:
    """Compute the median and tail latency of the latest predictions, in seconds."""
    taken = sorted(p.latency_s for p in predictions if p.latency_s > 0)
    if not taken:
        return None
    return {f"p{q}": taken[min(len(taken) - 1, len(taken) * q // 100)] for q in (50, 95, 99)}


def traffic(predictions: Sequence[PredictionRecord]) -> dict[str, Any] | None:
    """Count the latest predictions in equal stretches of time, for a row of bars."""
    if len(predictions) < 2:  # noqa: PLR2004 - no time passes in one
        return None
    first, last = predictions[0].at, predictions[-1].at
    span = (last - first).total_seconds() or 1.0
    counts, errors = [0] * _BARS, [0] * _BARS
    for prediction in predictions:
        place = min(_BARS - 1, int(_BARS * (prediction.at - first).total_seconds() / span))
        counts[place] += 1
        errors[place] += prediction.error is not None
    top = max(counts)
    bars = [
        {"x": i, "height": 36 * c / top, "errors": 36 * e / top}
        for i, (c, e) in enumerate(zip(counts, errors, strict=True))
    ]
    return {"bars": bars, "first": first, "last": last, "count": len(predictions)}


def drift_columns(drift: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """List a drift report's columns, the drifted ones first, then by effect."""
    facts = drift or {}
    drifts = [*(facts.get("columns") or ()), *(facts.get("predictions") or ())]
    columns = [_drift_row(column) for column in drifts]
    return sorted(columns, key=lambda row: (not row["drifted"], -(row["effect"] or 0.0)))


def performance_rows(performance: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List each metric now beside the metric at registration, the watched metric first."""
    now_, then = performance.get("metrics") or {}, performance.get("registered") or {}
    rows = [
        {
            "name": name,
            "now": _with_valid_interval(figure),
            "then": _with_valid_interval(then[name]) if name in then else None,
            "watched": name == performance.get("watched"),
        }
        for name, figure in now_.items()
    ]
    return sorted(rows, key=lambda row: not row["watched"])


def _with_valid_interval(figure: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the figure without the interval if the rows were too few for a valid one."""
    return {**figure, "low": None, "high": None} if figure.get("needs") else figure


def verdict(report: ReportRecord) -> str:
    """Return the verdict of a drift report: ``drifted``, ``steady`` or ``cannot_tell``."""
    said = str(report.summary.get("verdict") or ("drifted" if report.drifted else "steady"))
    return said.replace(" ", "_")


def performance_verdict(performance: Mapping[str, Any]) -> str:
    """Return the verdict on the watched metric; too few labelled rows mean ``cannot_tell``.

    >>> performance_verdict({"dropped": False, "metrics": {}})
    'cannot_tell'
    """
    if performance.get("dropped"):
        return "drifted"
    known = (performance.get("metrics") or {}).get(performance.get("watched"))
    value = (known or {}).get("value")
    # A report of an earlier version of penstock says so in its sentence only.
    is_judged = performance.get("judged", "are not judged" not in performance.get("reason", ""))
    return "steady" if is_judged and value is not None else "cannot_tell"


def _alert_versions(
    alerts: Sequence[AlertRecord], reports: Sequence[ReportRecord]
) -> dict[str, int]:
    """Return the version that each alert is about, by alert id."""
    of_report = {report.artifact: report.version for report in reports}
    versions = {}
    for alert in alerts:
        _, mark, number = alert.subject.partition("version ")
        if mark and number.isdigit():
            versions[alert.alert_id] = int(number)
        elif alert.report in of_report:
            versions[alert.alert_id] = of_report[alert.report]
    return versions


def _drift_row(column: Mapping[str, Any]) -> dict[str, Any]:
    """Build a table row from the check that drifted, else the check of the distribution."""
    checks = sorted(
        column.get("checks") or (),
        key=lambda check: (not check["drifted"], check["aspect"] != "distribution"),
    )
    check = checks[0] if checks else {}
    effect = check.get("effect") or {}
    return {
        "column": column["column"],
        "role": column.get("role", "feature"),
        "compared": bool(checks),
        "kind": column.get("kind", ""),
        "drifted": bool(column.get("drifted")),
        "verdict": _column_verdict(column),
        "reason": column.get("reason") or column.get("note", ""),
        "measure": _MEASURES.get(check.get("statistic", ""), check.get("statistic", "")),
        "effect": effect.get("value"),
        "low": effect.get("low"),
        "high": effect.get("high"),
        "minimum": check.get("minimum"),
        "p": check.get("p_adjusted"),
    }


def _column_verdict(column: Mapping[str, Any]) -> str:
    if column.get("drifted"):
        return "drifted"
    said = column.get("verdict") or ("unclear" if "too few" in column.get("reason", "") else "")
    return "cannot_tell" if said in {"unclear", "cannot tell"} else "steady"


def _sum(counts: Mapping[int, Mapping[str, int]]) -> dict[str, int]:
    return {
        key: sum(of.get(key, 0) for of in counts.values())
        for key in ("requests", "rows", "errors", "truth")
    }


def _newest_first(events: Sequence[Any]) -> list[Any]:
    return sorted(events, key=lambda event: event.at, reverse=True)


def _recent(predictions: Sequence[PredictionRecord]) -> bool:
    newest: datetime | None = predictions[-1].at if predictions else None
    return newest is not None and now() - newest < timedelta(minutes=1)
