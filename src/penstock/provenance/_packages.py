"""Installed distributions and versions, read from folder names: metadata files cost 50 ms."""

import re
import sys
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from penstock.core import digest_bytes, digest_file

_FOLDER = re.compile(r"(?P<name>.+?)-(?P<version>\d[^-]*?)(?:-py3[^-]*)?\.(?:dist|egg)-info")
# Import name and distribution name differ, and no file of the distribution says so cheaply.
_OTHER_NAMES = {
    "PIL": "pillow",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}


def list_distributions() -> dict[str, str]:
    """List every installed distribution with version, sorted by name.

    >>> "polars" in list_distributions()
    True
    """
    return {name: version for name, (version, _) in sorted(_found(_search_path()).items())}


@lru_cache(maxsize=1024)
def package_version(module: str) -> str | None:
    """Return the version of the distribution that a top-level module comes from.

    >>> package_version("no_such_module_at_all") is None
    True

    Args:
        module: Import name of the top-level package, for example ``sklearn``.
    """
    installed = _found(_search_path())
    entry = installed.get(_normal(_OTHER_NAMES.get(module, module)))
    if entry:
        return entry[0]
    marks = tuple(f"\n{module}{end}".encode() for end in ("/__init__.py,", ".py,"))
    for version, folder in installed.values():
        try:
            record = b"\n" + (folder / "RECORD").read_bytes()
        except OSError:
            continue
        if any(mark in record for mark in marks):
            return version
    return None


@lru_cache(maxsize=4096)
def module_version(module: str) -> tuple[str, str]:
    """Return the distribution of a loaded module, by file where packages share a namespace.

    >>> module_version("polars.dataframe")[0]
    'polars'

    Args:
        module: Import name with dots.

    Returns:
        Name of the package, and the version; for a file that no distribution lists, the file's
        digest.
    """
    top = module.partition(".")[0]
    loaded = sys.modules.get(module)
    file = getattr(loaded, "__file__", None)
    version = None if _is_namespace(top) else package_version(top)
    if version is not None or file is None:
        return top, version or _unknown(loaded)
    for version, folder in _found(_search_path()).values():
        try:
            inside = Path(file).relative_to(folder.parent).as_posix()
            record = b"\n" + (folder / "RECORD").read_bytes()
        except (OSError, ValueError):
            continue
        if f"\n{inside},".encode() in record:
            return f"{module} ({folder.name.partition('-')[0]})", version
    return module, digest_file(Path(file)) if Path(file).is_file() else "unknown version"


def _is_namespace(top: str) -> bool:
    module = sys.modules.get(top)
    return (
        module is not None
        and getattr(module, "__file__", None) is None
        and hasattr(module, "__path__")
    )


def _unknown(module: ModuleType | None) -> str:
    """Compute the digest of a namespace package's files, or return ``unknown version``."""
    places = [Path(place) for place in getattr(module, "__path__", ())]
    files = sorted(file for place in places for file in place.rglob("*.py"))
    if not files:
        return "unknown version"
    return digest_bytes(*(file.read_bytes() for file in files))


def library_files(package: str) -> list[str]:
    """List the bundled binary libraries of a wheel (``numpy.libs``): they name the wheel's BLAS."""
    for place in _search_path():
        folder = Path(place) / f"{package}.libs"
        if folder.is_dir():
            return sorted(file.name for file in folder.iterdir())
    return []


def _search_path() -> tuple[str, ...]:
    return tuple(sys.path)


@lru_cache(maxsize=4)
def _found(places: tuple[str, ...]) -> dict[str, tuple[str, Path]]:
    versions: dict[str, tuple[str, Path]] = {}
    for place in places:
        folder = Path(place or ".")
        if not folder.is_dir():
            continue
        for entry in folder.glob("*-info"):
            match = _FOLDER.fullmatch(entry.name)
            if match:  # the first on the path is the imported distribution
                versions.setdefault(_normal(match["name"]), (match["version"], entry))
    return versions


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
