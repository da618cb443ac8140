"""Files that the cells of a notebook execute with ``%run``: scripts, modules and other notebooks."""

import ast
import importlib.util
import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from penstock.provenance._loaded import executed_trees

_TAKES_VALUE = frozenset("blsTD")  # options of %run that are followed by a value


def run_files(node: ast.stmt) -> Iterator[str]:
    """Yield the lines behind each ``%run`` in a statement, as IPython rewrites it.

    >>> list(run_files(ast.parse("get_ipython().run_line_magic('run', '-i a.py 3')").body[0]))
    ['-i a.py 3']
    """
    for each in ast.walk(node):
        match each:
            case ast.Call(
                func=ast.Attribute(attr="run_line_magic"),
                args=[ast.Constant(value="run"), ast.Constant(value=str(line)), *_],
            ):
                yield line
            case ast.Call(func=ast.Attribute(attr="magic"), args=[ast.Constant(value=str(line))]):
                name, _, rest = line.lstrip("%").partition(" ")
                if name == "run":
                    yield rest


def executed_statements(line: str) -> list[ast.stmt | str] | None:
    """Return what a ``%run`` executed: statements, and of a notebook the texts of its cells.

    Returns:
        None if the text is not known.
    """
    file = _file_of(line)
    if file is None:
        return None
    if file.suffix == ".ipynb":
        return _cells_of(file)
    trees = executed_trees(str(file))
    known = [each for each in trees if each is not None]
    return [node for each in known for node in each.body] if len(known) == len(trees) else None


def _file_of(line: str) -> Path | None:
    """Return the file that the line names, as IPython finds it; None if it is not there."""
    try:
        words = shlex.split(line)
    except ValueError:
        return None
    while words and words[0].startswith("-"):
        option = words.pop(0)
        if option == "-m" and words:
            return _module_file(words[0])
        if len(option) == 2 and option[1] in _TAKES_VALUE and words:  # noqa: PLR2004 - `-l 5`, not `-l5`
            words.pop(0)
    if not words:
        return None
    named = Path(words[0]).expanduser()
    found = next((p for p in (named, Path(f"{named}.py")) if p.is_file()), None)
    return None if found is None else Path.cwd() / found


def _module_file(name: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    return Path(spec.origin) if spec is not None and spec.origin else None


def _cells_of(file: Path) -> list[ast.stmt | str] | None:
    """Return the code cells of a notebook, with magics as calls; None if it cannot be read."""
    manager: Any = sys.modules.get("IPython.core.inputtransformer2")
    try:
        cells = json.loads(file.read_text("utf-8"))["cells"]
        texts = ["".join(each["source"]) for each in cells if each["cell_type"] == "code"]
        return [manager.TransformerManager().transform_cell(text) for text in texts]
    except (OSError, ValueError, LookupError, TypeError, AttributeError, SyntaxError):
        return None
