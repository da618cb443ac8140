"""Labels: the class that a value means, in the target's own type; a single rule for all readers."""

from collections.abc import Sequence
from typing import Any

_ZERO_AND_ONE = {0, 1}


def plain_value(value: Any) -> Any:
    """Convert a numpy scalar to the equivalent Python value; return anything else unchanged.

    >>> plain_value("yes")
    'yes'
    """
    item = getattr(value, "item", None)
    return item() if callable(item) and getattr(value, "shape", None) == () else value


def read_label(value: Any, classes: Sequence[Any]) -> Any:
    """Return the class that a value means; None if the value means none of the classes.

    A value is the class itself, the text of a class (capitals do not count), or for numbers an
    equal number; true and false are also 1 and 0 where the classes are just those.

    >>> read_label("1", (0, 1)), read_label("YES", ("no", "yes")), read_label(True, (0, 1, 2))
    (1, 'yes', None)

    Args:
        value: A declared or received value.
        classes: The labels of the target.
    """
    for label in classes:
        if type(label) is type(value) and label == value:
            return label
    for label in classes:
        if _is_same_number(value, label, classes) or _same_text(value) == _same_text(label):
            return label
    return None


def _is_same_number(value: Any, label: Any, classes: Sequence[Any]) -> bool:
    if not isinstance(value, int | float) or not isinstance(label, int | float):
        return False
    if isinstance(value, bool) != isinstance(label, bool):
        return set(classes) <= _ZERO_AND_ONE and value == label
    return value == label


def _same_text(value: Any) -> str:
    """Format a value so that 1, 1.0 and "1" are the same text, and capitals do not count."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip().lower()
    return text.removesuffix(".0") if text.removesuffix(".0").lstrip("-").isdigit() else text
