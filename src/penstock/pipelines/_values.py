"""Conversion of parameter values: text or Python value to the annotated type, and to plain JSON."""

import inspect
import json
import math
import operator
import types
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, Union, get_args, get_origin

from penstock.core import ParameterError, StoredArgument, did_you_mean, parse_duration, with_article
from penstock.pipelines._hints import hint_name
from penstock.stores import dump_json, load_json

_PLAIN = frozenset({type(None), bool, int, str})
_TRUE, _FALSE = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})
_NONE = frozenset({"none", "null", ""})
_EXAMPLES: dict[Any, str] = {
    int: "3",
    float: "0.1",
    bool: "true",
    str: "TEXT",
    date: "2016-06-30",
    datetime: "2016-06-30T12:00",
    time: "12:00",
    timedelta: "10m",
    Path: "data.csv",
}
_LISTS: dict[Any, Callable[..., Any]] = {
    list: list,
    tuple: tuple,
    set: set,
    frozenset: frozenset,
}


class _Unfit(Exception):  # noqa: N818 - never leaves this file: it says no, it is no error
    """Raised for a value that does not fit a hint; has the allowed values and a suggestion."""

    def __init__(self, allowed: str, fix: str = "") -> None:
        super().__init__(allowed)
        self.allowed, self.fix = allowed, fix


def parse_value(value: object, hint: object, *, name: str) -> Any:  # Any: what the hint names
    """Convert a text or a Python value to a value of the annotated type.

    >>> parse_value("2016-06-30", date, name="cutoff")
    datetime.date(2016, 6, 30)
    >>> parse_value("1,2", list[int], name="depths")
    [1, 2]

    Args:
        value: Text or value.
        hint: The annotation: str, int, float, bool, date, datetime, time, timedelta, Path, an Enum,
            Literal, Optional, list, tuple, dict; values of different types pass unchanged.
        name: Name of the parameter, for the message.

    Raises:
        ParameterError: If the value cannot be used; the message has the allowed values.
    """
    if isinstance(value, StoredArgument):
        return _stored(value, name)
    try:
        return _parse(value, hint)
    except _Unfit as unfit:
        sample = f"Give for example {example(hint)}." if hint in _EXAMPLES else ""
        raise ParameterError(
            what=f"Parameter {name!r} is {_short(value)}.",
            why=f"It must be {unfit.allowed}.",
            fix=unfit.fix or sample,
            name=name,
            value=value,
        ) from unfit.__cause__


def dump_value(  # noqa: C901, PLR0912 - a table of cases by type
    value: Any,  # Any: its type decides
) -> Any:  # Any: JSON
    """Convert a typed value to plain JSON that ``parse_value`` reads back.

    >>> dump_value([date(2016, 6, 30), timedelta(minutes=90)])
    ['2016-06-30', '5400s']
    """
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is list and set(map(type, value)) <= _PLAIN:  # a long list is not checked twice
        return list(value)
    if kind.__module__ == "numpy" and getattr(value, "shape", None) == ():
        return str(value) if value.dtype.kind in "mMV" else dump_value(value.item())
    match value:
        case Enum():
            return value.name
        case float():
            return float.__pos__(value) if math.isfinite(value) else str(value)
        case int():
            return operator.index(value)
        case str():
            return str.__str__(value)
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return f"{value.total_seconds()!r}".removesuffix(".0") + "s"
        case Path():
            return str(value)
        case Mapping():
            return {str(key): dump_value(item) for key, item in value.items()}
        case set() | frozenset():
            return sorted((dump_value(item) for item in value), key=repr)
        case Sequence():
            return [dump_value(item) for item in value]
        case _:
            return str(value)


def dump_exact(value: Any, hint: Any) -> str | None:
    """Return the exact text of a value that `parse_value` would not read back from plain JSON.

    Returns:
        The exact text; None if plain JSON is enough.

    Raises:
        TypeError: If the value has no text.
    """
    if type(value) in _PLAIN:
        return None
    if type(value) is list and hint in (list, Any) and set(map(type, value)) <= _PLAIN:
        return None  # a long list is not read back to check this
    try:
        text = dump_json(value, exact=True)
    except (ValueError, RecursionError) as error:
        raise TypeError(str(error)) from error
    return None if _is_read_back(value, hint, text) else text


