"""Second execution of a run's steps under a hash seed, in a process that verify starts.

The recorded pipeline is loaded once. Each step is then judged in a separate process that is forked
from that state: as fresh as a new process in which no step has run, for the price of a fork instead
of an import. Where a fork is not safe, because the pipeline's code started threads at import, each
step gets a new interpreter. Each step gets the recorded inputs, so that only the steps that differ
themselves are named; if every step is equal, the whole chain is.
"""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from penstock.core import (
    NOT_TAKEN,
    NotFoundError,
    PenstockError,
    RunRecord,
    RunState,
    StepRunRecord,
    Verdict,
    new_id,
    now,
    require,
)
from penstock.distributed import find_world
from penstock.execution import load_pipeline, rank_launcher, retrace
from penstock.pipelines import Graph, Node
from penstock.proofs._changed_code import with_changed_code
from penstock.proofs._judging import GOOD, Job, Room, judge, needs_ranks
from penstock.proofs._records import StepVerdict
from penstock.proofs._tries import Sets, is_tried
from penstock.stores import Store, load_libraries, open_store

Recorded = Mapping[str, StepRunRecord]
_PROGRAM = "penstock.proofs._replay"
_IDLE_S = 20.0
# Threads that importing polars and pyarrow starts: an allocator that handles forks itself,
# and a thread that only removes files of queries larger than memory.
_HARMLESS = {"jemalloc_bg_thd", "polars-ooc-clea"}


def replay(request: Mapping[str, Any]) -> dict[str, Any]:
    """Judge the steps of a recorded run under this process's hash seed.

    Args:
        request: ``store``, ``artifacts`` and ``scratch`` URLs, ``run_id``, ``target`` of the
            restored pipeline, ``steps`` (names, or None for all), ``skipped`` (names), ``reread``,
            ``rank`` (number of this hash seed, from 0), ``sets`` (the definitions that use sets, by file),
            ``pristine`` (a copy of the sources), ``alone`` (True to judge in this process).

    Returns:
        ``steps``, a verdict for each, and ``tries``: the number of hash seeds for each executed
        step.
    """
    _move_addresses(request["rank"])
    with open_store(request["store"], artifacts=request["artifacts"] or None) as store:
        run = store.metadata.runs.get(request["run_id"])
        recorded = {step.step: step for step in store.metadata.steps.list(run.run_id)}
        others = _read_others(store, run, recorded)
        formats = _formats(store, recorded)
    pipeline = load_pipeline(request["target"])
    graph = retrace(pipeline, run)
    jobs = [job for node in graph.order() for job in _jobs(graph, node, recorded, others)]
    if request["steps"] is not None:
        jobs = [job for job in jobs if job.name in request["steps"]]
    load_libraries(formats)
    room = Room(
        request["store"],
        request["artifacts"],
        request["scratch"],
        _scratch_run(request["scratch"]),
        request["reread"],
    )
    return _Replay(request, room, time.process_time()).judge_all(jobs)


