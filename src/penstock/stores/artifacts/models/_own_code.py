"""The user's classes and functions in a model, and the source files that define them; for writing."""

import ast
import os
import pickle
import sys
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from penstock.core import SerializationError
from penstock.stores._classes import RECORDED, class_name, find_loaded, module_name
from penstock.stores.artifacts._code import is_installed
from penstock.stores.artifacts.models._object_digest import digest_object
from penstock.stores.artifacts.models._recorded_code import (
    RecordedCode,
    load_recorded,
    recorded_text,
)
from penstock.stores.artifacts.models._source_slices import (
    Slice,
    compile_lambda,
    imported_names,
    lambda_name,
    lambdas_in_line,
    module_of_path,
    slice_modules,
    sliced,
)

_LAMBDA = "<lambda>"
_TOP = "Define it at the top level of a .py file of the project."


@dataclass(frozen=True, slots=True)
class OwnCode:
    """Definitions of the user's with their source.

    Args:
        names: ``module:name`` of each class and function, by id of the object.
        digests: Content digest of each definition, by name.
        source: The files that they reach, by path.
    """

    names: Mapping[int, str]
    digests: Mapping[str, str]
    source: Mapping[str, bytes]

    @property
    def facts(self) -> dict[str, Any]:
        """The facts of the code in the model's record."""
        return {"definitions": dict(self.digests)} if self.digests else {}


NO_CODE = OwnCode({}, {}, {})


def own_definitions(value: Any) -> list[Any]:
    """Return the user's classes and functions that a value holds or is made of.

    Raises:
        SerializationError: If a nested object does not expose state.
    """
    finder = _Finder()
    try:
        finder.dump(value)
    except Exception as error:
        raise SerializationError(
            what=f"The state of {type(value).__qualname__} cannot be read ({error}).",
            fix="Keep only arrays, plain values and estimators in its attributes.",
        ) from error
    return list(finder.found.values())


def is_own(value: Any) -> bool:
    """Return whether a class or function is the user's, and not of a package or of Python."""
    return isinstance(value, type | FunctionType) and not is_installed(value.__module__)


def gather_code(definitions: Iterable[Any]) -> OwnCode:
    """Gather the source of classes and functions, and check that these define the same again.

    Raises:
        SerializationError: If a definition is in no file, or the file has changed since.
    """
    definitions = list(definitions)
    files = _own_files() if definitions else {}
    names = {id(each): _name_of(each, files) for each in definitions}
    slices = _reach(files, [_pair(name) for name in names.values()])
    source = {path: text for path, text in files.items() if module_of_path(path) in slices}
    digests = {names[id(each)]: digest_object(each) for each in definitions}
    code = load_recorded(source, digests)
    for name, digest in digests.items():
        if digest_object(code[name]) != digest:
            raise SerializationError(
                what=f"{name} is not what its source file defines.",
                why="A model's own code is loaded from the recorded source. The file has changed since"
                " it was imported, or the definition depends on state that other code makes.",
                fix="Run again; keep what it needs in fitted attributes or in constants beside it.",
                name=name,
            )
    return OwnCode(names, digests, source)


def find_definitions(
    source: Mapping[str, bytes], digests: Mapping[str, str]
) -> Mapping[str, Any] | RecordedCode:
    """Return the classes and functions of a stored model by name.

    Those of this process are used if the code is the same, so that ``isinstance`` holds; the rest
    are loaded from the recorded source.

    Raises:
        SerializationError: If the source lacks a definition.
    """
    loaded = {name: find_loaded(name) for name in digests}
    if all(_is_same(loaded[name], digest) for name, digest in digests.items()) and _reach_is_same(
        source, loaded
    ):
        return loaded
    return load_recorded(source, digests)


def _reach(files: dict[str, bytes], wanted: Sequence[tuple[str, str]]) -> dict[str, Slice]:
    """Slice modules, and add files of the user's that needed code imports at a call."""
    while True:
        slices = slice_modules(files, wanted)
        known = {module_of_path(path) for path in files}
        reached = {
            place: text
            for name in imported_names(files, slices) - known
            for place, text in find_source(name).items()
        }
        if not reached.keys() - files.keys():
            return slices
        files |= reached


def _reach_is_same(source: Mapping[str, bytes], loaded: Mapping[str, Any]) -> bool:
    """Return whether the imports of definitions are as recorded, in this process too.

    A definition's digest has the modules called by name only.
    """
    here: dict[str, bytes] = {}
    for value in loaded.values():
        if str(value.__module__).startswith(RECORDED):
            here.update(recorded_text(str(value.__module__)))
    here = {**_own_files(), **here}
    wanted = [_pair(name) for name in loaded]
    try:
        ours, theirs = _reach(here, wanted), slice_modules(source, wanted)
        return _needed(here, ours) == _needed(source, theirs)
    except SyntaxError:
        return False


