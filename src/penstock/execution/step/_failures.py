"""A failed step as an error line, and the traceback from the user's code on."""

import contextlib
import os
import traceback
from pathlib import Path
from types import CodeType, TracebackType

from penstock.core import PenstockError, redact
from penstock.provenance import is_own

_PENSTOCK = f"{Path(__file__).parents[2]}{os.sep}"
_TRANSPARENT = (_PENSTOCK, contextlib.__file__)
_MAX_TEXT = 500
_MAX_OWN_TEXT = 4_000  # our own sentences end with the fix
_MAX_TRACEBACK = 20_000


def failure_text(step: str, error: BaseException) -> str:
    """Describe a step's failure in a single line, with the user's file and line if known.

    >>> failure_text("train", ValueError("no rows"))
    "step 'train' failed: ValueError: no rows"
    """
    text, most = str(error), _MAX_OWN_TEXT
    if not isinstance(error, PenstockError):  # messages of PenstockError are on a single line
        text, most = text.strip().partition("\n")[0], _MAX_TEXT
    sentence = f"{type(error).__name__}: {text}" if text else type(error).__name__
    sentence = sentence if len(sentence) <= most else sentence[: most - 1] + "…"
    sentence, place = redact(sentence), _own_position(error.__traceback__)
    return f"step {step!r} failed: {sentence}" + (f" ({place})" if place else "")


def failure_traceback(error: BaseException, code: CodeType | None) -> str:
    """Format an exception's traceback from the user's code on; penstock's frames explain nothing.

    Args:
        error: The exception.
        code: Code of the step function; None if the step was not called.
    """
    start = error.__traceback__
    while start is not None and start.tb_frame.f_code is not code:
        start = start.tb_next
    is_alone = _below_penstock(start or error.__traceback__) is None
    start = start or _below_penstock(error.__traceback__)
    if is_alone and isinstance(error, PenstockError):
        return redact("".join(traceback.format_exception_only(error)))
    # An unexpected exception of penstock alone is a defect, which all of its frames explain.
    lines = traceback.format_exception(type(error), error, start or error.__traceback__)
    text = redact("".join(lines))
    if len(text) <= _MAX_TRACEBACK:
        return text
    half = _MAX_TRACEBACK // 2
    return f"{text[:half]}\n[…]\n{text[-half:]}"


def _below_penstock(trace: TracebackType | None) -> TracebackType | None:
    """Return the traceback without the frames of penstock and its context managers at the start."""
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_TRANSPARENT):
        trace = trace.tb_next
    return trace


def _own_position(trace: TracebackType | None) -> str:
    """Return the innermost line of the user's own code."""
    place = ""
    while trace is not None:
        path = Path(trace.tb_frame.f_code.co_filename)
        if is_own(path) or "ipykernel" in path.parts:
            place = f"{path.name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
