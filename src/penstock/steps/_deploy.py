"""The deploy step: ModelVersion -> Deployment; apart because it changes what users get."""

from collections.abc import Sequence
from typing import Any

from penstock.pipelines import step
from penstock.registry import ModelVersion
from penstock.serving import deploy as deploy_version
from penstock.stores import open_store
from penstock.tracking import current_run


@step(effect=True)
def deploy(version: ModelVersion, *, canary: Sequence[int] | None = None) -> dict[str, Any]:
    """Send traffic to a version: at once, or in canary steps beside the production version.

    Args:
        version: What the register step gave.
        canary: Percent of traffic per step, for example ``(5, 25, 100)``; None for all at once.

    Returns:
        The deployment's name, weights and generation.

    Raises:
        ConflictError: If another rollout of this deployment is running.
        GateError: If the version may not go to production, with every reason. A gate that needs
            the finished run (``verified``) does not pass inside it: deploy after the run, with
            `penstock deploy`.
    """
    run = current_run()
    store = run.store if run else open_store()
    record = deploy_version(
        store,
        version.model,
        version=version.version,
        canary=tuple(canary) if canary else None,
        actor=run.record.user if run else None,
    )
    return {
        "name": record.name,
        "generation": record.generation,
        "weights": {str(number): share for number, share in record.weights.items()},
    }
