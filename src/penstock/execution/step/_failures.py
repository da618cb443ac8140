"""A failed step as an error line, and the traceback from the user's code on."""

import traceback
from pathlib import Path
from types import CodeType, TracebackType

from penstock.core import PenstockError
from penstock.provenance import is_own

_MAX_TEXT = 500
_MAX_TRACEBACK = 20_000


def failure_text(step: str, error: BaseException) -> str:
    """Describe a step's failure in a single line, with the user's file and line if known.

    >>> failure_text("train", ValueError("no rows"))
    "step 'train' failed: ValueError: no rows"
    """
    text = str(error)
    if not isinstance(error, PenstockError):  # messages of PenstockError are a single sentence
        text = text.strip().partition("\n")[0]
    sentence = f"{type(error).__name__}: {text}" if text else type(error).__name__
    sentence = sentence if len(sentence) <= _MAX_TEXT else sentence[: _MAX_TEXT - 1] + "…"
    place = _own_position(error.__traceback__)
    return f"step {step!r} failed: {sentence}" + (f" ({place})" if place else "")


def failure_traceback(error: BaseException, code: CodeType | None) -> str:
    """Format an exception's traceback from the frame of ``code`` on.

    Args:
        error: The exception.
        code: Code of the step function; None to include every frame.
    """
    start = error.__traceback__
    while start is not None and start.tb_frame.f_code is not code:
        start = start.tb_next
    text = "".join(traceback.format_exception(type(error), error, start or error.__traceback__))
    if len(text) <= _MAX_TRACEBACK:
        return text
    half = _MAX_TRACEBACK // 2
    return f"{text[:half]}\n[…]\n{text[-half:]}"


def _own_position(trace: TracebackType | None) -> str:
    """Return the innermost line of the user's own code."""
    place = ""
    while trace is not None:
        path = Path(trace.tb_frame.f_code.co_filename)
        if is_own(path) or "ipykernel" in path.parts:
            place = f"{path.name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
