"""Parameters as rows: the value as JSON, and as text and number for search.

A parameter that is a dict has a row for each leaf too, ``cfg.depth`` of ``cfg``, so that
``params.cfg.depth > 2`` uses the same index. Such a row has no value: the row serves search only.
"""

import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from penstock.core import LABEL_BYTES, ConflictError, require_label
from penstock.stores._json import dump_json, load_json
from penstock.stores.metadata._database import Transaction
from penstock.stores.metadata._fields import INDEXED

LEAF = ""  # the value of a row that serves search only
_MOST_LEAVES, _DEEPEST = 1000, 20
_ADD = (
    'INSERT INTO run_params (run_id, "key", value, text, number, start) VALUES (?, ?, ?, ?, ?, ?)'
)
_ADD_LEAF = f'{_ADD} ON CONFLICT (run_id, "key") DO NOTHING'
_ADD_PARAM = (
    f'{_ADD} ON CONFLICT (run_id, "key") DO UPDATE SET value = excluded.value,'
    " text = excluded.text, number = excluded.number, start = excluded.start"
    f" WHERE run_params.value = '{LEAF}'"
)
Row = tuple[str, str, str, str, float | None, str]


def add_params(transaction: Transaction, run_id: str, params: Mapping[str, Any]) -> None:
    """Add parameters of a run.

    Raises:
        ConflictError: If a parameter has a different value already.
        ParameterError: If a name cannot be stored.
    """
    rows = [_row(run_id, require_label(key, "parameter"), value) for key, value in params.items()]
    leaves = [row for key, value in params.items() for row in leaf_rows(run_id, key, value)]
    transaction.executemany(_ADD_PARAM, rows)
    transaction.executemany(_ADD_LEAF, leaves)
    stored = dict(
        transaction.execute(
            'SELECT "key", value FROM run_params WHERE run_id = ?', (run_id,)
        ).fetchall()
    )
    for _, key, value, *_ in rows:
        if stored[key] != value:
            raise _changed_param(key, load_json(stored[key]), load_json(value))


def insert_params(transaction: Transaction, run_id: str, params: Mapping[str, Any]) -> None:
    """Insert the parameters of a run that has none yet."""
    if not params:
        return
    rows = [_row(run_id, require_label(key, "parameter"), value) for key, value in params.items()]
    leaves = [row for key, value in params.items() for row in leaf_rows(run_id, key, value)]
    transaction.executemany(_ADD, rows)
    if leaves:
        transaction.executemany(_ADD_LEAF, leaves)


def leaf_rows(run_id: str, key: str, value: Any) -> list[Row]:
    """Return the rows for finding the leaves of a parameter that is a dict."""
    if not isinstance(value, dict):
        return []
    rows = list[Row]()
    for name, leaf in _leaves(key, value, 0):
        if len(rows) == _MOST_LEAVES:
            break
        if len(name.encode("utf-8", "replace")) <= LABEL_BYTES:
            text = as_text(leaf)
            rows.append((run_id, name, LEAF, text, _as_number(text), text[:INDEXED]))
    return rows


def read_param(text: str) -> Any:
    """Read a parameter's value from JSON."""
    return load_json(text) if text[0] in "{[" else _scalar(text)


def as_text(value: Any) -> str:
    """Return a value as people type values, for search."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return value.value if isinstance(getattr(value, "value", None), str) else str(value)


@lru_cache(maxsize=4096)
def _scalar(text: str) -> Any:
    """Read an immutable value; cached, as most are equal in a hundred runs."""
    return load_json(text)


def _leaves(prefix: str, value: dict[Any, Any], depth: int) -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        path = f"{prefix}.{name}"
        if isinstance(inner, dict) and depth < _DEEPEST:
            yield from _leaves(path, inner, depth + 1)
        elif str(name).strip():
            yield path, inner


def _row(run_id: str, key: str, value: Any) -> Row:
    text = as_text(value)
    return run_id, key, dump_json(value), text, _as_number(text), text[:INDEXED]


def _as_number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _changed_param(key: str, old: Any, new: Any) -> ConflictError:
    return ConflictError(
        what=f"Parameter {key!r} of this run is already {old!r} and cannot become {new!r}.",
        why="A parameter is a fixed input of the run; values that change over time are metrics.",
        fix="Use a different name, log_metric, or a new run.",
        key=key,
    )
