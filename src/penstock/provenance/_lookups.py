"""recording: capture Python's look-ups (audit events, ``os.stat``, ``os.environ``) in a block.

At most a single recorder is active in a process. The audit hook is added with the first recorder
and stays, as hooks do; without an active recorder the hook does nothing.
"""

import builtins
import importlib._bootstrap
import multiprocessing.process
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path, PurePath
from types import FrameType
from typing import Any

from penstock.provenance._callers import frame_at, is_import_statement
from penstock.provenance._own import is_own_code
from penstock.provenance._recorder import LookupRecorder

_active: LookupRecorder | None = None
_is_hooked = False
# Look-ups without an audit event are watched by a function that replaces the real function.
_PLACES: tuple[tuple[Any, str], ...] = (
    *((os, name) for name in ("stat", "lstat", "access", "readlink", "open", "getcwd")),
    (PurePath, "__str__"),  # the paths that native code receives
    (builtins, "__import__"),  # of modules that are loaded already
    (importlib._bootstrap, "_gcd_import"),  # noqa: SLF001 - the same, by `import_module`
)
_real: dict[str, Any] = {name: getattr(owner, name) for owner, name in _PLACES}
_start_process = multiprocessing.process.BaseProcess.start
_Environ: Any = type(os.environ)


class recording:  # noqa: N801 - a context manager, used as a function
    """Record Python's look-ups in the block; yields the LookupRecorder.

    Args:
        project: The project's folder, in which native reads are watched.
        skipped: Prefixes of paths that do not count.
    """

    def __init__(self, project: Path, skipped: Sequence[str] = ()) -> None:
        self._recorder = LookupRecorder(project, skipped)
        self._outer: LookupRecorder | None = None

    def __enter__(self) -> LookupRecorder:
        global _active
        _hook()
        self._outer, _active = _active, self._recorder
        _put_in_place()
        for environment in _environments():
            environment.__class__ = _WatchedEnviron
        return self._recorder

    def __exit__(self, *_error: object) -> None:
        global _active  # noqa: PLW0603 - see above
        _active = self._outer
        if self._outer is None:
            for owner, name in _PLACES:
                setattr(owner, name, _real[name])
            for environment in _environments():
                environment.__class__ = _Environ


def note_read(path: str) -> None:
    """Record that the running step's own code has read a file, in a process that was not watched."""
    if _active is not None:
        _note(_active, LookupRecorder.read_elsewhere, path)


def _environments() -> tuple[Any, ...]:
    return (os.environ, os.environb) if os.supports_bytes_environ else (os.environ,)


def _put_in_place() -> None:
    for owner, name in _PLACES:
        original = getattr(owner, name)
        if original is not _WATCHED[name]:  # the user's code may have installed a replacement
            _real[name] = original
            setattr(owner, name, _WATCHED[name])


def _hook() -> None:
    global _is_hooked  # noqa: PLW0603 - see above
    if not _is_hooked:
        _is_hooked = True
        sys.addaudithook(_take_event)
        _show_as_capable()
        process: Any = multiprocessing.process.BaseProcess
        process.start = _watched_start  # there is no event for it
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_forget_threads)


def _show_as_capable() -> None:
    """Declare the replacements in the sets of ``os`` that list the functions' abilities."""
    groups: list[set[Any]] = [os.supports_dir_fd, os.supports_effective_ids, os.supports_fd]
    for group in [*groups, os.supports_follow_symlinks]:
        group.update(_WATCHED[name] for name in _WATCHED if _real[name] in group)


def _forget_threads() -> None:
    """Drop the busy threads in a forked child, whose new threads may get the same numbers."""
    if _active is not None:
        _active.busy.clear()


def _take_event(event: str, arguments: tuple[Any, ...]) -> None:
    recorder = _active
    if recorder is not None and (handler := _HANDLERS.get(event)) is not None:
        if event in _OPENING_FOLDERS or (event == "open" and _opens_folder(arguments[2])):
            recorder.opened_folder(arguments[0])
        _note(recorder, handler, *arguments)


