"""Style sheet, scripts, icons and plotly's file: read once, named by content, cached long."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from penstock.core import NotFoundError

_FOLDER = Path(__file__).parent / "static"
_PLOTLY = "plotly.min.js"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file's bytes and media type."""

    data: bytes
    media_type: str


def asset(name: str) -> str:
    """Build a static file's URL; the URL changes with the files, so that browsers may be cached for ever."""
    return f"/static/{_stamp()}/{name}"


@lru_cache(maxsize=32)
def read_asset(name: str) -> Asset:
    """Read a static file by exact name; only the listed files can be read.

    Raises:
        NotFoundError: If there is no such file.
    """
    if name == _PLOTLY:
        return Asset(_plotly().read_bytes(), _TYPES[".js"])
    if name not in _names():
        raise NotFoundError(what=f"There is no static file {name!r}.")
    return Asset((_FOLDER / name).read_bytes(), _TYPES[Path(name).suffix])


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    return frozenset(path.name for path in _FOLDER.iterdir() if path.suffix in _TYPES)


@lru_cache(maxsize=1)
def _stamp() -> str:
    state = hashlib.sha256(version("plotly").encode())
    for name in sorted(_names()):
        state.update((_FOLDER / name).read_bytes())
    return state.hexdigest()[:12]


def _plotly() -> Path:
    # Found without importing: plotly takes half a second to import, and only the file is needed.
    spec = find_spec("plotly")
    places = (spec.submodule_search_locations or []) if spec else []
    for place in places:
        path = Path(place) / "package_data" / _PLOTLY
        if path.is_file():
            return path
    raise NotFoundError(
        what="plotly's script file is not in the installed plotly package.",
        fix='Run: pip install --force-reinstall "plotly>=6"',
    )
