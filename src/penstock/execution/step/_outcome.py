"""Outcome: how the work of a step ended, and the outputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from penstock.core import ArtifactRecord, Edge, LogLine
from penstock.execution.step._failures import failure_text, failure_traceback


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the work of a step ended; the outputs are stored, but not yet recorded.

    Args:
        results: Values by output name, if they are in this process; empty if the step failed.
        outputs: By output name, the records of the stored value and the value's elements.
        nothing: Outputs that were not made.
        error: Error line if the step failed; else None.
        traceback: The traceback from the user's code on, if the step failed.
        raised: Names of the exception's class and base classes, if the step failed.
        exception: The exception, if raised in this process.
        logs: Printed and logged lines.
        seconds: Duration of the function's call.
        facts: Settings of the execution (``seed``, ``threads``, ``hash_seed``), logged metrics and
            the trace.
        edges: Lineage edges of the step.
    """

    results: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Sequence[ArtifactRecord]] = field(default_factory=dict)
    nothing: Sequence[str] = ()
    error: str | None = None
    traceback: str | None = None
    raised: Sequence[str] = ()
    exception: BaseException | None = None
    logs: Sequence[LogLine] = ()
    seconds: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)
    edges: Sequence[Edge] = ()

    def refused(self, name: str, error: BaseException) -> "Outcome":
        """Return the failure of the same execution: the outputs cannot be accepted."""
        return replace(failed(name, error), logs=self.logs, seconds=self.seconds, facts=self.facts)

    def without_results(self) -> "Outcome":
        """Return the outcome without results and exception, which stay in this process."""
        return replace(self, results={}, exception=None)


def failed(name: str, error: BaseException) -> Outcome:
    """Return the outcome of a step that failed outside the function."""
    return Outcome(
        error=failure_text(name, error),
        traceback=failure_traceback(error, None),
        raised=class_names(error),
    )


def lost(name: str, why: str) -> Outcome:
    """Return the outcome of a step whose process or node was lost before reporting."""
    raised = ("builtins.Exception", "builtins.BaseException")
    return Outcome(error=f"step {name!r} failed: {why}", raised=raised)


def class_names(error: BaseException) -> tuple[str, ...]:
    """Return the names of an exception's class and base classes, as `Retry` compares them.

    >>> class_names(OSError())[:2]
    ('builtins.OSError', 'builtins.Exception')
    """
    return tuple(f"{cls.__module__}.{cls.__qualname__}" for cls in type(error).__mro__)
