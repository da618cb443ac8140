"""A stored rollout is read in every form in which one was ever written."""

import json
import math
from datetime import UTC, datetime
from typing import get_args

import pytest

from penstock.core import (
    ParameterError,
    PassedStep,
    RolloutRecord,
    RolloutRules,
    RolloutState,
    SequentialMetric,
    to_json,
)
from penstock.evaluation.sequential import METRICS
from penstock.testing._records import a_rollout

# As the first penstock wrote it, before rollouts had a form: times with an offset, no pass_alpha.
OLDEST = """{"state": "rolled_back", "version": 2, "control": 1, "steps": [5, 100], "position": 1,
"percent": 100, "rules": {"step_requests": 20, "max_error_rate_increase": 0.0, "alpha": 0.01,
"metric": ["accuracy", -0.02], "step_truth": 50, "step_time": null, "grace": "1h"},
"started_at": "2026-01-01T08:00:00+00:00", "step_started_at": "2026-01-01T09:30:00.250000+00:00",
"reason": "It failed.", "passed": [{"percent": 5, "requests": 20, "errors": 1, "seconds": 5400.25,
"metric": {}}]}"""
# As it was written until form 1.
FORM_0 = """{"state": "running", "version": 3, "control": 2, "steps": [25, 100], "position": 0,
"percent": 25, "rules": {"step_requests": 60, "max_error_rate_increase": 0.02, "alpha": 0.01,
"pass_alpha": 0.05, "metric": null, "step_truth": 50, "step_time": "2h", "grace": "1h",
"patience": "7d", "accepted_changes": "All moved."}, "started_at": "2026-01-01T08:00:00+00:00",
"step_started_at": "2026-01-01T08:00:00+00:00", "reason": "", "passed": []}"""


def test_the_oldest_form_is_read_as_a_canary():
    rollout = RolloutRecord.from_json(json.loads(OLDEST))
    assert rollout == RolloutRecord(
        RolloutState.ROLLED_BACK,
        version=2,
        control=1,
        steps=(5, 100),
        # Older rules could allow no increase at all: the default is the nearest that can be shown.
        rules=RolloutRules(step_requests=20, metric=("accuracy", -0.02)),
        started_at=datetime(2026, 1, 1, 8, tzinfo=UTC),
        step_started_at=datetime(2026, 1, 1, 9, 30, 0, 250_000, tzinfo=UTC),
        position=1,
        reason="It failed.",
        passed=(PassedStep(5, 20, 1, 5400.25),),
        policy="canary",
    )
    assert (rollout.percent, rollout.is_at_last_step, rollout.is_open) == (100, True, False)


def test_form_0_loses_nothing_when_it_is_written_in_form_1():
    before = json.loads(FORM_0)
    after = to_json(RolloutRecord.from_json(before))
    times = {"started_at": "2026-01-01T08:00:00Z", "step_started_at": "2026-01-01T08:00:00Z"}
    assert after == {**before, **times, "policy": "canary", "form": 1}


def test_a_rollout_survives_its_json():
    rollout = a_rollout()
    assert RolloutRecord.from_json(json.loads(json.dumps(to_json(rollout)))) == rollout


def test_a_metric_that_could_not_be_computed_stays_so():
    unknown = PassedStep(5, 120, metric={"2": math.nan})
    document = to_json(unknown)
    assert document["metric"] == {"2": None}
    assert math.isnan(PassedStep.from_json(document).metric["2"])


def test_a_key_of_a_later_form_is_left_out_and_not_refused():
    document = {**to_json(a_rollout()), "bake_time": "1h"}
    document["rules"] = {**document["rules"], "fairness": 0.1}
    document["passed"] = [{**document["passed"][0], "p99_s": 0.2}]
    assert RolloutRecord.from_json(document) == a_rollout()


@pytest.mark.parametrize(
    "wrong",
    [
        {"step_requests": 0},
        {"alpha": 0},
        {"max_error_rate_increase": 1},
        {"max_error_rate_increase": 0},
        {"pass_alpha": 1},
        {"patience": "long"},
        {"step_truth": 1},
        {"grace": "soon"},
        {"metric": ("acuracy", 0.0)},
    ],
)
def test_rules_out_of_range_are_refused(wrong: dict) -> None:
    with pytest.raises(ParameterError):
        RolloutRules(**wrong)


def test_an_unknown_metric_is_guessed() -> None:
    with pytest.raises(ParameterError, match="Did you mean 'accuracy'"):
        RolloutRules(metric=("acuracy", 0.0))  # type: ignore[arg-type]


def test_rules_name_the_metrics_that_sequential_statistics_can_judge():
    assert set(get_args(SequentialMetric)) == set(METRICS)
