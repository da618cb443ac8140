"""StateKeeper: steps of a run in a process, each of which starts from the same process state."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from penstock.provenance._deterministic import ImportWatcher, SeedingLoader, spec_of_others
from penstock.provenance._module_state import ModuleState
from penstock.provenance._own_names import is_own_module
from penstock.provenance._process_state import ProcessState


@dataclass(slots=True)
class StateChanges:
    """Changes of a step to the process: undone, or lost where undoing is not possible."""

    undone: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


class StateKeeper:
    """Restorer of the process state after each step, so that no step sees earlier changes.

    Changes by code outside of the steps stay: create a keeper for each run, unless the last run
    `is_current`.
    """

    def __init__(self) -> None:
        self._modules = ModuleState()
        self._watcher = _OwnImports(self._modules)

    def is_current(self) -> bool:
        """Return whether nothing changed since the last block: the keeper serves a further run."""
        return self._modules.is_unchanged()

    def kept(self, *functions: Any) -> "_Kept":
        """Return a block that restores the process; the block's changes are complete at the end.

        Args:
            functions: Functions called in the block, and classes of their arguments: all objects
                that they reach are restored.
        """
        return _Kept(self._modules, self._watcher, functions)


class _Kept:
    """A block after which the process state is restored."""

    def __init__(
        self, modules: ModuleState, watcher: "_OwnImports", functions: tuple[Any, ...]
    ) -> None:
        self._modules, self._watcher, self._functions = modules, watcher, functions
        self._changes = StateChanges()

    def __enter__(self) -> StateChanges:
        modules = self._modules
        for function in self._functions:
            modules.note_function(function)
        modules.note_modules()
        options = sys.modules.get("pandas._config.config")
        if options is not None:
            modules.note("options of pandas", options.__dict__.get("_global_config"))
        self._process = ProcessState()
        sys.meta_path.insert(0, self._watcher)
        return self._changes

    def __exit__(self, *_error: object) -> None:
        if self._watcher in sys.meta_path:
            sys.meta_path.remove(self._watcher)
        modules, changes = self._modules, self._changes
        changes.undone = [*self._process.set_back(), *modules.set_back()]
        changes.lost, modules.lost = modules.lost, []


class _OwnImports(ImportWatcher):
    """Recorder of the user's modules right after their import, while a step runs."""

    def __init__(self, modules: ModuleState) -> None:
        self._modules = modules

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See MetaPathFinder."""
        spec = spec_of_others(self, fullname, path, target)
        if spec is None or spec.loader is None or not spec.has_location:
            return spec
        stand_in = ModuleType(fullname)
        stand_in.__file__ = spec.origin
        if is_own_module(fullname, stand_in):
            spec.loader = SeedingLoader(spec.loader, self._modules.note_module, fullname)
        return spec
