"""Kubeflow Pipelines: a pipeline in KFP's intermediate representation (IR YAML), a container per step."""

from typing import Any

from penstock.core import parse_bytes
from penstock.exporters._exported import Exported
from penstock.exporters._notes import find_notes
from penstock.exporters._plan import PREPARE, ExportPlan, Task
from penstock.exporters._text import comment, head_lines
from penstock.exporters._yaml import to_yaml

ENGINE = "Kubeflow Pipelines"
_CARRIES = frozenset({"retries", "cpu", "gpu", "memory", "map", "environment"})
_SECRET = "penstock"  # noqa: S105 - the secret's name
_KEYS = ("PENSTOCK_STORE", "PENSTOCK_ARTIFACTS", "PENSTOCK_TOKEN")
_RUN = {"taskOutputParameter": {"producerTask": PREPARE, "outputParameterKey": "run"}}
_ITEMS = "Output"
# Each item carries the run: kfp.local gives the item for every output that a loop takes.
_LIST = """ITEMS=$(penstock step "$1" "$2" "$3" --items --json)
mkdir -p "$(dirname "$0")"
printf %s "$ITEMS" | sed "s/^  \\"/  \\"$1 /" > "$0"
"""
_ITEM = 'penstock step "${0%% *}" "${0#* }" "$@"'


def export_kfp(plan: ExportPlan) -> Exported:
    """Return a pipeline as IR YAML, which `kfp` and its server read."""
    notes = [
        *find_notes(plan, ENGINE, _CARRIES),
        f"The image {plan.image} must have the project in its working directory (--image).",
    ]
    document, secrets = kfp_documents(plan)
    head = comment(
        [
            *head_lines(plan, ENGINE, notes),
            "",
            f"Secrets: the Kubernetes secret {_SECRET!r} with the three names above as keys.",
        ]
    )
    text = head + to_yaml(document) + "---\n" + to_yaml(secrets)
    return Exported("kfp", f"{plan.id}_kfp.yaml", text, tuple(notes))


