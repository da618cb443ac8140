"""promote: prove what a version's gates leave open, judge them again, then move the version."""

from penstock.core import ModelVersionRecord, Stage
from penstock.proofs._verify import verify
from penstock.registry import Registry, judge_version, needs_proof
from penstock.stores import Store, open_store


def promote(
    model: str,
    version: int | str | None = None,
    *,
    to: Stage = Stage.PRODUCTION,
    actor: str | None = None,
    reason: str = "",
    store: Store | None = None,
) -> ModelVersionRecord:
    """Move a version towards production, after proving what its gates ask for.

    Gates are judged twice: at registration, and here again against the champion of today. A
    pending ``verified`` gate is run here.

    Args:
        model: The model's name.
        version: Number, ``"challenger"``, …; by default the newest that is not rejected.
        to: Stage to move to.
        actor: Who promotes; by default the user of this machine.
        reason: Why; kept in the history.
        store: Where the registry is; by default the project's store.

    Raises:
        GateError: If a gate does not pass, with every reason.
        ConflictError: If the move is not allowed, or an approval is missing.
        NotFoundError: If there is no such model or version.
    """
    store = store or open_store()
    registry = Registry(store)
    record = registry.get(model, version)
    if to is Stage.PRODUCTION:
        if needs_proof(record) and record.run_id and not _proved(store, record.run_id):
            verify(record.run_id, store=store)
        record = judge_version(store, record)
    return registry.promote(model, record.version, to=to, actor=actor, reason=reason)


def _proved(store: Store, run_id: str) -> bool:
    return any(proof.kind == "verified" for proof in store.metadata.list_proofs(run_id))
