"""Switches set before user code runs: global generators, thread counts, deterministic kernels.

Only libraries that are already imported are touched; a library imported while a step runs is seeded
as soon as the import ends, so that neither case draws fresh entropy and neither costs an import.
"""

import importlib
import importlib.abc
import importlib.util
import os
import random
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from penstock.provenance._loaded import StepRunning
from penstock.provenance._thread_pools import limited_threads, present_threads
from penstock.provenance._torch_switches import changed_switches, read_switches, set_switches
from penstock.provenance._variables import own_variable


@contextmanager
def deterministic(
    seed: int, threads: int | None, *, switches: bool = True
) -> Iterator[dict[str, Any]]:
    """Seed the global generators and set thread counts while the block runs.

    >>> with deterministic(7, None) as facts:
    ...     first = random.random()
    >>> with deterministic(7, None):
    ...     first == random.random()
    True
    >>> facts["seed"]
    7

    Args:
        seed: Seed for random, numpy's legacy generator and torch, from 0 to 2**31 - 1.
        threads: Threads for BLAS and OpenMP; None takes the number that the process has.
        switches: False to allow torch's faster kernels, whose results may differ.

    Yields:
        The facts to record: ``seed``, ``threads``, ``hash_seed``; after the block, if torch is
        loaded, ``switches`` as they are then, and those ``switched`` by the block.
    """
    random.seed(seed)
    _seed_numpy(seed)
    _seed_torch(seed, switches=switches)
    watcher = _SeedingWatcher(seed, switches=switches)
    sys.meta_path.insert(0, watcher)
    try:
        limits = limited_threads(present_threads() if threads is None else threads)
        with StepRunning(), limits as count:
            facts: dict[str, Any] = {
                "seed": seed, "threads": count, "hash_seed": own_variable("PYTHONHASHSEED"),
            }  # fmt: skip
            yield facts
    finally:
        sys.meta_path.remove(watcher)
    _record_switches(facts, switches=switches)


@contextmanager
def keep_generators() -> Iterator[None]:
    """Restore the caller's global random generators after the block.

    The generators are shared by all threads: of blocks in several threads the last to end restores
    the state from before the first. Earlier, the step of a different thread may be drawing.

    >>> random.seed(1)
    >>> with keep_generators():
    ...     random.seed(2)
    >>> after = random.random()
    >>> random.seed(1)
    >>> after == random.random()
    True
    """
    states = _caller_states()
    with _kept.lock:
        if not _kept.blocks:
            _kept.states = states
        _kept.blocks += 1
    depth = getattr(_inside, "depth", 0)
    _inside.depth = depth + 1
    try:
        yield
    finally:
        _inside.depth = depth
        with _kept.lock:
            _kept.blocks -= 1
            if not _kept.blocks:
                _set_caller_states(_kept.states)
            elif depth:  # a run inside of a step: the step goes on
                _set_caller_states(states)


class _Kept:
    """States of the generators before the first of the blocks that are open now."""

    def __init__(self) -> None:
        self.blocks = 0
        self.states: tuple[Any, Any] = (None, None)
        self.renew()

    def renew(self) -> None:
        """Create a new lock: in a forked child no thread would release the old lock."""
        self.lock = threading.Lock()


_kept, _inside = _Kept(), threading.local()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_kept.renew)


def _caller_states() -> tuple[Any, Any]:
    numpy_random = sys.modules.get("numpy.random")
    return random.getstate(), numpy_random.get_state() if numpy_random else None


def _set_caller_states(states: tuple[Any, Any]) -> None:
    random.setstate(states[0])
    if states[1] is not None:
        sys.modules["numpy.random"].set_state(states[1])


def generator_states() -> dict[str, Any]:
    """Return the states of the global generators of random, numpy and torch, as far as loaded.

    >>> random.seed(1)
    >>> kept = generator_states()
    >>> first = random.random()
    >>> set_generator_states(kept)
    >>> first == random.random()
    True
    """
    version, words, gauss = random.getstate()
    states: dict[str, Any] = {"random": [version, list(words), gauss]}
    numpy_random, torch = sys.modules.get("numpy.random"), sys.modules.get("torch")
    if numpy_random is not None:
        states["numpy"] = dict(numpy_random.get_state(legacy=False))
    if torch is not None:
        states["torch"] = torch.get_rng_state().numpy()
        if torch.cuda.is_available():
            states["cuda"] = [state.numpy() for state in torch.cuda.get_rng_state_all()]
    return states


