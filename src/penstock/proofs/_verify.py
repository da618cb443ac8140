"""verify: execute a recorded run again in a fresh process and compare every output digest."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from penstock.core import (
    ProofRecord,
    RunRecord,
    RunState,
    StoreError,
    Verdict,
    find_project,
    now,
)
from penstock.execution import read_manifest, read_source
from penstock.proofs._records import StepVerdict, Verification, worst
from penstock.provenance import capture_environment, manifest_difference, restore_source
from penstock.stores import Store, open_store

_NOTES = 8


def verify(
    run_id: str,
    *,
    store: Store | None = None,
    reread: bool = False,
    timeout_s: float | None = None,
) -> Verification:
    """Prove that a recorded run gives the same result again, or name the first step that differs.

    The recorded sources are restored into an empty folder, and a fresh Python process with another
    PYTHONHASHSEED executes every step again on its recorded inputs, without cache. Another hash
    seed, because a result that holds under one seed only is an accident of set order; a step
    that differs is tried again under the recorded seed to tell whether that is the cause.

    Args:
        run_id: The run; a unique prefix, or ``"last"``.
        store: Where it is recorded; by default the project's store.
        reread: Read sources again instead of replaying the stored snapshot.
        timeout_s: Give up after so many seconds; None waits.

    Returns:
        The verdict with an answer per step; also kept in the store as a proof.

    Raises:
        NotFoundError: If there is no such run.
    """
    store = store or open_store()
    started = time.perf_counter()
    run = store.metadata.get_run(run_id)
    missing, manifest = _preconditions(store, run)
    if missing:
        answer = Verification(run.run_id, Verdict.CANNOT_VERIFY, notes=tuple(missing))
    else:
        answer = _replay_run(store, run, manifest, reread=reread, timeout_s=timeout_s)
    answer = replace(answer, seconds=time.perf_counter() - started)
    store.metadata.add_proof(
        ProofRecord(run.run_id, "verified", answer.verdict, now(), answer.to_json())
    )
    return answer


def _preconditions(store: Store, run: RunRecord) -> tuple[list[str], Mapping[str, Any]]:
    """Say what is missing before anything runs, one sentence each."""
    missing = []
    if run.state is not RunState.FINISHED:
        missing.append(f"The run is {run.state.value}: only a finished run can be verified.")
    if not run.entry:
        missing.append(
            "The run does not say which file its pipeline is in (it was made in a notebook or an "
            "interpreter): put the pipeline into a file and run it with `penstock run FILE`."
        )
    manifest: Mapping[str, Any] = {}
    if run.provenance is None:
        missing.append("The run has no recorded sources.")
    else:
        try:
            manifest = read_manifest(store, run)
        except StoreError as error:
            missing.append(f"The run's provenance cannot be read: {error}")
    return missing, manifest


def _replay_run(
    store: Store,
    run: RunRecord,
    manifest: Mapping[str, Any],
    *,
    reread: bool,
    timeout_s: float | None,
) -> Verification:
    with tempfile.TemporaryDirectory(prefix="penstock-verify-") as room:
        folder = Path(room) / "source"
        try:
            files = read_source(store, manifest)
        except StoreError as error:
            note = f"A recorded source file cannot be read: {error}"
            return Verification(run.run_id, Verdict.CANNOT_VERIFY, notes=(note,))
        restore_source(files, folder)
        request = {
            "store": store.address,
            "artifacts": store.artifacts.url,
            "scratch": room,
            "run_id": run.run_id,
            "folder": str(folder),
            "target": _target(run, folder),
            "steps": None,
            "reread": reread,
            "data": _data_folders(run),
        }
        seed = str(manifest.get("hash_seed") or "random")
        other = "1" if seed != "1" else "2"
        answer = _ask(request, room, hash_seed=other, timeout_s=timeout_s)
        if isinstance(answer, str):
            return Verification(run.run_id, Verdict.CANNOT_VERIFY, notes=(answer,))
        steps = _explain_hash_order(answer, request, room, seed, timeout_s)
    notes = manifest_difference(
        {"environment": manifest.get("environment", {})}, {"environment": capture_environment()}
    )
    return Verification(
        run.run_id,
        worst([step.verdict for step in steps]),
        tuple(steps),
        tuple(note for note in notes if "PYTHONHASHSEED" not in note)[:_NOTES],
    )


def _target(run: RunRecord, folder: Path) -> str:
    file, _, name = (run.entry or "").rpartition(":")
    return f"{folder / file}:{name}" if file.endswith(".py") else f"{file}:{name}"


def _data_folders(run: RunRecord) -> str:
    """Where the run's sources looked for relative paths: the project, and beside the pipeline."""
    project, here = find_project(), Path.cwd()
    beside = project / (run.entry or "").rpartition(":")[0]
    return os.pathsep.join(map(str, dict.fromkeys((here, beside.parent, project))))


def _explain_hash_order(
    steps: Sequence[StepVerdict],
    request: Mapping[str, Any],
    room: str,
    seed: str,
    timeout_s: float | None,
) -> list[StepVerdict]:
    """Try the steps that differ again under the recorded hash seed, to name set order as cause."""
    differing = [s.step for s in steps if s.verdict is Verdict.DIFFERS and s.how == "executed"]
    if not differing or seed == "random":
        return list(steps)
    again = _ask({**request, "steps": differing}, room, hash_seed=seed, timeout_s=timeout_s)
    if isinstance(again, str):
        return list(steps)
    equal = {step.step for step in again if step.verdict is Verdict.BITWISE}
    cause = (
        f"the order of a set: equal under the recorded PYTHONHASHSEED={seed}, "
        "different under another; sort before the order matters"
    )
    return [
        replace(step, cause="; ".join(filter(None, (cause, step.cause))))
        if step.step in equal
        else step
        for step in steps
    ]


def _ask(
    request: Mapping[str, Any], room: str, *, hash_seed: str, timeout_s: float | None
) -> list[StepVerdict] | str:
    """Run the child process; its answers, or a sentence that says why there are none."""
    path = Path(room) / f"request-{hash_seed}.json"
    path.write_text(json.dumps(request), encoding="utf-8")
    environment = {
        **os.environ,
        "PYTHONHASHSEED": hash_seed,
        "PENSTOCK_STORE": f"sqlite:///{room}/scratch.db",
        "PENSTOCK_PROJECT": os.environ.get("PENSTOCK_PROJECT", request["data"]),
    }
    environment.pop("PENSTOCK_ARTIFACTS", None)
    try:
        done = subprocess.run(  # noqa: S603 - our own module, no shell
            [sys.executable, "-m", "penstock.proofs._replay", str(path)],
            env=environment,
            cwd=request["folder"],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"Executing it again took longer than {timeout_s:g} s."
    answer_path = path.with_suffix(".answer")
    if not answer_path.exists():
        tail = done.stderr.strip().splitlines()[-1:] or ["no message"]
        return f"The recorded sources cannot be executed: {tail[0]}"
    answer = json.loads(answer_path.read_text(encoding="utf-8"))
    if "error" in answer:
        return f"The recorded pipeline cannot be loaded: {answer['error']}"
    return [StepVerdict.from_json(step) for step in answer["steps"]]
