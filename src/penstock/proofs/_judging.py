"""Judgement of a recorded step: execute the step on the recorded inputs and compare the outputs.

This code runs in a process that ends with the step, so that the step affects no later step.
"""

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from penstock.core import (
    PenstockError,
    RunRecord,
    SerializationError,
    StepRunRecord,
    StepState,
    Verdict,
)
from penstock.distributed import find_world, join_world
from penstock.execution import bind_arguments, execute_step, load_inputs
from penstock.pipelines import ITEM, NOTHING, Node, Output
from penstock.proofs._closeness import Closeness, is_within
from penstock.proofs._difference import ValueDifference, find_differences
from penstock.proofs._records import UNSTEADY, StepVerdict
from penstock.proofs._suspects import list_moments, list_suspects
from penstock.provenance import (
    changed_products,
    find_change,
    missing_patches,
    use_library_settings,
    value_digest,
)
from penstock.stores import Store, open_store
from penstock.tracking import FollowerRun, Run, StepContext, use_run, use_step

T = TypeVar("T")
GOOD = frozenset({StepState.FINISHED, StepState.CACHED})
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Job:
    """A step to judge.

    Args:
        node: The step.
        record: Recorded step run; None if there is none.
        known: For a map or loop, the outputs of the items; None for a plain step.
        items: For a map or loop, the number of items that were judged.
    """

    node: Node
    record: StepRunRecord | None
    known: frozenset[str] | None = None
    items: int = 0

    @property
    def name(self) -> str:
        """Name of the step."""
        return self.node.name if self.record is None else self.record.step

    @property
    def replays(self) -> bool:
        """True if the step reads a source: the stored snapshot is used."""
        return self.node.step.source

    def is_executed(self, *, reread: bool) -> bool:
        """Return whether the judgement calls the step's function."""
        return (
            self.known is None
            and self.record is not None
            and self.record.state in GOOD
            and not self.node.step.effect
            and (reread or not self.replays)
        )


@dataclass(frozen=True, slots=True)
class Room:
    """Stores and settings of a judgement.

    Args:
        store: URL of the run's store.
        artifacts: URL of the run's artifact store.
        scratch: URL of a store for the step's logged data, and for values that are compared.
        run: The run that the step logs to, in the scratch store.
        reread: Read sources again instead of replaying the stored snapshot.
    """

    store: str
    artifacts: str | None
    scratch: str
    run: RunRecord
    reread: bool = False


def needs_ranks(node: Node) -> bool:
    """Return whether a step has a different result in a different number of processes."""
    return node.step.shards is None and (node.step.workers or 1) > 1


def judge(job: Job, room: Room) -> StepVerdict:
    """Judge a step; an error is part of the result."""
    started = time.perf_counter()
    node, record = job.node, job.record
    try:
        if record is None or record.state not in GOOD:
            state = "not recorded" if record is None else record.state.value
            return _cannot(job, f"The step is {state} in this run.")
        if node.step.effect:
            return StepVerdict(
                node.name,
                Verdict.NOT_EXECUTED,
                "side effect",
                "It changes something outside and is not repeated; its inputs are compared.",
            )
        with open_store(room.store, artifacts=room.artifacts or None) as store:
            if job.known is not None:
                return _judge_whole(store, job, record)
            if not job.is_executed(reread=room.reread):
                return _check_stored(store, node, record)
            with open_store(room.scratch) as scratch:
                return _Execution(store, scratch, node, record).judge(room.run)
    except PenstockError as error:
        removed = "Its values were removed by penstock gc --outputs-older-than. "
        let_go = record is not None and record.facts.get("let_go")
        verdict = _cannot(job, f"{removed if let_go else ''}{error}")
    except Exception as error:  # noqa: BLE001 - a value cannot be read or compared
        verdict = _cannot(job, f"It cannot be compared: {type(error).__name__}: {error}")
    return replace(verdict, seconds=time.perf_counter() - started)


def _cannot(job: Job, reason: str) -> StepVerdict:
    return StepVerdict(job.name, Verdict.CANNOT_VERIFY, "missing", reason)


def _check_stored(store: Store, node: Node, record: StepRunRecord) -> StepVerdict:
    """Read a step's recorded outputs and check them against their digests."""
    started = time.perf_counter()
    outputs = {}
    for name, digest in record.outputs.items():
        stored = store.metadata.artifacts.get(record.output_address(name), digest)
        store.load(stored)
        store.check(stored)
        outputs[name] = {"recorded": digest, "found": digest}
    return StepVerdict(
        node.name,
        Verdict.NOT_EXECUTED,
        "replayed",
        "Read from the stored snapshot, whose digest is as recorded; the source was not read again.",
        outputs=outputs,
        seconds=time.perf_counter() - started,
    )


