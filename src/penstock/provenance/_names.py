"""The records of the names that code reads: globals, closures, imports and queries' texts."""

import builtins
import sys
import time
from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from penstock.core import digest_json
from penstock.provenance._bytecode import Chain, Uses, find_uses
from penstock.provenance._computed import is_computing
from penstock.provenance._findings import Record
from penstock.provenance._frames import READS_FRAMES, words_of
from penstock.provenance._kinds import is_data
from penstock.provenance._modules import (
    all_modules,
    along,
    imported,
    is_own_value,
    note_computing,
    whole_module,
)

if TYPE_CHECKING:
    from penstock.provenance._walk import Walk

_LOCAL_TIME = frozenset(
    {"astimezone", "ctime", "fromtimestamp", "get_localzone", "localtime", "mktime", "now",
     "timestamp", "today", "tzlocal", "tzname"}
)  # fmt: skip
_COMMAND_LINE = frozenset({"parse_args", "parse_known_args", "parse_intermixed_args"})
_MISSING: Any = object()


def names_record(
    walk: "Walk", code: CodeType, scope: Mapping[str, Any], cells: Mapping[str, Any]
) -> Record:
    """Return the record of the current objects of the names that a code object reads."""
    uses = find_uses(code)
    walk.note_readers(uses.names)
    _note_process(walk, uses)
    edges: list[Any] = []
    for name in sorted(uses.globals):
        edges += _of_global(walk, name, code, scope, uses)
    # A closure may hold a module, whose attributes count singly.
    for name in sorted(uses.locals.keys() & cells.keys()):
        if isinstance(cells[name], ModuleType):
            for chain in sorted(uses.locals[name]):
                edges.append((name, chain, along(walk, cells[name], chain, name)))
    edges += imported(walk, code, scope, uses)
    if uses.names & READS_FRAMES:
        edges += _read_by_frames(walk, code, scope)
    # Code that reads its own namespace may use any name in it.
    if "globals" in uses.globals or uses.names & {"f_globals", "_getframe", "currentframe"}:
        edges.append(("globals", whole_module(walk, scope)))
    for line, name in uses.computed:
        walk.found.unfollowed.add(f"{walk.place(code.co_filename)}:{line}: {name}")
    return tuple(edges)


def _note_process(walk: "Walk", uses: Uses) -> None:
    """Record facts of the process that a library reads out of our sight."""
    if uses.names & (_LOCAL_TIME | _COMMAND_LINE):  # may be set at any time
        walk.steady.give_up()
    if uses.names & _LOCAL_TIME:
        walk.found.versions["time zone"] = f"{'/'.join(time.tzname)} {-time.timezone:+d} s"
    if uses.names & _COMMAND_LINE:  # read by argparse
        walk.found.versions["command line"] = digest_json(list(sys.argv[1:]))[-12:]


def _of_global(
    walk: "Walk", name: str, code: CodeType, scope: Mapping[str, Any], uses: Uses
) -> list[Any]:
    walk.steady.note_name(scope, name)
    value = scope.get(name, getattr(builtins, name, _MISSING))
    if value is _MISSING:
        return []
    if is_computing(name, value):
        note_computing(walk, code, name)
        return []
    if name not in scope and not is_own_value(value):
        return [(name, "of", "builtins")]  # Ray puts its own print there
    edges = _edges(walk, scope, name, value, uses.globals[name])
    _note_passed_on(walk, name, value, uses)
    return list(edges)


def _edges(
    walk: "Walk", scope: Mapping[str, Any], name: str, value: Any, chains: set[Chain]
) -> Iterator[Any]:
    if value is sys.modules:
        yield (name, all_modules(walk))
        return
    if not isinstance(value, ModuleType):
        chains = {()}
    for chain in sorted(chains):
        yield (name, chain, along(walk, value, chain, walk.value_place(scope, name)))


def _note_passed_on(walk: "Walk", name: str, value: Any, uses: Uses) -> None:
    if name in uses.values and isinstance(value, FunctionType):
        walk.found.passed_on.append(value)


def _read_by_frames(walk: "Walk", code: CodeType, scope: Mapping[str, Any]) -> list[Any]:
    """Return the record of the names in a query's text: tables and constants of the module."""
    words = words_of(code, scope)
    edges: list[Any] = []
    for name in sorted(scope):
        is_named = name in words
        if not is_named and (name.startswith("__") or not is_data(scope[name])):
            continue
        walk.lenient += not is_named  # unnamed values without a digest are ignored
        edges.append((name, along(walk, scope[name], (), walk.value_place(scope, name))))
        walk.lenient -= not is_named
    return edges
