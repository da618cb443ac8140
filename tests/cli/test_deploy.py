"""penstock deploy, deployments, serve, truth."""

from typing import Any

import polars as pl
import pytest
from sklearn.linear_model import LinearRegression

from penstock.core import PredictionRecord, now
from penstock.models import Model, infer_signature
from penstock.registry import Registry


def test_the_production_version_is_deployed(world):
    assert "✓ fraud: v1 100%" in world("deploy", "fraud").out
    [document] = world("deployments", "--json").json
    assert document["name"] == document["model"] == "fraud"
    assert document["weights"] == {"1": 1.0}
    assert "v1 100%" in world("deployments").out


def test_a_version_that_is_named_is_the_one_that_is_deployed(world):
    assert world("deploy", "fraud@2", "--json").json["weights"] == {"2": 1.0}
    assert world("deploy", "fraud@champion", "--json").json["control"] == 2
    assert "v2 100%" in world("deploy", "fraud@v2", "--version", "2").out


def test_an_alias_is_not_dropped_silently(world):
    answer = world("deploy", "fraud@latest", code=1)
    assert "fraud@3 may not go to production" in answer.err
    assert "is not >= 0.999" in answer.err
    assert "No version of 'fraud' is in staging" in world("deploy", "fraud@challenger", code=2).err
    assert "Two versions are named" in world("deploy", "fraud@1", "--version", "2", code=2).err
    assert world("deployments", "--json").json == []


def test_a_canary_of_a_failing_version_is_refused(live):
    answer = live("deploy", "fraud", "--canary", "5,100", "--version", "3", code=1)
    assert "fraud@3 may not go to production" in answer.err
    assert "is not >= 0.999" in answer.err
    assert live("deployments", "--json").json[0]["rollout"] is None


def test_a_canary_starts_and_is_stopped_by_hand(canary):
    document = canary("deployments", "fraud", "--json").json
    assert document["weights"] == {"1": 0.8, "2": 0.2}
    assert document["rollout"]["rules"]["step_requests"] == 50
    assert "is rolling out version 2" in canary("deploy", "fraud", code=1).err
    stopped = canary("deploy", "fraud", "--stop", "complaints [today]", "--actor", "ada", "--json")
    assert stopped.json["weights"]["1"] == 1.0
    out = canary("deployments", "fraud").out
    assert "Stopped by ada: complaints [today]" in out
    assert "no running rollout" in canary("deploy", "fraud", "--stop", "again", code=1).err


@pytest.mark.parametrize("text", ["5,abc", "", "5,,100"])
def test_percents_that_cannot_be_read_are_refused(live, text):
    assert "is not a list of percents" in live("deploy", "fraud", "--canary", text, code=2).err


def test_other_mistakes_have_sentences_too(live):
    assert "Did you mean 'fraud'?" in live("deploy", "frod", code=2).err
    assert live("deploy", "fraud", "--canary", "5,3", "--version", "2", code=2).err.startswith("✗")
    assert "0 is not in the range" in live("deploy", "fraud", "--step-requests", "0", code=2).err
    assert "There is no deployment 'other'" in live("deployments", "other", code=2).err


def test_a_deployment_tells_what_happened_and_how_much_it_answered(live):
    live.answer_rows(rows=40)
    out = live("deployments", "fraud").out
    assert "Version 1 answers all requests." in out
    assert "server: none running, last prediction" in out
    document = live("deployments", "fraud", "--json").json
    assert document["counts"]["1"]["requests"] == 40
    assert document["servers"] == []
    assert document["last_answer_at"]
    assert document["events"][0]["kind"] == "deployed"


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("1", None), ("False", False), ("TRUE", True)]
)
def test_truth_is_read_as_one_of_the_classes(live, text, value):
    live.answer_rows(rows=3)
    if value is None:
        assert "Known: false, true." in live("truth", "p0-0001", text, code=2).err
        return
    assert f"was {value}" in live("truth", "p0-0001", text).out
    assert live("truth", "p0-0001", text, "--json").json["truth"] is value
    assert live.store.metadata.predictions.get("p0-0001").truth is value


def test_truth_of_an_unknown_prediction_or_class_is_refused(live):
    live.answer_rows(rows=3)
    assert "nothing" in live("truth", "nothing", "true", code=2).err
    answer = live("truth", "p0-0001", "treu", code=2)
    assert "'treu' cannot be the ground truth of fraud@1." in answer.err
    assert "Did you mean 'true'?" in answer.err
    assert live.store.metadata.predictions.get("p0-0001").truth is None


def test_truth_of_a_regression_is_a_number():
    from penstock.cli._deploy import _true_value
    from penstock.core import ModelVersionRecord, ParameterError, Stage, now

    version = ModelVersionRecord(
        "m", 1, Stage.NONE, None, "", "", "", now(), signature={"task": "regression"}
    )
    assert _true_value(version, "3.5") == 3.5
    for text in ("many", "nan", "inf"):
        with pytest.raises(ParameterError, match="Give a number"):
            _true_value(version, text)


def test_serve_hands_over_the_names_and_says_where_it_serves(live, monkeypatch):
    given: dict[str, Any] = {}

    def serve(names, *, ready, store, **options):
        given.update(names=names, **options)
        ready("http://127.0.0.1:8123")

    monkeypatch.setattr("penstock.cli._deploy.serve_deployments", serve)
    answer = live("serve", "fraud", "--port", "8123")
    assert "Serving at http://127.0.0.1:8123" in answer.err
    assert "POST http://127.0.0.1:8123/models/fraud/predict" in answer.err
    assert given == {
        "names": ("fraud",), "host": "127.0.0.1", "port": 8123, "allow_remote": False,
        "anonymous": False, "rate": None,
    }  # fmt: skip
    live("serve")
    assert given["names"] is None


def test_truth_of_several_targets_is_a_json_object(live):
    rows = pl.DataFrame({"age": [1.0, 2.0, 4.0]})
    sizes = pl.DataFrame({"height": [1.0, 2.0, 4.0], "weight": [3.0, 5.0, 6.0]})
    model = LinearRegression().fit(rows, sizes)
    signature = infer_signature(model, rows, sizes)
    Registry(store=live.store).register("sizes", Model(model, signature), actor="ann")
    live.store.metadata.predictions.add(
        [PredictionRecord("several", "sizes", "sizes", 1, now(), {"age": 1.0}, {"height": 1.0})]
    )
    for wrong in ("3.2", '{"height": 1}', "["):
        told = live("truth", "several", wrong, code=2).err
        assert '{"height": …, "weight": …}' in told
    given = live("truth", "several", '{"height": 1, "weight": "2.5"}', "--json").json["truth"]
    assert given == {"height": 1.0, "weight": 2.5}
    assert live.store.metadata.predictions.get("several").truth == given
