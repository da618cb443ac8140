import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from penstock.core import AlertRecord, set_clock
from penstock.features import Entity, FeatureStore, FeatureView
from penstock.models import FeatureInputs, Model, ViewInputs
from penstock.monitoring import (
    DriftReport,
    Limits,
    Monitor,
    Trigger,
    render_html,
    render_markdown,
)
from penstock.registry import Registry

MODEL = "fraud"
START = datetime(2026, 3, 1, tzinfo=UTC)


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def check(watched: Any, number: int) -> DriftReport:
    return Monitor(MODEL, store=watched.store).check(since=day(number), until=day(number + 1))


def open_alerts(watched: Any) -> dict[tuple[str, str], AlertRecord]:
    found = watched.store.metadata.deployments.list_alerts(MODEL, open_only=True)
    return {(alert.kind, alert.subject): alert for alert in found}


@pytest.fixture
def days(watched: Any) -> Any:
    """Day 0 is calm, days 1 and 2 have a shifted amount, day 3 is calm, day 4 is empty."""
    for number, shift in enumerate((0.0, 0.8, 0.9, 0.0)):
        watched.answer(watched.table(600, 10 + number, shift=shift), at=day(number))
    return watched


def test_a_report_is_kept_with_its_summary_and_lineage(days: Any) -> None:
    report = check(days, 1)
    (record,) = days.store.metadata.deployments.list_reports(MODEL)
    assert record.drifted
    assert record.summary["headline"] == report.headline
    assert days.store.get(record.artifact).to_json() == report.to_json()
    edges = days.store.metadata.artifacts.list_edges(f"deployment:{MODEL}", direction="down")
    assert any(edge.role == "watched" for edge in edges)


def test_an_alert_is_raised_seen_again_and_resolved(days: Any) -> None:
    assert not check(days, 0).drifted
    assert open_alerts(days) == {}
    check(days, 1)
    raised = open_alerts(days)["feature_drift", "amount"]
    assert raised.count == 1
    check(days, 2)
    again = open_alerts(days)["feature_drift", "amount"]
    assert (again.alert_id, again.count) == (raised.alert_id, 2)
    assert again.raised_at == raised.raised_at
    assert again.report != raised.report
    check(days, 3)
    assert open_alerts(days) == {}
    resolved = [
        one for one in days.store.metadata.deployments.list_alerts(MODEL) if one.resolved_at
    ]
    assert ("feature_drift", "amount") in {(one.kind, one.subject) for one in resolved}


def test_an_empty_window_resolves_nothing(days: Any) -> None:
    check(days, 1)
    before = open_alerts(days)
    check(days, 4)
    assert open_alerts(days) == before


def test_a_performance_alert_waits_for_truth_before_it_is_resolved(watched: Any) -> None:
    table = watched.table(600, 6)
    watched.answer(table.with_columns(table["bad"].shuffle(seed=1)), at=day(0), truth=True)
    watched.answer(watched.table(600, 7), at=day(1))
    watched.answer(watched.table(600, 8), at=day(2), truth=True)
    check(watched, 0)
    assert ("performance", "roc_auc") in open_alerts(watched)
    check(watched, 1)
    assert ("performance", "roc_auc") in open_alerts(watched)
    check(watched, 2)
    assert open_alerts(watched) == {}


def test_alerts_of_others_are_left_alone(days: Any) -> None:
    other = AlertRecord("a", MODEL, MODEL, "errors", "version 2", "Not loaded.", START, START)
    days.store.metadata.deployments.save_alert(other)
    check(days, 0)
    assert open_alerts(days)["errors", "version 2"] == other


# Skew of features


@pytest.fixture
def looked_up(watched: Any, trained: Any, tmp_path: Any) -> Any:
    """Version 2 looks ages up: right ones on days 0 and 2, four others on day 1, none on day 3."""
    person = Entity("person", {"id": pl.Int64})
    view = FeatureView("people", person, {"age": pl.Float64}, available_at=timedelta(0))
    features = FeatureStore(tmp_path / "features")
    features.apply(view)
    table = watched.table(400, 3)
    ages = table["age"]
    features.write(
        "people",
        table.select(
            "age",
            id=pl.int_range(pl.len()),
            event_time=pl.lit(START).cast(pl.Datetime("us", "UTC")),
        ),
    )
    model, signature, profile, report = trained
    inputs = FeatureInputs((ViewInputs(view.describe(), ("age",), "", 1, features.path),))
    Registry(store=watched.store).register(
        MODEL,
        Model(model, replace(signature, features=inputs)),
        report=report,
        profile=profile,
        actor="ann",
    )
    for number, wrong in enumerate((0, 4, 0, None)):
        found = [
            {
                "key": {"id": place},
                "values": {"age": age + (place < (wrong or 0))},
                "status": "PRESENT",
                "event_time": START.isoformat(),
                "version": 1,
            }
            for place, age in enumerate(ages)
        ]
        served = None if wrong is None else [{"people": each} for each in found]
        watched.answer(table, at=day(number), version=2, features=served)
    watched.features = features
    return watched


