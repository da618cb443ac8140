"""Waiting: versions and steps that wait for an approval of whoever looks."""

from typing import TYPE_CHECKING, Any

from penstock.core import (
    ModelVersionRecord,
    Permission,
    RunRecord,
    Stage,
    StepState,
    current_identity,
    is_same_person,
    project_of,
)
from penstock.registry import Registry
from penstock.server.ui._page import Page, Query

if TYPE_CHECKING:
    from penstock.server.ui._site import Site

_MOST_RUNS = 100


def waiting_page(site: "Site", query: Query) -> Page:  # noqa: ARG001 - a page's form
    """Show pending approvals, and whether the reader may approve."""
    versions = _versions(site)
    steps = [row for run in _waiting_runs(site) for row in _steps(site, run)]
    data = {"versions": versions, "steps": steps}
    return Page("waiting.html", "Waiting", data, section="waiting")


def may(site: "Site", permission: Permission, name: str) -> bool:
    """Return whether the reader has a permission for a name."""
    identity = current_identity()
    if identity is None:
        return False
    return identity.may(permission, project_of(name, site.metadata.projects.list()))


def _versions(site: "Site") -> list[dict[str, Any]]:
    """List the candidates newer than each champion, newest first."""
    registry, waiting = Registry(store=site.store), list[dict[str, Any]]()
    if site.store.single_user:
        return []  # promoting is the approval
    for model in site.metadata.models.list():
        champion = registry.champion(model)
        since = champion.version if champion else 0
        for version in registry.list(model):
            open_stage = version.stage in {Stage.NONE, Stage.STAGING}
            if open_stage and version.version > since:
                waiting.append(_version_row(site, registry, version))
    waiting = [row for row in waiting if not row["is_enough"]]
    return sorted(waiting, key=lambda row: row["version"].created_at, reverse=True)


def _version_row(site: "Site", registry: Registry, version: ModelVersionRecord) -> dict[str, Any]:
    state = registry.approval_state(version.model, version.version)
    identity = current_identity()
    mine = identity is not None and is_same_person(identity.actor, version.trained_by)
    done = identity is not None and any(
        is_same_person(each.actor, identity.actor) for each in state.counted
    )
    allowed = may(site, Permission.APPROVE, version.model)
    why = "you trained it" if mine else "you have approved it" if done else ""
    return {
        "version": version,
        "counted": [each.actor for each in state.counted],
        "needed": state.needed,
        "refused": list(state.refused),
        "is_enough": state.is_enough,
        "may_approve": allowed and not why,
        "why_not": why or ("" if allowed else "you are no approver here"),
    }


def _waiting_runs(site: "Site") -> list[RunRecord]:
    return list(site.metadata.runs.search("state = 'queued'", limit=_MOST_RUNS))


def _steps(site: "Site", run: RunRecord) -> list[dict[str, Any]]:
    decided = {decision.step for decision in site.metadata.steps.list_decisions(run.run_id)}
    return [
        {
            "run": run,
            "step": step.step,
            "why": step.error or "",
            "may_approve": may(site, Permission.APPROVE, run.experiment),
        }
        for step in site.metadata.steps.list(run.run_id)
        if step.state is StepState.QUEUED and step.step not in decided
    ]
