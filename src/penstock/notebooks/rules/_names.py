"""NB2: names that a fresh kernel, going from top to bottom, does not know where they are read."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial

from penstock.core import did_you_mean
from penstock.notebooks._document import NotebookCell
from penstock.notebooks._events import CONSTANT, CONSTRUCTORS, OWN, Deferred, Event
from penstock.notebooks._finding import FindingLevel, NotebookFinding
from penstock.notebooks.rules._analysis import Analysis, finding
from penstock.notebooks.rules._known_names import AUTOMATIC, KNOWN, PYTHON_2
from penstock.notebooks.rules._star_names import star_names

_HISTORY = re.compile(r"_i?\d+")  # Out[3] and In[3]
_BINDS = re.compile(
    r"^\s*(?:(?:async\s+)?(?:def|class)\s+(?P<defined>\w+)|(?:from\s+\S+\s+)?import\s+(?P<imported>.*)"
    r"|for\s+(?P<loop>[\w\s,()]+?)\s+in\b|(?P<assigned>[\w\s,()\[\].]+?)\s*=(?!=)|with\b.*\bas\s+(?P<opened>\w+))",
    re.MULTILINE,
)
_CALLED = ("__call__", "forward", "call")


def check_names(analysis: Analysis) -> Iterator[NotebookFinding]:
    """Find names that are undefined, defined only later, or defined only perhaps."""
    return iter(_TopDown(analysis).findings())


@dataclass
class _Known:
    """Bound names at a point of the top-down execution.

    Args:
        sure: Names bound for sure.
        perhaps: Names bound on some way.
        bodies: Function and class bodies by name.
        objects: Classes of the notebook by the name of their object.
        foreign: Names of what is imported: nothing of the notebook is a method of that.
    """

    sure: set[str] = field(default_factory=set)
    perhaps: set[str] = field(default_factory=set)
    bodies: dict[str, Deferred] = field(default_factory=dict)
    objects: dict[str, Deferred] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)

    def copy(self) -> "_Known":
        return _Known(
            set(self.sure),
            set(self.perhaps),
            dict(self.bodies),
            dict(self.objects),
            set(self.foreign),
        )


class _TopDown:
    """Follows a notebook from top to bottom and collects names that a reading does not find."""

    def __init__(self, analysis: Analysis) -> None:
        self._analysis = analysis
        self._known = _Known()
        self._source = ""  # what may have defined any name
        self._unread: dict[
            str, int
        ] = {}  # cells that are no Python 3, by name that they seem to bind
        self._found: dict[tuple[str, FindingLevel], NotebookFinding] = {}
        self._cell: NotebookCell
        self._doubt = 0  # inside a branch or a try that catches NameError
        self._guess = 0  # inside a method of an object whose class nobody knows
        self._caught = 0
        self._running: list[Deferred] = []
        self._call_line = 1
        self._owners: list[Deferred] = []  # classes of the objects whose methods are running
        self._done: set[tuple[int, int]] = set()
        self._done_in_doubt: set[tuple[int, int]] = set()  # of the cell
        self._done_in_guess: set[tuple[int, int]] = set()  # of the cell
        self._places = _definitions(analysis)

    def findings(self) -> list[NotebookFinding]:
        for cell in self._analysis.notebook.code_cells:
            self._cell = cell
            self._done_in_doubt.clear()
            self._done_in_guess.clear()
            self._follow(self._analysis.flows[cell.index].events)
            if cell.python.tree is None:
                self._unread |= dict.fromkeys(_seems_to_bind(cell.python.text), cell.index)
        for cell in self._analysis.notebook.code_cells:
            self._cell = cell
            self._never_called(self._analysis.flows[cell.index].flat)
        return list(self._found.values())

    def _follow(self, events: Iterable[Event]) -> None:
        for event in events:
            getattr(self, f"_{event.kind}")(event)

    def _read(self, event: Event) -> None:
        name = event.name
        known = name in self._known.sure or name in KNOWN or self._is_told(name)
        known = known or _HISTORY.fullmatch(name) is not None or self._is_automatic(name)
        if known:
            return
        if self._caught:  # what follows in the try knows it, else a handler goes on
            self._known.sure.add(name)
            return
        if name in self._known.perhaps:
            self._report(event, "info", f"{name!r} is bound only under a condition above.")
            return
        place = self._places.get(name)
        level: FindingLevel = "info" if self._guess else "warning" if self._doubt else "error"
        if name in self._unread and (place is None or place[0] > self._cell.index):
            text = f"{name!r} is defined in cell {self._unread[name]}, which is no Python 3."
            self._report(event, "info", text)
        elif self._source and place is None:
            text = f"{name!r} is defined in no cell; perhaps {self._source} defines it."
            self._report(event, "info", text)
        elif place is None:
            self._report(event, level, self._nowhere(name))
        elif self._source:
            text = f"{self._later(name, *place)} Perhaps {self._source} defines it before."
            self._report(event, "info" if self._guess else "warning", text)
        else:
            self._report(event, level, self._later(name, *place))

    _change = _read

    def _is_automatic(self, name: str) -> bool:
        """Return whether the cell is a single line that IPython takes for a magic: ``hist(x)``."""
        lines = self._cell.source.splitlines()
        if len(lines) != 1 or name not in AUTOMATIC:
            return False
        return lines[0].split("(")[0].split()[:1] == [name]

    def _nowhere(self, name: str) -> str:
        if name in PYTHON_2:
            return f"{name!r} exists in Python 2 only."
        executed = " The kernel that executed the cell had it from elsewhere." * bool(
            self._cell.count and not _has_error(self._cell)
        )
        meant = did_you_mean(name, self._known.sure)
        close = f" {meant}" if meant.startswith("Did") else ""
        return f"{name!r} is defined in no cell.{executed}{close}"

    def _later(self, name: str, cell: int, line: int) -> str:
        if self._running and self._guess:
            text = f"{name!r} is defined only in cell {cell}, line {line}, and {self._running[-1].name!r}"
            return f"{text} reads it: a NameError if it is called here, of which nothing is sure."
        if self._running:
            body = self._running[-1]
            return (
                f"{name!r}, which {body.name or 'a lambda'} reads, is not defined when it is called here:"
                f" it is defined in cell {cell}, line {line}."
            )
        if cell <= self._cell.index:
            return f"{name!r} is not defined here: it is defined later, in cell {cell}, line {line}, or was deleted."
        return f"{name!r} is defined only below, in cell {cell}, line {line}."

    def _report(self, event: Event, level: FindingLevel, message: str) -> None:
        line = self._call_line if self._running else event.line
        fix = "Move the definition above, or run the cells in the order of the file." * bool(
            event.name in self._places
        )
        if self._is_told(event.name, level):
            return
        self._found[event.name, level] = finding(
            self._cell, "NB2", level, line, message, fix=fix, name=event.name
        )

    def _is_told(self, name: str, level: FindingLevel = "error") -> bool:
        """Return whether a name was reported at this level or above."""
        levels: tuple[FindingLevel, ...] = ("error", "warning", "info")
        return any((name, each) in self._found for each in levels[: levels.index(level) + 1])

    def _write(self, event: Event) -> None:
        known = self._known
        known.sure.add(event.name)
        known.bodies.pop(event.name, None)
        known.objects.pop(event.name, None)
        known.foreign.discard(event.name)

    def _import(self, event: Event) -> None:
        self._write(event)
        self._known.foreign.add(event.name)

    def _delete(self, event: Event) -> None:
        self._read(event)
        self._known.sure.discard(event.name)
        self._known.perhaps.discard(event.name)

    def _alias(self, event: Event) -> None:
        for kept in (self._known.bodies, self._known.objects):
            if event.other in kept:
                kept[event.name] = kept[event.other]

    def _instance(self, event: Event) -> None:
        body = self._known.bodies.get(event.other)
        if body is not None and body.is_class:
            self._known.objects[event.name] = body

    def _define(self, event: Event) -> None:
        if event.name:
            self._write(event)
            if event.body is not None:
                self._known.bodies[event.name] = event.body

    def _call(self, event: Event) -> None:
        body, owner = self._known.bodies.get(event.name), self._known.objects.get(event.name)
        if owner is not None:
            self._methods(owner, _CALLED, event.line, owner)
        elif body is None:
            self._perhaps_methods(event.name, _CALLED, event.line)
        elif body.is_class:
            self._methods(body, CONSTRUCTORS, event.line, body)
        else:
            self._enter(body, event.line)

    def _pass(self, event: Event) -> None:
        if event.name in self._known.bodies:
            self._call(event)

    def _method(self, event: Event) -> None:
        name, names = event.name, (event.other,)
        owner = self._known.objects.get(name) or self._known.bodies.get(name)
        if name in {OWN, "super"} and self._owners:
            self._methods(self._owners[-1], names, event.line, self._owners[-1], name == "super")
        elif owner is not None and owner.is_class:
            found = self._member(owner, event.other)
            if not (isinstance(found, Deferred) and found.is_property):  # see `_attribute`
                self._methods(owner, names, event.line, owner)
        else:
            self._perhaps_methods(name, names, event.line)

    # Calls that no text shows

    def _class_of(self, name: str) -> Deferred | None:
        """Return the class of an object of `operand_of`; None if unknown, or not of the notebook."""
        if name == OWN:
            return self._owners[-1] if self._owners else None
        if name.endswith("()"):
            body = self._known.bodies.get(name[:-2])
            return body if body is not None and body.is_class else None
        return self._known.objects.get(name)

    def _is_foreign(self, name: str) -> bool:
        """Return whether an object is known to be of no class of the notebook."""
        plain = name.removesuffix("()")
        known = self._known
        if name == CONSTANT or plain in known.foreign or self._class_of(name) is not None:
            return True
        body = known.bodies.get(plain)
        is_value = name.endswith("()") and body is not None and not body.is_class
        return (plain in KNOWN and plain not in known.sure) or (body is not None and not is_value)

    def _first_of(self, owner: Deferred, methods: str) -> str:
        """Return the first of the methods that a class has; empty without one."""
        names = methods.split("|")
        return next((name for name in names if self._member(owner, name) is not None), "")

    def _member(self, owner: Deferred, name: str) -> "Deferred | str | None":
        """Return a method of a class, or the class that an attribute is made of."""
        found = owner.methods.get(name) or owner.attributes.get(name)
        bases = (self._known.bodies.get(base) for base in owner.bases)
        for base in () if found else bases:
            if base is not None and base is not owner and base.is_class:
                found = found or self._member(base, name)
        return found

    def _implicit(self, event: Event) -> None:
        owner = self._class_of(event.name)
        if owner is not None:
            if name := self._first_of(owner, event.other):
                self._methods(owner, (name,), event.line, owner)
        elif not self._is_foreign(event.name):
            self._guess_methods(event.other, event.line)

    def _operator(self, event: Event) -> None:
        second, reflected = event.operand
        left, right = self._class_of(event.name), self._class_of(second)
        if left is not None and (name := self._first_of(left, event.other)):
            self._methods(left, (name,), event.line, left)
        elif right is not None and (name := self._first_of(right, reflected)):
            if self._is_foreign(event.name):
                self._methods(right, (name,), event.line, right)
            else:
                self._guess_methods(reflected, event.line)
        else:
            for operand, methods in ((event.name, event.other), (second, reflected)):
                if not self._is_foreign(operand):
                    self._guess_methods(methods, event.line)

    def _shown(self, event: Event) -> None:
        """Follow a display: an exception in it is shown, and stops nothing."""
        owner = self._class_of(event.name)
        if owner is not None and (name := self._first_of(owner, event.other)):
            self._perhaps(partial(self._methods, owner, (name,), event.line, owner), guess=True)

    def _attribute(self, event: Event) -> None:
        owner = self._class_of(event.name)
        if owner is not None:
            self._attribute_of(owner, event)
        elif not self._is_foreign(event.name):
            for body in list(self._known.bodies.values()):
                found = body.methods.get(event.other)
                if body.is_class and found is not None and _is_answering(found, event.other):
                    follow = partial(self._methods, body, (event.other,), event.line, body)
                    self._perhaps(follow, guess=True)

    def _attribute_of(self, owner: Deferred, event: Event) -> None:
        """Follow what an attribute of an object of a known class executes."""
        name, _, end = event.other.partition(".")
        found = self._member(owner, event.other) or self._member(owner, name)
        always = {"": "__getattribute__", "setter": "__setattr__", "deleter": "__delattr__"}[end]
        self._methods(owner, (always,), event.line, owner)
        if isinstance(found, str):
            made_of = self._known.bodies.get(found)
            if made_of is not None and made_of.is_class:
                verb = {"": "__get__", "setter": "__set__", "deleter": "__delete__"}[end]
                self._methods(made_of, (verb,), event.line, made_of)
        elif found is not None and _is_answering(found, event.other):
            self._methods(owner, (event.other,), event.line, owner)
        elif found is not None and not end:
            self._decorated(owner, found, event)
        elif found is None and not end and self._member(owner, "__getattr__") is not None:
            follow = partial(self._methods, owner, ("__getattr__",), event.line, owner)
            self._perhaps(follow, guess=True)  # only if no method has set the attribute

    def _decorated(self, owner: Deferred, found: Deferred, event: Event) -> None:
        """Follow a method under a decorator of the notebook which answers the attribute itself."""
        for decorator in found.decorators:
            body = self._known.bodies.get(decorator)
            if body is not None and body.is_class and self._member(body, "__get__") is not None:
                self._methods(body, ("__get__",), event.line, body)
                follow = partial(self._methods, owner, (event.other,), event.line, owner)
                self._perhaps(follow, guess=True)

    def _guess_methods(self, methods: str, line: int) -> None:
        """Follow a method of any class of the notebook: what follows is a remark."""
        for body in list(self._known.bodies.values()):
            names = [name for name in methods.split("|") if name in body.methods]
            if body.is_class and names:
                self._perhaps(partial(self._methods, body, names[:1], line, body), guess=True)

    def _perhaps_methods(self, name: str, names: Iterable[str], line: int) -> None:
        """Follow methods that an object of an unknown class may have."""
        if name in self._known.foreign or (name in KNOWN and name not in self._known.sure):
            return
        owners = [
            body
            for body in self._known.bodies.values()
            if body.is_class and any(each in body.methods for each in names)
        ]
        for owner in owners:
            self._perhaps(partial(self._methods, owner, names, line, owner))

    def _perhaps(self, follow: Callable[[], None], *, guess: bool = False) -> None:
        before = self._known
        self._known, self._doubt = before.copy(), self._doubt + 1
        self._guess += guess
        follow()
        self._guess -= guess
        self._doubt -= 1
        self._join([before, self._known])

    def _methods(
        self,
        body: Deferred,
        names: Iterable[str],
        line: int,
        owner: Deferred,
        is_inherited: bool = False,
    ) -> None:
        """Follow methods of a class, or those that it inherits, for an object of the class `owner`."""
        own = {} if is_inherited else body.methods
        for name in names:
            if name in own:
                self._owners.append(owner)
                self._enter(own[name], line)
                self._owners.pop()
        if not (missing := [name for name in names if name not in own]):
            return
        for base in body.bases:
            inherited = self._known.bodies.get(base)
            if inherited is not None and inherited is not body and inherited.is_class:
                self._methods(inherited, missing, line, owner)

    def _enter(self, body: Deferred, line: int) -> None:
        """Follow a body at its first call; again only if a name was missing then."""
        # What a method calls depends on the class of its object.
        key = (id(body), id(self._owners[-1]) if self._owners else 0)
        done = self._done_in_doubt if self._doubt or self._caught else self._done
        done = self._done_in_guess if self._guess else done
        if key in self._done or key in done or any(body is each for each in self._running):
            return
        if not self._running:
            self._call_line = line
        self._running.append(body)
        self._follow(body.events)
        self._running.pop()
        done.add(key)

    def _star(self, event: Event) -> None:
        names = star_names(event.name, self._analysis.notebook.path.parent)
        if names is None:
            self._source = self._source or f"'from {event.name} import *'"
        else:
            self._known.sure |= names

    def _opaque(self, event: Event) -> None:
        self._source = self._source or f"{event.name!r} (cell {self._cell.index})"

    def _branch(self, event: Event) -> None:
        before, ends = self._known, []
        self._doubt += 1
        for option in event.options:
            self._known = before.copy()
            self._follow(option)
            ends.append(self._known)
        self._doubt -= 1
        self._join(ends)

    def _try(self, event: Event) -> None:
        before, ends = self._known, []
        for place, option in enumerate(event.options):
            self._known = before.copy()
            caught, doubt = int(event.catches and place == 0), int(place > 0)
            self._caught, self._doubt = self._caught + caught, self._doubt + doubt
            self._follow(option)
            self._caught, self._doubt = self._caught - caught, self._doubt - doubt
            ends.append(self._known)
        self._join(ends)

    def _join(self, ends: list[_Known]) -> None:
        sure = set.intersection(*(end.sure for end in ends))
        perhaps = set.union(*(end.sure | end.perhaps for end in ends)) - sure
        bodies = {name: body for end in ends for name, body in end.bodies.items()}
        objects = {
            name: body
            for name, body in ends[0].objects.items()
            if all(end.objects.get(name) is body for end in ends)
        }
        foreign = set.intersection(*(end.foreign for end in ends))
        self._known = _Known(sure, perhaps, bodies, objects, foreign)

    def _never_called(self, events: Iterable[Event]) -> None:
        """Report names that bodies read and no cell defines, though nothing is seen to call them."""
        for event in events:
            body = event.body
            if body is None:
                continue
            for inner in body.all_events():
                is_known = inner.name in KNOWN or inner.name in self._places
                if inner.kind in {"read", "change"} and not is_known | self._is_told(
                    inner.name, "info"
                ):
                    self._unknown_in(body, inner)

    def _unknown_in(self, body: Deferred, event: Event) -> None:
        if event.name in self._known.sure or self._source:
            return
        text = f"{event.name!r}, which {body.name or 'a lambda'} reads, is defined in no cell; nothing is seen to call it."
        self._report(event, "info", text)


def _is_answering(method: Deferred, name: str) -> bool:
    """Return whether an attribute executes a method: a property's, its setter's or its deleter's."""
    return method.is_property or name.endswith((".setter", ".deleter"))


def _definitions(analysis: Analysis) -> dict[str, tuple[int, int]]:
    """Return cell and line of the first binding by name, over all cells."""
    definitions: dict[str, tuple[int, int]] = {}
    for index, flow in analysis.flows.items():
        for name, line in flow.writes.items():
            definitions.setdefault(name, (index, line))
        for event in flow.flat:
            for inner in event.body.all_events() if event.body is not None else ():
                if inner.kind == "write":  # ``global x`` in a function
                    definitions.setdefault(inner.name, (index, inner.line))
    return definitions


def _seems_to_bind(text: str) -> Iterator[str]:
    """Yield the names that a text seems to bind though it does not parse."""
    for found in _BINDS.finditer(text):
        for part in found.groups():
            yield from re.findall(r"[A-Za-z_]\w*", part or "")


def _has_error(cell: NotebookCell) -> bool:
    return any(output.get("output_type") in {"error", "pyerr"} for output in cell.outputs)
