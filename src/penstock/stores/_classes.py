"""User classes by name: the same name in every process, whichever way a pipeline file was started.

A class of ``pipe.py`` is ``__main__.C`` under ``python pipe.py``, ``pipe.C`` under ``penstock run``
and in workers, and ``penstock_pipeline_pipe.C`` where a second module is called ``pipe``.
"""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

_MAIN = "__main__"
_PIPELINE = "penstock_pipeline_"
# Modules that are loaded from the recorded source of a model: ``penstock_recorded_1f0c….train``.
RECORDED = "penstock_recorded_"


def class_name(kind: Any) -> str:
    """Return the name of a class or function as ``module:qualname``, equal in every process.

    >>> class_name(Path)
    'pathlib:Path'
    """
    return f"{module_name(str(kind.__module__))}:{kind.__qualname__}"


def module_name(module: str) -> str:
    """Return the name of a module that is the same in all processes.

    >>> module_name("penstock_pipeline_train"), module_name("json")
    ('train', 'json')
    """
    if module == _MAIN:
        spec = getattr(sys.modules.get(_MAIN), "__spec__", None)
        if spec is not None:  # python -m package.module
            return str(spec.name).removesuffix(f".{_MAIN}")
        file = getattr(sys.modules.get(_MAIN), "__file__", None)
        return Path(file).stem if file else _MAIN
    if module.startswith(RECORDED):
        return module.partition(".")[2]
    return module.removeprefix(_PIPELINE)


def find_loaded(name: str) -> Any:
    """Return a loaded class or function by `class_name`; None if not loaded.

    Nothing is imported: reading a value must not run code named in the bytes.
    """
    module, _, qualname = name.partition(":")
    for loaded in _loaded_as(module):
        value: Any = loaded
        for part in qualname.split("."):
            value = getattr(value, part, None)
        if value is not None:
            return value
    return None


def is_findable(kind: Any) -> bool:
    """Return whether `find_loaded` returns this very class or function for the name."""
    return find_loaded(class_name(kind)) is kind


def _loaded_as(module: str) -> list[ModuleType]:
    names = [module, f"{_PIPELINE}{module}"]
    if module_name(_MAIN) == module:
        names.insert(0, _MAIN)
    return [sys.modules[name] for name in names if name in sys.modules]
