"""What a step asks for and what counts as equal for it; apart because runners and proofs read it."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from penstock.core import DefinitionError, ParameterError, parse_bytes, parse_duration


@dataclass(frozen=True, slots=True)
class Resources:
    """What a step needs.

    >>> Resources(cpu=2).cpu
    2

    Args:
        cpu: Threads that its libraries may use, 1 or more; None for the libraries' own choice.
        gpu: Graphics cards, 0 or more.
        memory: Memory as people write it, for example ``"8GiB"``: a step in a process of its own
            that uses more is ended, and a distributed runner sets so much aside.
    """

    cpu: int | None = None
    gpu: int = 0
    memory: str | None = None

    def __post_init__(self) -> None:
        if self.cpu is not None and not _is_count(self.cpu, 1):
            raise DefinitionError(
                what=f"Resources(cpu={self.cpu!r}) asks for no thread.",
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
    """How far a step's numbers may differ from the recorded ones and still count as equal.

    >>> Tolerance(rtol=1e-6).atol
    0.0

    Args:
        rtol: Relative part, 0 or more.
        atol: Absolute part, 0 or more, in the unit of the numbers.
    """

    rtol: float = 0.0
    atol: float = 0.0


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and when a step that failed is tried again.

    >>> [Retry(4, wait=1, factor=2).seconds(attempt) for attempt in (1, 2, 3)]
    [1.0, 2.0, 4.0]
    >>> Retry(3, on=(OSError,)).wants(1, ["builtins.KeyError", "builtins.Exception"])
    False

    Args:
        times: How many tries there may be after the first; 0 or more.
        wait: Time before the second try, in seconds or as text (``"5s"``).
        factor: By how much each wait is longer than the one before; 1 for always the same.
        longest: The longest wait.
        jitter: Each wait is up to this part of itself longer, so that many steps that failed at
            once do not all come back at once.
        on: Exceptions after which another try is worth it; by default any.
        never: Exceptions after which it is not, even if ``on`` names one that they derive from.
    """

    times: int = 3
    wait: str | float | timedelta = 0.1
    factor: float = 4.0
    longest: str | float | timedelta = 30.0
    jitter: float = 0.0
    on: Sequence[type[BaseException]] = (BaseException,)
    never: Sequence[type[BaseException]] = ()

    def __post_init__(self) -> None:
        if not _is_count(self.times, 0):
            self._refuse(f"times={self.times!r}", "Give a whole number of 0 or more.")
        for name in ("wait", "longest"):
            try:
                found = parse_duration(getattr(self, name))
            except ParameterError as error:
                self._refuse(f"{name}={getattr(self, name)!r}", error.fix)
            object.__setattr__(self, name, found)
        if not self.factor >= 1:
            self._refuse(f"factor={self.factor!r}", "Give 1 or more.")
        if not 0 <= self.jitter <= 1:
            self._refuse(f"jitter={self.jitter!r}", "Give a number from 0 to 1.")
        for name in ("on", "never"):
            given = getattr(self, name)
            listed = (given,) if isinstance(given, type) else tuple(given)
            if not all(isinstance(cls, type) and issubclass(cls, BaseException) for cls in listed):
                self._refuse(f"{name}={given!r}", "Give exception classes: on=(OSError,).")
            object.__setattr__(self, name, listed)

    def wants(self, attempt: int, raised: Sequence[str]) -> bool:
        """Say whether there is to be another try.

        Args:
            attempt: Which try failed, from 1.
            raised: ``module.Class`` of the exception and of all that it derives from.
        """
        known = set(raised)
        return (
            attempt <= self.times
            and any(_full_name(cls) in known for cls in self.on)
            and not any(_full_name(cls) in known for cls in self.never)
        )

    def seconds(self, attempt: int, key: str = "") -> float:
        """Give the time to wait after a try.

        Args:
            attempt: Which try failed, from 1.
            key: What the jitter is drawn from: the same key gives the same wait.
        """
        first, longest = (parse_duration(t).total_seconds() for t in (self.wait, self.longest))
        plain = min(first * self.factor ** min(attempt - 1, 64), longest)
        return plain * (1 + self.jitter * random.Random(key).random())  # noqa: S311 - no secret

    @staticmethod
    def _refuse(what: str, fix: str) -> None:
        raise DefinitionError(what=f"Retry({what}) cannot be used.", fix=fix)


def _full_name(cls: type[BaseException]) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
