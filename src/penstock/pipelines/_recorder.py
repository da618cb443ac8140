"""The recorder of step calls, set while a pipeline body is traced; apart because Step needs the recorder."""

from contextvars import ContextVar
from typing import Any, Protocol


class CallRecorder(Protocol):
    """Recorder of the calls of steps inside a pipeline body."""

    def record(self, step: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Record a call and return the placeholder of the result."""
        ...


recorder: ContextVar[CallRecorder | None] = ContextVar("penstock_recorder", default=None)
