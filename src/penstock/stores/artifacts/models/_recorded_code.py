"""Classes and functions from recorded source, in modules of their own; nothing is looked up on a path.

Modules get a private name and an ``__import__`` that finds recorded files first. Other imports must
be of installed packages: a module of the user's that happens to be importable is refused.
"""

import ast
import builtins
import hashlib
import linecache
import sys
import threading
from collections.abc import Iterable, Mapping
from types import FunctionType, ModuleType
from typing import Any

from penstock.core import SerializationError, summarize_error
from penstock.stores._classes import RECORDED
from penstock.stores.artifacts._code import is_installed
from penstock.stores.artifacts.models._source_slices import (
    Slice,
    absolute_name,
    compile_lambda,
    find_lambda,
    is_defined,
    module_of_path,
    slice_modules,
    sliced,
)

_lock = threading.RLock()
_loaded: dict[str, "RecordedCode"] = {}


def load_recorded(source: Mapping[str, bytes], names: Iterable[str]) -> "RecordedCode":
    """Load definitions from recorded source files.

    Args:
        source: Files by path.
        names: Each definition as ``module:name``.

    Raises:
        SerializationError: If a name is not defined in the file, or the code cannot be executed.
    """
    names = tuple(sorted(set(names)))
    key = _key(source, names)
    with _lock:
        if key not in _loaded:
            _loaded[key] = RecordedCode(source, names, f"{RECORDED}{key[:16]}")
        return _loaded[key]


class RecordedCode:
    """Definitions that were loaded from recorded source files.

    Args:
        source: See `load_recorded`.
        names: See `load_recorded`.
        root: Package name for the loaded modules.
    """

    def __init__(self, source: Mapping[str, bytes], names: tuple[str, ...], root: str) -> None:
        self.root, self.source = root, dict(source)
        self._files = {module_of_path(path): (path, text) for path, text in source.items()}
        for name in names:
            self._require_defined(name)
        try:
            self._slices = slice_modules(source, [_split(name) for name in names])
            self._builtins = {**vars(builtins), "__import__": self._import}
            self._objects = {name: self._load(name) for name in names}
        except SerializationError:
            self._forget()
            raise
        except Exception as error:
            self._forget()
            raise SerializationError(
                what=f"The model's recorded source cannot be loaded: {summarize_error(error)}.",
                why="A model's own classes and functions are made from its recorded source alone.",
                fix="Install the packages that it imports; for code that needs files or the state of"
                " another program, move these into fitted attributes.",
            ) from error

    def __getitem__(self, name: str) -> Any:
        """Return the class or function of a name.

        Raises:
            SerializationError: If not requested.
        """
        if name not in self._objects:
            raise not_recorded(name)
        return self._objects[name]

    def _require_defined(self, name: str) -> None:
        module, own = _split(name)
        known = self._files.get(module)
        if known is None or not is_defined(known[1], own):
            raise not_recorded(name)

    def _load(self, name: str) -> Any:
        module, own = _split(name)
        place = self._module(module)
        path, text = self._files[module]
        anonymous = find_lambda(text, own)
        if anonymous is not None:
            # The name is one that no file can have; the recorded source is what is trusted.
            code = compile_lambda(text, anonymous[0], own, f"<recorded {path}>")
            exec(code, vars(place))  # noqa: S102
            value = vars(place)[own]
            _name_defaults(value, anonymous[0], anonymous[1].removesuffix(value.__name__))
            value.__qualname__ = anonymous[1]
        else:
            value = getattr(place, own)
        if getattr(value, "__module__", None) != place.__name__:
            raise not_recorded(name)
        return value

    def _module(self, name: str) -> ModuleType:
        full = f"{self.root}.{name}" if name else self.root
        if full in sys.modules:
            return sys.modules[full]
        parent, _, last = name.rpartition(".")
        above = self._module(parent) if name else None
        module = ModuleType(full)
        vars(module)["__builtins__"] = self._builtins
        source_slice = self._slices.get(name)
        module.__package__ = f"{self.root}.{source_slice.package}" if source_slice else full
        if source_slice is None or source_slice.package == name:
            module.__path__ = []
        sys.modules[full] = module
        if source_slice is not None:
            self._execute(module, name, source_slice)
        if above is not None:
            setattr(above, last, module)
        return module

    def _execute(self, module: ModuleType, name: str, source_slice: Slice) -> None:
        path, text = self._files[name]
        file = f"<recorded {path}>"
        lines = text.decode("utf-8", "replace").splitlines(keepends=True)
        linecache.cache[file] = (len(text), None, lines, file)
        exec(compile(sliced(text, source_slice), file, "exec"), vars(module))  # noqa: S102 - see the first line

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002 - the name that __import__ has
        locals: Mapping[str, Any] | None = None,  # noqa: A002 - the same
        fromlist: Iterable[str] | None = (),
        level: int = 0,
    ) -> Any:
        package = str((globals or {}).get("__package__") or "").removeprefix(f"{self.root}.")
        full = absolute_name(name, package, level)
        inner = [f"{full}.{each}" for each in fromlist or ()]
        if self._is_recorded(full) or any(self._is_recorded(each) for each in inner):
            with _lock:
                module = self._module(full)
                for each in inner:
                    if self._is_recorded(each):
                        self._module(each)
                return module if fromlist else self._module(full.partition(".")[0])
        module = builtins.__import__(name, globals, locals, tuple(fromlist or ()), level)
        if not is_installed(full):
            raise SerializationError(
                what=f"The model's code imports {full}, which is neither installed nor recorded.",
                why="A model's own code is loaded from its recorded source, never from what a folder"
                " happens to hold.",
                fix=f"Import {full} at the top of the file that uses it, so that it is recorded.",
                module=full,
            )
        return module

    def _is_recorded(self, name: str) -> bool:
        return any(each == name or each.startswith(f"{name}.") for each in self._files)

    def _forget(self) -> None:
        for name in [each for each in sys.modules if each.partition(".")[0] == self.root]:
            del sys.modules[name]


def _name_defaults(function: FunctionType, node: ast.Lambda, scope: str) -> None:
    """Name the lambdas among a lambda's defaults by the scope that all of them stood in."""
    arguments, named = node.args, function.__kwdefaults__ or {}
    values = [
        *(function.__defaults__ or ()),
        *(named.get(each.arg) for each in arguments.kwonlyargs),
    ]
    for value, default in zip(values, [*arguments.defaults, *arguments.kw_defaults], strict=True):
        if isinstance(default, ast.Lambda) and isinstance(value, FunctionType):
            value.__qualname__ = f"{scope}{value.__name__}"
            _name_defaults(value, default, scope)


def not_recorded(name: str) -> SerializationError:
    """Return the error for a class or function that recorded source does not define."""
    return SerializationError(
        what=f"The model names {name}, which its recorded source does not define.",
        why="A model's own classes and functions come from the recorded source alone; the file may"
        " not choose others.",
        fix="Do not use this file; train the model again.",
        name=name,
    )


def recorded_text(module: str) -> dict[str, bytes]:
    """Return the files that a module of recorded source was loaded with, by path."""
    root = module.partition(".")[0]
    code = next((each for each in _loaded.values() if each.root == root), None)
    return {} if code is None else code.source


def _split(name: str) -> tuple[str, str]:
    module, _, own = name.partition(":")
    return module, own


def _key(source: Mapping[str, bytes], names: Iterable[str]) -> str:
    state = hashlib.sha256()
    for path, text in sorted(source.items()):
        state.update(f"{path}\0{len(text)}\0".encode() + text)
    state.update("\0".join(names).encode())
    return state.hexdigest()
