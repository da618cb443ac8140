"""Which modules are restored after a step: the user's by file, and the module of a notebook."""

from functools import cache
from pathlib import Path
from types import ModuleType

from penstock.provenance._own import is_own, is_pythons_own


def is_own_module(name: str, module: ModuleType | None) -> bool:
    """Return whether a module is the user's: by file, or as the module of a notebook."""
    file = getattr(module, "__file__", None)  # a stand-in for a module may return anything
    return is_own_name(name, file if isinstance(file, str) else None)


@cache
def is_own_name(name: str, file: str | None) -> bool:
    if name.partition(".")[0] == "penstock":
        return False
    if file is None:
        return name == "__main__"
    return file.endswith(".py") and is_own_file(file)


@cache
def is_own_file(file: str) -> bool:
    if file.startswith("<"):
        return not file.startswith(("<frozen", "<attrs", "<__array_function__"))
    if is_pythons_own(file):
        return False
    path = Path(file)
    return is_own(path) or (not path.is_file() and "site-packages" not in file)
