"""What a step asks for and what counts as equal for it; apart because runners and proofs read it."""

from dataclasses import dataclass

from penstock.core import DefinitionError


@dataclass(frozen=True, slots=True)
class Resources:
    """What a step needs.

    >>> Resources(cpu=2).cpu
    2

    Args:
        cpu: Threads that its libraries may use, 1 or more; None for the libraries' own choice.
        gpu: Graphics cards, 0 or more.
        memory: Memory as people write it, for example ``"8GiB"``; a note for remote runners.
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
