"""penstock lineage: up to the rows, down to the predictions."""

import pytest


def test_a_prediction_is_traced_to_rows_code_and_environment(live):
    live.answer_rows(rows=5)
    out = live("lineage", "p0-0002").out
    assert "prediction  p0-0002: False at" in out
    assert "truth     not known yet" in out
    assert "model     fraud@1 (production)" in out
    assert "rows      1,000 of payments, 2026-01-01" in out
    assert "split     train 700, validation 0, test 300; target fraud" in out
    assert "made on   Python 3." in out
    document = live("lineage", "prediction:p0-0002", "--json").json
    assert document["version"] == "fraud@1"
    assert document["sources"][0]["ordered_digest"].startswith("sha256:")
    assert document["prediction"]["inputs"]["amount"] > 0
    assert document["edges"]


@pytest.mark.parametrize(
    "subject", ["fraud@1", "fraud@champion", "version:fraud@champion", "deployment:fraud"]
)
def test_a_version_has_one_trace_however_it_is_named(live, subject):
    document = live("lineage", subject, "--json").json
    assert document["node"] == "version:fraud@1"
    assert document["split"]["target"] == "fraud"
    assert len(document["edges"]) > 5


def test_a_run_has_one_trace_however_it_is_named(world):
    run_id = world.store.metadata.runs.get("last").run_id
    for subject in ("last", "run:last", run_id, run_id[:-1], f"run:{run_id}"):
        document = world("lineage", subject, "--json").json
        assert document["node"] == f"run:{run_id}"
        assert document["params"]["bar"] == 0.999


def test_rows_are_followed_down_to_the_predictions(live):
    live.answer_rows(rows=12)
    live("truth", "p0-0001", "true")
    out = live("lineage", "source:payments", "--down").out
    assert "--model--> version:fraud@1" in out
    assert "fraud@1 predicted 12 rows in fraud, 1 of them with ground truth" in out
    assert "sha256:" not in out
    version = live("lineage", "fraud@1", "--down", "--json").json
    assert version["answered"] == [
        {"version": "fraud@1", "deployment": "fraud", "predictions": 12, "truth": 1}
    ]
    assert "Nothing is recorded beyond version:fraud@2." in live("lineage", "fraud@2", "--down").out
    assert "truth     True" in live("lineage", "p0-0001", "--down").out


def test_an_artifact_is_traced_by_its_digest(world):
    digest = world("models", "fraud@1", "--json").json[0]["content_digest"]
    out = world("lineage", digest).out
    assert "source:payments --source--> artifact:" in out
    assert world("lineage", f"artifact:{digest}", "--json").json["edges"]


@pytest.mark.parametrize(
    "subject", ["nothing", "source:nothing", "artifact:sha256:dead", "run:nothing", "fraud@9",
                "nobody@1", "deployment:nothing", "sha256:dead", "prediction:nothing", "step:"],
)  # fmt: skip
def test_what_is_not_recorded_is_said(world, subject):
    answer = world("lineage", subject, code=2)
    assert answer.out == ""
    assert "✗" in answer.err
