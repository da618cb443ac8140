"""Deployments with their events, drift reports and alerts."""

from typing import Protocol

from penstock.core import AlertRecord, DeploymentEvent, DeploymentRecord, ReportRecord


class DeploymentStore(Protocol):
    """Deployments with their events, drift reports and alerts."""

    def save(
        self,
        deployment: DeploymentRecord,
        *,
        expected_generation: int | None,
        event: DeploymentEvent | None = None,
    ) -> DeploymentRecord:
        """Insert (expected None) or replace; return the deployment with the new generation."""
        ...

    def get(self, name: str) -> DeploymentRecord:
        """Return a deployment."""
        ...

    def add_event(self, event: DeploymentEvent) -> None:
        """Record an event of a deployment."""
        ...

    def list_events(self, name: str, *, limit: int = 200) -> list[DeploymentEvent]:
        """List the newest events of a deployment, oldest first."""
        ...

    def add_report(self, report: ReportRecord) -> None:
        """Record a drift report."""
        ...

    def list_reports(self, deployment: str, *, limit: int = 50) -> list[ReportRecord]:
        """List the reports of a deployment, newest first."""
        ...

    def save_alert(self, alert: AlertRecord) -> None:
        """Insert or replace an alert by alert id."""
        ...

    def list_alerts(
        self, deployment: str | None = None, *, open_only: bool = False
    ) -> list[AlertRecord]:
        """List alerts, newest first."""
        ...

    def list(self) -> list[DeploymentRecord]:
        """List the deployments by name."""
        ...
