"""Workplace: executes the steps of a run in a process, each as if in a fresh process.

A step leaves a trace of all reads, and the process in the state before the step.
"""

import itertools
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any

from penstock.core import LogLine, now
from penstock.execution.step._homes import keep_home
from penstock.execution.step._outcome import Outcome
from penstock.execution.step._work import Work, do_work
from penstock.pipelines import Node, Output, Pipeline
from penstock.provenance import StateChanges, StateKeeper, is_own_code, is_own_module, recording
from penstock.stores import Store

_MAX_CHANGES = 8
_LOOKED_INTO = 100  # items of a container that are searched for paths
_SQLITE = "sqlite:///"
_PATHS, _CONTAINERS = (str, Path), (list, tuple, dict)
# The state of the process is shared: two runs in threads take turns at their steps.
_turn = threading.RLock()


class Workplace:
    """Executor of steps in sequence, which restores the state of the process after each.

    Args:
        store: Store of the values; nothing is recorded there.
        project: Folder of the user's code.
        pipeline: The pipeline, if known: the modules of the pipeline's project are used, and all
            state that the code reaches is restored.
        rank: Number of this process among those that execute each step together.
        keeper: Restores the process after each step; by default a new keeper.
    """

    def __init__(
        self,
        store: Store,
        project: Path,
        pipeline: Pipeline[..., Any] | None = None,
        *,
        rank: int | None = None,
        keeper: StateKeeper | None = None,
    ) -> None:
        self._store, self.project, self._rank = store, project, rank
        self._home = None if pipeline is None else Path(pipeline.file)
        self._functions = () if pipeline is None else (pipeline.function,)
        self._places = _places_of(store)
        self._keeper = StateKeeper() if keeper is None else keeper
        self._reported: set[str] = set()
        self._named: dict[FunctionType, list[Any]] = {}  # the same each time: state is restored

    def do(self, work: Work, inputs: Mapping[str, Any] | Exception) -> Outcome:
        """Execute a step on inputs and store the outputs, with a trace of all reads.

        Args:
            work: The step.
            inputs: Value by path, as in ``Node.inputs``; or the exception raised while loading
                them.
        """
        step = work.node.step
        with _turn, self._kept(step.function, *_run_by(work.node, inputs)) as changes:
            with recording(self.project, self._places) as recorder:
                recorder.names(self._named_values(work.node, inputs))
                outcome = do_work(self._store, work, inputs, rank=self._rank)
                recorder.returns(outcome.results)
            trace = recorder.finish(declared=bool(step.uses))
        if changes.lost:
            reason = f"it changed {', '.join(changes.lost)}, which cannot be set back"
            trace.setdefault("never", []).append(reason)
        outcome.facts["trace"] = trace
        lines = list(self._report(step.name, changes))
        return replace(outcome, logs=[*outcome.logs, *lines]) if lines else outcome

    def _kept(self, *functions: Any) -> AbstractContextManager[StateChanges]:
        if self._home is not None:
            keep_home(self._home)
        return self._keeper.kept(*self._functions, *functions)

    def _named_values(self, node: Node, inputs: Mapping[str, Any] | Exception) -> Iterator[Any]:
        """Iterate over texts and paths that may name files: arguments, values read."""
        yield from _texts(node.arguments)
        if not isinstance(inputs, Exception):
            yield from _texts(inputs)
        function = node.step.function
        if isinstance(function, FunctionType):
            if function not in self._named:
                self._named[function] = list(_texts_of_function(function, set()))
            yield from self._named[function]

    def _report(self, step: str, changes: StateChanges) -> Iterator[LogLine]:
        """Report once per step which state the step changed, and whether later steps see this."""
        if step in self._reported:
            return
        for names, effect in (
            (changes.undone, "set back, so that no other step sees it"),
            (changes.lost, "it cannot be set back, and other steps may see it"),
        ):
            if names:
                self._reported.add(step)
                more = len(names) - _MAX_CHANGES
                shown = ", ".join(names[:_MAX_CHANGES]) + (f" and {more} more" if more > 0 else "")
                yield LogLine(now(), "penstock", f"WARNING {step} changed {shown}: {effect}.")


def _places_of(store: Store) -> tuple[str, ...]:
    """Return the places of the store's own files: accesses there are no step's doing.

    A place that ends with a NUL is that path alone: a user's ``runs.db.csv`` beside ``runs.db``
    counts.
    """
    folder = ("/", "\0")
    kept: dict[str, tuple[str, ...]] = {str(store.journal.home): folder}
    if "://" not in store.artifacts.url:
        kept[store.artifacts.url] = folder
    if store.url.startswith(_SQLITE):
        # SQLite's own files beside it, the lock of the store, and the journals.
        kept[store.url.removeprefix(_SQLITE)] = ("\0", "-", ".lock\0")
    return tuple(
        f"{path}{ending}"
        for place, endings in kept.items()
        for path in dict.fromkeys((place, os.path.realpath(place)))
        for ending in endings
    )


def _run_by(node: Node, inputs: Mapping[str, Any] | Exception) -> Iterator[Any]:
    """Iterate over the functions among a step's values, and the classes of the remaining values."""
    values = () if isinstance(inputs, Exception) else inputs.values()
    for value in itertools.chain(node.arguments.values(), values):
        held: Any = value
        if type(value) is dict:
            held = next(iter(value.values()), None)
        elif type(value) is list or type(value) is tuple:
            held = next(iter(value), None)
        kind: Any = type(held)
        if kind is FunctionType:
            yield held
        elif kind is not Output and getattr(kind, "__module__", None) != "builtins":
            yield kind


def _texts(values: Any, depth: int = 3) -> Iterator[Any]:
    is_mapping = type(values) is dict or isinstance(values, Mapping)
    items = values.values() if is_mapping else values
    for item in itertools.islice(items, _LOOKED_INTO):
        if isinstance(item, _PATHS):
            yield item
        elif depth > 1 and isinstance(item, _CONTAINERS):
            yield from _texts(item, depth - 1)


def _texts_of_function(function: FunctionType, seen: set[int]) -> Iterator[Any]:
    """Iterate over texts and paths that a function reads, and those of own functions that are called."""
    code, scope = function.__code__, function.__globals__
    if id(code) in seen or len(seen) > _LOOKED_INTO or not is_own_code(code.co_filename):
        return
    seen.add(id(code))
    yield from _texts_of_code(code)
    names = _names_of_code(code)
    values = [scope[name] for name in names if name in scope]
    modules = [
        vars(each) for each in values if isinstance(each, ModuleType) and is_own_module(each)
    ]
    values += [held[name] for held in modules for name in names if name in held]
    values += [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
    yield from _texts([*values, *(function.__defaults__ or ())])
    for each in values:
        if isinstance(each, FunctionType):
            yield from _texts_of_function(each, seen)


def _is_filled(cell: CellType) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False


@lru_cache(maxsize=1_000)
def _names_of_code(code: CodeType) -> tuple[str, ...]:
    inner = (each for each in code.co_consts if isinstance(each, CodeType))
    return code.co_names + tuple(itertools.chain.from_iterable(map(_names_of_code, inner)))


@lru_cache(maxsize=1_000)
def _texts_of_code(code: CodeType) -> tuple[str, ...]:
    inner = (each for each in code.co_consts if isinstance(each, CodeType))
    texts = (each for each in code.co_consts if isinstance(each, str))
    own = tuple(each for each in texts if each.startswith(("/", "..", "~", "file://")))
    return own + tuple(itertools.chain.from_iterable(map(_texts_of_code, inner)))
