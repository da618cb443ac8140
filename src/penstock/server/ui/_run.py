"""The page of a run: everything recorded about the run."""

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.core import (
    ArtifactRecord,
    NotFoundError,
    Permission,
    RunRecord,
    RunState,
    StepRunRecord,
    StepState,
    did_you_mean,
)
from penstock.server.ui._charts import CHARTS, metric_views
from penstock.server.ui._figures import is_report
from penstock.server.ui._items import item_logs
from penstock.server.ui._media import media_series
from penstock.server.ui._notebook import is_notebook
from penstock.server.ui._page import Page, Query
from penstock.server.ui._provenance import provenance_view
from penstock.server.ui._reports import evaluation_view
from penstock.server.ui._runs import run_seconds
from penstock.server.ui._site import Site
from penstock.server.ui._steps import StepView, run_drawing, step_json, step_views
from penstock.server.ui._waiting import may
from penstock.tracking import SYSTEM

_CONSOLE_LINES, _CHILDREN = 500, 100
_OPEN = {RunState.RUNNING, RunState.QUEUED}
_BROKEN = {StepState.FAILED, StepState.KILLED}
_RESUMABLE = {RunState.FAILED, RunState.KILLED}


def run_page(site: Site, query: Query, run_id: str) -> Page:
    """Show a run.

    Raises:
        NotFoundError: If there is no such run.
    """
    site.note_dead_runs()
    run = site.metadata.runs.get(run_id)
    steps = site.metadata.steps.list(run.run_id)
    views = step_views(site, steps)
    artifacts = site.metadata.artifacts.list(run.run_id)
    reports = _reports(views, artifacts)
    every = query.text("charts") == "all"
    logged = {name: of for name, of in run.metrics.items() if not name.startswith(SYSTEM)}
    machine = {name: of for name, of in run.metrics.items() if name.startswith(SYSTEM)}
    metrics = metric_views(site, run.run_id, logged, most=None if every else CHARTS)
    system = metric_views(site, run.run_id, machine, most=None)
    evaluations = [view for view in (evaluation_view(site, r) for r in reports) if view]
    manifest = site.facts(run.provenance)
    data = {
        "run": run,
        "steps": [step_json(step) for step in steps],
        "artifacts": artifacts,
        "proofs": site.metadata.artifacts.list_proofs(run.run_id),
        "versions": _versions(site, run),
        "provenance": manifest,
        "evaluations": [view.facts for view in evaluations],
    }
    view = {
        "seconds": run_seconds(run),
        "step_views": views,
        "drawing": run_drawing(run, steps),
        "commands": _commands(run, steps, manifest or {}),
        "metric_views": metrics,
        "lines": sum(view.summary.count > 1 for view in metrics),
        "system_views": system,
        "is_notebook": is_notebook(steps),
        "console": site.metadata.steps.list_logs(run.run_id)[-_CONSOLE_LINES:],
        "children": site.metadata.runs.search(
            f"parent_run_id = '{run.run_id}'", order_by="created_at", limit=_CHILDREN
        ),
        "evaluation_views": evaluations,
        "source": provenance_view(manifest),
        "media": media_series(site, artifacts),
        "failed": next((v.record for v in views if v.record.state in _BROKEN), None),
        "waiting": next((v.record for v in views if v.record.state is StepState.QUEUED), None),
    }
    live = run.state in _OPEN  # parts not drawn yet may be drawn soon
    charts = bool(live or evaluations or view["media"] or any(m.chart for m in (*metrics, *system)))
    shown = {**view, "allowed": _allowed(site, run)}
    return Page("run.html", run.name, data, shown, section="runs", charts=charts, live=live)


def _allowed(site: Site, run: RunRecord) -> frozenset[str]:
    """Return the buttons that the reader's permissions allow for a run."""
    demands = {
        "tag": Permission.WRITE,
        "delete": Permission.ADMIN,
        "approve": Permission.APPROVE,
    }
    return frozenset(
        name for name, permission in demands.items() if may(site, permission, run.experiment)
    )


def log_page(site: Site, query: Query, run_id: str) -> Page:
    """Show the whole log of a step.

    Raises:
        NotFoundError: If there is no such run or step.
    """
    run = site.metadata.runs.get(run_id)
    steps = {step.step: step for step in site.metadata.steps.list(run.run_id)}
    name = query.text("step")
    if name not in steps:
        raise NotFoundError(
            what=f"Run {run.run_id} has no step {name!r}.", fix=did_you_mean(name, steps)
        )
    step = steps[name]
    logs, more = item_logs(site, steps.values(), name)
    lines = site.metadata.steps.list_logs(step.step_run_id)
    data = {"run": run, "step": step, "lines": lines, "items": logs}
    view = {"more_items": more}
    return Page("log.html", f"Log of {name}", data, view, section="runs", live=run.state in _OPEN)


def _commands(
    run: RunRecord, steps: Sequence[StepRunRecord], manifest: Mapping[str, Any]
) -> dict[str, str]:
    commands = {}
    for step in steps:
        if step.state is StepState.QUEUED and run.state is RunState.QUEUED:
            words = ["penstock", "approve-step", run.run_id, step.step, "--reason", "…"]
            commands = {
                "approve": shlex.join(words),
                "resume": f"penstock run --resume {run.run_id}",
            }
    if run.state in _RESUMABLE and run.pipeline:
        commands["resume"] = f"penstock run --resume {run.run_id}"
    if run.state is RunState.FINISHED and run.pipeline:
        commands["verify"] = f"penstock verify {run.run_id}"
    if again := again_command(run, manifest.get("argv") or ()):
        commands["run again"] = again
    return commands


def again_command(run: RunRecord, argv: Sequence[str]) -> str:
    """Build the command that starts such a run again; empty if unknown.

    Args:
        run: The run.
        argv: Command line of the run's process, as recorded.
    """
    if run.pipeline and run.entry:
        # A parameter that is None had no value, and no text on the command line stands for None.
        plain = [(name, run.params[name]) for name in run.arguments]
        arguments = [(name, value) for name, value in plain if value is not None]
        words = [word for name, value in arguments for word in _option(name, value)]
        return shlex.join(["penstock", "run", run.entry, *words])
    is_whole = not any("…" in word for word in argv)  # no secret was left out
    if not run.pipeline and argv and argv[0].endswith(".py") and is_whole:
        return shlex.join(["python", *argv])
    return ""


def _option(name: str, value: Any) -> list[str]:
    """Format a parameter as a command line option."""
    text = json.dumps(value) if isinstance(value, list | dict | bool) else str(value)
    option = f"--{name.replace('_', '-')}"
    # A value that looks like an option would be parsed as an option.
    return [f"{option}={text}"] if text.startswith("-") else [option, text]


def _reports(
    views: list[StepView], artifacts: Mapping[str, ArtifactRecord]
) -> list[ArtifactRecord]:
    """List the reports among all outputs of the run, each once."""
    made = [value.artifact for view in views for value in view.outputs if value.artifact]
    reports = {
        record.digest: record for record in (*made, *artifacts.values()) if is_report(record)
    }
    return list(reports.values())


def _versions(site: Site, run: RunRecord) -> list[str]:
    """List the model versions registered by this run."""
    return sorted(
        version.ref
        for model in site.metadata.models.list()
        for version in site.metadata.models.list_versions(model)
        if version.run_id == run.run_id
    )