def kfp_documents(plan: ExportPlan) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the pipeline, and what is of Kubernetes only: the secrets of each container."""
    components, executors = _prepare(plan)
    tasks: dict[str, Any] = {PREPARE: _task(f"comp-{PREPARE}", _inputs_of_prepare(plan), ())}
    for task in plan.tasks:
        if task.is_map and "comp-items" not in components:
            components["comp-items"], executors["exec-items"] = _items_parts(plan)
        component = f"comp-{_id(task.id)}" if _has_own_container(task) else "comp-step"
        components.setdefault(component, _component(component, ["run", "step"]))
        executors[_executor(component)] = _container(plan, task)
        if task.is_map:
            loop = f"comp-{_id(task.id)}-item"
            components[loop] = _component(loop, ["item"])
            executors[_executor(loop)] = _container(plan, task, is_item=True)
            tasks |= _map_tasks(task, component, components)
        else:
            tasks |= _step_task(task, component)
    inputs = {
        each.name: {"parameterType": "STRING", "defaultValue": each.default, "isOptional": True}
        for each in _inputs(plan)
    }
    root = {"inputDefinitions": {"parameters": inputs}} if inputs else {}
    document = {
        "pipelineInfo": {"name": _id(plan.id), "description": plan.description},
        "root": {**root, "dag": {"tasks": tasks}},
        "components": components,
        "deploymentSpec": {"executors": executors},
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.17.0",
    }
    entry = {
        "secretName": _SECRET,
        "keyToEnv": [{"secretKey": name, "envVar": name} for name in _KEYS],
        "optional": True,
    }
    secrets = {"executors": {name: {"secretAsEnv": [entry]} for name in executors}}
    return document, {"platforms": {"kubernetes": {"deploymentSpec": secrets}}}


class _Argument:
    """An argument of the pipeline: its name, its variable in the container, its default."""

    def __init__(self, name: str, variable: str, default: str) -> None:
        self.name, self.variable, self.default = name, variable, default


def _inputs(plan: ExportPlan) -> list[_Argument]:
    found = [_Argument(each.name, each.variable, each.default) for each in plan.inputs]
    return found + (
        [_Argument("partition", "PARTITION", "")] if plan.partitions is not None else []
    )


def _inputs_of_prepare(plan: ExportPlan) -> dict[str, Any]:
    return {each.name: {"componentInputParameter": each.name} for each in _inputs(plan)}


def _prepare(plan: ExportPlan) -> tuple[dict[str, Any], dict[str, Any]]:
    lines = [f"{each.variable}=${{{number}}}" for number, each in enumerate(_inputs(plan), 1)]
    script = "\n".join(
        [
            *lines,
            f"RUN=$({plan.prepare_shell()})",
            'mkdir -p "$(dirname "$0")"',
            'printf %s "$RUN" > "$0"',
            "",
        ]
    )
    arguments = ["{{$.outputs.parameters['run'].output_file}}"]
    arguments += [f"{{{{$.inputs.parameters['{each.name}']}}}}" for each in _inputs(plan)]
    names = [each.name for each in _inputs(plan)]
    component = _component(f"comp-{PREPARE}", names, outputs={"run": "STRING"})
    container = {"image": plan.image, "command": ["sh", "-ec", script], "args": arguments}
    return {f"comp-{PREPARE}": component}, {f"exec-{PREPARE}": {"container": container}}


def _items_parts(plan: ExportPlan) -> tuple[dict[str, Any], dict[str, Any]]:
    component = _component("comp-items", ["run", "step"], outputs={_ITEMS: "LIST"})
    arguments = [
        f"{{{{$.outputs.parameters['{_ITEMS}'].output_file}}}}",
        "{{$.inputs.parameters['run']}}",
        "{{$.inputs.parameters['step']}}",
        plan.entry,
    ]
    container = {"image": plan.image, "command": ["sh", "-ec", _LIST], "args": arguments}
    return component, {"container": container}


def _component(
    name: str, inputs: list[str], *, outputs: dict[str, str] | None = None
) -> dict[str, Any]:
    component: dict[str, Any] = {"executorLabel": _executor(name)}
    if inputs:
        component["inputDefinitions"] = _definitions(inputs)
    if outputs:
        parameters = {key: {"parameterType": kind} for key, kind in outputs.items()}
        component["outputDefinitions"] = {"parameters": parameters}
    return component


def _definitions(names: list[str]) -> dict[str, Any]:
    return {"parameters": {name: {"parameterType": "STRING"} for name in names}}


def _container(plan: ExportPlan, task: Task, *, is_item: bool = False) -> dict[str, Any]:
    words = ["penstock", "step", *(f"{{{{$.inputs.parameters['{n}']}}}}" for n in ("run", "step"))]
    if is_item:
        words = ["sh", "-ec", _ITEM, "{{$.inputs.parameters['item']}}"]
    retries = ["--no-retries"] if task.options.max_retries else []
    container: dict[str, Any] = {"image": task.image, "command": [*words, plan.entry, *retries]}
    resources, options = dict[str, Any](), task.options
    if options.cpu:
        resources |= {"cpuLimit": float(options.cpu), "resourceCpuLimit": str(options.cpu)}
    if options.memory:
        size = parse_bytes(options.memory)
        resources |= {"memoryLimit": size / 1e9, "resourceMemoryLimit": str(size)}
    if options.gpu:
        kind, count = "nvidia.com/gpu", str(options.gpu)
        resources["accelerator"] = {
            "type": kind, "resourceType": kind, "count": count, "resourceCount": count,
        }  # fmt: skip
    return {"container": {**container, **({"resources": resources} if resources else {})}}


def _has_own_container(task: Task) -> bool:
    options = task.options
    has_resources = options.cpu or options.memory or options.gpu
    return bool(has_resources or options.max_retries or options.environment)


def _step_task(task: Task, component: str) -> dict[str, Any]:
    inputs = {"run": _RUN, "step": {"runtimeValue": {"constant": task.name}}}
    found = _task(component, inputs, (PREPARE, *task.needs))
    return {_id(task.id): {**found, **_retry(task)}}


def _map_tasks(task: Task, component: str, components: dict[str, Any]) -> dict[str, Any]:
    listed, loop = f"{task.id}_items", f"{task.id}_item"
    # The names that KFP's own compiler gives: kfp.local finds the items by them.
    items = f"pipelinechannel--{_id(listed)}-{_ITEMS}"
    one = f"{items}-loop-item"
    name = {"runtimeValue": {"constant": task.name}}
    lister = _task("comp-items", {"run": _RUN, "step": name}, (PREPARE, *task.needs))
    inputs = {"item": {"componentInputParameter": one}}
    item = {**_task(f"comp-{_id(loop)}", inputs, ()), **_retry(task)}
    components[f"comp-{_id(task.id)}-loop"] = {
        "inputDefinitions": {
            "parameters": {items: {"parameterType": "LIST"}, one: {"parameterType": "STRING"}}
        },
        "dag": {"tasks": {_id(task.id): item}},
    }
    found = {"taskOutputParameter": {"producerTask": _id(listed), "outputParameterKey": _ITEMS}}
    each = {
        **_task(f"comp-{_id(task.id)}-loop", {items: found}, (listed,)),
        "parameterIterator": {"itemInput": one, "items": {"inputParameter": items}},
    }
    collect = _task(component, {"run": _RUN, "step": name}, (PREPARE, loop))
    return {_id(listed): lister, _id(loop): each, _id(task.id): {**collect, **_retry(task)}}


def _task(component: str, inputs: dict[str, Any], needs: tuple[str, ...]) -> dict[str, Any]:
    task: dict[str, Any] = {"componentRef": {"name": component}}
    if needs:
        task["dependentTasks"] = [_id(each) for each in needs]
    if inputs:
        task["inputs"] = {"parameters": inputs}
    # Without caching: KFP would give the run of an earlier pipeline again. Steps have penstock's.
    return {**task, "cachingOptions": {}}


def _retry(task: Task) -> dict[str, Any]:
    options = task.options
    if not options.max_retries:
        return {}
    policy = {
        "maxRetryCount": options.max_retries,
        "backoffDuration": f"{options.delay_s:g}s",
        "backoffFactor": options.backoff,
        "backoffMaxDuration": f"{options.max_delay_s:g}s",
    }
    return {"retryPolicy": policy}


def _executor(component: str) -> str:
    return component.replace("comp-", "exec-", 1)


def _id(task_id: str) -> str:
    return task_id.replace("_", "-")
