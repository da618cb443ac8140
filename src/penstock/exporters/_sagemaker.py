"""SageMaker Pipelines: a pipeline definition in JSON, a processing job per step.

The first job writes the run's id to S3, from where each further job gets it. Entry points and
arguments of jobs are at most 256 characters, so a script is passed in pieces.
"""

import json
import re
import shlex
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from penstock.core import parse_bytes
from penstock.exporters._exported import Exported
from penstock.exporters._notes import find_notes
from penstock.exporters._plan import PREPARE, ExportPlan, Input, Task
from penstock.exporters._text import head_lines

ENGINE = "SageMaker"
_CARRIES = frozenset({"timeout", "cpu", "gpu", "memory", "environment"})
_FOLDER = "/opt/ml/processing"  # where SageMaker mounts inputs and collects outputs
_LONGEST_TEXT, _LONGEST_NAME = 256, 64
_MOST_SECONDS = 5 * 24 * 3600
_GIB = 2**30
_SECRETS = (
    "The secret of Secrets Manager that PenstockSecret names is a JSON object with the names above as"
    " keys; PenstockRole may read it, and PenstockBucket passes the run's id on."
)
# Reads the secret, a JSON object of environment variables, and hands over to the shell.
_ENTRY = (
    'import boto3,json,os,sys;s=boto3.client("secretsmanager").get_secret_value('
    'SecretId=os.environ["PENSTOCK_SECRET"]);os.environ.update(json.loads(s["SecretString"]));'
    """os.execvp("sh",["sh","-ec",'IFS=;eval "unset IFS;$*"',*sys.argv])"""
)
# Name, cores, GiB, GPUs; from small to large.
_INSTANCES = (
    ("ml.m5.large", 2, 8, 0),
    ("ml.m5.xlarge", 4, 16, 0),
    ("ml.m5.2xlarge", 8, 32, 0),
    ("ml.m5.4xlarge", 16, 64, 0),
    ("ml.r5.4xlarge", 16, 128, 0),
    ("ml.m5.12xlarge", 48, 192, 0),
    ("ml.m5.24xlarge", 96, 384, 0),
    ("ml.r5.24xlarge", 96, 768, 0),
    ("ml.g4dn.xlarge", 4, 16, 1),
    ("ml.g4dn.2xlarge", 8, 32, 1),
    ("ml.g4dn.4xlarge", 16, 64, 1),
    ("ml.g4dn.8xlarge", 32, 128, 1),
    ("ml.g4dn.16xlarge", 64, 256, 1),
    ("ml.g4dn.12xlarge", 48, 192, 4),
    ("ml.g5.48xlarge", 192, 768, 8),
)
_SMALLEST = _INSTANCES[0][0]


def export_sagemaker(plan: ExportPlan) -> Exported:
    """Return a pipeline as the definition that `create_pipeline` of SageMaker takes."""
    notes = [
        *find_notes(plan, ENGINE, _CARRIES),
        *_of_instances(plan),
        f"The image {plan.image} must have the project in its working directory, and boto3 (--image).",
    ]
    steps = [_prepare(plan), *(_step(plan, task) for task in plan.tasks)]
    document = {
        "Version": "2020-12-01",
        "Metadata": _metadata(plan, notes),
        "Parameters": [*_own_parameters(plan), *map(_parameter, _inputs(plan))],
        "Steps": steps,
    }
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    return Exported("sagemaker", f"{plan.id}_sagemaker.json", text, tuple(notes))


def _metadata(plan: ExportPlan, notes: list[str]) -> dict[str, str]:
    """Return the head, which stands in comments in files that have them."""
    about = " ".join(filter(None, head_lines(plan, ENGINE, [])))
    texts = {"about": about, "secrets": _SECRETS}
    texts |= {f"not-carried-over-{number}": note for number, note in enumerate(notes, 1)}
    return {name: text[:1024] for name, text in texts.items()}


def _own_parameters(plan: ExportPlan) -> list[dict[str, Any]]:
    return [
        {"Name": "PenstockRole", "Type": "String"},
        {"Name": "PenstockBucket", "Type": "String"},
        {"Name": "PenstockSecret", "Type": "String", "DefaultValue": "penstock"},
        {"Name": "PenstockImage", "Type": "String", "DefaultValue": plan.image},
        {"Name": "PenstockInstance", "Type": "String", "DefaultValue": _SMALLEST},
    ]


def _inputs(plan: ExportPlan) -> list[Input]:
    partition = Input("partition", "PARTITION", type="key")
    return [*plan.inputs, *([partition] if plan.partitions is not None else [])]


