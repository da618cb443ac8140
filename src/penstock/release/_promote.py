"""promote: run the proofs that the gates need, judge the gates, then move the version."""

from collections.abc import Callable
from typing import Literal

from penstock.core import ModelVersionRecord, Stage
from penstock.registry import Registry
from penstock.release._proving import SETTLED, run_proofs
from penstock.stores import Store, open_store


def promote(
    model: str,
    version: int | str | None = None,
    *,
    to: Stage | Literal["staging", "production"] = "production",
    actor: str | None = None,
    reason: str = "",
    accept_changes: str | None = None,
    progress: Callable[[str], None] | None = None,
    store: Store | str | None = None,
) -> ModelVersionRecord:
    """Promote a version, after running the proofs for the version's gates.

    Gates are judged twice: at registration, and here again against the champion of today. The proof
    for a pending ``verified`` gate is run here.

    Args:
        model: Name of the model.
        version: Number, ``"challenger"``, …; by default the newest that is not rejected.
        to: Stage to promote to.
        actor: The actor; by default the user of this machine.
        reason: Why; recorded in the history.
        accept_changes: Why the version may refuse requests that the production version answers.
        progress: Callback for progress messages, called before a long operation.
        store: Store of the registry; by default the project's store.

    Raises:
        GateError: If a gate does not pass, with every reason.
        ConflictError: If the move is not allowed, or an approval is missing.
        NotFoundError: If there is no such model or version.
    """
    store = open_store(store)
    record = Registry(store=store).get(model, version)
    if to == Stage.PRODUCTION and record.stage not in SETTLED:
        run_proofs(store, record, progress)
    return Registry(store=store).promote(
        model,
        record.version,
        to=to,
        actor=actor,
        reason=reason,
        accept_changes=accept_changes,
    )
