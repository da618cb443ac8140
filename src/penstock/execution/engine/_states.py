"""Words of a step run that the engine decides by: states that are good, and facts beside the state."""

from penstock.core import StepRunRecord, StepState

GOOD_STATES = frozenset({StepState.FINISHED, StepState.CACHED})
NOT_REUSED = "not_reused"
"""Fact: why an earlier result with the same key was not reused."""
KEPT = "kept"
"""Fact, never stored: an earlier attempt of the run made the result, and it was not repeated."""

SECONDS = "seconds"
"""Fact, never stored: duration of the function's call."""


def is_settled(record: StepRunRecord | None) -> bool:
    """Return whether a step has ended as intended."""
    return record is not None and record.ended_well
