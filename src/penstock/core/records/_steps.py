"""Step runs, their logs, and decisions about them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from operator import attrgetter
from typing import Any

from penstock.core._states import StepState
from penstock.core.records._empty import empty

NOT_TAKEN = "not_taken"
"""Fact of a step that was skipped as intended by the pipeline: a branch not taken."""


@dataclass(frozen=True, slots=True)
class StoredArgument:
    """An argument of a pipeline as exact text; None for a value without a text form.

    Args:
        text: The text; ``""`` if the argument was the parameter's default.
    """

    text: str | None

    @property
    def is_default(self) -> bool:
        """Whether the argument was the parameter's default."""
        return self.text == ""


@dataclass(frozen=True, slots=True)
class StepRunRecord:
    """A step run: the execution of a step in a run.

    Args:
        step_run_id: Unique id.
        run_id: The run.
        step: The step's name, unique in the pipeline.
        position: Position in the order of execution, from 0.
        state: See StepState.
        key: Step key: equal keys give equal results; None if the step is never cached.
        seed: The seed set before the step.
        attempt: 1, plus 1 for each retry.
        started_at: Time of the start.
        ended_at: Time of the end.
        inputs: Content digest by argument name, for arguments from earlier steps.
        outputs: Content digest by output name.
        addresses: Stored digest by content digest, for all digests named above; by ``input:NAME``
            or ``output:NAME`` where equal contents are stored as different bytes there. Read with
            `input_address` and `output_address`.
        error: Exception as a single line.
        traceback: The whole traceback, from the user's code on.
        cached_from: The step run whose outputs were reused.
        facts: Threads, hash seed, key parts: facts for `why` and `verify`.
    """

    step_run_id: str
    run_id: str
    step: str
    position: int
    state: StepState
    key: str | None = None
    seed: int = 0
    attempt: int = 1
    started_at: datetime | None = None
    ended_at: datetime | None = None
    inputs: Mapping[str, str] = field(default_factory=empty)
    outputs: Mapping[str, str] = field(default_factory=empty)
    addresses: Mapping[str, str] = field(default_factory=empty)
    error: str | None = None
    traceback: str | None = None
    cached_from: str | None = None
    facts: Mapping[str, Any] = field(default_factory=empty)

    @property
    def seconds(self) -> float:
        """Duration of the step; 0 if the step was not executed, or has not ended.

        Of the function's call, if this process has just run the step; else from start to end.
        """
        if "seconds" in self.facts:  # in results only: not stored
            return float(self.facts["seconds"])
        is_finished = self.state is StepState.FINISHED
        if not is_finished or self.started_at is None or self.ended_at is None:
            return 0.0
        return (self.ended_at - self.started_at).total_seconds()

    def input_address(self, path: str) -> str:
        """Return the stored digest of an input: the address of the bytes that the step received."""
        return _address(self.addresses, f"input:{path}", self.inputs[path])

    def output_address(self, name: str) -> str:
        """Return the stored digest of an output."""
        return _address(self.addresses, f"output:{name}", self.outputs[name])

    @property
    def name(self) -> str:
        """The step's name, by the word of its JSON form."""
        return self.step

    @property
    def ended_well(self) -> bool:
        """Whether the step has ended as intended: with a result, or in a branch not taken."""
        return self.state in {StepState.FINISHED, StepState.CACHED} or NOT_TAKEN in self.facts

    def with_inputs(
        self, inputs: Mapping[str, tuple[str, str]], **changes: object
    ) -> "StepRunRecord":
        """Return the record with new inputs: content digest and stored digest by path.

        Args:
            inputs: Digests by path.
            changes: Further fields to replace at once.
        """
        contents = {path: content for path, (content, _) in inputs.items()}
        addresses = _addresses(self.addresses, "input:", inputs)
        return self.changed(inputs=contents, addresses=addresses, **changes)

    def with_outputs(
        self, outputs: Mapping[str, tuple[str, str]], **changes: object
    ) -> "StepRunRecord":
        """Return the record with new outputs: content digest and stored digest by name.

        Args:
            outputs: Digests by name.
            changes: Further fields to replace at once.
        """
        contents = {name: content for name, (content, _) in outputs.items()}
        addresses = _addresses(self.addresses, "output:", outputs)
        return self.changed(outputs=contents, addresses=addresses, **changes)

    def changed(self, **changes: object) -> "StepRunRecord":
        """Return a changed copy like `dataclasses.replace`, but faster: called often per step."""
        values = list(_step_values(self))
        for name, value in changes.items():
            values[_STEP_FIELDS[name]] = value
        return StepRunRecord(*values)


_STEP_FIELDS = {each.name: place for place, each in enumerate(fields(StepRunRecord))}
_step_values = attrgetter(*_STEP_FIELDS)


def _address(addresses: Mapping[str, str], place: str, content: str) -> str:
    return addresses.get(place) or addresses.get(content, content)


def _addresses(
    known: Mapping[str, str], role: str, places: Mapping[str, tuple[str, str]]
) -> dict[str, str]:
    """Return addresses with new places; equal contents may be stored as different bytes."""
    addresses = dict(known)
    for name, (content, stored) in places.items():
        if addresses.setdefault(content, stored) != stored:
            addresses[role + name] = stored
    return addresses


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of output of a step."""

    time: datetime
    stream: str
    text: str


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """An approval or rejection of a waiting step of a run: actor, time and reason."""

    run_id: str
    step: str
    approved: bool
    actor: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class StepClaim:
    """The claim of a process on a step of a run whose steps several processes execute.

    Args:
        claim_id: Unique id.
        run_id: The run.
        step: The step, ``train``, or the item, ``train[3]``.
        attempt: Attempt of the run that the process works at.
        host: Machine of the process.
        pid: Process id there.
        pid_started: Start of the process, seconds since 1970.
        process: Trace of the process; empty where the system has none.
    """

    claim_id: str
    run_id: str
    step: str
    attempt: int
    host: str
    pid: int
    pid_started: float
    process: str = ""

    def covers(self, step: str) -> bool:
        """Return whether a step belongs to the claimed one: itself, an item, a step of an item.

        >>> claim = StepClaim("c", "r", "train", 1, "here", 1, 0.0)
        >>> claim.covers("train[3]"), claim.covers("train"), claim.covers("training")
        (True, True, False)
        """
        return step == self.step or step.startswith((f"{self.step}[", f"{self.step}/"))
