"""load_pipeline: find a pipeline by ``file.py:name`` or ``module:name``."""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from penstock.core import DefinitionError, NotFoundError, PenstockError, did_you_mean, find_project
from penstock.execution.step import enter_home
from penstock.pipelines import EntryPoint, Pipeline

_loading: ContextVar[bool] = ContextVar("penstock_loading", default=False)
_loaded: dict[Path, tuple[tuple[int, int], ModuleType]] = {}


class StopLoading(BaseException):
    """Raised to end the import of a file at a call that would start a run; not an error."""


def stop_while_loading() -> None:
    """Stop the import of a file that calls ``run`` outside functions.

    Everything above the call is defined, so `penstock run` can run the requested pipeline instead
    of every pipeline that the file would start.
    """
    if _loading.get():
        raise StopLoading


def load_pipeline(target: str | EntryPoint) -> Pipeline[..., Any]:
    """Load a pipeline from a file or a module.

    Args:
        target: ``file.py``, ``file.py:name`` or ``module:name``; no name is needed in a file with
            exactly one pipeline that is not a sub-pipeline. The file's folder, the project and the
            project's ``src`` become importable.

    Raises:
        NotFoundError: If there is no such file, module or pipeline.
        DefinitionError: If the file cannot be imported, or has several pipelines and no name is
            given.
    """
    entry = EntryPoint.parse(target) if isinstance(target, str) else target
    place, name = entry.module, entry.name
    module = module_of(place)
    pipelines = _pipelines_of(module)
    if name:
        return _named(pipelines, name, place)
    outermost = _outermost(pipelines)
    if len(outermost) == 1:
        return outermost[0]
    if not pipelines:
        raise NotFoundError(
            what=f"{place} defines no pipeline.",
            fix="Mark a function that calls steps with @pipeline.",
        )
    raise DefinitionError(
        what=f"{place} defines {len(pipelines)} pipelines: {', '.join(sorted(pipelines))}.",
        fix="Name one: " + " or ".join(f"{place}:{item}" for item in sorted(pipelines)[:3]) + ".",
    )


def load_function(target: str) -> Callable[..., Any]:
    """Load a function from a file or a module.

    Args:
        target: ``file.py:name`` or ``module:name``.

    Raises:
        NotFoundError: If there is no such file, module or function.
        DefinitionError: If the file cannot be imported.
    """
    place, _, name = target.rpartition(":")
    if not place:
        raise NotFoundError(
            what=f"{target!r} names no function.",
            fix="Give a file and a name: file.py:name.",
            name=target,
        )
    loaded = getattr(module_of(place), name, None)
    if not callable(loaded):
        known = [each for each, value in vars(module_of(place)).items() if callable(value)]
        raise NotFoundError(
            what=f"{place} has no function {name!r}.",
            fix=did_you_mean(name, known) or "Define it there.",
            name=name,
        )
    function: Callable[..., Any] = loaded
    return function


def module_of(file: str) -> ModuleType:
    """Load a file or module as `load_pipeline` does, and return the module.

    Raises:
        NotFoundError: If there is no such file or module.
        DefinitionError: If the file or module cannot be imported.
    """
    if file.endswith(".py"):
        return _load_file(Path(file))
    _require_no_other_path(Path(file))
    return _load_module(file)


def _require_no_other_path(path: Path) -> None:
    """Refuse a folder without modules and a file of the wrong type: neither is a module's name."""
    if path.is_dir() and not (path / "__init__.py").is_file():
        files = sorted(item.name for item in path.glob("*.py") if not item.name.startswith("test_"))
        raise NotFoundError(
            what=f"{path} is a folder.",
            why="A pipeline is defined in a file.",
            fix=f"Name the file: {', '.join(str(path / name) for name in files[:3])}."
            if files
            else "Give a file: FILE.py, or FILE.py:NAME.",
            path=path,
        )
    if path.is_file():
        raise NotFoundError(
            what=f"{path} is no Python file.",
            why="A pipeline is defined in a file that ends in .py.",
            fix=f"For a table: penstock new NAME --data {path} --target COLUMN",
            path=path,
        )


