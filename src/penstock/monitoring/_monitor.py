"""Monitor: check a deployment, store the report, and update the alerts."""

from datetime import datetime

from penstock.core import Edge, ReportRecord, new_id, now
from penstock.hooks import delivers
from penstock.monitoring._alerts import update_alerts
from penstock.monitoring._drift import check_drift
from penstock.monitoring._limits import Limits
from penstock.monitoring._report import DriftReport
from penstock.stores import Store, open_store


class Monitor:
    """The monitor of a deployment.

    ```python
    report = Monitor("big-tips").check(since=yesterday)
    if report.drifted:
        print(render_markdown(report))
    ```

    Args:
        deployment: The deployment's name.
        limits: The alarm limits; by default ``Limits()``.
        store: The store of the deployment and the predictions; by default the project's.
    """

    def __init__(
        self, deployment: str, limits: Limits | None = None, *, store: Store | str | None = None
    ) -> None:
        self._store, self._deployment = open_store(store), deployment
        self._limits = limits or Limits()

    @delivers
    def check(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        version: int | None = None,
    ) -> DriftReport:
        """Compare a window with training, store the report and update the alerts.

        Args:
            since: Start of the window, included; None for the last day, or the newest 1,000 rows
                where the day has fewer; `EVERYTHING` for all rows of the version.
            until: End of the window, excluded; None for now.
            version: The version; None for the deployment's control.

        Raises:
            NotFoundError: If the deployment or version does not exist.
            DataError: If the version was registered without a training profile.
        """
        report = check_drift(
            self._deployment,
            since=since,
            until=until,
            version=version,
            limits=self._limits,
            store=self._store,
        )
        artifact = self._store.put(report)
        self._store.metadata.deployments.add_report(
            ReportRecord(
                report_id=new_id(),
                deployment=report.deployment,
                model=report.model,
                version=report.version,
                at=now(),
                drifted=report.drifted,
                artifact=artifact.digest,
                summary=report.summary(),
            )
        )
        node = f"artifact:{artifact.content_digest}"
        self._store.metadata.artifacts.add_edges(
            [
                Edge(f"version:{report.model}@{report.version}", node, "watched"),
                Edge(f"deployment:{report.deployment}", node, "watched"),
            ]
        )
        update_alerts(self._store, report, artifact.digest)
        return report
