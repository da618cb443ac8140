"""Runs and versions in SageMaker's own records, against moto: what boto3 reads there is what was here."""

import importlib
import io
import json
import math
import os
import tarfile
from dataclasses import replace
from typing import Any

import boto3
import pytest
from click.testing import CliRunner
from moto import mock_aws

from penstock.cli import cli
from penstock.core import ParameterError, Stage, StageEvent, StoreError, now
from penstock.exporters import export_sagemaker_model, export_sagemaker_runs
from penstock.exporters._aws import AwsTarget
from penstock.stores import open_store
from penstock.testing._records import a_version
from penstock.tracking import start_run

_TO = "s3://team-files/penstock"


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as opened:
        yield opened


@pytest.fixture
def aws(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with mock_aws():
        boto3.client("s3").create_bucket(
            Bucket="team-files", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        yield boto3.client("sagemaker")


@pytest.fixture
def run_id(store):
    with start_run(experiment="Churn.Risk", name="Base line", store=store) as run:
        run.log_params(
            {"lr": 0.1, "layers": [1, 2], "deep": True, "text": "ä" * 3000, "big": 2**60}
        )
        run.set_tags({"team": "risk", "odd": "a;b"})
        for step in range(23):
            run.log_metric("loss", 1 / (step + 1), step=step)
        run.log_metric("odd", math.nan, step=5)
        run.log_metric("odd", 1.0, step=0.5)
        run.log_metric("odd", 2.0, step=-3)
        run.log_dict("facts.json", {"rows": 3})
        return run.run_id


def points_of(name):
    """Return the points that moto has: it has no call that reads them all."""
    backends: Any = importlib.import_module("moto.sagemaker.models").sagemaker_backends
    component = backends["123456789012"]["eu-west-1"].trial_components[name]
    return {
        metric: {step: point["Value"] for step, point in facts["Values"].items()}
        for metric, facts in component.metrics.items()
    }


def test_a_run_is_a_trial_component_with_all_that_has_a_place(aws, store, run_id):
    done = export_sagemaker_runs([run_id], to=_TO, store=store)
    name = done.runs[run_id]
    found = aws.describe_trial_component(TrialComponentName=name)
    params = found["Parameters"]
    assert params["lr"] == {"NumberValue": 0.1}
    assert params["layers"] == {"StringValue": "[1, 2]"}
    assert params["deep"] == {"StringValue": "true"}
    assert params["big"] == {"StringValue": str(2**60)}  # no double has it exactly
    assert params["text"] == {"StringValue": "ä" * 2500}
    assert found["Status"]["PrimaryStatus"] == "Completed"
    record = store.metadata.runs.get(run_id)
    assert abs((found["EndTime"] - record.ended_at).total_seconds()) < 0.01
    assert points_of(name) == {"loss": {step: 1 / (step + 1) for step in range(23)}}
    assert done.points == 23
    uri = found["OutputArtifacts"]["facts.json"]["Value"]
    key = uri.removeprefix("s3://team-files/")
    body = boto3.client("s3").get_object(Bucket="team-files", Key=key)["Body"].read()
    assert json.loads(body) == {"rows": 3}
    [trial] = aws.list_trials()["TrialSummaries"]
    experiment = aws.describe_trial(TrialName=trial["TrialName"])["ExperimentName"]
    assert experiment.startswith("churn-risk-")
    told = "\n".join(done.lost)
    for what in (
        "its name 'Base line'",
        "the end of parameter 'text'",
        "tag 'odd'",
        "1 points of 'odd' that are no finite numbers",
        "2 points of 'odd' at negative steps, fractions",
    ):
        assert what in told


def test_a_run_is_written_once_and_anew_when_it_has_changed_or_was_cut_off(
    aws, store, run_id, monkeypatch
):
    real = AwsTarget.call

    def cut(self, client, method, **values):
        if method == "update_trial_component":
            raise StoreError(what="The network is gone.", fix="Go on.")
        return real(self, client, method, **values)

    with monkeypatch.context() as patch:
        patch.setattr(AwsTarget, "call", cut)
        with pytest.raises(StoreError):
            export_sagemaker_runs([run_id], to=_TO, store=store)
    first = export_sagemaker_runs([run_id], to=_TO, store=store)
    again = export_sagemaker_runs([run_id], to=_TO, store=store)
    assert (first.unchanged, first.points) == (0, 23)
    assert (again.unchanged, again.points, again.files) == (1, 0, 0)
    assert sorted(again.lost) == sorted(first.lost)  # each time
    assert len(aws.list_trial_components()["TrialComponentSummaries"]) == 1
    store.metadata.runs.log_params(run_id, {"late": "1"})
    changed = export_sagemaker_runs([run_id], to=_TO, store=store)
    assert (changed.unchanged, changed.points) == (0, 23)
    found = aws.describe_trial_component(TrialComponentName=changed.runs[run_id])
    assert found["Parameters"]["late"] == {"StringValue": "1"}
    assert len(aws.list_trial_components()["TrialComponentSummaries"]) == 1


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "model"
    (place / "data").mkdir(parents=True)
    (place / "MLmodel").write_text("{}")
    (place / "data" / "weights").write_bytes(b"123")
    return place


def register(store, **changes):
    record = replace(
        a_version(model="Churn model"), metrics={"auc": 0.9}, note="for banks", **changes
    )
    version = store.metadata.models.create_version(record, actor="ada")
    store.metadata.models.set_version_tags("Churn model", 1, {"team": "risk", "odd": "a;b"})
    return version


def export(store, folder, ref="Churn model@1", image="registry/model:1"):
    return export_sagemaker_model(ref, folder=folder, to=_TO, image=image, store=store)


def test_a_version_is_a_model_package_that_says_what_it_is(aws, store, folder):
    version = register(store)
    done = export(store, folder)
    found = aws.describe_model_package(ModelPackageName=done.arn)
    assert found["ModelApprovalStatus"] == done.status == "PendingManualApproval"
    assert found["ModelPackageGroupName"] == done.group
    assert found["ModelPackageDescription"] == "for banks"
    facts = found["CustomerMetadataProperties"]
    assert facts["penstock.ref"] == "Churn model@1"
    assert facts["penstock.content_digest"] == version.content_digest
    assert facts["team"] == "risk"
    assert any("tag 'odd'" in line for line in done.lost)
    assert any("approvals and its history" in line for line in done.lost)
    [container] = found["InferenceSpecification"]["Containers"]
    assert container["Image"] == "registry/model:1"
    read = boto3.client("s3").get_object
    data = read(Bucket="team-files", Key=container["ModelDataUrl"].removeprefix("s3://team-files/"))
    with tarfile.open(fileobj=io.BytesIO(data["Body"].read())) as archive:
        assert archive.extractfile("./data/weights").read() == b"123"
    statistics = found["ModelMetrics"]["ModelQuality"]["Statistics"]
    data = read(Bucket="team-files", Key=statistics["S3Uri"].removeprefix("s3://team-files/"))
    assert json.loads(data["Body"].read()) == {"metrics": {"auc": 0.9}}


@pytest.mark.parametrize(
    ("stage", "status"),
    [
        (Stage.PRODUCTION, "Approved"),
        (Stage.REJECTED, "Rejected"),
        (Stage.STAGING, "PendingManualApproval"),
    ],
)
def test_a_version_is_registered_once_and_its_status_follows_its_stage(
    aws, store, folder, stage, status
):
    version = register(store)
    first = export(store, folder)
    assert export(store, folder).unchanged
    event = StageEvent("Churn model", 1, Stage.NONE, stage, "ada", "so it was decided", now())
    store.metadata.models.move_stages([event], expected={1: version.revision})
    again = export(store, folder)
    assert (again.arn, again.status) == (first.arn, status)
    assert again.unchanged == (status == "PendingManualApproval")
    found = aws.describe_model_package(ModelPackageName=first.arn)
    assert found["ModelApprovalStatus"] == status
    assert found["CustomerMetadataProperties"]["penstock.ref"] == "Churn model@1"
    assert (
        len(aws.list_model_packages(ModelPackageGroupName=first.group)["ModelPackageSummaryList"])
        == 1
    )
    other = export(store, folder, image="registry/model:2")
    assert other.arn != first.arn


def test_commands_do_the_same_and_a_place_that_is_none_is_refused(aws, store, run_id, folder):
    register(store)
    runner = CliRunner()
    shown = runner.invoke(
        cli, ["--store", store.url, "export", "sagemaker", run_id, "--to", _TO, "--json"]
    )
    assert json.loads(shown.stdout)["points"] == 23
    words = ["--to", _TO, "--image", "i:1", "--folder", os.fspath(folder)]
    shown = runner.invoke(
        cli, ["--store", store.url, "export", "sagemaker-model", "Churn model@1", *words]
    )
    assert "PendingManualApproval" in shown.stdout
    with pytest.raises(ParameterError, match="no place in S3"):
        export_sagemaker_runs([run_id], to="/tmp/files", store=store)
    with pytest.raises(StoreError, match="cannot be written"):
        export_sagemaker_runs([run_id], to="s3://no-such-bucket-here/x", store=store)
