"""Refusal: why a value of a request cannot be read; apart because all readers raise it."""

import math


class Refusal(Exception):  # noqa: N818 - never leaves the package: it becomes a DataError
    """An error for a value that cannot be read; the text is the remedy as a sentence."""


def as_float(value: float) -> float:
    """Return a number as a float; infinity for an integer beyond all floats."""
    try:
        return float(value)
    except OverflowError:
        return math.inf
