"""Rows with notes and tags: experiments, models and versions."""
# ruff: noqa: S608 - statements are made of our own names; values are always bound

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.core import NotFoundError, ParameterError, did_you_mean, require_label, require_short
from penstock.stores.metadata._audit import note_change
from penstock.stores.metadata._codec import to_micros
from penstock.stores.metadata._database import Database, Transaction

_TIMES = frozenset({"archived_at", "deleted_at"})
_CHANGEABLE = {"experiments": ("note", "archived_at", "deleted_at"), "models": ("note",)}


def update_row(
    database: Database, table: str, key: str, name: str, changes: Mapping[str, Any], *, action: str
) -> None:
    """Change fields of an experiment or model by name; the audit trail names the fields."""
    for change in changes:
        if change not in _CHANGEABLE[table]:
            raise ParameterError(
                what=f"{change!r} of {name!r} cannot be changed.",
                fix=did_you_mean(change, _CHANGEABLE[table]),
            )
    with database.write() as transaction:
        require_row(transaction, table, key, name)
        for change, value in changes.items():
            moment = change in _TIMES and value is not None
            transaction.execute(
                f'UPDATE {table} SET "{change}" = ? WHERE "{key}" = ?',
                (to_micros(value) if moment else value, name),
            )
        facts = {change: value is not None for change, value in changes.items()}
        note_change(transaction, database, action, name, facts)


def read_tags(
    transaction: Transaction, table: str, of: str, names: Sequence[str]
) -> dict[str, dict[str, str]]:
    tags: dict[str, dict[str, str]] = {name: {} for name in names}
    if names:
        marks = ", ".join("?" * len(names))
        sql = f'SELECT {of}, "key", value FROM {table} WHERE {of} IN ({marks}) ORDER BY "key"'
        for name, key, value in transaction.execute(sql, names).fetchall():
            tags[name][key] = value
    return tags


def write_tags(
    transaction: Transaction,
    table: str,
    columns: Sequence[str],
    key: Sequence[Any],
    tags: Mapping[str, str],
) -> None:
    for name, value in tags.items():
        require_label(name, "tag")
        require_short(value, f"The tag {name[:80]!r}")
    names = ", ".join(columns)
    marks = ", ".join("?" * (len(columns) + 2))
    transaction.executemany(
        f'INSERT INTO {table} ({names}, "key", value) VALUES ({marks})'
        f' ON CONFLICT ({names}, "key") DO UPDATE SET value = excluded.value',
        [(*key, name, value) for name, value in tags.items()],
    )


def delete_tags(
    transaction: Transaction,
    table: str,
    columns: Sequence[str],
    key: Sequence[Any],
    names: Sequence[str],
) -> None:
    condition = " AND ".join(f"{column} = ?" for column in columns)
    transaction.executemany(
        f'DELETE FROM {table} WHERE {condition} AND "key" = ?', [(*key, name) for name in names]
    )


def require_row(transaction: Transaction, table: str, *pairs: Any) -> None:
    columns, values = pairs[::2], pairs[1::2]
    condition = " AND ".join(f'"{column}" = ?' for column in columns)
    if transaction.execute(f"SELECT 1 FROM {table} WHERE {condition}", values).fetchone():
        return
    rows = transaction.execute(f'SELECT DISTINCT "{columns[0]}" FROM {table}').fetchall()
    shown = "@".join(str(value) for value in values)
    raise NotFoundError(
        what=f"There is no {shown!r} among the {table.replace('_', ' ')}.",
        fix=did_you_mean(str(values[0]), [row[0] for row in rows]),
        name=shown,
    )
