"""Process-wide state (folder, environment, options), restored after a step.

Only loaded libraries are read. Random generators and threads are set before each step
anyway (see ``deterministic``).
"""

import contextlib
import gc
import itertools
import logging
import os
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from functools import cache, partial
from operator import attrgetter
from typing import Any

_SIGNALS = tuple(
    getattr(signal, name)
    for name in (
        "SIGINT",
        "SIGTERM",
        "SIGHUP",
        "SIGALRM",
        "SIGUSR1",
        "SIGUSR2",
        "SIGPIPE",
        "SIGCHLD",
    )
    if hasattr(signal, name)
)
_HOOKS = ("stdin", "stdout", "stderr", "excepthook", "displayhook")


class ProcessState:
    """The state of the process when recorded."""

    def __init__(self) -> None:
        self._parts, self._readers = _parts_of(tuple(map(sys.modules.__contains__, _LOADED)))
        self._noted = [read() for read in self._readers]
        self._environment = dict(os.environ._data)  # type: ignore[attr-defined] # noqa: SLF001 - a copy at the speed of a dict

    def set_back(self) -> list[str]:
        """Restore everything, and return the names of the changes."""
        changed = self._set_back_environment()
        if [read() for read in self._readers] == self._noted:
            return changed
        for (name, get, put), saved in zip(self._parts, self._noted, strict=True):
            if get() != saved:
                put(saved)
                changed.append(name)
        return changed

    def _set_back_environment(self) -> list[str]:
        held = os.environ._data  # type: ignore[attr-defined] # noqa: SLF001 - see above
        if held == self._environment:
            return []
        saved, changed = self._environment, []
        for name in [*{**held, **saved}]:
            if held.get(name) == saved.get(name):
                continue
            text = os.fsdecode(name)
            if name in saved:
                os.environ[text] = os.fsdecode(saved[name])
            else:
                del os.environ[text]
            if not text.startswith(_SET_BY_LIBRARIES):
                changed.append(f"the environment variable {text}")
            if text == "TZ" and hasattr(time, "tzset"):
                time.tzset()
        return changed


_Part = tuple[str, Callable[[], Any], Callable[[Any], object]]
_SET_BY_LIBRARIES = ("CUBLAS_", "CUDA_", "KMP_", "OMP_", "TORCH", "PYTORCH_", "RAY_", "TF_", "QT_")


@cache
def _parts_of(loaded: tuple[bool, ...]) -> tuple[Sequence[_Part], Sequence[Callable[[], Any]]]:
    """Return the observed items (name, getter, setter), and the getters alone.

    Args:
        loaded: For each library of `_LOADED` whether loaded.
    """
    chosen = itertools.compress(_LOADED.values(), loaded)
    parts = (*_ALWAYS, *itertools.chain.from_iterable(chosen))
    return parts, [get for _, get, _ in parts]


def _working_folder() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - hot
    except OSError:
        return ""


def _go_back(folder: str) -> None:
    with contextlib.suppress(OSError):
        os.chdir(folder or "/")


def _lists_of_sys() -> list[Any]:
    return [(sys.path, tuple(sys.path)), (sys.argv, tuple(sys.argv))]


def _set_lists_of_sys(saved: list[Any]) -> None:
    for name, (held, items) in zip(("path", "argv"), saved, strict=True):
        if tuple(held) != items:
            held[:] = items
        setattr(sys, name, held)


def _set_hooks(saved: tuple[Any, ...]) -> None:
    for name, held in zip(_HOOKS, saved, strict=True):
        setattr(sys, name, held)


def _set_collector(saved: tuple[bool, Any]) -> None:
    (gc.enable if saved[0] else gc.disable)()
    gc.set_threshold(*saved[1])


class _Warnings:
    """The filters of warnings. Filters that libraries add for themselves on import stay."""

    def __init__(self) -> None:
        self.held, self.items = warnings.filters, tuple(warnings.filters)
        self.show, self.loaded = warnings.showwarning, len(sys.modules)

    def __eq__(self, saved: object) -> bool:
        if not isinstance(saved, _Warnings) or self.show is not saved.show:
            return False
        if self.items == saved.items:
            return True
        if self.loaded > saved.loaded:
            saved.take_in(self.items)
        return self.items == saved.items

    __hash__ = None  # type: ignore[assignment] # compared only

    def take_in(self, items: tuple[Any, ...]) -> None:
        """Add filters for a message, a module or an own warning class, as libraries add them."""
        known = set(map(id, self.items))
        own = [
            each
            for each in items
            if id(each) not in known and (each[1] or each[3] or each[2].__module__ != "builtins")
        ]
        kept = {*known, *map(id, own)}
        self.items = tuple(each for each in items if id(each) in kept) if own else self.items