def _opens_folder(flags: Any) -> bool:
    return isinstance(flags, int) and bool(flags & getattr(os, "O_DIRECTORY", 0))


def _note(
    recorder: LookupRecorder, handler: Callable[..., None], *arguments: Any, **named: Any
) -> None:
    """Pass a look-up to a recorder, unless the recorder itself made the look-up."""
    thread = threading.get_ident()
    if thread in recorder.busy:
        return
    recorder.busy.add(thread)
    try:
        handler(recorder, *arguments, **named)
    except Exception as error:  # noqa: BLE001 - a user's look-up must not fail because of penstock
        recorder.never(f"a look-up could not be recorded ({type(error).__name__}: {error})")
    finally:
        recorder.busy.discard(thread)


_OPENING_FOLDERS = frozenset({"os.listdir", "os.scandir"})
_HANDLERS: dict[str, Callable[..., None]] = {
    "open": lambda recorder, path, _mode, flags: recorder.opened(path, flags),
    "os.listdir": lambda recorder, path: recorder.listed(path),
    "os.scandir": lambda recorder, path: recorder.listed(path, entries=True),
    "os.rename": lambda recorder, source, target, *_: recorder.moved(source, target),
    "os.link": lambda recorder, _source, target, *_: recorder.moved(None, target),
    "os.symlink": lambda recorder, _source, target, *_: recorder.moved(None, target),
    "os.mkdir": lambda recorder, path, *_: recorder.made_folder(path),
    "os.putenv": lambda recorder, name, _value: recorder.variable_set(name),
    "os.unsetenv": lambda recorder, name: recorder.variable_set(name),
    "sqlite3.connect": lambda recorder, name: recorder.connected(name),
    "import": lambda recorder, _name, file, *_: recorder.imported(file),
    "ctypes.dlopen": lambda recorder, name: recorder.loaded(name),
    "subprocess.Popen": lambda recorder, program, arguments, *_: recorder.started_program(
        program, arguments
    ),
    "os.system": lambda recorder, command: recorder.started_program(command, ()),
    "os.posix_spawn": lambda recorder, program, arguments, _: recorder.started_program(
        program, arguments
    ),
    "os.exec": lambda recorder, program, arguments, _: recorder.started_program(
        program, arguments
    ),
    "os.fork": lambda recorder: recorder.forks(),
    "builtins.input": lambda recorder, *_: recorder.never("it asks for input, which is not kept"),
}  # fmt: skip


class _WatchedEnviron(_Environ):  # type: ignore[misc] # the class of os.environ is not public
    """The environment while a step runs: records the variables that are looked up."""

    def __getitem__(self, key: Any) -> Any:
        passing = self.__dict__.get("_passing")
        try:
            value = super().__getitem__(key)
        except KeyError:
            self._note_one(key, None, frame_at(1))
            raise
        if passing == key:
            self.__dict__["_passing"] = None
        else:
            self._note_one(key, value, frame_at(1))
        return value

    def __iter__(self) -> Iterator[Any]:
        self._note_all(frame_at(1))
        for key in super().__iter__():
            self.__dict__["_passing"] = key  # iteration reads each item: recorded as a whole
            yield key
        self.__dict__["_passing"] = None

    def __len__(self) -> int:
        self._note_all(frame_at(1))
        return len(self._data)

    def __repr__(self) -> str:
        self._note_all(frame_at(1))
        return str(super().__repr__())

    def copy(self) -> dict[Any, Any]:
        self._note_all(frame_at(1))
        return {self.decodekey(name): self.decodevalue(value) for name, value in self._data.items()}

    def _note_one(self, key: Any, value: Any | None, frame: FrameType) -> None:
        if _active is not None and isinstance(key, str | bytes):
            text = None if value is None else os.fsdecode(value)
            _note(_active, LookupRecorder.variable, os.fsdecode(key), text, frame)

    def _note_all(self, frame: FrameType) -> None:
        if _active is not None:
            _note(_active, LookupRecorder.all_variables, frame)


