"""Names of a new project: folder, module, pipeline and model; each with separate rules."""

import builtins
import keyword
import re
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from penstock.core import ParameterError


@dataclass(frozen=True, slots=True)
class ProjectNames:
    """The project's names.

    Attributes:
        folder: Folder of the files.
        model: Name in the registry: legal in a URL.
        module: Name of the file and of the pipeline function: a legal Python name.
    """

    folder: Path
    model: str
    module: str


def choose_names(name: str, folder: Path | None = None) -> ProjectNames:
    """Convert the user's name to legal names.

    >>> names = choose_names("Bike rides")
    >>> names.folder.name, names.model, names.module
    ('bike-rides', 'bike-rides', 'bike_rides')

    Args:
        name: Project name, or a path whose last part is the name.
        folder: Folder of the files; by default a new folder of that name in the current folder.

    Raises:
        ParameterError: If the name has no letter or digit.
    """
    parent, last = _parent_of(name), Path(name).name
    model = re.sub(r"[^a-z0-9._-]+", "-", last.lower()).strip("-._")[:60].rstrip("-._")
    if not model:
        raise ParameterError(
            what=f"{name!r} is no name for a project.",
            why="Its model appears in URLs and commands: letters a to z, digits, '.', '_', '-'.",
            fix="Use for example 'churn'.",
            name=name,
        )
    return ProjectNames((folder or parent / model).absolute(), model, _module_name(model))


def _parent_of(name: str) -> Path:
    try:
        return Path(name).expanduser().parent
    except RuntimeError:  # ~someone who is unknown here: treated as a plain name
        return Path(name).parent


def _module_name(model: str) -> str:
    module = re.sub(r"\W+", "_", model).strip("_")
    if module[0].isdigit():
        module = f"p{module}"
    # A file called json.py or polars.py would hide the real package once the file runs.
    if _is_taken(module):
        module = f"{module}_pipeline"
    return module


def _is_taken(module: str) -> bool:
    if keyword.iskeyword(module) or keyword.issoftkeyword(module) or hasattr(builtins, module):
        return True
    if module in sys.stdlib_module_names or module in _USED_NAMES:
        return True
    spec = find_spec(module)
    return spec is not None and "site-packages" in str(spec.origin)


# Names that the generated file uses.
_USED_NAMES = frozenset({"ps", "date", "train", "clean", "table", "penstock", "test", "tests"})
