"""Contract of deployments, drift reports and alerts."""

from dataclasses import replace

import pytest

from penstock.core import (
    ConflictError,
    DeploymentEvent,
    DeploymentState,
    NotFoundError,
    ReportRecord,
    Stage,
)
from penstock.stores import MetadataStore
from penstock.testing._records import a_deployment, a_move, a_rollout, an_alert, at, register


class DeploymentContract:
    """Tests of deployments, drift reports and alerts; see MetadataStoreContract."""

    def test_a_deployment_is_replaced_by_who_saw_its_generation(
        self, metadata: MetadataStore
    ) -> None:
        _put_in_production(metadata)
        before = metadata.settings.change_counter()
        event = DeploymentEvent("big-tips", "deployed", "v1 gets all", at(0), {"version": 1})
        first = metadata.deployments.save(a_deployment(), expected_generation=None, event=event)
        canary = replace(first, weights={1: 0.95, 2: 0.05}, rollout=a_rollout())
        second = metadata.deployments.save(canary, expected_generation=first.generation)
        assert (first.generation, second.generation) == (1, 2)
        assert metadata.deployments.get("big-tips") == second
        assert metadata.deployments.list() == [second]
        assert metadata.deployments.list_events("big-tips") == [event]
        assert metadata.settings.change_counter() > before

    @pytest.mark.parametrize("expected", [None, 7])
    def test_a_stale_deployment_is_refused(
        self, metadata: MetadataStore, expected: int | None
    ) -> None:
        _put_in_production(metadata)
        metadata.deployments.save(a_deployment(), expected_generation=None)
        with pytest.raises(ConflictError, match="Someone else changed it"):
            metadata.deployments.save(a_deployment(), expected_generation=expected)

    def test_a_deployment_that_is_expected_must_exist(self, metadata: MetadataStore) -> None:
        _put_in_production(metadata)
        with pytest.raises(ConflictError, match="does not exist"):
            metadata.deployments.save(a_deployment(), expected_generation=1)
        with pytest.raises(NotFoundError, match="penstock deploy"):
            metadata.deployments.get("big-tips")
        metadata.deployments.save(
            a_deployment(state=DeploymentState.PENDING), expected_generation=None
        )
        with pytest.raises(NotFoundError, match="Did you mean 'big-tips'"):
            metadata.deployments.get("big-tip")

    def test_the_newest_events_are_listed_in_order(self, metadata: MetadataStore) -> None:
        events = [DeploymentEvent("d", "step", str(i), at(i)) for i in range(5)]
        for event in events:
            metadata.deployments.add_event(event)
        assert metadata.deployments.list_events("d", limit=2) == events[3:]

    def test_reports_are_listed_newest_first(self, metadata: MetadataStore) -> None:
        reports = [
            ReportRecord(f"r{i}", "d", "m", 1, at(i), i == 1, "sha256:…", {"columns": i})
            for i in range(3)
        ]
        for report in [*reports, reports[0]]:
            metadata.deployments.add_report(report)
        assert metadata.deployments.list_reports("d", limit=2) == [reports[2], reports[1]]
        assert metadata.deployments.list_reports("other") == []

    def test_an_alert_of_another_deployment_is_not_replaced(self, metadata: MetadataStore) -> None:
        alert = an_alert("a1")
        metadata.deployments.save_alert(alert)
        with pytest.raises(ConflictError, match="belongs to something else"):
            metadata.deployments.save_alert(replace(alert, deployment="other"))
        assert metadata.deployments.list_alerts() == [alert]

    def test_alerts_are_replaced_and_resolved(self, metadata: MetadataStore) -> None:
        first, second = an_alert("a1"), an_alert("a2", deployment="other", raised_at=at(5))
        for alert in (first, second):
            metadata.deployments.save_alert(alert)
        resolved = replace(first, count=3, last_seen_at=at(4), resolved_at=at(9))
        metadata.deployments.save_alert(resolved)
        assert metadata.deployments.list_alerts() == [second, resolved]
        assert metadata.deployments.list_alerts("big-tips") == [resolved]
        assert metadata.deployments.list_alerts(open_only=True) == [second]


def _put_in_production(metadata: MetadataStore) -> None:
    """Register two versions and move the first to production: a server serves only what may be."""
    register(metadata, "v", "w")
    metadata.models.move_stages([a_move(1, Stage.NONE, Stage.PRODUCTION)], expected={1: 1})
