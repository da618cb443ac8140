"""TrialRequest: the parts of a trial; apart, as both sides of a trial need them."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TrialRequest:
    """The parts of a trial.

    Args:
        module: Module with the functions.
        prepare: Name of the function that imports libraries, called once in the server.
        function: Name of the function of the data and the arguments.
        arguments: Plain values.
        cpu_s: Seconds of processor time.
        memory_bytes: Memory beyond that of the server.
    """

    module: str
    prepare: str
    function: str
    arguments: dict[str, Any]
    cpu_s: int
    memory_bytes: int