def _is_read_back(value: Any, hint: Any, text: str) -> bool:
    try:
        return dump_json(_parse(dump_value(value), hint), exact=True) == text
    except (_Unfit, TypeError, ValueError):
        return False


def _stored(argument: StoredArgument, name: str) -> Any:
    if argument.text is not None:
        return load_json(argument.text, strict=True)
    raise ParameterError(
        what=f"Parameter {name!r} was given from Python, and the run keeps only its text.",
        why="A parameter of another process, a resumed or a verified run is read from the run.",
        fix="Give text, numbers, dates or containers of them, and load the rest in a step.",
        name=name,
    )


def describe(hint: Any) -> str:
    """Describe the values that a hint allows.

    >>> describe(Literal["a", "b"]), describe(int | None)
    ("'a' or 'b'", 'int or None')
    """
    if get_origin(hint) is Annotated:
        return describe(get_args(hint)[0])
    if _is_union(hint):
        return " or ".join(describe(option) for option in get_args(hint))
    if get_origin(hint) is Literal:
        return " or ".join(repr(option) for option in get_args(hint))
    if inspect.isclass(hint) and issubclass(hint, Enum):
        return "one of " + ", ".join(member.name for member in hint)
    return "a value" if hint is Any else hint_name(hint)


def example(hint: Any) -> str:
    """Return an example text that a hint allows, for messages."""
    if _is_union(hint):
        return example(next(option for option in get_args(hint) if option is not type(None)))
    if get_origin(hint) is Literal:
        return str(get_args(hint)[0])
    if inspect.isclass(hint) and issubclass(hint, Enum):
        return next(iter(hint)).name
    if get_origin(hint) in _LISTS:
        item = example(next(iter(get_args(hint)), str))
        return f"{item},{item}"
    return _EXAMPLES.get(hint, "VALUE")


def _parse(value: Any, hint: Any) -> Any:
    origin = get_origin(hint)
    if hint is Any or isinstance(hint, str):
        return value
    if origin is Annotated:
        return _parse(value, get_args(hint)[0])
    if _is_union(hint):
        return _parse_union(value, hint)
    if origin is Literal:
        return _parse_literal(value, hint)
    if (origin or hint) in _LISTS:
        return _parse_list(value, hint)
    if (origin or hint) is dict:
        return _parse_dict(value, hint)
    if inspect.isclass(hint) and issubclass(hint, Enum):
        return _parse_enum(value, hint)
    if hint in _SIMPLE:
        return _SIMPLE[hint](value)
    if inspect.isclass(hint) and isinstance(value, str) and not issubclass(str, hint):
        _unfit(
            f"{with_article(hint_name(hint))}, which cannot be written as text; give it from Python"
        )
    return value


def _parse_union(value: Any, hint: Any) -> Any:
    options = get_args(hint)
    if type(None) in options:
        if value is None or (
            isinstance(value, str) and value.lower() in _NONE and str not in options
        ):
            return None
        if value == "None":
            return None
    kept = [option for option in options if option is not type(None)]
    exact = [option for option in kept if option is type(value)]
    for option in (*exact, *kept):
        try:
            return _parse(value, option)
        except _Unfit:
            continue
    return _unfit(describe(hint))


def _parse_literal(value: Any, hint: Any) -> Any:
    options = get_args(hint)
    for option in options:
        if value == option and type(value) is type(option):
            return option
    for option in options:
        if isinstance(value, str) and value == str(option):
            return option
    return _unfit(describe(hint), _meant(value, [str(option) for option in options]))


def _parse_enum(value: Any, hint: type[Enum]) -> Enum:
    if isinstance(value, hint):
        return value
    for member in hint:
        if str(value) in (member.name, str(member.value)):
            return member
    for member in hint:
        if isinstance(value, str) and value.lower() == member.name.lower():
            return member
    return _unfit(describe(hint), _meant(value, [member.name for member in hint]))


