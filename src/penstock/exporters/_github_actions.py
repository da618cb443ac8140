"""GitHub Actions: a workflow with a job per step."""

import shlex
from typing import Any

from penstock.exporters._exported import Exported
from penstock.exporters._notes import find_notes
from penstock.exporters._plan import PREPARE, ExportPlan, Task
from penstock.exporters._text import comment, head_lines
from penstock.exporters._yaml import to_yaml

ENGINE = "GitHub Actions"
_CARRIES = frozenset({"timeout", "schedule", "map", "environment"})
_SECRETS = ("PENSTOCK_STORE", "PENSTOCK_ARTIFACTS", "PENSTOCK_TOKEN")
# A job whose needs are skipped (a map without items) is skipped too, unless it has a condition.
_IF = "${{ !failure() && !cancelled() }}"
_MOST_MINUTES = 360
_INSTALL = "if [ -f requirements.txt ]; then pip install -r requirements.txt; else pip install penstock; fi"


def export_github_actions(plan: ExportPlan) -> Exported:
    """Return a pipeline as a workflow of GitHub Actions."""
    notes = find_notes(plan, ENGINE, _CARRIES)
    jobs = {_job_id(PREPARE): _prepare(plan)}
    for task in plan.tasks:
        jobs |= _map_jobs(plan, task) if task.is_map else {_job_id(task.id): _step_job(plan, task)}
    document: dict[str, Any] = {
        "name": plan.name,
        "on": _triggers(plan),
        "permissions": {"contents": "read"},
        "env": {name: f"${{{{ secrets.{name} }}}}" for name in _SECRETS},
        "jobs": jobs,
    }
    text = comment(head_lines(plan, ENGINE, notes)) + to_yaml(document)
    return Exported("github-actions", f"{plan.id}.yml", text, tuple(notes))


def _triggers(plan: ExportPlan) -> dict[str, Any]:
    inputs: dict[str, Any] = {
        each.name: {
            "description": each.about,
            "type": "string",
            "required": each.required and not each.default,
            "default": each.default,
        }
        for each in plan.inputs
    }
    if plan.partitions is not None:
        inputs["partition"] = {
            "description": "key of the partition",
            "type": "string",
            "default": "",
        }
    triggers: dict[str, Any] = {"workflow_dispatch": {"inputs": inputs} if inputs else {}}
    if plan.cron is not None:
        triggers["schedule"] = [{"cron": plan.cron}]
    return triggers


def _prepare(plan: ExportPlan) -> dict[str, Any]:
    names = [(each.variable, each.name, each.default) for each in plan.inputs]
    if plan.partitions is not None:
        names.append(("PARTITION", "partition", ""))
    # A scheduled run has no inputs, so the defaults stand here too.
    variables = {
        variable: f"${{{{ inputs.{name} || {_quoted(default)} }}}}"
        for variable, name, default in names
    }
    script = f'RUN=$({plan.prepare_shell()})\necho "run=$RUN" >> "$GITHUB_OUTPUT"\n'
    step: dict[str, Any] = {"id": PREPARE, "name": "Record the run", "run": script}
    if variables:
        step["env"] = variables
    return {
        "runs-on": "ubuntu-latest",
        "outputs": {"run": f"${{{{ steps.{PREPARE}.outputs.run }}}}"},
        "steps": [*_setup(), step],
    }


def _step_job(plan: ExportPlan, task: Task, *, after: tuple[str, ...] = ()) -> dict[str, Any]:
    needs = [PREPARE, *(_job_id(each) for each in after or task.needs)]
    script = f'penstock step "$RUN" {shlex.join(plan.step_words(task.name))}'
    return _job(needs, task, {"name": task.name, "run": script})


def _map_jobs(plan: ExportPlan, task: Task) -> dict[str, Any]:
    listed, each = f"{task.id}_items", f"{task.id}_item"
    words = shlex.join(plan.step_words(task.name))
    script = (
        f'ITEMS=$(penstock step "$RUN" {words} --items --json)\n'
        'echo "items=$(echo "$ITEMS" | tr -d \'\\n\')" >> "$GITHUB_OUTPUT"\n'
    )
    step = {"id": "list", "name": f"List the items of {task.name}", "run": script}
    lister = _job([PREPARE, *map(_job_id, task.needs)], None, step)
    lister["outputs"] = {"items": "${{ steps.list.outputs.items }}"}
    found = f"needs.{_job_id(listed)}.outputs.items"
    entry = shlex.quote(plan.entry)
    item = _job(
        [PREPARE, _job_id(listed)],
        task,
        {"name": task.name, "run": f'penstock step "$RUN" "$ITEM" {entry}'},
    )
    item["if"] = f"${{{{ !failure() && !cancelled() && {found} != '[]' }}}}"
    item["strategy"] = {"fail-fast": False, "matrix": {"item": f"${{{{ fromJSON({found}) }}}}"}}
    item["env"]["ITEM"] = "${{ matrix.item }}"
    collect = _step_job(plan, task, after=(listed, each))
    return {_job_id(listed): lister, _job_id(each): item, _job_id(task.id): collect}


def _job(needs: list[str], task: Task | None, step: dict[str, Any]) -> dict[str, Any]:
    job: dict[str, Any] = {"needs": needs, "if": _IF, "runs-on": "ubuntu-latest"}
    if task is not None and task.total_limit_s is not None:
        job["timeout-minutes"] = min(task.total_limit_s // 60 + 1, _MOST_MINUTES)
    job["env"] = {"RUN": f"${{{{ needs.{PREPARE}.outputs.run }}}}"}
    job["steps"] = [*_setup(task.options.environment if task else None), step]
    return job


def _setup(environment: str | None = None) -> list[dict[str, Any]]:
    install = f"pip install -r {shlex.quote(environment)}" if environment else _INSTALL
    return [
        {"uses": "actions/checkout@v4"},
        {"uses": "actions/setup-python@v5", "with": {"python-version": "3.12", "cache": "pip"}},
        {"run": install},
    ]


def _job_id(task_id: str) -> str:
    return task_id.replace("_", "-")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
