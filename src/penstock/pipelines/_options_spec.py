"""OptionsSpec and ParameterSpec: a recorded step's options and parameters for orchestrators."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from penstock.core import parse_duration
from penstock.pipelines._parameters import Parameter
from penstock.pipelines._step import Step

_ANY_ERROR = ("builtins.BaseException",)


@dataclass(frozen=True, slots=True)
class OptionsSpec:
    """Options of a step's execution, as recorded.

    >>> OptionsSpec(max_retries=2, timeout_s=60.0).to_json()
    {'max_retries': 2, 'timeout_s': 60.0}

    Args:
        max_retries: Maximum number of retries.
        delay_s: Delay before the first retry.
        backoff: Factor by which the delay grows.
        max_delay_s: Maximum delay.
        retry_on: Exceptions after which a retry is made, as ``module.Class``; empty for any.
        never_on: Exceptions after which none is made.
        timeout_s: Maximum duration of an attempt; None for no limit.
        cpu: Number of threads; None for no choice.
        gpu: Number of graphics cards.
        memory: Memory with a unit, ``8GiB``; None for no choice.
        workers: Number of connected processes; None for a single process.
        concurrency_limit: Name of the concurrency limit; None without.
        approval: True if the step waits for approval.
        environment: Requirements file of the step; None for the project's.
    """

    max_retries: int = 0
    delay_s: float = 0.1
    backoff: float = 4.0
    max_delay_s: float = 30.0
    retry_on: tuple[str, ...] = ()
    never_on: tuple[str, ...] = ()
    timeout_s: float | None = None
    cpu: int | None = None
    gpu: int = 0
    memory: str | None = None
    workers: int | None = None
    concurrency_limit: str | None = None
    approval: bool = False
    environment: str | None = None

    @classmethod
    def of(cls, step: Step[..., Any]) -> Self:
        """Return the options of a step."""
        retry, resources = step.retry, step.resources
        retry_on = tuple(f"{each.__module__}.{each.__qualname__}" for each in retry.retry_on)
        return cls(
            max_retries=retry.max_retries,
            delay_s=parse_duration(retry.delay).total_seconds(),
            backoff=float(retry.backoff),
            max_delay_s=parse_duration(retry.max_delay).total_seconds(),
            retry_on=() if retry_on == _ANY_ERROR else retry_on,
            never_on=tuple(f"{each.__module__}.{each.__qualname__}" for each in retry.never_on),
            timeout_s=step.timeout.total_seconds() if step.timeout else None,
            cpu=resources.cpu,
            gpu=resources.gpu,
            memory=resources.memory,
            workers=step.workers,
            concurrency_limit=step.concurrency_limit,
            approval=step.asks,
            environment=step.environment,
        )

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read options; those of records before version 3 are unknown and count as not given."""
        known: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in document.items()
            if name in _DEFAULTS
        }
        return cls(**known)

    def to_json(self) -> dict[str, Any]:
        """Return the options that differ from the defaults, as plain JSON."""
        values = {name: getattr(self, name) for name in _DEFAULTS}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if value != _DEFAULTS[name]
        }


_DEFAULTS: dict[str, Any] = {each.name: each.default for each in fields(OptionsSpec)}


@dataclass(frozen=True, slots=True)
class ParameterSpec:
    """A parameter of a pipeline's signature, as recorded.

    Args:
        type: Name of the annotated type, ``date``; empty without annotation.
        required: True if the parameter has no default.
    """

    type: str = ""
    required: bool = False

    @classmethod
    def of(cls, parameter: Parameter) -> Self:
        """Return the spec of a parameter."""
        hint = parameter.hint
        name = "" if hint is Any else getattr(hint, "__name__", str(hint))
        return cls(name, parameter.required)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read a spec."""
        return cls(str(document.get("type", "")), bool(document.get("required", False)))

    def to_json(self) -> dict[str, Any]:
        """Return the spec as plain JSON."""
        return {"type": self.type, "required": self.required}
