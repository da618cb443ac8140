"""verify: execute a recorded run again in fresh processes and compare every output digest."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from penstock.core import (
    ProofRecord,
    RunRecord,
    RunState,
    StoreError,
    Verdict,
    now,
    require_number,
)
from penstock.execution import read_manifest
from penstock.proofs._records import Verification
from penstock.proofs._rounds import Rounds
from penstock.proofs._tries import MOST_SEEDS
from penstock.provenance import capture_environment, manifest_difference
from penstock.stores import Store, open_store

_NOTES = 8


def verify(
    run_id: str,
    *,
    reread: bool = False,
    timeout_s: float | None = None,
    hash_seeds: int | None = None,
    store: Store | str | None = None,
) -> Verification:
    """Check that a recorded run returns the same result again, or name the first step that differs.

    The recorded sources are restored into an empty folder. Each step is executed in a fresh
    process, on the recorded inputs, without cache, and under several PYTHONHASHSEEDs: a result that
    holds under a single seed is an accident of set order. A step that differs is repeated under
    the recorded seed to tell whether set order is the cause.

    Args:
        run_id: Id of the run; a unique prefix, or ``"last"``.
        reread: Read sources again instead of replaying the stored snapshot.
        timeout_s: Limit in seconds; None for no limit.
        hash_seeds: Number of hash seeds for each step, 1 to 12; by default more where a step is
            quick or the code uses sets. The verdict has the numbers used.
        store: Store that has the run; by default the project's store.

    Returns:
        The verdict with a result per step; also stored as a proof.

    Raises:
        NotFoundError: If there is no such run.
        ParameterError: If ``hash_seeds`` is not between 1 and 12.
    """
    _require_seeds(hash_seeds)
    store = open_store(store)
    started = time.perf_counter()
    run = store.metadata.runs.get(run_id)
    missing, manifest = _preconditions(store, run)
    if missing:
        answer = Verification(run.run_id, Verdict.CANNOT_VERIFY, notes=tuple(missing))
    else:
        rounds = Rounds(
            store, run, manifest, reread=reread, timeout_s=timeout_s, hash_seeds=hash_seeds
        )
        answer = _with_environment(rounds.answer(), manifest)
    answer = replace(answer, seconds=time.perf_counter() - started)
    store.metadata.artifacts.add_proof(
        ProofRecord(run.run_id, "verified", answer.verdict, now(), answer.to_json())
    )
    return answer


def _require_seeds(hash_seeds: int | None) -> None:
    if hash_seeds is not None:
        require_number("hash_seeds", hash_seeds, low=1, high=MOST_SEEDS, whole=True)


def _with_environment(answer: Verification, manifest: Mapping[str, Any]) -> Verification:
    """Add the differences between the recorded environment and the present environment."""
    notes = manifest_difference(
        {"environment": manifest.get("environment", {})}, {"environment": capture_environment()}
    )
    notes = [note for note in notes if "PYTHONHASHSEED" not in note][:_NOTES]
    return replace(answer, notes=(*answer.notes, *notes))


def _preconditions(store: Store, run: RunRecord) -> tuple[list[str], Mapping[str, Any]]:
    """Return the reasons why nothing can be executed, a sentence each, and the manifest."""
    missing = []
    if run.state is not RunState.FINISHED:
        missing.append(f"The run is {run.state.value}: only a finished run can be verified.")
    if run.pipeline is None:
        missing.append(
            "The run is a tracked script: only a pipeline has steps that can be executed again."
        )
    elif not run.entry:
        missing.append(
            "The run does not say which file its pipeline is in (it was made in a notebook or an "
            "interpreter): put the pipeline into a file and run it with `penstock run FILE`."
        )
    manifest: Mapping[str, Any] = {}
    if run.provenance is None:
        missing.append("The run has no recorded sources.")
    else:
        try:
            manifest = read_manifest(run, store=store)
        except StoreError as error:
            missing.append(f"The run's provenance cannot be read: {error}")
    return missing, manifest
