"""Checks of the arguments that sources have in common: types, before anything is read."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.core import DataError, ParameterError, require_type
from penstock.data._moments import TimeColumn

_PAIR = 2


def require_texts(owner: str, **values: Any) -> None:
    """Check that arguments are texts, or None where that is their default.

    Args:
        owner: Class of the source, for messages.
        values: Arguments by name.

    Raises:
        ParameterError: If one is something else.
    """
    for name, value in values.items():
        if value is not None:
            require_type(f"{name}= of {owner}", value, str, "Give a text.")


def require_address(owner: str, name: str, value: Any, example: str, *, paths: bool = False) -> str:
    """Check that an address is a text that is not empty, and return it.

    Args:
        owner: Class of the source, for messages.
        name: Name of the argument.
        value: What came.
        example: What could be given.
        paths: Whether a path object will do.

    Raises:
        ParameterError: If it is something else, or empty.
    """
    fix = f"Write {example}."
    require_type(f"{name} of {owner}", value, (str, os.PathLike) if paths else str, fix)
    text = os.fspath(value)
    if not isinstance(text, str) or not text.strip():
        raise ParameterError(what=f"{name} of {owner} is empty.", fix=fix)
    return text


def require_mapping(owner: str, name: str, value: Any, example: str) -> dict[str, Any]:
    """Check that an argument maps texts to values, and return a copy.

    Raises:
        ParameterError: If it is something else.
    """
    fix = f"Give a dict: {example}."
    require_type(f"{name}= of {owner}", value, Mapping, fix)
    for key in value:
        require_type(f"A name in {name}= of {owner}", key, str, fix)
    return dict(value)


def require_names(owner: str, name: str, value: Any, example: str) -> tuple[str, ...]:
    """Check that an argument is a list of texts, and return it as a tuple.

    Raises:
        ParameterError: If it is something else, such as a single text.
    """
    fix = f"Give a list: {example}."
    if isinstance(value, str):
        raise ParameterError(what=f"{name}= of {owner} is the text {value!r:.60}.", fix=fix)
    require_type(f"{name}= of {owner}", value, Sequence, fix)
    for each in value:
        require_type(f"A name in {name}= of {owner}", each, str, fix)
    return tuple(value)


def require_facts(name: str, facts: Any, *needed: str) -> Mapping[str, Any]:
    """Check that facts of an earlier reading tell what it read, and return them.

    Args:
        name: Name of the source.
        facts: What came.
        needed: Facts that reading again depends on.

    Raises:
        DataError: If they do not.
    """
    if isinstance(facts, Mapping) and all(each in facts for each in needed):
        return facts
    raise DataError(
        what=f"These facts do not tell what a reading of '{name}' read ({', '.join(needed)}).",
        why="They are of an earlier penstock, of another source, or no facts at all.",
        fix="Give store.metadata.artifacts.last_snapshot(name).read; the rows of a run are in its"
        " snapshot too.",
    )


def settle_time(owner: str, time: Any) -> TimeColumn | None:
    """Return the time column, a pair of names as a tuple.

    Raises:
        ParameterError: If it is neither a name, nor a date column and an hour column.
    """
    if time is None or isinstance(time, str):
        return time
    fix = 'Name one column, or a date column and an hour column: time=("day", "hour").'
    require_type(f"time= of {owner}", time, (list, tuple), fix)
    for name in time:
        require_type(f"A column in time= of {owner}", name, str, fix)
    if len(time) != _PAIR:
        raise ParameterError(what=f"time={time!r} names {len(time)} columns.", fix=fix)
    return time[0], time[1]
