"""TrialRequest: what a trial is made of; apart, as both sides of it know it."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TrialRequest:
    """What a trial is made of.

    Args:
        module: Module with the functions.
        prepare: Name of its function that imports libraries, called once in the server.
        function: Name of its function of the data and the arguments.
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
