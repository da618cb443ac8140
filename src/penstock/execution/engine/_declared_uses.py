"""Digests of the uses that a step declares: files, modules, objects."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from penstock.core import NotFoundError, digest_json
from penstock.pipelines import Step
from penstock.provenance import CodeDigest


def declared_uses(
    step: Step[..., Any], project: Path, digest_object: Callable[[Any, str], CodeDigest]
) -> dict[str, str]:
    """Compute the digests of a step's declared ``uses``.

    Args:
        step: The step.
        project: Folder that paths are relative to.
        digest_object: Computes the digest of an object, including the code inside.

    Raises:
        NotFoundError: If a file does not exist.
    """
    digests: dict[str, str] = {}
    for value in step.uses:
        if isinstance(value, str | Path):
            digests[str(value)] = _file_digest(project / value, step)
        elif isinstance(value, ModuleType):
            files = _module_files(value)
            digests[value.__name__] = digest_json([_file_digest(path, step) for path in files])
        else:
            name = getattr(value, "__qualname__", type(value).__qualname__)
            digests[name] = digest_object(value, name).digest
    return digests


def _file_digest(path: Path, step: Step[..., Any]) -> str:
    if path.is_dir():
        files = sorted(item for item in path.rglob("*") if item.is_file())
        listed = [[item.relative_to(path).as_posix(), _file_digest(item, step)] for item in files]
        return digest_json(listed)
    try:
        with path.open("rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    except OSError as error:
        raise NotFoundError(
            what=f"Step {step.name!r} says that it uses {path}, which cannot be read"
            f" ({error.strerror}).",
            why="Its result depends on that file, so it counts in the step's key.",
            fix="Correct the path in uses=…; it is relative to the project's folder.",
            path=path,
        ) from error


def _module_files(module: ModuleType) -> list[Path]:
    """Return the file of a module; for a package, all Python files."""
    if hasattr(module, "__path__"):
        return sorted(path for place in module.__path__ for path in Path(place).rglob("*.py"))
    return [Path(module.__file__)] if module.__file__ else []
