"""Origin of a look-up, read from the stack: own code, a library or Python's import system."""

import dis
import sys
from functools import cache
from pathlib import Path
from types import FrameType

from penstock.provenance._own import is_own

frame_at = sys._getframe  # noqa: SLF001 - the stack is what this module is about

_HERE = str(Path(__file__).parent)
_PACKAGE = str(Path(__file__).parents[1])
_OURS = frozenset({f"{_HERE}/{name}.py" for name in ("_recorder", "_lookups", "_callers")})
_EXISTENCE = frozenset(
    "exists lexists isfile isdir islink ismount is_file is_dir is_symlink is_mount realpath"  # noqa: SIM905 - read as one line
    " resolve _resolve samefile mkdir makedirs glob0 _glob0 _exists".split()
)
_PASSED_BY = frozenset(  # modules that look up on behalf of their callers
    "os posixpath genericpath pathlib glob shutil fnmatch tempfile collections.abc _collections_abc"  # noqa: SIM905 - read as one line
    " subprocess contextlib io codecs tokenize functools getpass locale gettext".split()
)
_IMPORT_NAME = dis.opmap["IMPORT_NAME"]
# Libraries that start any function passed to them in worker processes.
_STARTERS = ("multiprocessing", "concurrent", "joblib", "loky")


def caller_of(frame: FrameType | None) -> str:
    """Return the origin of a look-up: ``own`` code, a library (``other``), or ``import``."""
    for _ in range(30):
        if frame is None:
            break
        name = frame.f_globals.get("__name__", "")
        file = frame.f_code.co_filename
        if file.startswith("<frozen importlib") or name.startswith("importlib"):
            return "import"
        if file not in _OURS and name not in _PASSED_BY and not file.startswith("<frozen"):
            return "own" if _is_own_code(file) else "other"
        frame = frame.f_back
    return "other"


def is_called_by_own_code(frame: FrameType | None) -> bool:
    """Return whether own code itself makes a call, not a function that own code calls."""
    while frame is not None and frame.f_code.co_filename in _OURS:
        frame = frame.f_back
    return frame is not None and _is_own_code(frame.f_code.co_filename)


def is_removing(frame: FrameType | None) -> bool:
    """Return whether a folder is listed for removal, so that nothing depends on the contents."""
    while frame is not None and frame.f_code.co_filename in _OURS:
        frame = frame.f_back
    if frame is None or frame.f_globals.get("__name__") != "shutil":
        return False
    return "rmtree" in frame.f_code.co_name


def is_import_statement(frame: FrameType) -> bool:
    """Return whether a frame imports by a statement: those of own code are in the step key."""
    at = frame.f_code.co_code[frame.f_lasti] if frame.f_lasti >= 0 else 0
    return at == _IMPORT_NAME and _is_own_code(frame.f_code.co_filename)


def is_asked_by_own_code(frame: FrameType | None) -> bool:
    """Return whether own code caused a look-up, not penstock while storing a value."""
    while frame is not None and not frame.f_code.co_filename.startswith(_PACKAGE):
        if _is_own_code(frame.f_code.co_filename):
            return True
        frame = frame.f_back
    return False


def starter_of(frame: FrameType | None) -> str:
    """Return the origin of a start of worker processes, past the pools that start them."""
    while frame is not None and (
        frame.f_code.co_filename in _OURS
        or frame.f_globals.get("__name__", "").partition(".")[0] in _STARTERS
    ):
        frame = frame.f_back
    return caller_of(frame)


@cache
def _is_own_code(file: str) -> bool:
    if file.startswith("<"):
        return file.startswith(("<ipython", "<stdin", "<string", "<cell"))
    path = Path(file)
    return is_own(path) or (not path.is_file() and "site-packages" not in file)


def asks_for_state(frame: FrameType | None) -> bool:
    """Return whether a look-up reads more than the existence of a file."""
    while frame is not None and (name := frame.f_globals.get("__name__", "")) in _PASSED_BY:
        if frame.f_code.co_name in _EXISTENCE or name == "shutil":
            return False
        frame = frame.f_back
    return True


def reader_of_code(frame: FrameType | None) -> str:
    """Return the reason for reading a source file: ``import``, ``messages``, or any ``file``."""
    for _ in range(12):
        if frame is None:
            break
        name, file = frame.f_globals.get("__name__", ""), frame.f_code.co_filename
        if file.startswith("<frozen importlib") or name in {
            "runpy",
            "importlib._bootstrap_external",
        }:
            return "import"
        if name in {"warnings", "traceback", "logging", "penstock.provenance._loaded"}:
            return "messages"
        frame = frame.f_back
    return "file"
