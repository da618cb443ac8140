"""Step runs, their logs, and decisions about them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from operator import attrgetter
from typing import Any

from penstock.core._states import StepState
from penstock.core.records._empty import empty


@dataclass(frozen=True, slots=True)
class StoredArgument:
    """An argument of a pipeline as its exact text; without one it was what has no text.

    Args:
        text: The text; ``""`` if the argument was the parameter's default.
    """

    text: str | None

    @property
    def is_default(self) -> bool:
        """Whether the parameter's default says what it was."""
        return self.text == ""


@dataclass(frozen=True, slots=True)
class StepRunRecord:
    """One step of a run.

    Args:
        step_run_id: Unique id.
        run_id: The run.
        step: The step's name, unique in the pipeline.
        position: Place in the order of execution, from 0.
        state: See StepState.
        key: Step key: equal keys give equal results; None if the step is never cached.
        seed: The seed set before it ran.
        attempt: 1, and one more for each retry.
        started_at: When it began.
        ended_at: When it ended.
        inputs: Content digest by argument name, for arguments that come from other steps.
        outputs: Content digest by output name.
        addresses: Stored digest by content digest, for every one named above; by ``input:NAME`` or
            ``output:NAME`` where equal contents are stored as other bytes there. Read it with
            `input_address` and `output_address`.
        error: Exception as one line.
        traceback: The whole traceback, from the user's code on.
        cached_from: The step run whose outputs were reused.
        facts: Threads, hash seed, key parts: what `why` and `verify` need.
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

    def input_address(self, path: str) -> str:
        """Return the stored digest of an input: where the bytes are that the step was given."""
        return _address(self.addresses, f"input:{path}", self.inputs[path])

    def output_address(self, name: str) -> str:
        """Return the stored digest of an output."""
        return _address(self.addresses, f"output:{name}", self.outputs[name])

    def with_inputs(self, inputs: Mapping[str, tuple[str, str]], **changes: Any) -> "StepRunRecord":
        """Return the record with its inputs: content digest and stored digest by path.

        Args:
            inputs: By path.
            changes: Other fields to replace at once.
        """
        contents = {path: content for path, (content, _) in inputs.items()}
        addresses = _addresses(self.addresses, "input:", inputs)
        return self._with({"inputs": contents, "addresses": addresses, **changes})

    def with_outputs(
        self, outputs: Mapping[str, tuple[str, str]], **changes: Any
    ) -> "StepRunRecord":
        """Return the record with its outputs: content digest and stored digest by name.

        Args:
            outputs: By name.
            changes: Other fields to replace at once.
        """
        contents = {name: content for name, (content, _) in outputs.items()}
        addresses = _addresses(self.addresses, "output:", outputs)
        return self._with({"outputs": contents, "addresses": addresses, **changes})

    def _with(self, changes: Mapping[str, Any]) -> "StepRunRecord":
        """Do as `dataclasses.replace`, in less time: it is done twice for each step."""
        values = dict(zip(_STEP_FIELDS, _step_values(self), strict=True))
        return StepRunRecord(**{**values, **changes})


_STEP_FIELDS = tuple(each.name for each in fields(StepRunRecord))
_step_values = attrgetter(*_STEP_FIELDS)


def _address(addresses: Mapping[str, str], place: str, content: str) -> str:
    return addresses.get(place) or addresses.get(content, content)


def _addresses(
    known: Mapping[str, str], role: str, places: Mapping[str, tuple[str, str]]
) -> dict[str, str]:
    """Add addresses; equal contents may be stored as other bytes, and each keeps its own."""
    found = dict(known)
    for name, (content, stored) in places.items():
        if found.setdefault(content, stored) != stored:
            found[role + name] = stored
    return found


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that a step wrote."""

    time: datetime
    stream: str
    text: str


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """Who let a waiting step of a run go on or not, when and why."""

    run_id: str
    step: str
    approved: bool
    decided_by: str
    reason: str
    at: datetime