def _judge_whole(store: Store, job: Job, record: StepRunRecord) -> StepVerdict:
    """Check that the output of a map or loop consists of the items' outputs."""
    node, items, known = job.node, job.items, job.known or frozenset()
    if not items and record.facts.get("items"):
        return _cannot(job, "It was reused from a run that is gone, and its items with it.")
    verdict = replace(_check_stored(store, node, record), how="joined")
    foreign = 0
    for name, digest in record.outputs.items():
        whole = store.metadata.artifacts.get(record.output_address(name), digest)
        parts = [whole] if node.max_rounds else store.parts(whole).values()
        taken_in = set(record.inputs.values())
        foreign += sum(
            p.content_digest not in known and p.content_digest not in taken_in for p in parts
        )
    if foreign and not _returns_items(node):
        reason = f"{foreign} of its values were returned by none of its items."
        return replace(verdict, verdict=Verdict.DIFFERS, reason=reason)
    if verdict.verdict is not Verdict.NOT_EXECUTED:
        return verdict
    noun = ("round" if node.max_rounds else "item") + ("" if items == 1 else "s")
    reason = f"It is made of what its {items} {noun} returned."
    return replace(verdict, verdict=Verdict.BITWISE, reason=reason)


def _returns_items(node: Node) -> bool:
    """Return whether a mapped pipeline returns the input."""
    return isinstance(node.gives, Output) and node.gives.name == ITEM