class _Replay:
    def __init__(self, request: Mapping[str, Any], room: Room, loaded_s: float) -> None:
        self._request, self._room, self._loaded_s = request, room, loaded_s
        self._folder = _Folder(Path(request["pristine"]), Path.cwd())

    def judge_all(self, jobs: list[Job]) -> dict[str, Any]:
        chosen = [job for job in jobs if self._is_wanted(job, jobs)]
        alone = self._request.get("alone", False)
        verdicts = [self._judge(job, alone=alone) for job in chosen]
        tries = {
            job.name: self._tries(job, jobs)[1]
            for job in jobs
            if job.is_executed(reread=self._room.reread)
        }
        return {"steps": [verdict.to_json() for verdict in verdicts], "tries": tries}

    def _is_wanted(self, job: Job, jobs: list[Job]) -> bool:
        """Return whether a step is tried under this process's hash seed."""
        if self._request["steps"] is not None or self._request["rank"] == 0:
            return True
        if not job.is_executed(reread=self._room.reread) or job.name in self._request["skipped"]:
            return False
        return self._tries(job, jobs)[0]

    def _tries(self, job: Job, jobs: list[Job]) -> tuple[bool, int]:
        own, bracket, _ = job.name.partition("[")
        siblings = [each.name for each in jobs if each.name.startswith(f"{own}[")]
        place, count = (siblings.index(job.name), len(siblings)) if bracket else (0, 1)
        return is_tried(
            self._request["rank"],
            cost_s=self._loaded_s + _seconds(job.record),
            sets=_sets_of(job.record, self._request["sets"]),
            place=place,
            items=count,
            most=self._request.get("most"),
        )

    def _judge(self, job: Job, *, alone: bool) -> StepVerdict:
        if self._request.get("launched"):  # the other ranks may have begun already
            return judge(job, self._room)
        self._folder.restore()
        if needs_ranks(job.node) and job.is_executed(reread=self._room.reread):
            return self._explained(self._launch(job), job)
        if alone:
            return judge(job, self._room)
        return self._explained(self._fork(job) if _can_fork() else self._spawn(job), job)

    def _explained(self, verdict: StepVerdict, job: Job) -> StepVerdict:
        """Look for changed values of the code here, where no step was executed."""
        if verdict.verdict is not Verdict.DIFFERS:  # no store is open in this process at a fork
            return verdict
        with open_store(self._room.store, artifacts=self._room.artifacts or None) as store:
            return with_changed_code(verdict, job, store.digest)

    def _fork(self, job: Job) -> StepVerdict:
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(reading)
            _answer_and_exit(job, self._room, writing)
        os.close(writing)
        data, is_stuck = _read_all(reading, pid, 3 * _seconds(job.record) + _IDLE_S)
        _, status = os.waitpid(pid, 0)
        if is_stuck:  # a library held a lock at the fork, which a new interpreter does not
            return self._spawn(job)
        return _read_verdict(job, data, os.waitstatus_to_exitcode(status))

    def _spawn(self, job: Job) -> StepVerdict:
        path = self._write_request(job)
        command = [sys.executable, "-P", "-m", _PROGRAM, str(path)]
        return self._verdict_of(job, path, command, dict(os.environ))

    def _launch(self, job: Job) -> StepVerdict:
        """Judge a step in as many processes as recorded; that of rank 0 counts."""
        require("torch", extra="torch", purpose=f"verifying step {job.name!r} with its workers")
        path = self._write_request(job, launched=True)
        command, environment = rank_launcher(job.node.step, _PROGRAM, str(path))
        return self._verdict_of(job, path, command, {**environment, "PYTHONSAFEPATH": "1"})

    def _write_request(self, job: Job, **more: Any) -> Path:
        path = Path(self._request["room"]) / f"alone-{new_id()}.json"
        request = {**self._request, "steps": [job.name], "alone": True, **more}
        path.write_text(json.dumps(request), encoding="utf-8")
        return path

    @staticmethod
    def _verdict_of(
        job: Job, path: Path, command: list[str], environment: dict[str, str]
    ) -> StepVerdict:
        done = subprocess.run(  # noqa: S603 - our own module, no shell
            command, capture_output=True, check=False, env=environment
        )
        answer_path = path.with_suffix(".answer")
        if not answer_path.exists():
            return _read_verdict(job, b"", done.returncode)
        answer = json.loads(answer_path.read_text(encoding="utf-8"))
        steps = answer.get("steps") or []
        return _read_verdict(job, json.dumps(steps[0]).encode() if steps else b"", done.returncode)


class _Folder:
    """The folder of the recorded sources, restored before each step."""

    def __init__(self, pristine: Path, folder: Path) -> None:
        self._pristine, self._folder = pristine, folder
        self._before = self._state()

    def restore(self) -> None:
        """Remove the files that a step wrote, and restore the sources."""
        os.chdir(self._folder)
        if self._state() != self._before:
            for path in self._folder.iterdir():
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            shutil.copytree(self._pristine, self._folder, dirs_exist_ok=True)
            self._before = self._state()
        # Temporary files that a step leaves must not reach the next step either.
        temporary = self._folder.with_name(f"tmp-{new_id()}")
        temporary.mkdir()
        os.environ["TMPDIR"] = tempfile.tempdir = str(temporary)

    def _state(self) -> dict[str, tuple[int, int]]:
        stamps: dict[str, tuple[int, int]] = {}
        waiting = [str(self._folder)]
        while waiting:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        stamps[entry.path] = (0, 0)
                        if entry.name != "__pycache__":
                            waiting.append(entry.path)
                    else:
                        facts = entry.stat(follow_symlinks=False)
                        stamps[entry.path] = (facts.st_mtime_ns, facts.st_size)
        return stamps


def _jobs(
    graph: Graph, node: Node, recorded: Recorded, others: Mapping[str, Recorded]
) -> Iterator[Job]:
    """Return the jobs of a node; for a map or loop every item, then the combined output."""
    record = recorded.get(node.name)
    if record is not None and NOT_TAKEN in record.facts:
        return
    if not node.is_expanded or record is None or record.state not in GOOD:
        yield Job(node, record)
        return
    made_in = record.facts.get("items_in", record.run_id)
    if made_in != record.run_id:  # reused as a whole: the items are in that run
        recorded = others.get(made_in, {})
    inner = {
        name: inner_step
        for name in recorded
        if name != node.name
        and _is_in(name, node.name)
        and (inner_step := graph.find(name)) is not None
    }
    deeper = [name for name, inner_step in inner.items() if inner_step.is_expanded]
    jobs: list[Job] = []
    outputs: set[str] = set()
    for name, inner_step in inner.items():
        if not any(name != other and _is_in(name, other) for other in deeper):
            jobs += _jobs(graph, inner_step, recorded, others)
            outputs.update(recorded[name].outputs.values())
    yield from jobs
    yield Job(node, record, frozenset(outputs), len(jobs))


def _is_in(name: str, node: str) -> bool:
    """Return whether a step is a node, or an item of that node."""
    return name == node or name.startswith(f"{node}[")


