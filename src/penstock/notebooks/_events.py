"""The uses of the notebook's names in a cell, in the order of execution: the vocabulary of `_flow`."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

EventKind = Literal[
    "read", "write", "delete", "change", "call", "pass", "method", "define", "import", "alias",
    "instance", "star", "opaque", "branch", "try", "attribute", "implicit", "operator", "shown",
]  # fmt: skip

OWN = "self()"  # no name of Python
CONSTANT = "1"  # of an object that a literal makes
CONSTRUCTORS = ("__init__", "__new__", "__post_init__", "__init_subclass__", "__set_name__")


# Methods that change their object; others may, which only an execution tells.
CHANGING = frozenset(
    [
        "append",
        "extend",
        "insert",
        "remove",
        "pop",
        "popitem",
        "clear",
        "sort",
        "reverse",
        "update",
        "setdefault",
        "add",
        "discard",
        "appendleft",
        "extendleft",
        "popleft",
        "rotate",
        "fit",
        "fit_transform",
        "partial_fit",
        "fit_predict",
        "fit_resample",
        "set_params",
        "compile",
        "load_weights",
        "load_state_dict",
        "train",
        "eval",
        "step",
        "zero_grad",
        "backward",
        "seed",
        "shuffle",
        "set_index_inplace",
        "write",
        "writelines",
        "close",
        "put",
        "fill",
        "resize",
        "itemset",
        "setflags",
    ]
)


@dataclass(frozen=True)
class Deferred:
    """The body of a function or class: read at the call, not at the definition.

    Args:
        name: Name of the definition.
        line: Line of the definition.
        events: Events of a call; empty for a class.
        methods: Bodies of a class's methods by name.
        bases: Names of a class's bases.
        is_class: True for a class.
        is_property: True for a method that reading the attribute calls.
        decorators: Names of a method's decorators.
        attributes: Of a class: the class of which an attribute is made, by attribute.
    """

    name: str
    line: int
    events: "tuple[Event, ...]" = ()
    methods: "Mapping[str, Deferred]" = field(default_factory=dict)
    bases: tuple[str, ...] = ()
    is_class: bool = False
    is_property: bool = False
    decorators: tuple[str, ...] = ()
    attributes: "Mapping[str, str]" = field(default_factory=dict)

    def all_events(self) -> "Iterator[Event]":
        """Yield the events of the body and of all methods."""
        yield from flat(self.events)
        for method in self.methods.values():
            yield from flat(method.events)


@dataclass(frozen=True)
class Event:
    """An event of a name.

    Args:
        kind: ``read``, ``write``, ``delete`` and ``import`` are about the binding; ``change`` is a
            change of the value in place; ``call`` calls the name, ``pass`` passes the name to a
            call; ``method`` calls the method ``other`` of the value; ``instance`` binds the name to
            what a call of ``other`` returns; ``star`` and ``opaque`` bring names that the text does
            not show; ``branch`` and ``try`` hold further events. Calls that no text shows:
            ``attribute`` reads the attribute ``other``, ``implicit`` calls the first of the methods
            ``other`` that the class has, ``operator`` that of the first or of the second operand,
            ``shown`` those of a display. Their name is the object, see `operand_of`.
        name: The name; the module of a ``star``; of a ``method`` empty if the object has no name
            of the notebook, and `OWN` if the object is the one whose method is executed.
        line: Line in the cell, from 1.
        other: Name of the method, of the source of an alias, of the class of an instance, or the
            module of an import.
        body: Body of a definition.
        options: Of a branch its alternatives; of a try the body, the handlers, the rest.
        catches: Whether a try catches a NameError.
        operand: Of an operator the second operand, and the methods of that.
    """

    kind: EventKind
    name: str = ""
    line: int = 1
    other: str = ""
    body: Deferred | None = None
    options: "tuple[tuple[Event, ...], ...]" = ()
    catches: bool = False
    operand: tuple[str, str] = ("", "")


def flat(events: "tuple[Event, ...]") -> "Iterator[Event]":
    """Yield events in order, those of branches included."""
    for event in events:
        if event.options:
            for option in event.options:
                yield from flat(option)
        else:
            yield event


@dataclass(frozen=True)
class CellFlow:
    """The events of a cell.

    Args:
        index: The cell's position, from 1.
        events: In the order of execution.
    """

    index: int
    events: tuple[Event, ...]

    @cached_property
    def flat(self) -> tuple[Event, ...]:
        """All events, those of branches included."""
        return tuple(flat(self.events))

    @cached_property
    def writes(self) -> dict[str, int]:
        """Line of the first binding by name."""
        first_lines: dict[str, int] = {}
        for event in self.flat:
            if event.kind in {"write", "import", "define"}:
                first_lines.setdefault(event.name, event.line)
        return first_lines

    @cached_property
    def reads(self) -> dict[str, int]:
        """Line of the first reading, by name that this cell has not bound before."""
        first_lines: dict[str, int] = {}
        _first_reads(self.events, set(), first_lines)
        return first_lines

    @cached_property
    def direct_reads(self) -> frozenset[str]:
        """Names read by the cell itself, not by the functions that it defines."""
        first_lines: dict[str, int] = {}
        _first_reads(self.events, set(), first_lines, with_bodies=False)
        return frozenset(first_lines)

    @cached_property
    def body_reads(self) -> "dict[str, frozenset[str]]":
        """Names read by a call, by function; of a class by the making of an object."""
        return {
            event.name: _reads_of_call(event.body)
            for event in self.flat
            if event.body is not None and event.name
        }

    @cached_property
    def changes(self) -> dict[str, int]:
        """Line of the first change in place, by name."""
        first_lines: dict[str, int] = {}
        for event in self.flat:
            if event.kind == "change":
                first_lines.setdefault(event.name, event.line)
        return first_lines


def _reads_of_call(body: Deferred) -> frozenset[str]:
    made = [each for name, each in body.methods.items() if name in CONSTRUCTORS]
    events = [event for each in (body, *made) for event in flat(each.events)]
    return frozenset(event.name for event in events if event.kind in {"read", "change"})


def _first_reads(
    events: tuple[Event, ...],
    bound: set[str],
    first_lines: dict[str, int],
    *,
    with_bodies: bool = True,
) -> set[str]:
    """Collect readings of names not bound for sure; return the names bound for sure after."""
    for event in events:
        if event.options:
            ends = [
                _first_reads(option, set(bound), first_lines, with_bodies=with_bodies)
                for option in event.options
            ]
            bound |= set.intersection(*ends) if event.kind == "branch" else ends[0] & ends[-1]
        elif event.kind in {"write", "import", "define"}:
            bound.add(event.name)
        if event.kind in {"read", "change", "delete"} and event.name not in bound:
            first_lines.setdefault(event.name, event.line)
        body = event.body if with_bodies else None
        for inner in body.all_events() if body is not None else ():
            if inner.kind in {"read", "change"} and inner.name not in bound:
                first_lines.setdefault(inner.name, event.line)
    return bound
