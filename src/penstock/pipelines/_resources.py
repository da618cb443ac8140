"""Options of a step: resources, retries, tolerance; apart because runners and proofs read them."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from penstock.core import DefinitionError, ParameterError, parse_bytes, parse_duration


@dataclass(frozen=True, slots=True)
class Resources:
    """Resources that a step needs.

    >>> Resources(cpu=2).cpu
    2

    Args:
        cpu: Threads that numerical libraries may use, 1 or more; None for the libraries' defaults.
        gpu: Graphics cards, 0 or more.
        memory: Memory with a unit, for example ``"8GiB"``: a step in a separate process that uses
            more is ended, and a distributed runner reserves this much.
    """

    cpu: int | None = None
    gpu: int = 0
    memory: str | None = None

    def __post_init__(self) -> None:
        if self.cpu is not None and not _is_count(self.cpu, 1):
            raise DefinitionError(
                what=f"Resources(cpu={self.cpu!r}) sets no thread.",
                fix="Give a whole number of 1 or more, or leave cpu out.",
                cpu=self.cpu,
            )
        if not _is_count(self.gpu, 0):
            raise DefinitionError(
                what=f"Resources(gpu={self.gpu!r}) is no number of cards.",
                fix="Give a whole number of 0 or more.",
                gpu=self.gpu,
            )
        if self.memory is not None:
            try:
                parse_bytes(self.memory)
            except ParameterError as error:
                raise DefinitionError(
                    what=f"Resources(memory={self.memory!r}) is no size.",
                    fix=error.fix,
                    memory=self.memory,
                ) from error


def _is_count(value: object, least: int) -> bool:
    return isinstance(value, int) and value >= least


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Maximum difference between a step's numbers and the recorded numbers that counts as equal.

    >>> Tolerance(rtol=1e-6).atol
    0.0

    Args:
        rtol: Relative tolerance, 0 or more.
        atol: Absolute tolerance, 0 or more, in the unit of the numbers.
    """

    rtol: float = 0.0
    atol: float = 0.0

    def __post_init__(self) -> None:
        for name in ("rtol", "atol"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or not value >= 0:
                raise DefinitionError(
                    what=f"Tolerance({name}={value!r}) cannot be used.",
                    why="A difference is 0 or more, so no number would ever be equal.",
                    fix="Give a number of 0 or more.",
                )


@dataclass(frozen=True, slots=True)
class Retry:
    """Retries of a failed step: how often and when.

    >>> [Retry(4, delay=1, backoff=2).seconds(attempt) for attempt in (1, 2, 3)]
    [1.0, 2.0, 4.0]
    >>> Retry(3, retry_on=(OSError,)).wants(1, ["builtins.KeyError", "builtins.Exception"])
    False

    Args:
        max_retries: Maximum number of retries after the first attempt; 0 or more.
        delay: Delay before the second attempt, in seconds or as text (``"5s"``).
        backoff: Factor by which the delay grows from retry to retry; 1 for a constant delay.
        max_delay: Maximum delay, in the same forms.
        retry_on: Exceptions after which a retry is made; by default any.
        never_on: Exceptions after which no retry is made, even if ``retry_on`` names a base class.
        jitter: Each delay is longer by up to this share, so that many steps that failed at the same
            time are not all retried at the same time.
    """

    max_retries: int = 3
    delay: str | float | timedelta = 0.1
    backoff: float = 4.0
    max_delay: str | float | timedelta = 30.0
    retry_on: Sequence[type[BaseException]] = (BaseException,)
    never_on: Sequence[type[BaseException]] = ()
    jitter: float = 0.0

    def __post_init__(self) -> None:
        if not _is_count(self.max_retries, 0):
            self._refuse(f"max_retries={self.max_retries!r}", "Give a whole number of 0 or more.")
        for name in ("delay", "max_delay"):
            try:
                duration = parse_duration(getattr(self, name))
            except ParameterError as error:
                self._refuse(f"{name}={getattr(self, name)!r}", error.fix)
            object.__setattr__(self, name, duration)
        if not self.backoff >= 1:
            self._refuse(f"backoff={self.backoff!r}", "Give 1 or more.")
        if not 0 <= self.jitter <= 1:
            self._refuse(f"jitter={self.jitter!r}", "Give a number from 0 to 1.")
        for name in ("retry_on", "never_on"):
            value = getattr(self, name)
            listed = (value,) if isinstance(value, type) else tuple(value)
            if not all(isinstance(cls, type) and issubclass(cls, BaseException) for cls in listed):
                self._refuse(f"{name}={value!r}", "Give exception classes: retry_on=(OSError,).")
            object.__setattr__(self, name, listed)

    def wants(self, attempt: int, raised: Sequence[str]) -> bool:
        """Return whether a failed attempt is to be retried.

        Args:
            attempt: Number of the failed attempt, from 1.
            raised: ``module.Class`` of the exception and of all base classes.
        """
        known = set(raised)
        return (
            attempt <= self.max_retries
            and any(_full_name(cls) in known for cls in self.retry_on)
            and not any(_full_name(cls) in known for cls in self.never_on)
        )

    def seconds(self, attempt: int, key: str = "") -> float:
        """Return the delay after an attempt.

        Args:
            attempt: Number of the failed attempt, from 1.
            key: Seed of the jitter: the same key gives the same delay.
        """
        first, most = (parse_duration(t).total_seconds() for t in (self.delay, self.max_delay))
        plain = min(first * self.backoff ** min(attempt - 1, 64), most)
        return plain * (1 + self.jitter * random.Random(key).random())  # noqa: S311 - not a secret

    @staticmethod
    def _refuse(what: str, fix: str) -> None:
        raise DefinitionError(what=f"Retry({what}) cannot be used.", fix=fix)


def _full_name(cls: type[BaseException]) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
