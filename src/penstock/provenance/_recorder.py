"""LookupRecorder: collects the look-ups and writes of a step, and makes the step's trace."""

import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from penstock.provenance._callers import (
    asks_for_state,
    caller_of,
    frame_at,
    is_asked_by_own_code,
    is_called_by_own_code,
    is_removing,
    reader_of_code,
    starter_of,
)
from penstock.provenance._children import Children
from penstock.provenance._inotify import watch_of
from penstock.provenance._own import is_own_code
from penstock.provenance._path_rules import PathRules
from penstock.provenance._places import (
    files_in,
    folder_at,
    named_place,
    parents,
    source_of,
)
from penstock.provenance._process_io import bytes_written_since, counters_of
from penstock.provenance._stamps import MISSING, Stamp, kind_of, stamp_of
from penstock.provenance._trace import (
    CWD,
    UNSTEADY,
    Trace,
    current_folder,
    list_digest,
    size_and_time,
    state_of,
    variable_digest,
)
from penstock.provenance._variables import all_variables, is_librarys_setting

_DRAIN_EVERY = 1_000
_MAX_PATH = 4_096
_NO_PATHS = frozenset({type(None), bool, int, float, bytes})
# Native code reads such files only in separate programs, or in editors and searches.
_TEXTS = frozenset(
    ".py .pyi .pyc .md .rst .ipynb .toml .yaml .yml .cfg .ini .lock .sh .html .css .js".split()  # noqa: SIM905 - read as one line
)
_late: dict[
    str, Stamp | None
] = {}  # code loaded by steps of this process: later steps use it without a look-up