def _set_warnings(saved: _Warnings) -> None:
    saved.held[:] = saved.items  # type: ignore[index] # it is a list
    warnings.filters, warnings.showwarning = saved.held, saved.show
    warnings._filters_mutated()  # type: ignore[attr-defined] # noqa: SLF001 - as catch_warnings does


def _logging_state() -> tuple[Any, ...]:
    root = logging.getLogger()
    return (root.manager.disable, root.level, tuple(root.handlers), logging.raiseExceptions)


def _set_logging_state(saved: tuple[Any, ...]) -> None:
    root = logging.getLogger()
    logging.disable(saved[0])
    root.setLevel(saved[1])
    root.handlers[:] = saved[2]
    logging.raiseExceptions = saved[3]


_getsignal = sys.modules["_signal"].getsignal  # signal's own makes an enum of each answer
_umask = [0o022]


def _umask_now() -> int:
    """Read the mask for new files: reading needs setting, so the mask is set to the same value."""
    now = os.umask(_umask[0])
    if now != _umask[0]:
        os.umask(now)
        _umask[0] = now
    return now


def _signals() -> tuple[Any, ...]:
    return tuple(map(_getsignal, _SIGNALS))


def _set_signals(saved: tuple[Any, ...]) -> None:
    if threading.current_thread() is not threading.main_thread():
        return
    for number, handler in zip(_SIGNALS, saved, strict=True):
        if handler is not None and signal.getsignal(number) is not handler:
            signal.signal(number, handler)


def _module(name: str) -> Any:
    return sys.modules[name]


def _decimal_context() -> tuple[Any, ...]:
    """Return the arguments that rebuild decimal's context, with flags and traps as lists."""
    made: tuple[Any, ...] = _module("decimal").getcontext().__reduce__()
    return made


def _torch_state() -> tuple[Any, ...]:
    torch = _module("torch")
    if not hasattr(torch, "get_default_dtype"):  # torch is being imported
        return ()
    return (torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_num_threads())


def _set_torch_state(saved: tuple[Any, ...]) -> None:
    torch = _module("torch")
    if saved:
        torch.set_default_dtype(saved[0])
        torch.set_grad_enabled(saved[1])
        torch.set_num_threads(saved[2])


def _pictures_state() -> dict[str, Any]:
    held = _module("matplotlib").__dict__.get("rcParams", {})
    return {name: value for name, value in dict.items(held) if not name.startswith("backend")}


_ALWAYS: list[_Part] = [
    ("the working folder (os.chdir)", _working_folder, _go_back),
    # Finders stay: the library that added a finder needs it.
    ("sys.path or its kin", _lists_of_sys, _set_lists_of_sys),
    (
        "streams or hooks of sys",
        partial(attrgetter(*_HOOKS), sys),
        _set_hooks,
    ),
    ("the recursion limit", sys.getrecursionlimit, sys.setrecursionlimit),
    ("the switch interval", sys.getswitchinterval, sys.setswitchinterval),
    ("the filters of warnings", _Warnings, _set_warnings),
    ("the root logger", _logging_state, _set_logging_state),
    ("the umask", _umask_now, os.umask),
    ("signal handlers", _signals, _set_signals),
    ("the default timeout of sockets", socket.getdefaulttimeout, socket.setdefaulttimeout),
    (
        "the garbage collector",
        lambda: (gc.isenabled(), gc.get_threshold()),
        _set_collector,
    ),
]
_LOADED: dict[str, list[_Part]] = {
    "locale": [
        (
            "the locale",
            lambda: _module("_locale").setlocale(_module("locale").LC_ALL, None),
            lambda saved: _module("locale").setlocale(_module("locale").LC_ALL, saved),
        )
    ],
    "decimal": [
        (
            "the context of decimal",
            _decimal_context,
            lambda saved: _module("decimal").setcontext(saved[0](*saved[1])),
        )
    ],
    "numpy": [
        (
            "numpy.seterr",
            lambda: _module("numpy").geterr(),
            lambda saved: _module("numpy").seterr(**saved),
        ),
        (
            "numpy.set_printoptions",
            lambda: _module("numpy").get_printoptions(),
            lambda saved: _module("numpy").set_printoptions(**saved),
        ),
    ],
    "sklearn._config": [
        (
            "sklearn.set_config",
            lambda: _module("sklearn._config").get_config(),
            lambda saved: _module("sklearn._config").set_config(**saved),
        )
    ],
    "matplotlib": [
        (
            "matplotlib.rcParams",
            _pictures_state,
            lambda saved: dict.update(_module("matplotlib").rcParams, saved),
        )
    ],
    "torch": [("settings of torch", _torch_state, _set_torch_state)],
}
