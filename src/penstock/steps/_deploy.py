"""The deploy step: ModelVersion -> Deployment; apart because the step changes live traffic."""

from collections.abc import Sequence
from typing import Any

from penstock.pipelines import step
from penstock.registry import ModelVersion
from penstock.serving import deploy as deploy_version
from penstock.stores import open_store
from penstock.tracking import active_run


@step(effect=True)
def deploy(version: ModelVersion, *, canary: Sequence[int] | None = None) -> dict[str, Any]:
    """Send traffic to a version: at once, or in canary steps beside the production version.

    Args:
        version: Output of the register step.
        canary: Percent of traffic per step, for example ``(5, 25, 100)``; None for all at once.

    Returns:
        The deployment's name, weights and generation.

    Raises:
        ConflictError: If a rollout of this deployment is already running.
        GateError: If the version may not go to production, with every reason. A gate that needs the
            finished run (``verified``) does not pass inside the run: deploy after the run, with
            `penstock deploy`.
    """
    run = active_run()
    store = run.store if run else open_store()
    record = deploy_version(
        version.model,
        version=version.version,
        canary=tuple(canary) if canary else None,
        actor=run.record.user if run else None,
        store=store,
    )
    return {
        "name": record.name,
        "generation": record.generation,
        "weights": {str(number): share for number, share in record.weights.items()},
    }
