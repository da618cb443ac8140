"""Names that a star import brings, where the text tells: the standard library and files beside the notebook."""

import ast
import importlib
import sys
from functools import lru_cache
from pathlib import Path

from penstock.notebooks._scopes import bound_names

# Modules of the standard library that star imports are written for; importing them does nothing else.
_PLAIN = frozenset(
    [
        "math",
        "cmath",
        "random",
        "itertools",
        "functools",
        "collections",
        "statistics",
        "typing",
        "os",
        "os.path",
        "time",
        "datetime",
        "decimal",
        "fractions",
        "operator",
        "string",
        "re",
        "json",
        "glob",
        "pathlib",
        "dataclasses",
        "enum",
        "copy",
    ]
)


def star_names(module: str, folder: Path) -> set[str] | None:
    """Return the names that ``from module import *`` binds; None if only an import would tell."""
    if module in _PLAIN and module.partition(".")[0] in sys.stdlib_module_names:
        return set(_library_names(module))
    file = folder / (module.replace(".", "/") + ".py")
    return _file_names(file) if module and file.is_file() else None


@lru_cache
def _library_names(module: str) -> frozenset[str]:
    loaded = importlib.import_module(module)
    names = getattr(loaded, "__all__", None) or [n for n in dir(loaded) if not n.startswith("_")]
    return frozenset(names)


def _file_names(file: Path) -> set[str] | None:
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return None
    stars = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.names[0].name == "*"]
    if stars:
        return None
    return {name for name in bound_names(tree.body) if not name.startswith("_")}