def _parse_list(value: Any, hint: Any) -> Any:
    origin, items = get_origin(hint) or hint, get_args(hint)
    if isinstance(value, str):
        value = _read_list(value, hint)
    if not isinstance(value, Sequence | set | frozenset):
        _unfit(describe(hint))
    if origin is tuple and items and Ellipsis not in items:
        if len(items) != len(value):
            _unfit(f"{describe(hint)}: {len(items)} values, not {len(value)}")
        return tuple(_parse(item, kind) for item, kind in zip(value, items, strict=True))
    kind = items[0] if items else Any
    if kind is Any:
        return _LISTS[origin](value)
    return _LISTS[origin](_parse(item, kind) for item in value)


def _read_list(text: str, hint: Any) -> Sequence[Any]:
    stripped = text.strip()
    if not stripped:
        return []
    if stripped.startswith("["):
        try:
            parsed = json.loads(stripped)
        except ValueError:
            parsed = None
        if isinstance(parsed, list):
            return parsed
        _unfit(f"{describe(hint)}, written as a,b,c or as a JSON list")
    return [item.strip() for item in stripped.split(",")]


def _parse_dict(value: Any, hint: Any) -> dict[Any, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise _Unfit('a JSON object, for example {"depth": 3}') from error
    if not isinstance(value, Mapping):
        _unfit(describe(hint))
    kinds = get_args(hint) or (Any, Any)
    return {_parse(key, kinds[0]): _parse(item, kinds[1]) for key, item in value.items()}


def _parse_int(value: Any) -> int:
    if isinstance(value, bool):
        _unfit("a whole number (int)")
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    try:
        return int(value) if isinstance(value, str) else _unfit("a whole number (int)")
    except ValueError:
        return _unfit("a whole number (int)")


def _parse_float(value: Any) -> float:
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            return float(value)
        except ValueError:
            pass
    return _unfit("a number (float)")


def _parse_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    return _unfit("true or false (bool)")


def _parse_text(value: Any) -> str:
    return value if isinstance(value, str) else _unfit("text (str)")


def _parse_date(value: Any) -> date:
    if isinstance(value, datetime):
        if value.time() == time(0):
            return value.date()
        _unfit("a date without a time of day (date)")
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        return _unfit("a date (YYYY-MM-DD)")


def _parse_datetime(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time(0))  # as written: a zone is added only where known
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return _unfit("a date and time (YYYY-MM-DDTHH:MM, with an offset if it has one)")


def _parse_time(value: Any) -> time:
    if isinstance(value, time):
        return value
    try:
        return time.fromisoformat(value)
    except (TypeError, ValueError):
        return _unfit("a time of day (HH:MM)")


def _parse_timedelta(value: Any) -> timedelta:
    try:
        return parse_duration(value)
    except (ParameterError, AttributeError, TypeError):
        return _unfit("a duration, for example '10m', '1h30m' or '7d'")


def _parse_path(value: Any) -> Path:
    return Path(value) if isinstance(value, str | Path) else _unfit("a path")


def _parse_none(value: Any) -> None:
    if value is None or (isinstance(value, str) and value.lower() in _NONE):
        return
    _unfit("None")


_SIMPLE: dict[Any, Callable[[Any], Any]] = {
    bool: _parse_bool,
    int: _parse_int,
    float: _parse_float,
    str: _parse_text,
    date: _parse_date,
    datetime: _parse_datetime,
    time: _parse_time,
    timedelta: _parse_timedelta,
    Path: _parse_path,
    type(None): _parse_none,
}


def _is_union(hint: Any) -> bool:
    return isinstance(hint, types.UnionType) or get_origin(hint) is Union


def _unfit(allowed: str, fix: str = "") -> NoReturn:
    raise _Unfit(allowed, fix)


def _meant(value: Any, known: Sequence[str]) -> str:
    suggestion = did_you_mean(str(value), known)
    return (
        suggestion if suggestion.startswith("Did") else ""
    )  # the list of all is in the message already


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"  # noqa: PLR2004 - one line of a terminal
