"""SageMaker: AWS's own model of a processing job accepts every step, and the jobs' commands give the digests of a run.

There is no SageMaker to run here. `Execution` resolves the references of a definition, takes the
folders of S3 to and from each job, and executes what the container would, with moto as Secrets
Manager; any reference that it does not know fails.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

boto3 = pytest.importorskip("boto3")
import botocore.session  # noqa: E402 - behind the check that it is installed
from botocore.validate import ParamValidator  # noqa: E402
from moto.server import ThreadedMotoServer  # noqa: E402

ROLE = "arn:aws:iam::123456789012:role/penstock"


@pytest.fixture(scope="module")
def aws():
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }
    server.stop()


def client(aws, service):
    return boto3.client(
        service,
        endpoint_url=aws["AWS_ENDPOINT_URL"],
        region_name=aws["AWS_DEFAULT_REGION"],
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


class Execution:
    """Executes the steps of a definition one after the other."""

    def __init__(self, job, document, aws, given):
        self.job, self.aws = job, aws
        self.folder = job.folder / "processing"
        self.steps = document["Steps"]
        parameters = {each["Name"]: each.get("DefaultValue") for each in document["Parameters"]}
        parameters |= {"PenstockRole": ROLE, "PenstockBucket": "bucket", **given}
        self.known = {f"Parameters.{name}": value for name, value in parameters.items()}
        self.known["Execution.PipelineExecutionId"] = "execution1"
        self.bucket, self.states = {}, {}

    def run(self):
        for step in self.steps:
            before = step.get("DependsOn", [])
            assert set(before) <= set(self.states), "each stands after those that it needs"
            is_due = all(self.states[name] == "Succeeded" for name in before)
            self.states[step["Name"]] = self.execute(step) if is_due else "Unreachable"
        return set(self.states.values())

    def execute(self, step):
        job = self.resolved(step["Arguments"])
        require_valid({**job, "ProcessingJobName": "job"})
        job = json.loads(json.dumps(job).replace("/opt/ml/processing", str(self.folder)))
        shutil.rmtree(self.folder, ignore_errors=True)
        for each in job.get("ProcessingInputs", []):
            source = each["S3Input"]
            shutil.copytree(self.bucket[source["S3Uri"]], source["LocalPath"])
        outputs = job.get("ProcessingOutputConfig", {}).get("Outputs", [])
        for each in outputs:
            Path(each["S3Output"]["LocalPath"]).mkdir(parents=True)
        container = job["AppSpecification"]
        done = subprocess.run(
            [*container["ContainerEntrypoint"], *container["ContainerArguments"]],
            cwd=self.job.folder,
            env={**self.job.env, **self.aws, **job["Environment"]},
            check=False,
        )
        for each in outputs:
            place = each["S3Output"]
            kept = self.job.folder / f"s3-{len(self.bucket)}"
            shutil.copytree(place["LocalPath"], kept)
            self.bucket[place["S3Uri"]] = kept
            name = f"ProcessingOutputConfig.Outputs['{each['OutputName']}'].S3Output.S3Uri"
            self.known[f"Steps.{step['Name']}.{name}"] = place["S3Uri"]
        return "Failed" if done.returncode else "Succeeded"

    def resolved(self, value):
        if isinstance(value, list):
            return [self.resolved(each) for each in value]
        if not isinstance(value, dict):
            return value
        if set(value) == {"Get"}:
            return self.known[value["Get"]]
        if set(value) == {"Std:Join"}:
            return value["Std:Join"]["On"].join(self.resolved(value["Std:Join"]["Values"]))
        return {key: self.resolved(each) for key, each in value.items()}


MODEL = botocore.session.get_session().get_service_model("sagemaker")


def require_valid(request):
    shape = MODEL.operation_model("CreateProcessingJob").input_shape
    report = ParamValidator().validate(request, shape)
    assert not report.has_errors(), report.generate_report()
    require_lengths(request, shape)


def require_lengths(value, shape):
    """Check what botocore leaves to the service: longest texts, patterns and choices."""
    most = shape.metadata.get("max")
    if isinstance(value, dict):
        members = getattr(shape, "members", {})
        for key, each in value.items():
            require_lengths(each, members[key] if members else shape.value)
    elif isinstance(value, list):
        assert most is None or len(value) <= most
        for each in value:
            require_lengths(each, shape.member)
    elif isinstance(value, str):
        assert most is None or len(value) <= most, value
        assert value in shape.metadata.get("enum", [value])
        pattern = shape.metadata.get("pattern", ".*")
        assert re.fullmatch(pattern, value, re.DOTALL), value


@pytest.fixture
def execution(job, aws):
    def make(target="job.py:job", **given):
        text = job.export(target, "sagemaker").read_text()
        assert job.store not in text
        secrets = client(aws, "secretsmanager")
        name = f"penstock-{job.folder.name}"
        secret = json.dumps({"PENSTOCK_STORE": job.env.pop("PENSTOCK_STORE")})
        secrets.create_secret(Name=name, SecretString=secret)
        return Execution(job, json.loads(text), aws, {"PenstockSecret": name, **given})

    return make


def test_resources_limits_and_parameters_are_those_of_sagemaker(job):
    document = json.loads(job.export("job.py:job", "sagemaker", "--image", "r/job:1").read_text())
    steps = {each["Name"]: each for each in document["Steps"]}
    parameters = {each["Name"]: each for each in document["Parameters"]}
    assert parameters["PenstockImage"]["DefaultValue"] == "r/job:1"
    assert parameters["count"]["DefaultValue"] == ""
    squared = steps["squared"]["Arguments"]
    assert squared["ProcessingResources"]["ClusterConfig"]["InstanceType"] == "ml.m5.large"
    assert squared["StoppingCondition"] == {"MaxRuntimeInSeconds": 360}
    notes = [text for name, text in document["Metadata"].items() if name.startswith("not")]
    assert "squared: the items are executed in one task." in notes
    assert "total: penstock retries within the task, since SageMaker does not." in notes


def test_instances_are_the_smallest_that_fit_and_a_step_that_none_fits_is_noted(job):
    asked = ("cpu=5", "memory='100GiB'", "gpu=1", "gpu=4, cpu=32", "memory='9TiB'")
    calls = "\n".join(
        f"@ps.step(resources=ps.Resources({each}))\ndef step_{n}() -> int:\n    return 1\n"
        for n, each in enumerate(asked)
    )
    body = "\n".join(f"    step_{n}()" for n, _ in enumerate(asked))
    (job.folder / "large.py").write_text(
        f"import penstock as ps\n\n{calls}\n@ps.pipeline\ndef large():\n{body}\n"
    )
    document = json.loads(job.export("large.py:large", "sagemaker").read_text())
    assert [
        each["Arguments"]["ProcessingResources"]["ClusterConfig"]["InstanceType"]
        for each in document["Steps"][1:]
    ] == ["ml.m5.2xlarge", "ml.r5.4xlarge", "ml.g4dn.xlarge", "ml.g4dn.12xlarge", "ml.g5.48xlarge"]
    assert any(text.startswith("step_4: no instance") for text in document["Metadata"].values())


def test_the_jobs_give_the_digests_of_a_run(job, execution):
    (job.folder / "fail-once").write_text("")
    made = execution(count="4")
    assert made.run() == {"Succeeded"}
    job.env["PENSTOCK_STORE"] = job.store
    there = job.outcome()
    assert there["state"] == "finished"
    assert there["steps"]["shrug"][0] == "skipped"
    assert there == job.executed_here("--count", "4")


def test_a_failing_step_fails_the_execution(job, execution):
    made = execution("job.py:broken")
    made.run()
    assert made.states == {"prepare": "Succeeded", "fails": "Failed", "never": "Unreachable"}


def test_long_names_and_scripts_are_cut_to_what_aws_takes(job, execution):
    names = [f"step_with_a_name_of_forty_letters_{n:06}" for n in range(12)]
    names.append("x" * 80)
    steps = "\n".join(f"@ps.step\ndef {name}() -> int:\n    return 1\n" for name in names)
    body = "\n".join(f"    {name}()" for name in names)
    (job.folder / "long.py").write_text(
        f"import penstock as ps\n\n{steps}\n@ps.pipeline\ndef long(title: str = 'a  b'):\n{body}\n"
    )
    made = execution("long.py:long", title="two  spaces, $HOME and 'quotes'")
    [prepare, *_, last] = made.steps
    assert len(prepare["Arguments"]["AppSpecification"]["ContainerArguments"]) > 1
    assert len(last["Name"]) <= 64
    made.steps = [prepare, last]
    assert made.run() == {"Succeeded"}
    job.env["PENSTOCK_STORE"] = job.store
    shown = json.loads(job.penstock("show", "last", "--json"))
    assert shown["params"]["title"] == "two  spaces, $HOME and 'quotes'"


def test_boto3_creates_updates_and_starts_the_pipeline(job, aws):
    text = job.export("job.py:job", "sagemaker").read_text()
    sagemaker = client(aws, "sagemaker")
    made = sagemaker.create_pipeline(
        PipelineName="job",
        PipelineDefinition=text,
        RoleArn=ROLE,
        ClientRequestToken="x" * 32,
    )
    sagemaker.update_pipeline(PipelineName="job", PipelineDefinition=text)
    described = sagemaker.describe_pipeline(PipelineName="job")
    assert json.loads(described["PipelineDefinition"]) == json.loads(text)
    assert described["PipelineArn"] == made["PipelineArn"]
    started = sagemaker.start_pipeline_execution(
        PipelineName="job",
        PipelineParameters=[{"Name": "PenstockBucket", "Value": "bucket"}],
        ClientRequestToken="y" * 32,
    )
    found = sagemaker.describe_pipeline_execution(
        PipelineExecutionArn=started["PipelineExecutionArn"]
    )
    assert found["PipelineExecutionStatus"] == "Succeeded"
