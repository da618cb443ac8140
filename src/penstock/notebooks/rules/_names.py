"""NB2: names that a fresh kernel, going from top to bottom, does not know where they are read."""

import builtins
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from penstock.core import did_you_mean
from penstock.notebooks._document import NotebookCell
from penstock.notebooks._events import Deferred, Event
from penstock.notebooks._finding import FindingLevel, NotebookFinding
from penstock.notebooks.rules._analysis import Analysis, finding
from penstock.notebooks.rules._star_names import star_names

_IPYTHON = (
    "In Out _ __ ___ _i _ii _iii _ih _oh _dh get_ipython display exit quit open __name__ __doc__ "
    "__builtin__ __builtins__ __loader__ __spec__ __package__ _exit_code __session__"
)
_AUTOMATIC = "ls ll pwd who whos"  # magics that people write alone on a line, without a sign
KNOWN = frozenset({*dir(builtins), *_IPYTHON.split(), *_AUTOMATIC.split()})
_HISTORY = re.compile(r"_i?\d+")  # Out[3] and In[3]
_BINDS = re.compile(
    r"^\s*(?:(?:async\s+)?(?:def|class)\s+(?P<defined>\w+)|(?:from\s+\S+\s+)?import\s+(?P<imported>.*)"
    r"|for\s+(?P<loop>[\w\s,()]+?)\s+in\b|(?P<assigned>[\w\s,()\[\].]+?)\s*=(?!=)|with\b.*\bas\s+(?P<opened>\w+))",
    re.MULTILINE,
)
PYTHON_2 = frozenset(
    [
        "unicode",
        "xrange",
        "raw_input",
        "unichr",
        "long",
        "basestring",
        "execfile",
        "reduce",
        "cmp",
        "file",
        "coerce",
    ]
)
_CONSTRUCTORS = ("__init__", "__new__", "__post_init__", "__init_subclass__", "__set_name__")
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
    """

    sure: set[str] = field(default_factory=set)
    perhaps: set[str] = field(default_factory=set)
    bodies: dict[str, Deferred] = field(default_factory=dict)

    def copy(self) -> "_Known":
        return _Known(set(self.sure), set(self.perhaps), dict(self.bodies))


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
        self._caught = 0
        self._running: list[Deferred] = []
        self._call_line = 1
        self._done: set[int] = set()
        self._places = _definitions(analysis)

    def findings(self) -> list[NotebookFinding]:
        for cell in self._analysis.notebook.code_cells:
            self._cell = cell
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
        known = known or _HISTORY.fullmatch(name) is not None
        if known:
            return
        if self._caught:  # what follows in the try knows it, else a handler goes on
            self._known.sure.add(name)
            return
        if name in self._known.perhaps:
            self._report(event, "info", f"{name!r} is bound only under a condition above.")
            return
        place = self._places.get(name)
        level: FindingLevel = "warning" if self._doubt else "error"
        if name in self._unread and (place is None or place[0] > self._cell.index):
            text = f"{name!r} is defined in cell {self._unread[name]}, which is no Python 3."
            self._report(event, "info", text)
        elif self._source and place is None:
            text = f"{name!r} is defined in no cell; perhaps {self._source} defines it."
            self._report(event, "info", text)
        elif place is None:
            self._report(event, level, self._nowhere(name))
        else:
            self._report(event, level, self._later(name, *place))

    _change = _read

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
        self._known.sure.add(event.name)
        self._known.bodies.pop(event.name, None)

    _import = _write

    def _delete(self, event: Event) -> None:
        self._read(event)
        self._known.sure.discard(event.name)
        self._known.perhaps.discard(event.name)

    def _alias(self, event: Event) -> None:
        if event.other in self._known.bodies:
            self._known.bodies[event.name] = self._known.bodies[event.other]

    def _define(self, event: Event) -> None:
        if event.name:
            self._known.sure.add(event.name)
            if event.body is not None:
                self._known.bodies[event.name] = event.body

    def _call(self, event: Event) -> None:
        body = self._known.bodies.get(event.name)
        if body is None:
            for each in self._classes():
                self._methods(each, _CALLED, event.line)
        elif body.is_class:
            self._methods(body, _CONSTRUCTORS, event.line)
        else:
            self._enter(body, event.line)

    def _method(self, event: Event) -> None:
        for body in self._classes():
            self._methods(body, (event.other,), event.line)

    def _classes(self) -> list[Deferred]:
        return [body for body in self._known.bodies.values() if body.is_class]

    def _methods(self, body: Deferred, names: Iterable[str], line: int) -> None:
        for name in names:
            if name in body.methods:
                self._enter(body.methods[name], line)
        for base in body.bases:
            inherited = self._known.bodies.get(base)
            if inherited is not None and inherited is not body and inherited.is_class:
                self._methods(inherited, [name for name in names if name not in body.methods], line)

    def _enter(self, body: Deferred, line: int) -> None:
        """Follow a body at its first call; again only if a name was missing then."""
        if id(body) in self._done or any(body is each for each in self._running):
            return
        if not self._running:
            self._call_line = line
        self._running.append(body)
        self._follow(body.events)
        self._running.pop()
        if not self._doubt and not self._caught:
            self._done.add(id(body))

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
        self._known = _Known(sure, perhaps, bodies)

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
