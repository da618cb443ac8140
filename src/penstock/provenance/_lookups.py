"""recording: where Python tells of look-ups (audit events, ``os.stat``, ``os.environ``), for a block.

One recorder at a time in a process. The audit hook is added with the first one and stays, as hooks
do; it does nothing while no recorder is active.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from penstock.provenance._callers import frame_at
from penstock.provenance._recorder import Recorder

_active: Recorder | None = None
_is_hooked = False
_stat, _lstat = os.stat, os.lstat
_Environ: Any = type(os.environ)


class recording:  # noqa: N801 - a context manager, used as a function
    """Record what Python looks up in the block; gives the Recorder.

    Args:
        project: The project's folder; native reads are watched for in it.
        skipped: Beginnings of paths that do not count.
    """

    def __init__(self, project: Path, skipped: Sequence[str] = ()) -> None:
        self._recorder = Recorder(project, skipped)
        self._outer: Recorder | None = None

    def __enter__(self) -> Recorder:
        global _active
        _hook()
        self._outer, _active = _active, self._recorder
        os.stat, os.lstat = _watched_stat, _watched_lstat
        for environment in _environments():
            environment.__class__ = _WatchedEnviron
        return self._recorder

    def __exit__(self, *_error: object) -> None:
        global _active  # noqa: PLW0603 - see above
        _active = self._outer
        if self._outer is None:
            os.stat, os.lstat = _stat, _lstat
            for environment in _environments():
                environment.__class__ = _Environ


def _environments() -> tuple[Any, ...]:
    return (os.environ, os.environb) if os.supports_bytes_environ else (os.environ,)


def _hook() -> None:
    global _is_hooked  # noqa: PLW0603 - see above
    if not _is_hooked:
        _is_hooked = True
        sys.addaudithook(_take_event)


def _take_event(event: str, arguments: tuple[Any, ...]) -> None:
    recorder = _active
    if recorder is not None and (handler := _HANDLERS.get(event)) is not None:
        _note(recorder, handler, *arguments)


def _note(recorder: Recorder, handler: Callable[..., None], *arguments: Any, **named: Any) -> None:
    """Tell a recorder of a look-up, unless it is the recorder's own."""
    thread = threading.get_ident()
    if thread in recorder.busy:
        return
    recorder.busy.add(thread)
    try:
        handler(recorder, *arguments, **named)
    except Exception as error:  # noqa: BLE001 - a look-up of the user's must not fail for our sake
        recorder.never(f"a look-up could not be recorded ({type(error).__name__}: {error})")
    finally:
        recorder.busy.discard(thread)


_HANDLERS: dict[str, Callable[..., None]] = {
    "open": lambda recorder, path, _mode, flags: recorder.opened(path, flags),
    "os.listdir": lambda recorder, path: recorder.listed(path),
    "os.scandir": lambda recorder, path: recorder.listed(path),
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
}  # fmt: skip


class _WatchedEnviron(_Environ):  # type: ignore[misc] # the class of os.environ is not public
    """The environment while a step runs: notes which variables are looked up."""

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
            self.__dict__["_passing"] = key  # who goes through all asks for each: that is noted
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
            _note(_active, Recorder.variable, os.fsdecode(key), text, frame)

    def _note_all(self, frame: FrameType) -> None:
        if _active is not None:
            _note(_active, Recorder.all_variables, frame)


def _watched_stat(path: Any, *arguments: Any, **named: Any) -> os.stat_result:
    return _look(_stat, path, arguments, named)


def _watched_lstat(path: Any, *arguments: Any, **named: Any) -> os.stat_result:
    return _look(_lstat, path, arguments, named)


def _look(real: Any, path: Any, arguments: Any, named: Any) -> os.stat_result:
    recorder = _active
    found = False
    try:
        facts: os.stat_result = real(path, *arguments, **named)
        found = True
    finally:
        if recorder is not None and not isinstance(path, int) and not named.get("dir_fd"):
            _note(recorder, Recorder.looked, path, frame_at(2), found=found)
    return facts
