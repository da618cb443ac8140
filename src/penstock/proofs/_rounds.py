"""Rounds: the processes that verify starts, a process per hash seed, and their combined verdict."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from penstock.core import RunRecord, StepRunRecord, StoreError, Verdict, find_project
from penstock.execution import Watch, read_manifest, read_source
from penstock.pipelines import EntryPoint
from penstock.proofs._hash_seeds import choose_seeds, places_of_sets, strings_of
from penstock.proofs._records import UNSTEADY, StepVerdict, Verification, worst
from penstock.provenance import restore_source
from penstock.stores import Store, open_store

_WORKERS = 4
_NAMED = 5
_NOTHING_EXECUTED = (
    "No step was executed: the run has sources, which are replayed, and steps with side effects,"
    " which are not repeated."
)


@dataclass(slots=True)
class _Answers:
    """The results of the processes so far, by step."""

    steps: dict[str, StepVerdict] = field(default_factory=dict)
    tries: Mapping[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, verdicts: Sequence[StepVerdict]) -> None:
        """Add the verdicts under a further hash seed: the worst verdict of each step counts."""
        for verdict in verdicts:
            known = self.steps.get(verdict.step)
            if known is None:
                self.steps[verdict.step] = verdict
                continue
            seeds = known.hash_seeds + verdict.hash_seeds
            is_worse = worst([known.verdict, verdict.verdict]) is not known.verdict
            self.steps[verdict.step] = replace(verdict if is_worse else known, hash_seeds=seeds)

    @property
    def differing(self) -> list[str]:
        """Names of the executed steps that differ."""
        return [
            step.step
            for step in self.steps.values()
            if step.verdict is Verdict.DIFFERS and step.how == "executed"
        ]


class Rounds:
    """Repeated executions of a run under several hash seeds.

    Args:
        store: Store that has the run.
        run: The run.
        manifest: Manifest of the run's provenance.
        reread: Read sources again instead of replaying the stored snapshot.
        timeout_s: Limit in seconds; None for no limit.
        hash_seeds: Number of hash seeds for each step; None to derive the number from the cost.
        steps: Names of the steps to judge; None for all.
    """

    def __init__(
        self,
        store: Store,
        run: RunRecord,
        manifest: Mapping[str, Any],
        *,
        reread: bool = False,
        timeout_s: float | None = None,
        hash_seeds: int | None = None,
        steps: Sequence[str] | None = None,
    ) -> None:
        self._store, self._run, self._manifest = store, run, manifest
        self._reread, self._most, self._chosen = reread, hash_seeds, steps
        self._timeout_s = timeout_s
        self._until = None if timeout_s is None else time.monotonic() + timeout_s
        self._recorded_seed = str(manifest.get("hash_seed") or "random")
        self._room = Path()
        self._watch = Watch()
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._is_interrupted = False

    def answer(self) -> Verification:
        """Execute the steps and return the verdict."""
        with tempfile.TemporaryDirectory(prefix="penstock-verify-") as room, self._watch:
            self._room = Path(room)
            try:
                files = read_source(self._manifest, store=self._store)
            except StoreError as error:
                return self._cannot(f"A recorded source file cannot be read: {error}")
            restore_source(files, self._room / "source")
            (self._room / "source" / ".penstock").mkdir(exist_ok=True)  # makes the folder a project
            # Not where the environment or the project says: the scratch store would claim that
            # location, and no artifact there could ever be deleted again.
            open_store(f"sqlite:///{room}/scratch.db", artifacts=f"{room}/artifacts").close()
            return self._judge(files)

    def _judge(self, files: Mapping[str, bytes]) -> Verification:
        code = {path: data for path, data in files.items() if _is_code(path)}
        strings = strings_of(code)
        shared: dict[str, Any] = {"sets": places_of_sets(code), "skipped": []}
        # Without sets a single seed is often enough, which the load time of the pipeline can show;
        # a second process would be started only to find that out.
        count = min(2, self._most or (2 if shared["sets"] else 1))
        seeds = choose_seeds(strings, recorded=self._recorded_seed, count=count)
        answers = _Answers()
        first, *others = self._ask_all(seeds, 0, shared)
        if isinstance(first, str):
            return self._cannot(first)
        answers.add(_verdicts(first))
        answers.tries = first["tries"]
        self._take_in(answers, others, seeds[1:])
        most = max(answers.tries.values(), default=1)
        if most > len(seeds):
            more = choose_seeds(
                strings, seeds, recorded=self._recorded_seed, count=most - len(seeds)
            )
            shared["skipped"] = answers.differing
            self._take_in(answers, self._ask_all(more, len(seeds), shared), more)
        return self._verdict(answers)

    def _take_in(
        self, answers: _Answers, replies: Sequence[dict[str, Any] | str], seeds: Sequence[int]
    ) -> None:
        for seed, answer in zip(seeds, replies, strict=True):
            if isinstance(answer, str):
                answers.notes.append(f"Under PYTHONHASHSEED={seed}: {answer}")
            else:
                answers.add(_verdicts(answer))

    def _verdict(self, answers: _Answers) -> Verification:
        recorded = self._store.metadata.steps.list(self._run.run_id)
        cached = {
            step.step: str(step.facts.get("made_in", ""))
            for step in recorded
            if step.cached_from is not None
        }
        causes = self._set_order(answers)
        steps = []
        for step in answers.steps.values():
            made_in = cached.get(step.step, "")
            stale = "" if step.step in causes else self._stale(step, made_in)
            cause = "; ".join(filter(None, (causes.get(step.step), stale, step.cause)))
            steps.append(replace(step, cause=cause, made_in=made_in))
        judged = [step.verdict for step in steps if step.verdict is not Verdict.NOT_EXECUTED]
        executed = {step.step for step in steps if step.how == "executed"}
        looked_up = (self._looked_up(step) for step in recorded if step.step in executed)
        notes = [*answers.notes, *filter(None, looked_up)]
        notes += [f"Step {step.step!r}: {step.reason}" for step in steps if UNSTEADY in step.reason]
        verdict = worst(judged)
        if not judged:
            notes.append(_NOTHING_EXECUTED)
        elif answers.notes and verdict is not Verdict.DIFFERS:
            verdict = Verdict.CANNOT_VERIFY
        first = next((step for step in steps if step.verdict is verdict), None)
        if verdict is Verdict.CANNOT_VERIFY and first is not None:
            notes.insert(0, f"Step {first.step!r}: {first.reason}")
        return Verification(self._run.run_id, verdict, tuple(steps), tuple(notes))

    def _looked_up(self, step: StepRunRecord) -> str:
        """Describe the unrecorded files that a step read; empty if there are none."""
        trace, known = step.facts.get("trace", {}), self._manifest.get("code", {}).get("files", {})
        files = [
            name
            for name in (*trace.get("files", ()), *trace.get("folders", ()))
            if name not in known and name not in trace.get("written", ())
        ]
        if not files:
            return ""
        more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
        return (
            f"Step {step.step!r} read files that are not recorded with the run:"
            f" {', '.join(files[:_NAMED])}{more}. Its verdict holds for them as they are now."
        )

    def _set_order(self, answers: _Answers) -> dict[str, str]:
        """Repeat differing steps under the recorded hash seed, to name set order as the cause."""
        if not answers.differing or not self._recorded_seed.isdecimal():
            return {}
        request = {"sets": {}, "skipped": [], "steps": answers.differing}
        again = self._ask(int(self._recorded_seed), 0, request)
        if isinstance(again, str):
            return {}
        cause = (
            f"the order of a set: equal under the recorded PYTHONHASHSEED={self._recorded_seed}, "
            "different under another; sort before the order matters"
        )
        return {s.step: cause for s in _verdicts(again) if s.verdict is Verdict.BITWISE}

    def _stale(self, step: StepVerdict, made_in: str) -> str:
        """Explain a reused result that differs: can the original run return the result again?"""
        if not made_in or step.verdict is not Verdict.DIFFERS:
            return ""
        try:
            other = self._store.metadata.runs.get(made_in)
            manifest = read_manifest(other, store=self._store)
        except StoreError:
            return f"its result was reused from run {made_in}, which is gone"
        there = Rounds(
            self._store, other, manifest, timeout_s=self._timeout_s, hash_seeds=1, steps=[step.step]
        ).answer()
        if there.verdict is not Verdict.BITWISE:
            return f"its result was reused from run {made_in}, where it differs, too"
        return (
            f"its result was reused from run {made_in}, whose sources return it; those of this run"
            f" do not: execute it anew with --refresh {step.step.partition('[')[0]}"
        )

    def _ask_all(
        self, seeds: Sequence[int], first: int, shared: Mapping[str, Any]
    ) -> list[dict[str, Any] | str]:
        """Run a process per hash seed, in parallel as far as there are processors."""
        workers = max(1, min(_WORKERS, os.cpu_count() or 1, len(seeds)))
        with ThreadPoolExecutor(workers) as pool:
            started = [
                pool.submit(self._ask, seed, first + place, shared)
                for place, seed in enumerate(seeds)
            ]
            try:
                return [each.result() for each in started]
            except BaseException:  # Ctrl-C: the threads of the pool wait for their processes
                pool.shutdown(wait=False, cancel_futures=True)
                self._is_interrupted = True
                for process in list(self._processes):
                    self._watch.end(process.pid)
                raise

    def _ask(self, seed: int, rank: int, shared: Mapping[str, Any]) -> dict[str, Any] | str:
        """Run the process of a hash seed; returns the result, or a sentence why there is none."""
        room = Path(tempfile.mkdtemp(prefix=f"seed-{seed}-", dir=self._room))
        folder = room / "source"
        shutil.copytree(self._room / "source", folder)
        shutil.copy(self._room / "scratch.db", room / "scratch.db")
        data = _data_folders(self._run)
        request = {
            "store": self._store.address,
            "artifacts": self._store.artifacts.url,
            "scratch": f"sqlite:///{room}/scratch.db",
            "room": str(room),
            "run_id": self._run.run_id,
            "folder": str(folder),
            "pristine": str(self._room / "source"),
            "target": _target(self._run, folder),
            "steps": self._chosen,
            "reread": self._reread,
            "rank": rank,
            "most": self._most,
            **shared,
        }
        path = room / "request.json"
        path.write_text(json.dumps(request), encoding="utf-8")
        environment = {
            **os.environ,
            "PYTHONHASHSEED": str(seed),
            "PENSTOCK_STORE": request["scratch"],
            "PENSTOCK_ARTIFACTS": str(room / "artifacts"),  # also for what a step logs
            "PENSTOCK_PROJECT": os.environ.get("PENSTOCK_PROJECT", data),
        }
        code = self._manifest.get("code", {})
        python_path = environment.get("PYTHONPATH")
        folders = [str(folder / name) for name in code.get("folders", ())]
        environment["PYTHONPATH"] = os.pathsep.join(
            [*folders, *([python_path] if python_path else [])]
        )
        return self._run_process(path, folder, environment)

    def _run_process(
        self, path: Path, folder: Path, environment: Mapping[str, str]
    ) -> dict[str, Any] | str:
        left = None if self._until is None else max(0.0, self._until - time.monotonic())
        with (path.with_suffix(".err")).open("wb") as errors:
            process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                [sys.executable, "-P", "-m", "penstock.proofs._replay", str(path)],
                env=environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,  # forked processes end with it
            )
            self._watch.add(process.pid)
            self._processes.add(process)
            if self._is_interrupted:  # started while the processes were being ended
                self._watch.end(process.pid)
            try:
                process.wait(timeout=left)
            except subprocess.TimeoutExpired:
                self._watch.end(process.pid)
                return f"Executing it again took longer than {self._timeout_s:g} s."
            finally:
                self._processes.discard(process)
                with suppress(OSError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        answer_path = path.with_suffix(".answer")
        if not answer_path.exists():
            output = path.with_suffix(".err").read_text(encoding="utf-8", errors="replace")
            tail = output.strip().splitlines()[-1:] or ["no message"]
            return f"The recorded sources cannot be executed: {tail[0]}{self._left_out()}"
        answer: dict[str, Any] = json.loads(answer_path.read_text(encoding="utf-8"))
        if "error" in answer:
            return f"The recorded pipeline cannot be loaded: {answer['error']}{self._left_out()}"
        return answer

    def _left_out(self) -> str:
        """Return a sentence that names the unrecorded source files, which may be missing."""
        code = self._manifest.get("code", {})
        names = [*code.get("left_out", ()), *code.get("outside", ())]
        return f" Not recorded with the run: {', '.join(names)}." if names else ""

    def _cannot(self, note: str) -> Verification:
        return Verification(self._run.run_id, Verdict.CANNOT_VERIFY, notes=(note,))


def _verdicts(answer: Mapping[str, Any]) -> list[StepVerdict]:
    return [StepVerdict.from_json(step) for step in answer["steps"]]


def _is_code(path: str) -> bool:
    """Return whether a source file is code of a pipeline, and not of tests."""
    name = path.rsplit("/", 1)[-1]
    return name.endswith(".py") and not name.startswith("test_") and name != "conftest.py"


def _target(run: RunRecord, folder: Path) -> str:
    return str(EntryPoint.parse(run.entry or "").below(folder))


def _data_folders(run: RunRecord) -> str:
    """Return the folders for relative paths of sources: the project, and the pipeline's folder."""
    project, here = find_project(), Path.cwd()
    beside = project / EntryPoint.parse(run.entry or "").module
    return os.pathsep.join(map(str, dict.fromkeys((beside.parent, project, here))))
