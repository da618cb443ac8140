"""Argo Workflows: a Workflow, or a CronWorkflow where there is a schedule, with a container per step."""

from typing import Any

from penstock.core import parse_bytes
from penstock.exporters._exported import Exported
from penstock.exporters._notes import find_notes
from penstock.exporters._plan import PREPARE, ExportPlan, Task
from penstock.exporters._text import comment, head_lines
from penstock.exporters._yaml import to_yaml

ENGINE = "Argo Workflows"
_CARRIES = frozenset(
    {"retries", "timeout", "cpu", "gpu", "memory", "schedule", "timezone", "map", "environment"}
)
_SECRET = "penstock"  # noqa: S105 - the secret's name
_SECRETS = [{"secretRef": {"name": _SECRET, "optional": True}}]
_RUN = "{{tasks.prepare.outputs.parameters.run}}"
_OUT = "/tmp/penstock"  # noqa: S108 - within a container of its own


def export_argo(plan: ExportPlan) -> Exported:
    """Return a pipeline as a manifest for Argo Workflows 3.6 and later."""
    notes = [
        *find_notes(plan, ENGINE, _CARRIES),
        f"The image {plan.image} must have the project in its working directory (--image).",
    ]
    name, spec = _id(plan.id), _spec(plan)
    document: dict[str, Any] = {"apiVersion": "argoproj.io/v1alpha1"}
    if plan.cron is None:
        document |= {"kind": "Workflow", "metadata": {"generateName": f"{name}-"}, "spec": spec}
    else:
        clock = {"schedules": [plan.cron], "timezone": plan.timezone, "concurrencyPolicy": "Forbid"}
        document |= {"kind": "CronWorkflow", "metadata": {"name": name}}
        document["spec"] = {**clock, "workflowSpec": spec}
    secret = f"Secrets: the Kubernetes secret {_SECRET!r} with the three names above as keys."
    head = comment([*head_lines(plan, ENGINE, notes), "", secret])
    return Exported("argo", f"{plan.id}_argo.yaml", head + to_yaml(document), tuple(notes))


def _spec(plan: ExportPlan) -> dict[str, Any]:
    tasks: list[dict[str, Any]] = [{"name": PREPARE, "template": PREPARE}]
    templates = [_prepare(plan)]
    for task in plan.tasks:
        tasks += _map_tasks(task) if task.is_map else [_task(task.id, _template(task), task)]
        if task.is_map and all(each["name"] != "items" for each in templates):
            templates.append(_items(plan))
        if all(each["name"] != _template(task) for each in templates):
            templates.append(_step(plan, task))
    parameters = [{"name": name, "value": default} for name, _, default in _inputs(plan)]
    arguments = {"arguments": {"parameters": parameters}} if parameters else {}
    return {
        "entrypoint": "main",
        **arguments,
        "templates": [{"name": "main", "dag": {"tasks": tasks}}, *templates],
    }


def _inputs(plan: ExportPlan) -> list[tuple[str, str, str]]:
    found = [(each.name, each.variable, each.default) for each in plan.inputs]
    return found + ([("partition", "PARTITION", "")] if plan.partitions is not None else [])


def _prepare(plan: ExportPlan) -> dict[str, Any]:
    script = f'RUN=$({plan.prepare_shell()})\nprintf %s "$RUN" > {_OUT}\n'
    container = _container(plan.image, ["sh", "-ec", script])
    variables = [
        {"name": variable, "value": f"{{{{workflow.parameters.{name}}}}}"}
        for name, variable, _ in _inputs(plan)
    ]
    if variables:
        container["env"] = variables
    return {"name": PREPARE, "container": container, "outputs": _output("run")}


def _items(plan: ExportPlan) -> dict[str, Any]:
    script = f'ITEMS=$(penstock step "$0" "$1" "$2" --items --json)\nprintf %s "$ITEMS" > {_OUT}\n'
    words = [script, "{{inputs.parameters.run}}", "{{inputs.parameters.step}}", plan.entry]
    container = _container(plan.image, ["sh", "-ec", *words])
    return {
        "name": "items",
        "inputs": _input_names(),
        "container": container,
        "outputs": _output("items"),
    }


def _step(plan: ExportPlan, task: Task) -> dict[str, Any]:
    options = task.options
    words = ["penstock", "step", "{{inputs.parameters.run}}", "{{inputs.parameters.step}}"]
    words += [plan.entry, *(["--no-retries"] if options.max_retries else [])]
    container = _container(task.image, words)
    limits: dict[str, Any] = {}
    if options.cpu:
        limits["cpu"] = str(options.cpu)
    if options.memory:
        limits["memory"] = str(parse_bytes(options.memory))
    if options.gpu:
        limits["nvidia.com/gpu"] = str(options.gpu)
    if limits:
        container["resources"] = {"requests": limits, "limits": limits}
    template: dict[str, Any] = {"name": _template(task), "inputs": _input_names()}
    if task.limit_s is not None:
        template["activeDeadlineSeconds"] = task.limit_s
    if options.max_retries:
        backoff = {
            "duration": f"{options.delay_s:g}s",
            "factor": f"{options.backoff:g}",
            "cap": f"{options.max_delay_s:g}s",
        }
        template["retryStrategy"] = {
            "limit": str(options.max_retries),
            "retryPolicy": "Always",  # a lost node too
            "backoff": backoff,
        }
    return {**template, "container": container}


def _container(image: str, words: list[str]) -> dict[str, Any]:
    return {"image": image, "command": words, "envFrom": _SECRETS}


def _output(name: str) -> dict[str, Any]:
    return {"parameters": [{"name": name, "valueFrom": {"path": _OUT}}]}


def _input_names() -> dict[str, Any]:
    return {"parameters": [{"name": "run"}, {"name": "step"}]}


def _template(task: Task) -> str:
    """Return the template of a step: a common one, unless it has options of its own."""
    options = task.options
    resources = (options.cpu, options.memory, options.gpu)
    has_own = any((*resources, options.max_retries, task.limit_s, options.environment))
    return f"step-{_id(task.id)}" if has_own else "step"


def _task(
    task_id: str, template: str, task: Task, *, step: str = "", needs: tuple[str, ...] | None = None
) -> dict[str, Any]:
    after = [PREPARE, *(_id(each) for each in (task.needs if needs is None else needs))]
    parameters = [{"name": "run", "value": _RUN}, {"name": "step", "value": step or task.name}]
    return {
        "name": _id(task_id),
        "template": template,
        "depends": " && ".join(after),
        "arguments": {"parameters": parameters},
    }


def _map_tasks(task: Task) -> list[dict[str, Any]]:
    listed, each = f"{task.id}_items", f"{task.id}_item"
    item = _task(each, _template(task), task, step="{{item}}", needs=(listed,))
    item["withParam"] = f"{{{{tasks.{_id(listed)}.outputs.parameters.items}}}}"
    collect = _task(task.id, _template(task), task, needs=(listed, each))
    return [_task(listed, "items", task), item, collect]


def _id(task_id: str) -> str:
    return task_id.replace("_", "-")
