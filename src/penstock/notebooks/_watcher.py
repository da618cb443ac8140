"""The order in which the cells of a live notebook really run, and the state of names that no file shows."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from penstock.notebooks._document import NotebookCell
from penstock.notebooks._events import CellFlow
from penstock.notebooks._flow import cell_flow


@dataclass(frozen=True)
class CellExecution:
    """An execution of a cell in a live kernel.

    Args:
        number: Number of the execution, from 1: the order in which cells ran.
        cell_id: Id of the cell, where the front end sends ids; else empty.
        source: The cell's text.
        flow: Events of names.
        versions: By name read, the version of the value.
        seconds: Duration; 0 while running.
        ok: True after an end without an exception.
    """

    number: int
    cell_id: str
    source: str
    flow: CellFlow = field(repr=False)
    versions: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    ok: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return the execution as plain JSON."""
        return {
            "number": self.number,
            "cell_id": self.cell_id,
            "source": self.source,
            "seconds": round(self.seconds, 6),
            "ok": self.ok,
        }


class CellWatcher:
    """Follows the cells of a live notebook.

    An id does not name a cell for sure: formats before 4.5 have none, and copies or files edited by
    hand may have one id in several cells. So the file is asked before a cell is said to have changed.

    >>> watcher = CellWatcher()
    >>> for source in ("x = 1", "y = x + 1", "x = 2"):
    ...     watcher.begin(source)
    []
    []
    []
    >>> watcher.begin("print(y)")
    ["'y' is out of date: cell [2] computed it from 'x', which cell [3] has changed since. Run it again."]
    """

    def __init__(self, texts: Callable[[str], Sequence[str] | None] = lambda _: None) -> None:
        """Begin to follow.

        Args:
            texts: Texts of the cells with an id, in the notebook's file; None if the file is unknown.
        """
        self._texts = texts
        self.executions: list[CellExecution] = []
        self._writer: dict[str, CellExecution] = {}
        self._version: dict[str, int] = {}
        self._newest: dict[str, CellExecution] = {}
        self._body_reads: dict[str, frozenset[str]] = {}
        self._earlier: dict[str, tuple[int, CellExecution | None, frozenset[str] | None]] = {}

    def begin(self, source: str, cell_id: str = "") -> list[str]:
        """Note that a cell begins; return hidden facts for readers of the file, as sentences.

        Args:
            source: Text of the cell.
            cell_id: Id of the cell, where the front end sends ids.
        """
        flow = cell_flow(NotebookCell(1, "code", source))
        number = len(self.executions) + 1
        reads = self._reads(flow)
        versions = {name: self._version.get(name, 0) for name in reads}
        execution = CellExecution(number, cell_id, source, flow, versions)
        warnings = [text for name in reads for text in self._hidden(name, execution)]
        self.executions.append(execution)
        if cell_id:
            self._newest[cell_id] = execution
        self._earlier = {}
        for name in {**flow.writes, **flow.changes}:
            before = (
                self._version.get(name, 0),
                self._writer.get(name),
                self._body_reads.pop(name, None),
            )
            self._earlier[name] = before
            self._version[name] = number
            self._writer[name] = execution
        self._body_reads |= flow.body_reads
        return list(dict.fromkeys(warnings))

    def _reads(self, flow: CellFlow) -> list[str]:
        """Return the names that an execution reads: its own, and those of the functions that it calls."""
        called = {event.name for event in flow.flat if event.kind in {"call", "pass"}}
        bodies = {**self._body_reads, **flow.body_reads}
        waiting, found = (
            sorted(flow.direct_reads | called),
            dict.fromkeys(sorted(flow.direct_reads)),
        )
        while waiting:
            more = sorted(bodies.pop(waiting.pop(), frozenset()))
            waiting += more
            found |= dict.fromkeys(more)
        return list(found)

    def end(self, seconds: float, *, ok: bool, unbound: Collection[str] = ()) -> None:
        """Note that the cell that began last has ended.

        Args:
            seconds: Duration of the cell, in seconds.
            ok: True after an end without an exception.
            unbound: Names that the text binds and the execution, which failed before, did not.
        """
        last = self.executions[-1]
        for name in set(unbound) & set(self._earlier) - set(last.flow.changes):
            version, writer, reads = self._earlier[name]
            self._version[name] = version
            self._writer.pop(name)
            if writer is not None:
                self._writer[name] = writer
            self._body_reads.pop(name, None)
            if reads is not None:
                self._body_reads[name] = reads
        done = CellExecution(
            last.number, last.cell_id, last.source, last.flow, last.versions, seconds, ok
        )
        self.executions[-1] = done
        for place in (self._writer, self._newest):
            place.update({name: done for name, each in place.items() if each is last})

    def _hidden(self, name: str, execution: CellExecution) -> list[str]:
        writer = self._writer.get(name)
        if writer is None:
            return []
        hidden = [*self._gone(name, writer), *self._stale(name, writer, set())]
        return [*hidden, *self._repeated(name, writer, execution)]

    def _gone(self, name: str, writer: CellExecution) -> list[str]:
        """Report a value of a text that the cell no longer has."""
        newest = self._newest.get(writer.cell_id)
        if newest is None or newest is writer or name in newest.flow.writes:
            return []
        texts = self._texts(writer.cell_id)
        if texts is not None and len(texts) > 1 and any(name in _bound(text) for text in texts):
            return []  # cells share the id, and one of them defines the name
        text = f"{name!r} is of an older text of its cell, run as [{writer.number}]"
        if texts is None:
            shared = f"or of a cell with the same id as [{newest.number}]"
            return [f"{text}, {shared}: if no cell defines it now, run the cells from the top."]
        return [f"{text}: no cell defines it now."]

    def _stale(self, name: str, writer: CellExecution, seen: set[int]) -> list[str]:
        """Report a value computed from a value that was changed since."""
        if writer.number in seen:
            return []
        for source, version in writer.versions.items():
            now = self._version.get(source, 0)
            changer = self._writer.get(source)
            if source == name or changer is None or changer is writer:
                continue
            if now != version:
                place = f"cell [{writer.number}] computed it from {source!r}"
                since = f"which cell [{now}] has changed since"
                return [f"{name!r} is out of date: {place}, {since}. Run it again."]
            deeper = self._stale(source, changer, {*seen, writer.number})
            if deeper:
                return [f"{name!r} was computed from {source!r}, and {deeper[0]}"]
        return []

    def _repeated(self, name: str, writer: CellExecution, execution: CellExecution) -> list[str]:
        """Report a cell that changes an input of the same cell a second time."""
        updates = name in execution.flow.writes or name in execution.flow.changes
        if not updates or not self._is_same_cell(writer, execution):
            return []
        return [
            f"{name!r} was changed by this cell before, as [{writer.number}], and is changed a second time."
        ]

    def _is_same_cell(self, one: CellExecution, other: CellExecution) -> bool:
        if not (one.cell_id and other.cell_id):
            return one.source == other.source
        if one.cell_id != other.cell_id or one.source == other.source:
            return one.cell_id == other.cell_id
        texts = self._texts(one.cell_id)  # edited, or a second cell with this id
        return texts is not None and len(texts) == 1


def _bound(source: str) -> Collection[str]:
    """Return the names that a cell binds."""
    return cell_flow(NotebookCell(1, "code", source)).writes