def _load_file(path: Path) -> ModuleType:
    path = path.resolve()
    if not path.is_file():
        nearby = (
            [str(item.name) for item in path.parent.glob("*.py")] if path.parent.is_dir() else []
        )
        raise NotFoundError(
            what=f"There is no file {path}.",
            fix=did_you_mean(path.name, nearby) or "Check the path; you are in " + str(Path.cwd()),
            path=path,
        )
    facts = path.stat()
    stamp = (facts.st_mtime_ns, facts.st_size)
    known = _loaded.get(path)
    # Also for a cached module: modules of a different project may be in place.
    enter_home(path)
    if known and known[0] == stamp:
        return known[1]
    module = _execute(path)
    _loaded[path] = (stamp, module)
    return module


def _execute(path: Path) -> ModuleType:
    name = path.stem
    other = sys.modules.get(name)
    # A pipeline's file must not shadow a standard module or a loaded module of the same name.
    if name in sys.stdlib_module_names or (
        other is not None and getattr(other, "__file__", None) != str(path)
    ):
        name = f"penstock_pipeline_{name}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise NotFoundError(what=f"{path} is no Python file.", fix="Give a file that ends in .py.")
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(name)
    sys.modules[name] = module
    token = _loading.set(True)
    try:
        spec.loader.exec_module(module)
    except StopLoading:
        pass
    except BaseException as error:
        _restore(name, before)
        if isinstance(error, PenstockError) or not isinstance(error, Exception):
            raise
        raise _import_error(path, error) from error
    finally:
        _loading.reset(token)
    return module


def _restore(name: str, before: ModuleType | None) -> None:
    if before is None:
        sys.modules.pop(name, None)
    else:
        sys.modules[name] = before


def _load_module(name: str) -> ModuleType:
    for folder in (find_project(), find_project() / "src", Path.cwd()):
        if folder.is_dir() and str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(name)
    except PenstockError:
        raise
    except ModuleNotFoundError as error:
        # A missing module inside the loaded file is an import error, not a missing pipeline.
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            files = [file.stem for file in Path.cwd().glob("*.py")]
            raise NotFoundError(
                what=f"There is no module {name!r}.",
                fix=did_you_mean(name, files) or "Give a file: file.py:name.",
                name=name,
            ) from error
        raise _import_error(Path(name), error) from error
    except Exception as error:
        raise _import_error(Path(name), error) from error


def _import_error(path: Path, error: Exception) -> DefinitionError:
    if isinstance(error, SyntaxError):
        text = f"{error.filename or path}:{error.lineno}: {error.msg}."
    else:
        trace, line = error.__traceback__, 0
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == str(path):
                line = trace.tb_lineno
            trace = trace.tb_next
        place = f"{path}:{line}" if line else str(path)
        text = f"{place}: {type(error).__name__}: {error}"
    return DefinitionError(
        what=text, why="The file cannot be imported.", fix="Correct it and try again.", path=path
    )


def _pipelines_of(module: ModuleType) -> dict[str, Pipeline[..., Any]]:
    """Return the pipelines defined in the module; imported pipelines only if there are none."""
    every: dict[str, Pipeline[..., Any]] = {}
    for name, value in vars(module).items():
        # `type`, not `isinstance`: a proxy may raise when asked for its class.
        if issubclass(type(value), Pipeline) and value not in every.values():
            every[name] = value
    own = {name: item for name, item in every.items() if item.__module__ == module.__name__}
    return own or every


def _outermost(pipelines: Mapping[str, Pipeline[..., Any]]) -> list[Pipeline[..., Any]]:
    """Return the pipelines that are not sub-pipelines."""
    used = {
        name
        for pipeline in pipelines.values()
        for name in _names_in(pipeline.function.__code__)
        if pipelines.get(name) is not pipeline
    }
    return [pipeline for name, pipeline in pipelines.items() if name not in used]


def _names_in(code: CodeType) -> set[str]:
    """Return the names that a function uses, including inner functions."""
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(*map(_names_in, inner))


def _named(
    pipelines: Mapping[str, Pipeline[..., Any]], name: str, place: str
) -> Pipeline[..., Any]:
    if name in pipelines:
        return pipelines[name]
    for item in pipelines.values():
        if name in {item.name, item.function.__name__}:
            return item
    raise NotFoundError(
        what=f"{place} has no pipeline {name!r}.",
        fix=did_you_mean(name, pipelines) or "Mark a function that calls steps with @pipeline.",
        name=name,
    )
