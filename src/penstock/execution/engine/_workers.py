"""Workers: the protocol by which the engine has steps executed; for runners to implement."""

from collections.abc import Sequence
from typing import Protocol

from penstock.execution.engine._values import Values
from penstock.execution.step import Outcome, Work


class Workers(Protocol):
    """The workers that execute steps; made for a run and closed at the end of the run.

    All methods are called in the thread of the run.
    """

    @property
    def has_room(self) -> bool:
        """True if a further step can start now; the engine plans a step only then."""
        ...

    def can_take(self, work: Work) -> bool:
        """Return whether the resources of a step (graphics cards) are free; there is room for the step."""
        ...

    def submit(self, work: Work, values: Values) -> None:
        """Start a step that `can_take` accepted."""
        ...

    def wait(self, seconds: float | None) -> Sequence[tuple[Work, Outcome]]:
        """Wait until a step has ended or the time is over; return the steps that have ended."""
        ...

    def cancel(self) -> None:
        """End the running steps by force."""
        ...
