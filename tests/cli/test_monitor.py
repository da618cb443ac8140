"""penstock monitor and alerts."""

from datetime import UTC, datetime, timedelta

import pytest

from penstock.cli._monitor import _moment
from penstock.core import ParameterError, now


def test_what_is_like_training_leaves_with_zero(live):
    live.answer_rows(rows=300)
    document = live("monitor", "fraud", "--json").json
    assert document["drifted"] is False
    assert document["rows"] == 300
    assert live("alerts").out == "No open alerts.\n"


def test_drift_leaves_with_one_names_the_column_and_raises_an_alert(drifted):
    out = drifted("monitor", "fraud", code=1).out
    assert "amount" in out
    [alert] = [a for a in drifted("alerts", "fraud", "--json").json if a["subject"] == "amount"]
    assert alert["kind"] == "feature_drift"
    assert alert["resolved_at"] is None
    out = drifted("alerts").out
    assert "feature_drift" in out
    assert "amount" in out


def test_an_alert_that_is_seen_again_is_counted_and_one_that_is_gone_is_resolved(drifted):
    drifted("monitor", "fraud", code=1)
    drifted("monitor", "fraud", code=1)
    [alert] = [a for a in drifted("alerts", "--json").json if a["subject"] == "amount"]
    assert alert["count"] == 2
    drifted.answer_rows(1, rows=1500)
    since = drifted.store.metadata.predictions.list("fraud", limit=1000)[0].at.isoformat()
    drifted("monitor", "fraud", "--since", since)
    assert drifted("alerts").out == "No open alerts.\n"
    assert drifted("alerts", "--all", "--json").json[0]["resolved_at"]


def test_no_answered_rows_cannot_be_told_and_leave_with_two(live):
    answer = live("monitor", "fraud", code=2)
    assert "No row was answered" in answer.out
    live.answer_rows(rows=300)
    assert live("monitor", "fraud", "--since", "5m", "--json", code=2).json["rows"] == 0
    assert live("monitor", "fraud", "--since", "1d", "--json").json["rows"] == 300


def test_the_report_is_written_as_one_page(drifted):
    answer = drifted("monitor", "fraud", "--html", "drift.html", code=1)
    assert answer.out.endswith("Report: drift.html\n")
    page = (drifted.folder / "drift.html").read_text(encoding="utf-8")
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert "amount" in page


@pytest.mark.parametrize("place", ["missing/drift.html", "payments"])
def test_a_report_that_cannot_be_written_is_said_with_a_sentence(drifted, place):
    answer = drifted("monitor", "fraud", "--html", place, code=2)
    assert f"The report cannot be written to {place}" in answer.err


def test_a_misspelt_name_is_no_good_news(live):
    for command in ("monitor", "alerts"):
        assert "Did you mean 'fraud'?" in live(command, "frau", code=2).err


def test_moments_are_times_or_how_long_ago():
    assert _moment(None) is None
    assert _moment("2026-11-01") == datetime(2026, 11, 1, tzinfo=UTC)
    assert _moment("2026-11-01T12:00+02:00") == datetime(2026, 11, 1, 10, tzinfo=UTC)
    assert abs(now() - _moment("7d") - timedelta(days=7)) < timedelta(seconds=5)
    with pytest.raises(ParameterError, match="neither a time nor a duration"):
        _moment("lately")


AGAIN = """
from datetime import date

import penstock as ps


@ps.step
def told(cutoff: date) -> str:
    return cutoff.isoformat()


@ps.pipeline
def again(cutoff: date) -> str:
    return told(cutoff)
"""


def test_drift_starts_the_pipeline_with_a_new_cutoff_once_per_cool_down(drifted):
    (drifted.folder / "again.py").write_text(AGAIN)
    document = drifted("monitor", "fraud", "--retrain", "again.py", "--json", code=1).json
    run = drifted("show", document["retrain"]["run_id"], "--json").json
    assert run["pipeline"] == "again"
    assert run["params"]["cutoff"] > document["since"][:10]
    out = drifted("monitor", "fraud", "--retrain", "again.py", code=1).out
    assert "Cooling down" in out


def test_a_pipeline_without_a_cutoff_cannot_be_the_answer_to_drift(drifted):
    text = AGAIN.replace("def again(cutoff: date)", "def again(day: date)").replace(
        "told(cutoff)\n", "told(day)\n"
    )
    (drifted.folder / "again.py").write_text(text)
    answer = drifted("monitor", "fraud", "--retrain", "again.py", code=2)
    assert "takes no cutoff" in answer.err