def _read_others(store: Store, run: RunRecord, recorded: Recorded) -> dict[str, Recorded]:
    """Read the steps of the runs whose items were reused as a whole."""
    outputs: dict[str, Recorded] = {}
    waiting = [recorded]
    while waiting:
        for step in waiting.pop().values():
            made_in = step.facts.get("items_in", run.run_id)
            if made_in in {run.run_id, *outputs}:
                continue
            try:
                steps = {each.step: each for each in store.metadata.steps.list(made_in)}
            except NotFoundError:
                steps = {}
            outputs[made_in] = steps
            waiting.append(steps)
    return outputs


def _sets_of(record: StepRunRecord | None, places: Mapping[str, list[str]]) -> Sets:
    """Return whether the code that a step reached, as far as part of the step key, uses sets.

    Args:
        record: The step run.
        places: The files that use sets, with the names of the using definitions.
    """
    if not places:
        return Sets.NOWHERE
    parts = {} if record is None else record.facts.get("key_parts", {}).get("code_parts", {})
    for part in parts:
        file, colon, name = part.partition(":")
        if file in places and (not colon or not places[file] or _top(name) in places[file]):
            return Sets.IN_STEP
    return Sets.ELSEWHERE if parts else Sets.IN_STEP


def _top(name: str) -> str:
    return name.partition(".")[0]


def _scratch_run(scratch: str) -> RunRecord:
    """Record the run that steps log to while they are judged."""
    moment = now()
    record = RunRecord(
        run_id=new_id(),
        name="replay",
        experiment="replay",
        pipeline=None,
        entry=None,
        state=RunState.RUNNING,
        seed=0,
        created_at=moment,
        started_at=moment,
        heartbeat_at=moment,
    )
    with open_store(scratch) as store:
        store.metadata.runs.create(record)
    return record


def _seconds(record: StepRunRecord | None) -> float:
    if record is None or record.started_at is None or record.ended_at is None:
        return 0.0
    return max(0.0, (record.ended_at - record.started_at).total_seconds())


def _answer_and_exit(job: Job, room: Room, writing: int) -> None:
    """Judge a step in the process that was forked for that; never returns."""
    try:
        with suppress(Exception), os.fdopen(writing, "wb") as pipe:
            pipe.write(json.dumps(judge(job, room).to_json()).encode())
    finally:
        os._exit(0)  # cleanup of the parent process must not run here


def _read_all(reading: int, pid: int, idle_s: float) -> tuple[bytes, bool]:
    """Read the verdict of a step; stops after ``idle_s`` seconds without processor use."""
    data, used, since = bytearray(), -1.0, time.monotonic()
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        while True:
            ready, _, _ = select.select([pipe], [], [], 1.0)
            if ready:
                part = pipe.read(1 << 16)
                if not part:
                    return bytes(data), False
                data += part
                continue
            spent = _processor_seconds(pid)
            if spent != used:
                used, since = spent, time.monotonic()
            elif time.monotonic() - since > idle_s:
                os.kill(pid, signal.SIGKILL)
                return bytes(data), True


def _processor_seconds(pid: int) -> float:
    import psutil

    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)


def _read_verdict(job: Job, data: bytes, code: int) -> StepVerdict:
    if data:
        return StepVerdict.from_json(json.loads(data))
    ending = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return StepVerdict(
        job.name,
        Verdict.CANNOT_VERIFY,
        "executed",
        f"Its process ended with {ending} when it was executed again.",
    )


def _can_fork() -> bool:
    """Return whether this process can fork: no thread holds a lock that would stay locked."""
    if sys.platform != "linux" or threading.active_count() > 1:
        return False
    names = set()
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):
            names.add((task / "comm").read_text(encoding="utf-8", errors="replace").strip())
    # Threads of BLAS libraries have the process's own name, and handle forks themselves.
    own = Path("/proc/self/comm").read_text(encoding="utf-8", errors="replace").strip()
    return names <= {own, *_HARMLESS}


def _formats(store: Store, recorded: Recorded) -> set[str]:
    """Return the formats of the recorded values."""
    formats = set()
    for step in recorded.values():
        places = [(step.input_address(path), digest) for path, digest in step.inputs.items()]
        places += [(step.output_address(name), digest) for name, digest in step.outputs.items()]
        for address, digest in places:
            with suppress(PenstockError):
                formats.add(store.metadata.artifacts.get(address, digest).format)
    return formats


def _move_addresses(rank: int) -> None:
    """Allocate memory, depending on the seed: the order of a set of objects depends on addresses."""
    _held.extend(bytes(size) for size in range(15, 480, 16) for _ in range(rank % 16))


_held: list[bytes] = []


def main() -> None:
    """Read the request file named on the command line and write the result beside that."""
    path = Path(sys.argv[1])
    request = json.loads(path.read_text(encoding="utf-8"))
    os.chdir(request["folder"])
    try:
        answer = replay(request)
    except PenstockError as error:
        answer = {"error": str(error)}
    rank = find_world().rank if request.get("launched") else 0
    ending = f".answer-{rank}" if rank else ".answer"
    path.with_suffix(ending).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main()
