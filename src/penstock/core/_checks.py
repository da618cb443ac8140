"""Checks of arguments with one form of message: the name, the value, the allowed values."""

import math
from collections.abc import Iterable
from typing import Any, TypeGuard, TypeVar

from penstock.core._errors import ParameterError, PenstockError, did_you_mean
from penstock.core._words import with_article

T = TypeVar("T")


def require_number(
    name: str,
    value: object,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    whole: bool = False,
    why: str = "",
    error: type[PenstockError] = ParameterError,
) -> None:
    """Refuse a value that is no number of the range.

    >>> require_number("workers", 2, low=1, whole=True)
    >>> require_number("workers", 0, low=1, whole=True)
    Traceback (most recent call last):
        ...
    penstock.core._errors.ParameterError: workers is 0. Give a whole number of 1 or more.

    Args:
        name: Name of the argument.
        value: The value.
        low: Smallest value allowed.
        high: Largest value allowed.
        above: A bound that is not allowed itself.
        whole: Whether the number must be whole.
        why: Why the value matters, as a sentence.
        error: The error to raise.

    Raises:
        ParameterError: If the value is not allowed; True, False and NaN are no numbers.
    """
    if (
        _is_number(value, whole=whole)
        and (low is None or value >= low)
        and (high is None or value <= high)
        and (above is None or value > above)
    ):
        return
    raise error(
        what=f"{name} is {value!r}.",
        why=why,
        fix=f"Give a {'whole ' if whole else ''}number{_range(low, high, above)}.",
        **_by_name(name, value),
    )


def require_choice(
    name: str,
    value: T,
    allowed: Iterable[T],
    *,
    why: str = "",
    error: type[PenstockError] = ParameterError,
) -> T:
    """Refuse a value that is not among the allowed ones, and suggest the closest.

    >>> require_choice("runner", "proceses", ["local", "processes", "ray"])
    Traceback (most recent call last):
        ...
    penstock.core._errors.ParameterError: runner is 'proceses'. Did you mean 'processes'?

    Args:
        name: Name of the argument.
        value: The value.
        allowed: All values that are allowed.
        why: Why the value matters, as a sentence.
        error: The error to raise.

    Returns:
        The value.

    Raises:
        ParameterError: If the value is not allowed.
    """
    known = list(allowed)
    if value in known:
        return value
    raise error(
        what=f"{name} is {value!r}.",
        why=why,
        fix=did_you_mean(str(value), map(str, known)),
        **_by_name(name, value),
    )


def require_type(
    name: str,
    value: object,
    types: type | tuple[type, ...],
    fix: str,
    *,
    error: type[PenstockError] = ParameterError,
) -> None:
    """Refuse a value of the wrong type.

    >>> require_type("path", 3, str, 'Give a path: FileSource("rides.csv").')
    Traceback (most recent call last):
        ...
    penstock.core._errors.ParameterError: path is 3, an int. Give a path: FileSource("rides.csv").

    Args:
        name: Name of the argument.
        value: The value.
        types: Types that are allowed; True and False are no numbers.
        fix: How to fix the argument.
        error: The error to raise.

    Raises:
        ParameterError: If the value has the wrong type.
    """
    allowed = types if isinstance(types, tuple) else (types,)
    if isinstance(value, allowed) and (bool in allowed or not isinstance(value, bool)):
        return
    kind = value.__name__ if isinstance(value, type) else type(value).__name__
    shown = "None" if value is None else f"{kind!r}, a class"
    if value is not None and not isinstance(value, type):
        shown = f"{' '.join(repr(value).split()):.60}, {with_article(kind)}"
    raise error(what=f"{name} is {shown}.", fix=fix, **_by_name(name, value))


def require_reason(text: str, deed: str) -> str:
    """Refuse an empty reason for a deed that the history records.

    Args:
        text: The reason.
        deed: The deed, such as ``A rejection``.

    Returns:
        The reason, without surrounding space.

    Raises:
        ParameterError: If the reason is empty.
    """
    require_type("reason", text, str, "Give a sentence: reason=….")
    if text.strip():
        return text.strip()
    raise ParameterError(
        what=f"{deed} needs a reason.",
        why="The reason is recorded in the history.",
        fix="Give one with --reason, or reason=….",
    )


def _is_number(value: object, *, whole: bool) -> TypeGuard[float]:
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        return False
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return isinstance(value, int)  # a whole number beyond the range of floats
    return not math.isnan(number) and (not whole or number.is_integer())


def _range(low: float | None, high: float | None, above: float | None) -> str:
    if above is not None:
        return f" above {above:,g}" + (f" and up to {high:,g}" if high is not None else "")
    if low is not None and high is not None:
        return f" from {low:,g} to {high:,g}"
    if low is not None:
        return f" of {low:,g} or more"
    return f" up to {high:,g}" if high is not None else ""


def _by_name(name: str, value: Any) -> dict[str, Any]:
    """Return the value as an attribute of the error, if the name is legal for an attribute."""
    return {name: value} if name.isidentifier() and name not in {"what", "why", "fix"} else {}
