"""Contract of every MetadataStore for deployments, predictions, reports and alerts."""

from dataclasses import replace

import pytest

from penstock.core import (
    ConflictError,
    DeploymentEvent,
    DeploymentState,
    NotFoundError,
    ReportRecord,
)
from penstock.stores import MetadataStore
from penstock.testing._records import a_deployment, a_prediction, an_alert, at


class ServingContract:
    """Tests about deployments and their predictions; see MetadataStoreContract."""

    def test_a_deployment_is_replaced_by_who_saw_its_generation(
        self, metadata: MetadataStore
    ) -> None:
        before = metadata.settings.change_counter()
        event = DeploymentEvent("big-tips", "deployed", "v1 gets all", at(0), {"version": 1})
        first = metadata.deployments.save(a_deployment(), expected_generation=None, event=event)
        canary = replace(first, weights={1: 0.95, 2: 0.05}, rollout={"steps": [5, 100]})
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
        metadata.deployments.save(a_deployment(), expected_generation=None)
        with pytest.raises(ConflictError, match="Someone else changed it"):
            metadata.deployments.save(a_deployment(), expected_generation=expected)

    def test_a_deployment_that_is_expected_must_exist(self, metadata: MetadataStore) -> None:
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

    def test_predictions_come_back_in_order_of_time(self, metadata: MetadataStore) -> None:
        first = a_prediction("p1", at=at(2), unit="u", score=0.7, warnings=("new category",))
        second = a_prediction("p2", at=at(1), version=2, prediction=3.5, error="boom")
        metadata.predictions.add([first, second, first])
        assert metadata.predictions.list("big-tips") == [second, first]
        assert metadata.predictions.get("p1") == first
        assert metadata.predictions.get_many(["p2", "p9", "p1"]) == {"p1": first, "p2": second}
        assert metadata.predictions.get_many([]) == {}
        with pytest.raises(NotFoundError, match="no prediction 'p9'"):
            metadata.predictions.get("p9")

    def test_predictions_are_chosen_by_version_time_truth_and_number(
        self, metadata: MetadataStore
    ) -> None:
        rows = [a_prediction(f"p{i}", at=at(i), version=1 + i % 2) for i in range(6)]
        metadata.predictions.add(rows)
        metadata.predictions.add_truth({"p3": True}, at(9))

        def ids(**choice: object) -> list[str]:
            found = metadata.predictions.list("big-tips", **choice)  # type: ignore[arg-type] # chosen below
            return [row.prediction_id for row in found]

        assert ids(version=2) == ["p1", "p3", "p5"]
        assert ids(since=at(2), until=at(4)) == ["p2", "p3"]
        assert ids(with_truth=True) == ["p3"]
        assert ids(limit=2) == ["p4", "p5"]
        assert metadata.predictions.list("other") == []

    def test_truth_comes_later_and_unknown_ids_are_named(self, metadata: MetadataStore) -> None:
        metadata.predictions.add([a_prediction("p1"), a_prediction("p2")])
        assert metadata.predictions.add_truth({"p1": "no", "p9": 1, "p2": None}, at(60)) == ["p9"]
        found = metadata.predictions.get("p1")
        assert (found.truth, found.truth_at) == ("no", at(60))
        assert metadata.predictions.get("p2").truth_at == at(60)

    def test_predictions_are_counted_by_version(self, metadata: MetadataStore) -> None:
        rows = [a_prediction(f"p{i}", at=at(i), version=1 + i // 2) for i in range(3)]
        metadata.predictions.add([*rows, a_prediction("bad", error="boom", version=2)])
        metadata.predictions.add_truth({"p0": 1}, at(9))
        assert metadata.predictions.count("big-tips") == {
            1: {"requests": 2, "rows": 2, "errors": 0, "truth": 1},
            2: {"requests": 2, "rows": 2, "errors": 1, "truth": 0},
        }
        assert metadata.predictions.count("big-tips", since=at(2)) == {
            2: {"requests": 1, "rows": 1, "errors": 0, "truth": 0}
        }

    def test_a_batch_is_counted_as_one_request(self, metadata: MetadataStore) -> None:
        batch = [a_prediction(f"p{i}", at=at(i), row_index=i) for i in range(3)]
        metadata.predictions.add([*batch, a_prediction("alone", at=at(5))])
        assert metadata.predictions.list("big-tips")[2].row_index == 2
        assert metadata.predictions.count("big-tips") == {
            1: {"requests": 2, "rows": 4, "errors": 0, "truth": 0}
        }

    def test_reports_are_listed_newest_first(self, metadata: MetadataStore) -> None:
        reports = [
            ReportRecord(f"r{i}", "d", "m", 1, at(i), i == 1, "sha256:…", {"columns": i})
            for i in range(3)
        ]
        for report in [*reports, reports[0]]:
            metadata.deployments.add_report(report)
        assert metadata.deployments.list_reports("d", limit=2) == [reports[2], reports[1]]
        assert metadata.deployments.list_reports("other") == []

    def test_alerts_are_replaced_and_resolved(self, metadata: MetadataStore) -> None:
        first, second = an_alert("a1"), an_alert("a2", deployment="other", raised_at=at(5))
        for alert in (first, second):
            metadata.deployments.save_alert(alert)
        resolved = replace(first, count=3, last_seen_at=at(4), resolved_at=at(9))
        metadata.deployments.save_alert(resolved)
        assert metadata.deployments.list_alerts() == [second, resolved]
        assert metadata.deployments.list_alerts("big-tips") == [resolved]
        assert metadata.deployments.list_alerts(open_only=True) == [second]