def _parameter(each: Input) -> dict[str, Any]:
    found = {"Name": each.name, "Type": "String", "Description": each.about}
    is_required = each.required and not each.default
    return found if is_required else {**found, "DefaultValue": each.default}


def _prepare(plan: ExportPlan) -> dict[str, Any]:
    folder = f"{_FOLDER}/output/run"
    script = f'RUN=$({plan.prepare_shell()})\nprintf %s "$RUN" > {folder}/run'
    job = _job(script, None)
    job["Environment"] |= {each.variable: _get(each.name) for each in _inputs(plan)}
    place = ["s3:/", _get("PenstockBucket"), "penstock", {"Get": "Execution.PipelineExecutionId"}]
    output = {
        "LocalPath": folder,
        "S3UploadMode": "EndOfJob",
        "S3Uri": {"Std:Join": {"On": "/", "Values": place}},
    }
    outputs = [{"OutputName": "run", "S3Output": output}]
    return {
        "Name": PREPARE,
        "Type": "Processing",
        "Arguments": {**job, "ProcessingOutputConfig": {"Outputs": outputs}},
    }


def _step(plan: ExportPlan, task: Task) -> dict[str, Any]:
    folder, words = f"{_FOLDER}/input/run", shlex.join(plan.step_words(task.name))
    job = _job(f'penstock step "$(cat {folder}/run)" {words}', task)
    outputs = f"Steps.{PREPARE}.ProcessingOutputConfig.Outputs['run'].S3Output.S3Uri"
    source = {
        "S3Uri": {"Get": outputs},
        "LocalPath": folder,
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
        "S3DataDistributionType": "FullyReplicated",
    }
    inputs = [{"InputName": "run", "S3Input": source}]
    return {
        "Name": _id(task.id),
        "Type": "Processing",
        "DependsOn": [PREPARE, *map(_id, task.needs)],
        "Arguments": {**job, "ProcessingInputs": inputs},
    }


def _job(script: str, task: Task | None) -> dict[str, Any]:
    """Return what all processing jobs have."""
    limit = _MOST_SECONDS
    if task is not None and task.total_limit_s is not None:
        limit = min(task.total_limit_s, limit)
    own = task.image if task is not None and task.options.environment else None
    cluster = {"InstanceType": _instance(task), "InstanceCount": 1, "VolumeSizeInGB": 30}
    return {
        "ProcessingResources": {"ClusterConfig": cluster},
        "AppSpecification": {
            "ImageUri": own or _get("PenstockImage"),
            "ContainerEntrypoint": ["python", "-c", _ENTRY],
            "ContainerArguments": list(_pieces(script)),
        },
        "Environment": {"PENSTOCK_SECRET": _get("PenstockSecret")},
        "RoleArn": _get("PenstockRole"),
        "StoppingCondition": {"MaxRuntimeInSeconds": limit},
    }


def _get(name: str) -> dict[str, str]:
    return {"Get": f"Parameters.{name}"}


def _instance(task: Task | None) -> Any:
    """Return the smallest instance that has what the step asks for, else that of the parameter."""
    options = task.options if task is not None else None
    if options is None or not (options.cpu or options.memory or options.gpu):
        return _get("PenstockInstance")
    return _fitting(options.cpu, options.memory, options.gpu) or _INSTANCES[-1][0]


def _fitting(cpu: float | None, memory: str | None, gpu: int) -> str | None:
    size = parse_bytes(memory) if memory else 0
    for name, cores, gibibytes, gpus in _INSTANCES:
        is_kind = gpus >= gpu and bool(gpus) == bool(gpu)
        if is_kind and cores >= (cpu or 0) and gibibytes * _GIB >= size:
            return name
    return None


def _of_instances(plan: ExportPlan) -> Iterator[str]:
    for task in plan.tasks:
        options = task.options
        if not _fitting(options.cpu, options.memory, options.gpu):
            yield f"{task.name}: no instance known here has what it asks for; {_INSTANCES[-1][0]} is used."


def _pieces(script: str) -> Iterator[str]:
    """Cut a script after spaces, in pieces that are short enough for an argument.

    >>> list(_pieces("a b"))
    ['a b']
    """
    while len(script) > _LONGEST_TEXT:
        end = script.rfind(" ", 0, _LONGEST_TEXT) + 1 or _LONGEST_TEXT
        yield script[:end]
        script = script[end:]
    yield script


def _id(task_id: str) -> str:
    """Return a name of a step: letters, digits and single hyphens, at most 64."""
    name = re.sub(r"_+", "-", task_id)
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[: _LONGEST_NAME - 9].rstrip('-')}-{sha256(name.encode()).hexdigest()[:8]}"
