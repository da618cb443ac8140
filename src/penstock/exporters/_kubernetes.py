"""Kubernetes without an engine: a Job, or a CronJob where there is a schedule, that runs the whole pipeline."""

from collections.abc import Iterator
from typing import Any

from penstock.core import parse_bytes
from penstock.exporters._exported import Exported
from penstock.exporters._notes import find_notes
from penstock.exporters._plan import ExportPlan, Input
from penstock.exporters._text import comment, note_lines, plain_text, wrap_text
from penstock.exporters._yaml import to_yaml

ENGINE = "Kubernetes"
# Penstock itself executes all steps in one container, so what it does itself is carried over.
_CARRIES = frozenset(
    {"retries", "timeout", "cpu", "gpu", "memory", "schedule", "timezone", "map", "skip"}
)
_SECRET = "penstock"  # noqa: S105 - the secret's name
_KEPT_S = 7 * 24 * 3600


def export_kubernetes(plan: ExportPlan) -> Exported:
    """Return a pipeline as a manifest of a Job or CronJob, with one container for the whole run."""
    notes = [
        *find_notes(plan, ENGINE, _CARRIES),
        f"The image {plan.image} must have the project in its working directory (--image).",
    ]
    name, job = plan.id.replace("_", "-"), _job(plan)
    if plan.cron is None:
        document: dict[str, Any] = {"apiVersion": "batch/v1", "kind": "Job"}
        document |= {"metadata": {"generateName": f"{name}-"}, "spec": job}
    else:
        document = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name}}
        clock = {"schedule": plan.cron, "timeZone": plan.timezone, "concurrencyPolicy": "Forbid"}
        document["spec"] = {**clock, "jobTemplate": {"spec": job}}
    text = comment(list(_head(plan, notes))) + to_yaml(document)
    return Exported("kubernetes", f"{plan.id}_kubernetes.yaml", text, tuple(notes))


def _head(plan: ExportPlan, notes: list[str]) -> Iterator[str]:
    verb = "create" if plan.cron is None else "apply"
    about = (
        f"{plan.name}: exported by `penstock export {plan.entry}` for Kubernetes. One container"
        f" executes all steps of a run. Start it with: kubectl {verb} -f FILE. The store is that of the"
        f" secret {_SECRET!r}, with PENSTOCK_STORE, PENSTOCK_ARTIFACTS and PENSTOCK_TOKEN as keys."
    )
    yield from map(plain_text, wrap_text(about))
    yield from note_lines(notes)


def _job(plan: ExportPlan) -> dict[str, Any]:
    script = f"exec penstock run {plan.run_shell()}\n"
    container: dict[str, Any] = {
        "name": "run",
        "image": plan.image,
        "command": ["sh", "-ec", script],
        "envFrom": [{"secretRef": {"name": _SECRET, "optional": True}}],
    }
    variables = [{"name": each.variable, "value": each.default} for each in _inputs(plan)]
    if variables:
        container["env"] = variables
    if limits := _limits(plan):
        container["resources"] = {"requests": limits, "limits": limits}
    # A lost node starts the run again, which reuses its results; a failed step does not.
    disrupted = {
        "action": "Ignore",
        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
    }
    return {
        "backoffLimit": 0,
        "podFailurePolicy": {"rules": [disrupted]},
        "ttlSecondsAfterFinished": _KEPT_S,
        "template": {"spec": {"restartPolicy": "Never", "containers": [container]}},
    }


def _inputs(plan: ExportPlan) -> list[Input]:
    partition = Input("partition", "PARTITION")
    return [*plan.inputs, *([partition] if plan.partitions is not None else [])]


def _limits(plan: ExportPlan) -> dict[str, str]:
    """Return the most that a step asks for, since all share the container."""
    options = [task.options for task in plan.tasks]
    cpu = max((each.cpu or 0 for each in options), default=0)
    memory = max((parse_bytes(each.memory) for each in options if each.memory), default=0)
    gpu = max((each.gpu for each in options), default=0)
    asked = {"cpu": cpu, "memory": memory, "nvidia.com/gpu": gpu}
    return {name: str(value) for name, value in asked.items() if value}