def check_skewed(watched: Any, number: int) -> DriftReport:
    monitor = Monitor(MODEL, store=watched.store)
    return monitor.check(since=day(number), until=day(number + 1), version=2)


def test_skew_of_a_looked_up_feature_is_an_alert_until_it_is_gone(looked_up: Any) -> None:
    assert not check_skewed(looked_up, 0).drifted
    report = check_skewed(looked_up, 1)
    assert (report.drifted, report.verdict) == (True, "drifted")
    assert report.findings == [("skew", "people:age", report.skew[0].describe())]
    assert report.skew[0].causes == {"transform": 4}
    assert "1 feature served other values than the history: people:age." in report.headline
    (stored,) = looked_up.store.metadata.deployments.list_reports(MODEL, limit=1)
    assert looked_up.store.get(stored.artifact).to_json() == report.to_json()
    assert stored.summary["skewed"] == ["people:age"]
    assert open_alerts(looked_up)["skew", "people:age"].message == report.skew[0].describe()
    check_skewed(looked_up, 3)  # nothing was looked up: no recovery
    assert ("skew", "people:age") in open_alerts(looked_up)
    check_skewed(looked_up, 2)
    assert open_alerts(looked_up) == {}
    assert not Monitor(MODEL, Limits(skew=0.02), store=looked_up.store).check(
        since=day(1), until=day(2), version=2
    ).drifted  # fmt: skip


def test_skew_starts_no_retraining_and_stands_in_both_renderings(looked_up: Any) -> None:
    report = check_skewed(looked_up, 1)
    assert not Trigger(start=lambda _cutoff: "r", store=looked_up.store).consider(report).started
    row = "| people:age | 400 | 4 | 1.00% [0.39%, 2.54%] | transform 4 |"  # Wilson by hand
    assert row in render_markdown(report)
    assert "<td>people:age</td><td>400</td><td>4</td>" in render_html(report)


def test_a_history_that_is_gone_leaves_the_drift_and_says_so(looked_up: Any) -> None:
    shutil.rmtree(looked_up.features.path)
    report = check_skewed(looked_up, 1)
    assert report.rows == 400
    assert not report.drifted
    assert "not compared with their histories: There is no feature view" in report.headline
    assert DriftReport.from_json(report.to_json()).to_json() == report.to_json()


# Trigger


@pytest.fixture
def clock() -> Any:
    class Clock:
        time = datetime(2026, 4, 1, tzinfo=UTC)

    set_clock(lambda: Clock.time)
    yield Clock
    set_clock(None)


def test_a_drift_starts_a_run_with_the_windows_end_as_cutoff(days: Any, clock: Any) -> None:
    cutoffs = []
    trigger = Trigger(start=lambda cutoff: cutoffs.append(cutoff) or "run-1", store=days.store)
    decision = trigger.consider(check(days, 1))
    assert (decision.started, decision.run_id) == (True, "run-1")
    assert cutoffs == [day(1) + timedelta(seconds=599)]
    assert "feature_drift of amount" in decision.reason
    assert "retrain" in {event.kind for event in days.store.metadata.deployments.list_events(MODEL)}


def test_a_calm_report_starts_nothing(days: Any, clock: Any) -> None:
    decision = Trigger(start=lambda _cutoff: pytest.fail("started"), store=days.store).consider(
        check(days, 0)
    )
    assert not decision.started


def test_a_trigger_rests_across_processes_and_then_starts_again(days: Any, clock: Any) -> None:
    starts = []

    def fresh() -> Trigger:
        return Trigger(
            cool_down="6h",
            start=lambda _cutoff: starts.append(1) or "r",
            store=days.store,
        )

    report = check(days, 1)
    assert fresh().consider(report).started
    clock.time += timedelta(hours=5)
    assert "Cooling down until 2026-04-01 06:00" in fresh().consider(report).reason
    clock.time += timedelta(hours=1)
    assert fresh().consider(report).started
    assert len(starts) == 2


def test_a_start_that_fails_is_not_tried_in_a_loop(days: Any, clock: Any) -> None:
    def fail(_cutoff: datetime) -> str:
        raise RuntimeError("the pipeline is broken")

    report = check(days, 1)
    with pytest.raises(RuntimeError):
        Trigger(start=fail, store=days.store).consider(report)
    assert not Trigger(start=fail, store=days.store).consider(report).started


def test_only_the_kinds_asked_for_start_a_run(days: Any, clock: Any) -> None:
    trigger = Trigger(start=lambda _cutoff: "r", kinds=("performance",), store=days.store)
    assert not trigger.consider(check(days, 1)).started
