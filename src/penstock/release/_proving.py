"""prove_version: run the proofs that a version's gates need; apart because every release needs that."""

from collections.abc import Callable, Mapping

from penstock.core import ModelVersionRecord, Stage
from penstock.proofs import verify
from penstock.registry import Registry, judge_version, list_needed_proofs
from penstock.stores import Store, open_store

# No proof is run for a version in production or one that is finally refused.
SETTLED = frozenset({Stage.PRODUCTION, Stage.REJECTED})


def prove_version(
    model: str, version: int | str | None = None, *, store: Store | str | None = None
) -> ModelVersionRecord:
    """Run the proofs that a version's gates need, and judge the gates as of today.

    Args:
        model: Name of the model.
        version: Number, ``"challenger"``, …; by default the newest that is not rejected.
        store: Store of the registry; by default the project's store.

    Returns:
        The version with the new gate results, already stored.

    Raises:
        NotFoundError: If there is no such model or version.
    """
    store = open_store(store)
    record = Registry(store=store).get(model, version)
    run_proofs(store, record)
    return judge_version(record, store=store)


def run_proofs(
    store: Store, record: ModelVersionRecord, progress: Callable[[str], None] | None = None
) -> None:
    """Execute a version's run again if a gate needs that and there is no proof yet.

    Args:
        store: Store of the run.
        record: The version; settled versions (``SETTLED``) are left to the caller.
        progress: Callback for progress messages, called before a long operation.
    """
    if not record.run_id:
        return
    known = {proof.kind for proof in store.metadata.artifacts.list_proofs(record.run_id)}
    for kind in list_needed_proofs(record):
        if kind not in known:
            if progress is not None:
                progress("Executing the recorded run again …")
            _PROVERS[kind](record.run_id, store)


def _verify(run_id: str, store: Store) -> None:
    verify(run_id, store=store)


# The functions that record a proof, by the kind of evaluation's PROOFS.
_PROVERS: Mapping[str, Callable[[str, Store], None]] = {"verified": _verify}
