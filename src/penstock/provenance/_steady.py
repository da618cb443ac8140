"""Validity of a digest: nothing that can change in place was read, and no name was rebound.

Most steps read functions, modules and constants only; checking whether each name is still bound to
the same object is much cheaper than the walk.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

from penstock.provenance._bytecode import plain_record

_MISSING: Any = object()


@dataclass(slots=True)
class Steady:
    """The names and functions that a walk has read.

    Args:
        is_possible: False once the walk read an object that may change without being rebound.
        names: Scope, name and object of every name that was looked up.
        functions: Every function with code and defaults.
    """

    is_possible: bool = True
    names: list[tuple[Mapping[str, Any], str, Any]] = field(default_factory=list)
    functions: list[tuple[FunctionType, Any, Any, Any]] = field(default_factory=list)

    def note_name(self, scope: Mapping[str, Any], name: str) -> None:
        """Record the object bound to a name; also that the name is unbound."""
        self.names.append((scope, name, scope.get(name, _MISSING)))

    def note_function(self, function: FunctionType) -> None:
        """Record a function; a function with changeable values makes the digest unsteady."""
        defaults, keyed = function.__defaults__, function.__kwdefaults__
        if function.__closure__ or function.__dict__ or keyed:
            self.is_possible = False
        if any(plain_record(value) is None for value in defaults or ()):
            self.is_possible = False
        self.functions.append((function, function.__code__, defaults, keyed))

    def holds(self) -> bool:
        """Return whether all names and functions are unchanged."""
        return (
            self.is_possible
            and all(scope.get(name, _MISSING) is value for scope, name, value in self.names)
            and all(
                function.__code__ is code
                and function.__defaults__ is defaults
                and function.__kwdefaults__ is keyed
                and not function.__dict__
                for function, code, defaults, keyed in self.functions
            )
        )