class LookupRecorder:
    """The look-ups of a step so far.

    Args:
        project: The project's folder.
        skipped: Folders and path prefixes of penstock: those of the store.
    """

    def __init__(self, project: Path, skipped: Sequence[str] = ()) -> None:
        self.project = str(project)
        self.trace = Trace()
        self._returned: set[str] = set()
        self._paths = PathRules(self.project, skipped)
        self._read: dict[str, Stamp | None] = {}
        self._code: set[str] = set()
        self._native: set[str] = set()
        self._written: set[str] = set()
        self._appended: set[str] = set()
        self._made: set[str] = set()
        self._set: set[str] = set()
        self._opens = 0
        self._children = Children()
        self._folder_opens: Counter[str] = Counter()  # as far as Python reports them
        self._named: set[str] = set()
        self._asked: set[str] = set()  # look-ups by own code
        self.busy: set[int] = set()
        self._folder = current_folder(self.project)
        self._began = time.time_ns()
        self._counted = counters_of(os.getpid())
        self._watch = watch_of(self.project, self._paths.skipped)
        self._watch.start()

    # Events

    def opened(self, name: Any, flags: Any) -> None:
        path = self._path(name)
        if path is None:
            return
        self._opens += 1
        if self._opens % _DRAIN_EVERY == 0:
            self._watch.drain()
        if "/__pycache__/" in path:
            self._reads_compiled(path)
            return
        flags = flags if isinstance(flags, int) else 0
        writes = flags & (os.O_WRONLY | os.O_RDWR)
        if not writes:
            self._reads(path)
            return
        if not self._paths.counts(path):
            return
        self._children.report("written", path, None)
        if flags & os.O_APPEND:
            self._appended.add(path)
        elif flags & os.O_RDWR and not flags & (os.O_TRUNC | os.O_EXCL):
            self._reads(path)
        if not flags & os.O_APPEND:
            self._written.add(path)

    def moved(self, source: Any, target: Any) -> None:
        source, target = self._path(source), self._path(target)
        if source is not None:
            self._written.discard(source)
        if target is not None and self._paths.counts(target):
            self._children.report("written", target, None)
            self._written.add(target)

    def made_folder(self, name: Any) -> None:
        path = self._path(name)
        if path is not None and self._paths.counts(path) and kind_of(path) == MISSING:
            self._made.add(path)

    def listed(self, name: Any, *, entries: bool = False) -> None:
        """Record that a folder was listed; entries contain size and time without a look-up."""
        path = self._path(name if name not in {None, ""} else ".")
        if path is None or not self._paths.counts(path) or self._is_made(path):
            return
        if is_removing(frame_at(2)):
            return
        if entries and is_called_by_own_code(frame_at(2)):
            for each in filter(self._paths.counts, files_in(path)):
                self._note("stats", each, size_and_time(each))
        if path in self.trace.lists:
            return
        caller = caller_of(frame_at(2))
        if caller == "import" or (caller != "own" and self._paths.is_passing(path)):
            return
        self._note("lists", path, list_digest(path))
        self._watch_below(path)

    def opened_folder(self, name: Any) -> None:
        """Count a folder opened by Python: the kernel's further events are native code's."""
        path = self._path(name if name not in {None, ""} else ".")
        if path is not None:
            self._folder_opens[path] += 1

    def followed(self, path: Any, target: str, frame: FrameType) -> None:
        """Record the target of a symbolic link whose target was read."""
        place = self._path(path)
        if place is None or not self._paths.counts(place) or place in self.trace.links:
            return
        caller = caller_of(frame)
        if caller == "import" or (caller != "own" and not self._paths.is_in_project(place)):
            return
        if not f"{self.project}/".startswith(f"{place}/"):  # the project's location is not a result
            self._note("links", place, target)

    def connected(self, name: Any) -> None:
        path = self._path(str(name).removeprefix("file:").partition("?")[0])
        if path is None or path.endswith(":memory:"):
            return
        self._reads(path)
        log = f"{path}-wal"  # SQLite's: rows that are not in the database's file yet
        if kind_of(log) == "file":
            self._reads(log)
        elif self._paths.counts(log):
            self._note("exists", log, MISSING)

    def looked(self, path: Any, frame: FrameType, *, found: bool) -> None:
        """Record a check of whether a file or folder exists."""
        place = self._path(path)
        if place is None or place in self.trace.exists or not self._paths.counts(place):
            return
        if place in self._written or "/__pycache__" in place:
            return
        caller = caller_of(frame)
        if caller == "import" or (caller != "own" and not self._paths.is_in_project(place)):
            return
        if caller == "own" and found and asks_for_state(frame):
            if kind_of(place) == "file":
                self._note("stats", place, size_and_time(place))
            return
        if caller == "own":
            self._asked.add(place)
        if place not in self._read:
            self._note("exists", place, kind_of(place))
            self._watch_below(place)

    def variable(self, name: str, value: str | None, frame: FrameType) -> None:
        if name in self.trace.env or name in self._set:
            return
        if caller_of(frame) != "own" and is_librarys_setting(name):
            return
        if value is not None and value.startswith("/"):
            self._watch_below(os.path.normpath(value))
        self._note("env", name, variable_digest(name, value))

    def all_variables(self, frame: FrameType) -> None:
        if caller_of(frame) != "own" or self.trace.whole_env:
            return
        self._takes_whole_env()

    def variable_set(self, name: Any) -> None:
        text = os.fsdecode(name)
        if text not in self.trace.env:
            self._set.add(text)

    def started_program(self, program: Any, arguments: Any) -> None:
        self._children.are_there = True
        if caller_of(frame_at(2)) != "own":
            return
        words = [program, *arguments] if isinstance(arguments, list | tuple) else [program]
        told = os.path.basename(os.fsdecode(words[-1] if not words[0] else words[0]))  # noqa: PTH119 - no file is meant
        self.never(f"it starts a program ({told[:60]}), and what that reads is not all seen")
        for word in words:
            with suppress(TypeError, ValueError):
                text = os.fsdecode(word)
                if kind_of(text) == "file":
                    self.opened(text, os.O_RDONLY)

    def started_worker(self, frame: FrameType) -> None:
        """Record a process without shared memory: such look-ups cannot be received."""
        self._children.are_there = True
        if starter_of(frame) == "own":
            self.never("it starts processes by spawn or forkserver, and what they read is not seen")

    def forks(self) -> None:
        """Open the file that receives the look-ups of a forked process."""
        self._children.expect()

    def imported(self, file: Any) -> None:
        if file:
            self._reads(self._path(file), code=True)

    def found_module(self, frame: FrameType) -> None:
        """Record that a library looked up a loaded module of the user's by name.

        The code that runs then is unknown: all loaded code counts.
        """
        if not is_asked_by_own_code(frame):
            return
        for module in list(sys.modules.values()):
            path = getattr(module, "__file__", None)
            if isinstance(path, str) and path.endswith(".py") and is_own_code(path):
                if path not in self._read:
                    self._read[path] = stamp_of(path)
                    self._children.report("code", path, self._read[path])
                self._code.add(path)

    def loaded(self, name: Any) -> None:
        if isinstance(name, str | bytes) and kind_of(os.fsdecode(name)) == "file":
            self._reads(self._path(name))

    def never(self, reason: str) -> None:
        """Record why the result cannot be reused."""
        if reason not in self.trace.never:
            self._children.report("never", reason, None)
            self.trace.never.append(reason)

    def _note(self, kind: str, name: str, value: str | None) -> None:
        """Record the first state of a look-up, in the parent process too."""
        known: dict[str, str | None] = getattr(self.trace, kind)
        if name not in known:
            self._children.report(kind, name, value)
            known[name] = value

    # Places

    def _path(self, name: Any) -> str | None:
        """Return the absolute path of a look-up; a relative path begins in the current folder."""
        if isinstance(name, int):
            name = folder_at(name)
        path = None if name is None else self._paths.whole(name)
        if path is not None and self._paths.counts(path) and not os.fsdecode(name).startswith("/"):
            self.asked_for_folder()
        return path

    def asked_for_folder(self, frame: FrameType | None = None) -> None:
        """Record that a look-up depends on the current folder."""
        if frame is None or caller_of(frame) == "own":
            self._note("cwd", CWD, self._folder)

    def _is_made(self, path: str) -> bool:
        """Return whether a place is in a folder that the step itself has created."""
        return bool(self._made) and (path in self._made or not self._made.isdisjoint(parents(path)))

    def _reads_compiled(self, path: str) -> None:
        source = source_of(path) if path.endswith(".pyc") else None
        if source is not None:
            self._reads(source, code=True)

    def _reads(self, path: str | None, *, code: bool = False) -> None:
        if (
            path is None
            or path in self._read
            or path in self._written
            or not self._paths.counts(path)
        ):
            return
        if self._is_made(path):
            return
        if self._paths.is_passing(path) and caller_of(frame_at(1)) != "own":
            return
        if kind_of(path) == "folder":
            return
        if path.endswith(".py"):
            how = reader_of_code(frame_at(1))
            if how == "messages":
                return
            code = code or how == "import"
        self._read[path] = stamp_of(path)
        self._children.report("code" if code else "read", path, self._read[path])
        if code:
            self._code.add(path)
            _late[path] = self._read[path]

    def read_elsewhere(self, name: str) -> None:
        """Record a file that own code has read in a worker process; short-lived places count too."""
        path = self._path(name)
        if path is not None and self._paths.counts(path) and kind_of(path) == "file":
            self._read.setdefault(path, stamp_of(path))

    def _watch_below(self, path: str) -> None:
        if not self._paths.is_in_project(path) and path != "/" and self._paths.counts(path):
            kind = kind_of(path)
            if kind == "folder":  # not the whole disk or home for the sake of a folder in it
                is_above = f"{self.project}/".startswith(f"{path}/")
                self._watch.add(path, deep=path.count("/") > 1 and not is_above)
            elif kind == "file":
                self._watch.add(os.path.dirname(path), deep=False)  # noqa: PTH120 - hot

    def named(self, text: str, frame: FrameType) -> None:
        """Watch a place outside of the project whose path was made: native code may read that place."""
        if text not in self._named and is_asked_by_own_code(frame):
            self._named.add(text)
            self._watch_below(os.path.abspath(text))  # noqa: PTH100 - symbolic links stay as they are

    def names(self, values: Iterable[Any]) -> None:
        """Watch the places outside of the project that a step's arguments and constants name."""
        for value in values:
            text = os.fspath(value) if isinstance(value, str | os.PathLike) else None
            place = named_place(text) if isinstance(text, str) and len(text) < _MAX_PATH else None
            if place is not None:
                with suppress(ValueError):
                    self._watch_below(place)

    def returns(self, value: Any, depth: int = 3) -> None:
        """Record the files that a step returns as paths."""
        if type(value) in _NO_PATHS:
            return
        if isinstance(value, str | os.PathLike):
            path = self._paths.whole(value) if len(str(value)) < _MAX_PATH else None
            is_path = isinstance(value, os.PathLike) or path in self._written
            if path is not None and is_path and path not in self._read and self._paths.counts(path):
                self._returned.add(path)
        elif depth and isinstance(value, list | tuple | set | dict):
            for item in value.values() if isinstance(value, dict) else value:
                self.returns(item, depth - 1)

    # The end

    def finish(self, *, declared: bool) -> dict[str, Any]:
        """Return the trace as plain JSON.

        Args:
            declared: True if the step declares all uses: then only a file that changed while the
                step ran makes the trace unfit for reuse.
        """
        if declared:
            self.trace.never.clear()
        self._take_children(declared=declared)
        self._take_native()
        self._take_read()
        self._take_written()
        # A folder that was created because it was missing, a file that a library looked for before
        # writing it: the step makes both whether they exist or not.
        if self.trace.exists:
            for path in (self._made | (self._written - self._asked)) & self.trace.exists.keys():
                del self.trace.exists[path]
        if not any(map(self.trace.__getattribute__, Trace.__slots__)):  # as most
            return {}
        return self._relative().compress().to_json()

    def _takes_whole_env(self) -> None:
        for name, value in all_variables().items():
            if name not in UNSTEADY and name not in self._set:
                self._note("whole_env", name, str(variable_digest(name, value)))

    def _take_children(self, *, declared: bool) -> None:
        """Add the look-ups that forked processes reported."""
        for kind, name, value in self._children.take():
            if kind == "never":
                if not declared:
                    self.never(name)
            elif kind == "written":
                self._written.add(name)
            elif kind not in {"read", "code"}:
                getattr(self.trace, kind).setdefault(name, value)
            elif name not in self._written:
                self._read.setdefault(name, tuple(value) if value else None)
                if kind == "code":
                    self._code.add(name)

    def _take_native(self) -> None:
        """Add the files that the kernel reported and Python did not."""
        read, written = self._watch.collect()
        if self._watch.overflowed:
            self.never("it opened more files at once than the system can tell of")
        if self._watch.is_partial and sys.platform == "linux":
            self.trace.limits.append("too many folders to watch: native reads are not all seen")
        elif self._watch.is_partial:
            self.trace.limits.append("this system does not tell which files native code opens")
        # Opened in a mode that allows writing, as SQLite does, and only read.
        untouched = {path for path in written if self._is_older(path)}
        read, written = read | untouched, written - untouched
        sent = bytes_written_since(self._counted) if written else 0
        for path in sorted(written):
            known = path in self._written or path in self._appended or path in self._read
            stamp = stamp_of(path)
            if known or stamp is None or self._is_text(path) or not self._paths.counts(path):
                continue
            if stamp[1] <= sent:  # else a different process wrote it
                self._written.add(path)
        for path in sorted(read - written):
            if path in self._read or path in self._written or path in self._appended:
                continue
            if self._paths.counts(path) and not self._is_text(path):
                self._read[path] = stamp_of(path)
                self._native.add(path)
        self._take_native_lists()

    def _is_older(self, path: str) -> bool:
        stamp = stamp_of(path)
        return stamp is not None and stamp[3] <= self._began

    def _take_native_lists(self) -> None:
        """Add the folders that native code listed to find the files read there."""
        if self._native:  # whether by relative paths is unknown
            self.asked_for_folder()
        for folder, opens in self._watch.folder_opens().items():
            if opens > self._folder_opens[folder] and any(
                path.startswith(f"{folder}/") for path in self._native
            ):
                self._note("lists", folder, list_digest(folder))

    def _is_text(self, path: str) -> bool:
        return not self._children.are_there and os.path.splitext(path)[1] in _TEXTS  # noqa: PTH122 - hot

    def _take_read(self) -> None:
        if _late:
            for path in _late.keys() - self._read.keys():
                self._read[path] = _late[path]
                self._code.add(path)
        for path, before in self._read.items():
            code = path in self._code
            after = stamp_of(path)
            late = path in self._native and after is not None and after[3] > self._began
            if before != after or late:
                self.never(f"{self._paths.short(path)} changed while it ran")
            kind = kind_of(path)
            if kind in {"other", "folder"}:
                continue
            if kind == MISSING:
                if before is None:
                    self.trace.exists[path] = MISSING
                continue
            target = self.trace.code if code else self.trace.files
            target[path] = state_of(path, as_code=code)

    def _take_written(self) -> None:
        for path in self._written | self._made | self._returned:
            lasting = path in self._returned or not self._paths.is_passing(path)
            hidden = "/." in path.removeprefix(self.project)
            if lasting and not hidden and kind_of(path) in {"file", "folder"}:
                self.trace.written[path] = state_of(path)

    def _relative(self) -> Trace:
        trace = self.trace
        for name in ("files", "code", "lists", "exists", "stats", "links", "written"):
            places = getattr(trace, name)
            if not places:
                continue
            setattr(trace, name, {self._paths.short(path): places[path] for path in sorted(places)})
        if self.project in trace.lists:
            trace.lists[""] = trace.lists.pop(self.project)
        return trace
