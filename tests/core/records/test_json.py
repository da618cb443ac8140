"""Every record has one JSON form, which is JSON, names its fields and hides what is secret."""

import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core import (
    HookRecord,
    MetricSummary,
    RunState,
    ScheduleRecord,
    Stage,
    now,
    records,
    to_json,
)
from penstock.testing._records import a_deployment, a_run, a_step, a_version, an_artifact

KINDS = [getattr(records, name) for name in records.__all__ if name.endswith("Record")]
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_any_structure_becomes_json(value):
    text = json.dumps(to_json(value), allow_nan=False)
    assert to_json(json.loads(text)) == json.loads(text)


def test_a_run_has_its_last_metrics_and_their_summaries():
    summary = MetricSummary(0.5, 0.25, 0.25, 0.5, 2, 1.0)
    began = now()
    run = a_run(
        metrics={"loss": summary, "bad": MetricSummary(1, float("nan"), 1, 1, 1, 0)},
        started_at=began,
        ended_at=began + timedelta(seconds=2),
    )
    document = to_json(run)
    assert document["metrics"] == {"loss": 0.25, "bad": None}
    assert document["metric_summaries"]["loss"]["min"] == 0.25
    assert (document["seconds"], document["state"]) == (2.0, run.state.value)
    assert "graph" not in document


def test_a_step_is_named_and_timed():
    record = a_step("r", "train")
    document = to_json(record)
    assert document["name"] == record.name == "train"
    assert "seconds" in document


def test_a_version_carries_its_reference():
    assert to_json(a_version(version=3))["ref"] == "big-tips@3"
    assert to_json(a_version())["stage"] == Stage.NONE.value


def test_secrets_and_bytes_are_never_written():
    hook = HookRecord("ops", "https://a.example", "slack", "s3cret", ("run.failed",), now())
    assert "s3cret" not in json.dumps(to_json(hook))
    assert "inline" not in to_json(an_artifact())


@pytest.mark.parametrize(
    "record", [a_run(), a_step("r"), a_version(), an_artifact(), a_deployment()], ids=type
)
def test_a_form_is_json_with_field_names(record):
    document = json.loads(json.dumps(to_json(record), allow_nan=False))
    known = {field.name for field in fields(record)}
    assert set(document) - known <= {"name", "seconds", "ref", "metrics", "metric_summaries"}


def test_times_are_utc_whatever_their_zone():
    east = datetime(2026, 1, 31, 2, tzinfo=timezone(timedelta(hours=2)))
    assert to_json([east, datetime(2026, 1, 31, tzinfo=UTC)]) == ["2026-01-31T00:00:00Z"] * 2


def test_enums_numpy_and_objects_with_a_form_are_plain():
    class Own:
        def to_json(self):
            return {"state": RunState.FAILED}

    class Number(Enum):
        ONE = 1

    assert to_json(Own()) == {"state": "failed"}
    assert to_json({Number.ONE: np.float64(0.5), "n": np.int32(3)}) == {"1": 0.5, "n": 3}
    assert to_json(np.array([1.0, np.inf])) == [1.0, None]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_names_in_the_tables_are_fields(kind):
    from penstock.core.records import _json

    names = {field.name for field in fields(kind)}
    hidden, renamed = _json._HIDDEN.get(kind, ()), _json._NAMES.get(kind, {})
    assert names >= {*hidden, *renamed}
    assert not ({*renamed.values()} & (names - {*renamed}))


def test_a_schedule_of_any_age_knows_how_many_of_its_runs_may_be_active():
    plain = ScheduleRecord("nightly", "p", "f.py:p", {"cron": "0 3 * * *"}, now())
    assert plain.max_active_runs == 1
    assert replace(plain, options={"max_active_runs": 3}).max_active_runs == 3
    assert replace(plain, options={"at_most": 2}).max_active_runs == 2
