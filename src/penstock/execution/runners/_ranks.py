"""Ranks: the processes that execute a step together, started and watched on one machine.

torch's elastic agent starts a process for each rank over loopback and ends all if a process
ends badly. This process waits for the agent, shows what rank 0 prints, and joins the outcomes.
"""

import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from penstock.core import LogLine, StepError, digest_json, now, require
from penstock.execution.runners._rank_files import ECHO, outcome_path, request_path
from penstock.execution.runners._setup import Setup
from penstock.execution.runners._watch import Watch
from penstock.execution.step import CHECKPOINTS, Outcome, Work, failed, lost
from penstock.pipelines import Step
from penstock.provenance import merge_traces
from penstock.stores import Store

_RANK = "penstock.execution.runners._rank"
_LOOK_EVERY_S = 0.1
_LAUNCHED = (
    "RANK", "WORLD_SIZE", "LOCAL_", "GROUP_", "ROLE_", "MASTER_", "TORCHELASTIC_", "TORCH_NCCL_",
    "GLOO_", "OMP_NUM_THREADS", "PENSTOCK_", "PYTHONPATH",
)  # fmt: skip


def run_ranks(setup: Setup, work: Work, packed: bytes, store: Store) -> Outcome:
    """Execute a step in several processes; an error is part of the outcome.

    Args:
        setup: Settings that each rank gets.
        work: The step, with the number of workers.
        packed: The same work, see `pack_work`.
        store: Store of the run.
    """
    name, step = work.node.name, work.node.step
    try:
        require("torch", extra="torch", purpose=f"step {name!r} with workers={step.workers}")
    except ImportError as error:
        return failed(name, error)
    with ranks_folder() as folder, Watch() as guard:
        request_path(folder).write_bytes(pickle.dumps((setup, name, packed)))
        code = _wait(_start(folder, work, guard), folder, guard)
        outcomes = [read_outcome(folder, rank) for rank in range(step.workers or 1)]
        report = (folder / "agent").read_text(encoding="utf-8", errors="replace")
    ended = [outcome for outcome in outcomes if outcome is not None]
    ends_well = not code and len(ended) == len(outcomes) and not any(o.error for o in ended)
    failure = None if ends_well else _failure(work, outcomes, report)
    return join_outcomes(work, outcomes, failure, store)


def _start(folder: Path, work: Work, guard: Watch) -> "subprocess.Popen[bytes]":
    command, environment = rank_launcher(work.node.step, _RANK, str(folder))
    with (folder / "agent").open("wb") as log:
        popen = subprocess.Popen(  # noqa: S603 - this interpreter on torch's and our own module
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
            start_new_session=True,
        )  # fmt: skip
    guard.add(popen.pid)
    return popen


def rank_launcher(
    step: Step[..., Any], module: str, *words: str
) -> tuple[list[str], dict[str, str]]:
    """Return the command and the environment that start a module in each of a step's ranks.

    Args:
        step: The step with the number of workers.
        module: Module that each rank executes.
        words: Arguments of the module.
    """
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--max-restarts=0",
        f"--nproc-per-node={step.workers}", "--local-addr=127.0.0.1", "-m", module, *words,
    ]  # fmt: skip
    environment = rank_environment(step.threads)
    if sys.platform == "linux":
        environment.setdefault("GLOO_SOCKET_IFNAME", "lo")
    return command, environment


def rank_environment(threads: int | None) -> dict[str, str]:
    """Return the environment of ranks, each of which has a number of threads."""
    return {
        **os.environ,
        "OMP_NUM_THREADS": str(threads or 1),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }


def _wait(popen: "subprocess.Popen[bytes]", folder: Path, guard: Watch) -> int:
    """Wait for the agent; shows the output of rank 0. Every process is gone afterwards."""
    shown = 0
    try:
        while True:
            code = popen.poll()
            shown = _show(folder / ECHO, shown)
            if code is not None:
                return code
            time.sleep(_LOOK_EVERY_S)
    finally:
        guard.end(popen.pid)
        popen.wait()


def _show(path: Path, shown: int) -> int:
    if not path.exists():
        return shown
    with path.open("rb") as file:
        file.seek(shown)
        text = file.read()
    if text:
        sys.stderr.write(text.decode(errors="replace"))
    return shown + len(text)


