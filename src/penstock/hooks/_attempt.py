"""Attempt: the result of a try to deliver an event."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attempt:
    """Result of a delivery attempt.

    Args:
        ok: True if the event was delivered.
        error: Why the attempt failed.
        refused: True if the receiver will never accept the event.
        wait_s: Seconds that the receiver asks to wait.
    """

    ok: bool
    error: str = ""
    refused: bool = False
    wait_s: float = 0.0