def _needed(files: Mapping[str, bytes], slices: Mapping[str, Slice]) -> dict[str, str]:
    return {
        path: ast.dump(sliced(text, slices[module_of_path(path)]))
        for path, text in files.items()
        if module_of_path(path) in slices
    }


def _is_same(value: Any, digest: str) -> bool:
    try:
        return value is not None and digest_object(value) == digest
    except SerializationError:
        return False


class _Nowhere:
    def write(self, data: Any) -> int:
        return len(data)


class _Finder(pickle.Pickler):
    """Meets every object that belongs to a value; the bytes are thrown away."""

    def __init__(self) -> None:
        super().__init__(_Nowhere(), 5)
        self.found: dict[int, Any] = {}

    def reducer_override(self, obj: Any) -> Any:
        if obj is str or not isinstance(obj, type | FunctionType):
            return NotImplemented
        if is_own(obj):
            self.found[id(obj)] = obj
        return str, ()


def _pair(name: str) -> tuple[str, str]:
    module, _, own = name.partition(":")
    return module, own


def _own_files() -> dict[str, bytes]:
    """Read the source of the user's loaded modules, by path from the folder of imports."""
    files = {}
    for name, module in list(sys.modules.items()):
        if is_installed(module_name(name)) or name.startswith(RECORDED):
            continue
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or not file.endswith(".py"):
            continue
        try:
            files[_path_of(module_name(name), module)] = Path(file).read_bytes()
        except OSError:
            continue
    return files


def find_source(name: str) -> dict[str, bytes]:
    """Return the file of a module that is not loaded, by path; nothing is imported or executed.

    Empty for modules of packages, and where there is no such file.
    """
    parts = name.split(".")
    # Of a module that is not loaded, is_installed would remember the answer.
    if parts[0] in sys.stdlib_module_names or (parts[0] in sys.modules and is_installed(name)):
        return {}
    folders, file = [Path(each or ".") for each in sys.path], None
    for part in parts:
        folders, file = _search(folders, part)
    if file is None or _is_packaged(str(file)):
        return {}
    path = name.replace(".", "/")
    try:
        return {f"{path}/__init__.py" if folders else f"{path}.py": file.read_bytes()}
    except OSError:
        return {}


def _search(folders: list[Path], name: str) -> tuple[list[Path], Path | None]:
    """Return the folders of a package, and a module's file, as an import would find them."""
    for folder in folders:
        if (file := folder / name / "__init__.py").is_file():
            return [file.parent], file
        if (file := folder / f"{name}.py").is_file():
            return [], file
    return [each / name for each in folders if (each / name).is_dir()], None  # without __init__.py


def _is_packaged(file: str) -> bool:
    installed = (sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))
    return any(file.startswith(f"{place}{os.sep}") for place in installed) or "-packages" in file


def _path_of(name: str, module: ModuleType) -> str:
    path = name.replace(".", "/")
    return f"{path}/__init__.py" if hasattr(module, "__path__") else f"{path}.py"


def _name_of(value: Any, files: dict[str, bytes]) -> str:
    module = module_name(str(value.__module__))
    if str(value.__module__).startswith(RECORDED):
        files.update(recorded_text(str(value.__module__)))
    text = next((text for path, text in files.items() if module_of_path(path) == module), None)
    if text is None:
        raise _unnamed(value, "is defined in a session without a file")
    if isinstance(value, FunctionType) and value.__name__ == _LAMBDA:
        return f"{module}:{_lambda_of(value, text)}"
    if "." in value.__qualname__:
        raise _unnamed(value, "is defined inside of a function or class")
    return class_name(value)


def _lambda_of(value: FunctionType, text: bytes) -> str:
    if value.__code__.co_freevars:
        raise _unnamed(value, "uses variables of the function around it")
    same = [
        node
        for node in lambdas_in_line(text, value.__code__.co_firstlineno)
        if _is_code_of(value.__code__, text, node)
    ]
    if len(same) != 1:
        raise _unnamed(value, "is not found in its file as it was imported")
    return lambda_name(same[0], value.__qualname__)


def _is_code_of(code: CodeType, text: bytes, node: ast.Lambda) -> bool:
    whole = compile_lambda(text, node, _LAMBDA, "<recorded>")
    # Lambdas among its defaults are compiled before it.
    *_, made = (each for each in whole.co_consts if isinstance(each, CodeType))
    return made.co_code == code.co_code and list(made.co_positions()) == list(code.co_positions())


def _unnamed(value: Any, reason: str) -> SerializationError:
    return SerializationError(
        what=f"{value.__module__}.{value.__qualname__} {reason}.",
        why="Own code is loaded from recorded source, by name.",
        fix=_TOP,
        name=value.__qualname__,
    )