def set_generator_states(states: Mapping[str, Any]) -> None:
    """Restore the states of the global generators that `generator_states` returned.

    A library that was loaded then and is not now is loaded: later draws depend on that.
    """
    version, words, gauss = states["random"]
    random.setstate((version, tuple(words), gauss))
    if "numpy" in states:
        importlib.import_module("numpy.random").set_state(states["numpy"])
    if "torch" in states:
        torch = importlib.import_module("torch")
        torch.set_rng_state(torch.from_numpy(states["torch"].copy()))
        if "cuda" in states:
            torch.cuda.set_rng_state_all(
                [torch.from_numpy(state.copy()) for state in states["cuda"]]
            )


def _seed_numpy(seed: int) -> None:
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None and hasattr(numpy_random, "seed"):
        numpy_random.seed(seed)


def _seed_torch(seed: int, *, switches: bool = True) -> None:
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "manual_seed"):
        return
    if _has_devices(torch):
        torch.manual_seed(seed)
    else:  # on absent devices each seed would be recorded with the calls that led here
        torch.default_generator.manual_seed(seed)
    set_switches(torch, deterministic=switches)


def _record_switches(facts: dict[str, Any], *, switches: bool) -> None:
    """Record torch's switches after a step, and set them again for the next step."""
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "get_deterministic_debug_mode"):
        return
    facts["switches"] = present = read_switches(torch)
    if switches and (changed := changed_switches(present)):
        facts["switched"] = changed
    if not switches or "switched" in facts:
        set_switches(torch, deterministic=True)


def _has_devices(torch: Any) -> bool:
    """Return whether torch may have more devices; they are not queried, as that breaks forks."""
    version = getattr(torch, "version", None)
    if version is None:  # torch is being imported
        return True
    built = (getattr(version, name, None) for name in ("cuda", "hip", "xpu", "mtia"))
    added = torch._C._get_privateuse1_backend_name()  # noqa: SLF001 - as torch.manual_seed asks
    return any(built) or torch.backends.mps.is_built() or hasattr(torch, added)


class ImportWatcher(importlib.abc.MetaPathFinder):
    """A finder that delegates to the rest, and calls a function after a module has loaded."""


class _SeedingWatcher(ImportWatcher):
    """Finder that seeds numpy and torch at the end of their import, if a step imports them."""

    def __init__(self, seed: int, *, switches: bool = True) -> None:
        self._seed = seed
        self._seeders = {
            "numpy.random": _seed_numpy,
            "torch": partial(_seed_torch, switches=switches),
        }

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self._seeders:
            return None
        spec = spec_of_others(self, fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = SeedingLoader(spec.loader, self._seeders[fullname], self._seed)
        return spec


def spec_of_others(
    watcher: importlib.abc.MetaPathFinder,
    fullname: str,
    path: Sequence[str] | None,
    target: ModuleType | None,
) -> ModuleSpec | None:
    """Return a module's spec from the finders that are not ours: two of ours would loop."""
    for finder in sys.meta_path:
        if finder is not watcher and not isinstance(finder, ImportWatcher):
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                return spec
    return None


class SeedingLoader(importlib.abc.Loader):
    """A loader that calls a function after a module has loaded.

    Args:
        inner: The loader that loads the module.
        seeder: The function to call.
        seed: The argument of the call.
    """

    def __init__(self, inner: Any, seeder: Any, seed: Any) -> None:
        self._inner, self._seeder, self._seed = inner, seeder, seed

    def __getattr__(self, name: str) -> Any:
        """Return the inner loader's attribute: reading data files and sources, package facts."""
        return getattr(self._inner, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """See Loader."""
        module: ModuleType | None = self._inner.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """See Loader."""
        # The module must see its own loader: packages read data files through it.
        module.__loader__ = self._inner
        if module.__spec__ is not None:
            module.__spec__.loader = self._inner
        self._inner.exec_module(module)
        self._seeder(self._seed)
