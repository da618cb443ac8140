"""Validity of a digest: what was read is unchanged, and no name was rebound.

Most steps read functions, modules, constants and small tables of constants only; checking whether
each name is still bound to the same object, and each table still holds the same objects, is much
cheaper than the walk.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import is_
from types import FunctionType
from typing import Any

from penstock.provenance._bytecode import plain_record

_MISSING: Any = object()
_LONGEST = 1_000  # items of a container that are worth comparing


@dataclass(slots=True)
class Steady:
    """The names and functions that a walk has read.

    Args:
        is_possible: False once the walk read an object that may change without being rebound.
        names: Scope, name and object of every name that was looked up.
        functions: Every function with code and defaults.
        containers: Lists, dicts and sets with their items; each one inside is among them, too.
    """

    is_possible: bool = True
    names: list[tuple[Mapping[str, Any], str, Any]] = field(default_factory=list)
    functions: list[tuple[FunctionType, Any, Any, Any]] = field(default_factory=list)
    containers: list[tuple[Any, list[Any]]] = field(default_factory=list)

    def note_name(self, scope: Mapping[str, Any], name: str) -> None:
        """Record the object bound to a name; also that the name is unbound."""
        self.names.append((scope, name, scope.get(name, _MISSING)))

    def note_function(self, function: FunctionType) -> None:
        """Record a function; a function with changeable values makes the digest unsteady."""
        defaults, keyed = function.__defaults__, function.__kwdefaults__
        if function.__closure__ or function.__dict__ or keyed:
            self.give_up()
        if any(plain_record(value) is None for value in defaults or ()):
            self.give_up()
        self.functions.append((function, function.__code__, defaults, keyed))

    def note_container(self, value: Any) -> None:
        """Record the items of a list, dict or set; anything else makes the digest unsteady."""
        if type(value) not in {dict, list, set} or len(value) > _LONGEST:
            self.give_up()
        elif self.is_possible:
            self.containers.append((value, _items(value)))

    def give_up(self) -> None:
        """Record that the digest may change unseen; items are not kept alive for it."""
        self.is_possible = False
        self.containers.clear()

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
            and all(_has_items(value, items) for value, items in self.containers)
        )


def _items(value: Any) -> list[Any]:
    """Return the items of a container; of a dict keys and values, in turn."""
    if type(value) is dict:
        return [each for pair in value.items() for each in pair]
    return list(value)


def _has_items(value: Any, items: list[Any]) -> bool:
    """Return whether a container holds the same objects, in the same order."""
    length = len(items) // 2 if type(value) is dict else len(items)
    return len(value) == length and all(map(is_, _items(value), items))
