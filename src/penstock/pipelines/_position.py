"""Positions in the user's code, ``file.py:31``; apart because every error names a position."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from penstock.provenance import is_own

_OURS = ("penstock.pipelines", "penstock.steps", "penstock.execution")


def caller_position() -> tuple[str, int]:
    """Return file and line of the nearest frame outside penstock's own machinery."""
    frame = sys._getframe(1)  # noqa: SLF001 - the documented way; inspect.stack reads every file
    while frame.f_back and str(frame.f_globals.get("__name__", "")).startswith(_OURS):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


def function_position(function: Callable[..., Any]) -> tuple[str, int]:
    """Return file and line where a function is defined."""
    code = getattr(function, "__code__", None)
    return (code.co_filename, code.co_firstlineno) if code else ("?", 0)


def error_position(traceback: TracebackType | None) -> tuple[str, int]:
    """Return the innermost file and line of the user's code in a traceback."""
    place = ("?", 0)
    while traceback:
        file = traceback.tb_frame.f_code.co_filename
        if is_own(Path(file)) or not os.path.exists(file):  # noqa: PTH110 - a notebook's cell has no file
            place = (file, traceback.tb_lineno)
        traceback = traceback.tb_next
    return place


def position_text(position: tuple[str, int]) -> str:
    """Return a position as text, relative to the current folder where that is shorter.

    >>> position_text(("/somewhere/far/big_tips.py", 31))
    '/somewhere/far/big_tips.py:31'
    """
    file, line = position
    here = os.getcwd() + os.sep  # noqa: PTH109 - text, and fast
    return f"{file.removeprefix(here)}:{line}"