def _watched_stat(path: Any, *arguments: Any, **named: Any) -> os.stat_result:
    return _look(_real["stat"], path, arguments, named)  # type: ignore[no-any-return] # what stat returns


def _watched_lstat(path: Any, *arguments: Any, **named: Any) -> os.stat_result:
    return _look(_real["lstat"], path, arguments, named)  # type: ignore[no-any-return] # what lstat returns


def _watched_access(path: Any, *arguments: Any, **named: Any) -> bool:
    return _look(_real["access"], path, arguments, named)  # type: ignore[no-any-return] # what access returns


def _watched_readlink(path: Any, *arguments: Any, **named: Any) -> Any:
    target = _look(_real["readlink"], path, arguments, named)
    if _active is not None:
        _note(
            _active, LookupRecorder.followed, _full(path, named), os.fsdecode(target), frame_at(1)
        )
    return target


def _watched_open(path: Any, flags: int, *arguments: Any, **named: Any) -> int:
    if _active is not None and named.get("dir_fd") is not None:  # the audit event does not have it
        _note(_active, LookupRecorder.opened, _full(path, named), flags)
    return int(_real["open"](path, flags, *arguments, **named))


def _watched_getcwd() -> str:
    if _active is not None:
        _note(_active, LookupRecorder.asked_for_folder, frame_at(1))
    return str(_real["getcwd"]())


def _look(real: Any, path: Any, arguments: Any, named: Any) -> Any:
    recorder = _active
    exists = False
    try:
        facts = real(path, *arguments, **named)
        exists = facts is not False
    finally:
        if recorder is not None and not isinstance(path, int):
            _note(recorder, LookupRecorder.looked, _full(path, named), frame_at(2), found=exists)
    return facts


def _full(path: Any, named: Any) -> Any:
    """Return a path relative to an open folder as an absolute path."""
    folder = named.get("dir_fd")
    if folder is None:
        return path
    with suppress(OSError):
        return os.path.join(_real["readlink"](f"/proc/self/fd/{folder}"), os.fsdecode(path))  # noqa: PTH118 - hot
    return None


def _watched_text(path: PurePath) -> str:
    text = str(_real["__str__"](path))
    if _active is not None and text.startswith(("/", "..")):
        _note(_active, LookupRecorder.named, text, frame_at(1))
    return text


def _watched_import(name: str, *arguments: Any, **named: Any) -> Any:
    if _active is not None and _is_own_and_loaded(name) and not is_import_statement(frame_at(1)):
        _note(_active, LookupRecorder.found_module, frame_at(1))
    return _real["__import__"](name, *arguments, **named)


def _watched_import_by_name(name: str, *arguments: Any, **named: Any) -> Any:
    if _active is not None and _is_own_and_loaded(name):
        caller = frame_at(2)  # of import_module: arguments from own code are in the step key
        if not is_own_code(caller.f_code.co_filename):
            _note(_active, LookupRecorder.found_module, caller)
    return _real["_gcd_import"](name, *arguments, **named)


def _is_own_and_loaded(name: str) -> bool:
    file = getattr(sys.modules.get(name), "__file__", None)
    return isinstance(file, str) and is_own_code(file)


def _watched_start(process: Any) -> None:
    _start_process(process)
    if _active is not None and getattr(process._popen, "method", "fork") != "fork":  # noqa: SLF001 - who was started how is told nowhere else
        _note(_active, LookupRecorder.started_worker, frame_at(1))


_WATCHED: dict[str, Any] = {
    "stat": _watched_stat,
    "lstat": _watched_lstat,
    "access": _watched_access,
    "readlink": _watched_readlink,
    "open": _watched_open,
    "getcwd": _watched_getcwd,
    "__str__": _watched_text,
    "__import__": _watched_import,
    "_gcd_import": _watched_import_by_name,
}
