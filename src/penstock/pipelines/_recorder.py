"""Who records step calls, if a pipeline body is being traced; apart because Step asks it first."""

from contextvars import ContextVar
from typing import Any, Protocol


class Recorder(Protocol):
    """Takes the calls that steps get inside a pipeline body."""

    def record(self, step: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Note a call and give what stands for its result."""
        ...


recorder: ContextVar[Recorder | None] = ContextVar("penstock_recorder", default=None)