def join_outcomes(
    work: Work, outcomes: Sequence[Outcome | None], failure: Outcome | None, store: Store
) -> Outcome:
    """Return the outcome of rank 0, with the lines of all ranks; or the failure.

    Args:
        work: The step.
        outcomes: Outcome of each rank; None where a rank ended without an outcome.
        failure: The failure that came first; None if all ranks ended well.
        store: Store of the run, which drops the checkpoints of a step that ended well.
    """
    logs = _merged_logs(outcomes)
    if failure is not None:
        return replace(failure, logs=logs)
    outcome = _joined(work, [each for each in outcomes if each is not None], logs)
    checkpoints = outcome.facts.pop(CHECKPOINTS, [])
    if outcome.error is None and checkpoints:  # the outputs replace the checkpoints
        store.metadata.artifacts.drop(work.record.run_id, checkpoints)
    return outcome


def _joined(work: Work, there: Sequence[Outcome], logs: list[LogLine]) -> Outcome:
    first = replace(there[0], logs=logs)
    traces = [_without_launcher(outcome.facts.get("trace", {})) for outcome in there]
    first.facts["trace"] = merge_traces(traces)
    first.facts["workers"] = len(there)
    differing = _differing(there)
    if not differing:
        return first
    text = f"The values of workers {', '.join(map(str, differing))} differ from that of worker 0."
    if work.node.step.shards is not None:
        why = "A step that declares shards has one result for every number of workers."
        fix = "Return what is equal on all workers (the module's state), or remove shards."
        return first.refused(work.node.name, StepError(what=text, why=why, fix=fix))
    first.facts["workers_differ"] = differing
    return replace(first, logs=[*logs, LogLine(now(), "penstock", f"WARNING {text}")])


def _failure(work: Work, outcomes: Sequence[Outcome | None], report: str) -> Outcome:
    """Return the failure of the rank that ended first, as the agent noticed."""
    name = work.node.name
    rank, code = _first_failed(report)
    if code is not None and code < 0:
        return lost_rank(name, f"worker {rank} of {len(outcomes)}", code)
    errors = [outcome for outcome in outcomes if outcome is not None and outcome.error]
    chosen = outcomes[rank] if rank is not None and rank < len(outcomes) else None
    if chosen is None or not chosen.error:
        chosen = errors[0] if errors else None
    if chosen is None:
        last = (report.strip().splitlines() or ["no message"])[-1]
        return lost(name, f"its workers ended without an outcome ({last})")
    return chosen


def lost_rank(name: str, rank: str, code: int) -> Outcome:
    """Return the outcome of a step after a rank was ended by a signal."""
    why = f"{rank} was ended by signal {signal.Signals(-code).name}; the others were ended"
    return lost(name, why)


def _first_failed(report: str) -> tuple[int | None, int | None]:
    """Read rank and exit code of the first failure from the agent's report."""
    cause = report.rpartition("Root Cause")[2]
    rank = re.search(r"rank\s*:\s*(\d+)", cause)
    code = re.search(r"exitcode\s*:\s*(-?\d+)", cause)
    return (int(rank[1]) if rank else None), (int(code[1]) if code else None)


def _differing(outcomes: Sequence[Outcome]) -> list[int]:
    """Return the ranks whose values differ from those of rank 0."""
    first, *_ = digests = [_digest(outcome) for outcome in outcomes]
    return [rank for rank, digest in enumerate(digests) if digest != first]


def _digest(outcome: Outcome) -> str:
    outputs = {name: records[0].content_digest for name, records in outcome.outputs.items()}
    return digest_json([outputs, sorted(outcome.nothing)])


def _merged_logs(outcomes: Sequence[Outcome | None]) -> list[LogLine]:
    lines: list[LogLine] = []
    for rank, outcome in enumerate(outcomes):
        mark = f"[worker {rank}] " if rank else ""
        own = outcome.logs if outcome is not None else ()
        lines += [LogLine(line.time, line.stream, f"{mark}{line.text}") for line in own]
    return sorted(lines, key=lambda line: line.time)


def _without_launcher(trace: Any) -> Any:
    """Return a trace without the variables that the launcher sets: they differ by rank."""
    if "env" not in trace:
        return trace
    kept = {name: value for name, value in trace["env"].items() if not name.startswith(_LAUNCHED)}
    return {**trace, "env": kept}


def read_outcome(folder: Path, rank: int) -> Outcome | None:
    """Return the outcome that a rank has written; None if there is none."""
    path = outcome_path(folder, rank)
    if not path.exists():
        return None
    outcome: Outcome = pickle.loads(path.read_bytes())  # noqa: S301 - written by our own processes
    return outcome


@contextmanager
def ranks_folder() -> Iterator[Path]:
    """Make a folder for the files of ranks on this machine."""
    folder = Path(tempfile.mkdtemp(prefix="penstock-ranks-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