class _Execution:
    """A second execution of a step.

    Args:
        store: The run's store.
        scratch: Store for the step's logged data and for values that are compared.
        node: The step.
        record: Recorded step run.
    """

    def __init__(self, store: Store, scratch: Store, node: Node, record: StepRunRecord) -> None:
        self._store, self._scratch = store, scratch
        self._node, self._record = node, record

    def judge(self, run: RunRecord) -> StepVerdict:
        """Execute the step and compare every output."""
        node, record = self._node, self._record
        step = node.step
        tracked, world = Run(run, self._scratch), find_world()
        if needs_ranks(node):
            world = join_world()
            if world.rank:
                # In the folder for temporary files, which verify removes.
                place = f"sqlite:///{tempfile.mkdtemp(prefix='penstock-rank-')}/scratch.db"
                tracked = FollowerRun(tracked, open_store(place))
        context = StepContext(
            node.name,
            record.step_run_id,
            record.seed,
            shards=step.shards,
            threads=step.threads,
            rank=world.rank if needs_ranks(node) else None,
        )
        # Without settings in its key a step ran under the defaults, or under what the imports of the
        # recorded modules set, in a record older than the part: these imports have set it again.
        if settings := record.facts.get("key_parts", {}).get("settings"):
            use_library_settings(settings)
        with use_run(tracked), use_step(context):
            outcome = execute_step(
                node.name,
                node.step,
                bind_arguments(node, load_inputs(record, store=self._store)),
                seed=record.seed,
                threads=record.facts.get("threads"),
                echo=False,
            )
        if outcome.error is not None:
            return StepVerdict(
                node.name,
                Verdict.CANNOT_VERIFY,
                "executed",
                f"It finished when it was recorded and raised now: {outcome.error}"
                f"{_file_hint(outcome.exception)}{self._patch_hint()}",
                cause=self._suspects(),
                seconds=outcome.seconds,
                hash_seeds=1,
            )
        verdict = self._of_patched(self._compare(outcome.results, outcome.seconds))
        return self._of_ranks(verdict) if needs_ranks(node) else verdict

    def _of_patched(self, verdict: StepVerdict) -> StepVerdict:
        """Say of a different output that other code ran, where a notebook had patched libraries."""
        hint = self._patch_hint() if verdict.verdict is Verdict.DIFFERS else ""
        if not hint:
            return verdict
        reason = f"Without what its notebook changed it returns something else{hint}"
        return replace(verdict, verdict=Verdict.CANNOT_VERIFY, reason=reason)

    def _patch_hint(self) -> str:
        """Return a sentence on patches that the recorded run had and this process does not have."""
        missing = missing_patches(
            self._record.facts.get("key_parts", {}),
            lambda value, place: value_digest(value, place, Path.cwd(), self._store.digest).digest,
        )
        if not missing:
            return ""
        return (
            f". The run was made in a notebook whose cells had changed {'; '.join(missing[:_SHOWN])}:"
            " put that into the pipeline's file, or into the step"
        )

    def _of_ranks(self, verdict: StepVerdict) -> StepVerdict:
        """Say with how many workers a step was executed whose result depends on the number."""
        count = self._node.step.workers
        reason = f"{verdict.reason.removesuffix('.')}, with {count} workers as it was recorded."
        if verdict.verdict is not Verdict.DIFFERS:
            return replace(verdict, reason=reason)
        sums = (
            "plain data parallelism may add gradients in another order each time: declare shards,"
            " @ps.step(workers=…, shards=…) with ps.distributed.DataParallel"
        )
        cause = f"{verdict.cause}; {sums}" if verdict.cause else sums
        return replace(verdict, reason=reason, cause=cause)

    def _compare(self, outcome: Mapping[str, Any], seconds: float) -> StepVerdict:
        record = self._record
        outputs = {
            name: {"recorded": digest, "found": self._digest(digest, outcome, name)}
            for name, digest in record.outputs.items()
        }
        extra = [name for name in outcome if name not in outputs and _is_made(outcome, name)]
        unequal = [name for name, pair in outputs.items() if pair["recorded"] != pair["found"]]
        verdict = StepVerdict(
            self._node.name,
            Verdict.BITWISE,
            "executed",
            "Every output came out bit for bit.",
            outputs=outputs,
            seconds=seconds,
            hash_seeds=1,
        )
        other_files = self._other_files(outcome)
        if not unequal and not extra and not other_files:
            return self._of_moments(verdict)
        if not extra and not other_files and self._is_tolerated(outcome, unequal):
            reason = "Equal within the tolerance that the step declares."
            return replace(
                verdict,
                verdict=Verdict.WITHIN_TOLERANCE,
                reason=reason,
                differences=self._places(outcome, unequal),
            )
        places = (
            *self._places(outcome, unequal),
            *(f"{name}: now an output" for name in extra),
            *other_files,
        )
        return replace(
            verdict,
            verdict=Verdict.DIFFERS,
            reason="The same inputs, code, parameters and seed returned a different output.",
            differences=places[:_SHOWN],
            cause=self._suspects(),
        )

    def _of_moments(self, verdict: StepVerdict) -> StepVerdict:
        """Say of an equal output that it depends on a clock or on the machine."""
        function = self._node.step.function
        moments = _tried(lambda: list_moments(function, root=Path.cwd())) or []
        if not moments:
            return verdict
        lines = "; ".join(moments[:_SHOWN])
        return replace(verdict, reason=f"Its output is equal now; {UNSTEADY}: {lines}.")

    def _other_files(self, outcome: Mapping[str, Any]) -> list[str]:
        """Describe changed files that an output names by path: the content counts."""
        trace = self._record.facts.get("trace") or {}
        return [
            f"{name}: the file {path} has other bytes"
            for name, value in outcome.items()
            for path in changed_products(trace, value, Path.cwd())
        ]

    def _digest(self, recorded: str, outcome: Mapping[str, Any], name: str) -> str:
        """Compute an output's digest as recording does: of the stored form, if needed."""
        if not _is_made(outcome, name):
            return ""
        digest = _tried(lambda: self._store.digest(outcome[name]))
        if digest == recorded:
            return recorded
        stored = self._scratch.pack(outcome[name])[0]
        if (reason := stored.metadata.get("not_comparable")) is not None:
            raise SerializationError(
                what=str(reason),
                why="Without its state, equality cannot be determined.",
                fix="Give its class __getstate__, or return another type.",
            )
        # An earlier penstock may have used a different digest: compare with the recorded value
        # itself.
        again = _tried(lambda: self._store.digest(self._recorded(name)))
        return recorded if again == stored.content_digest else stored.content_digest

    def _is_tolerated(self, outcome: Mapping[str, Any], names: list[str]) -> bool:
        tolerance = self._node.step.tolerance
        if tolerance is None:
            return False
        close = Closeness(tolerance.rtol, tolerance.atol)
        return all(
            _is_made(outcome, name)
            and is_within(
                self._recorded(name), self._stored(outcome[name]), close, self._store.digest
            )
            for name in names
        )

    def _places(self, outcome: Mapping[str, Any], names: list[str]) -> tuple[str, ...]:
        """Describe where outputs differ; a difference without a known place is listed, too."""
        places: list[str] = []
        tolerance = self._node.step.tolerance
        close = Closeness(tolerance.rtol, tolerance.atol) if tolerance else Closeness()
        for name in names:
            if not _is_made(outcome, name):
                places.append(str(ValueDifference(name, "an output", "nothing")))
                continue
            try:
                stored = self._recorded(name), self._stored(outcome[name])
                located = [str(each) for each in find_differences(*stored, close, path=name)]
            except Exception as error:  # noqa: BLE001 - the place is only a help
                located = [f"{name}: differs; the position is not known ({type(error).__name__})"]
            places += located or [f"{name}: differs in what has no place, such as an order or type"]
        return tuple(places[:_SHOWN])

    def _recorded(self, name: str) -> Any:
        digest = self._record.outputs[name]
        return self._store.get(self._record.output_address(name), digest)

    def _stored(self, value: Any) -> Any:
        """Store a value and load that value again, as happened to the recorded value."""
        records = self._scratch.pack(value)
        return self._scratch.load(records[0])

    def _suspects(self) -> str:
        suspects = _tried(lambda: list_suspects(self._node.step.function, root=Path.cwd())) or []
        trace = self._record.facts.get("trace") or {}
        variables = {name: trace[name] for name in ("env", "whole_env") if name in trace}
        if changed := find_change(variables, Path.cwd()):
            suspects = [f"{changed} since the run", *suspects]
        return "; ".join(suspects[:_SHOWN])


def _is_made(outcome: Mapping[str, Any], name: str) -> bool:
    return name in outcome and outcome[name] is not NOTHING


def _tried(call: Callable[[], T]) -> T | None:
    try:
        return call()
    except Exception:  # noqa: BLE001 - the caller handles None
        return None


def _file_hint(error: BaseException | None) -> str:
    if not isinstance(error, FileNotFoundError):
        return ""
    return (
        ". A step sees the recorded sources and its inputs only: what another step or an earlier"
        " run wrote into a file is not among them; return it instead."
    )
