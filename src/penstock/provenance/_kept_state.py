"""StateKeeper: steps of one run in one process, each of which finds the process as the first did."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from penstock.provenance._deterministic import ImportWatcher, SeedingLoader, spec_of_others
from penstock.provenance._module_state import ModuleState, is_own_module
from penstock.provenance._process_state import ProcessState


@dataclass(slots=True)
class StateChanges:
    """What a step changed in the process: set back, or lost where that is not possible."""

    undone: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


class StateKeeper:
    """Sets the process back after each step, so that no step sees what another one did.

    What code outside of the steps changes stays changed: make one for each run.
    """

    def __init__(self) -> None:
        self._modules: ModuleState | None = None

    @contextmanager
    def kept(self, *functions: Any) -> Iterator[StateChanges]:
        """Set the process back after the block.

        Args:
            functions: What is called in it: their closures and defaults are set back too.

        Yields:
            The changes; complete after the block.
        """
        if self._modules is None:
            self._modules = ModuleState()
        modules = self._modules
        modules.note_modules()
        for function in functions:
            modules.note(getattr(function, "__name__", "the step"), function)
        options = sys.modules.get("pandas._config.config")
        if options is not None:
            modules.note("options of pandas", options.__dict__.get("_global_config"))
        process, changes = ProcessState(), StateChanges()
        watcher = _OwnImports(modules)
        sys.meta_path.insert(0, watcher)
        try:
            yield changes
        finally:
            if watcher in sys.meta_path:
                sys.meta_path.remove(watcher)
            changes.undone = [*process.set_back(), *modules.set_back()]
            changes.lost, modules.lost = modules.lost, []


class _OwnImports(ImportWatcher):
    """Notes the user's modules as they are right after their import, while a step runs."""

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
