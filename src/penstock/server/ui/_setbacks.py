"""Versions that a rollout sent back: marked in every list, so that none looks ready."""

from collections.abc import Mapping, Sequence

from penstock.core import DeploymentEvent, ModelVersionRecord, Stage, StageEvent
from penstock.server.ui._site import Site

_ALL = 1_000_000


def setbacks(site: Site, versions: Sequence[ModelVersionRecord]) -> dict[str, DeploymentEvent]:
    """Return the versions whose last rollout was rolled back, by ``model@version``, with the event.

    A version that is in production by now is left out.
    """
    refs = {version.ref for version in versions if version.stage is not Stage.PRODUCTION}
    models = {version.model for version in versions}
    latest: dict[str, DeploymentEvent] = {}
    for deployment in site.metadata.deployments.list():
        if deployment.model not in models:
            continue
        for event in site.metadata.deployments.list_events(deployment.name, limit=_ALL):
            ref = f"{deployment.model}@{event.facts.get('version')}"
            if event.kind == "rolled_back" and ref in refs:
                latest[ref] = event
            elif event.kind in {"promoted", "rollout_started"}:
                latest.pop(ref, None)
    return latest


def with_setbacks(
    history: Sequence[StageEvent], latest: Mapping[str, DeploymentEvent]
) -> list[StageEvent]:
    """Add rolled-back rollouts to a model's history, newest first."""
    events = list(history)
    for ref, event in latest.items():
        model, _, number = ref.rpartition("@")
        reason = f"Rolled back from deployment {event.name}: {event.message}"
        events.append(
            StageEvent(model, int(number), Stage.NONE, Stage.NONE, "rollout", reason, event.at)
        )
    return sorted(events, key=lambda event: event.at, reverse=True)
