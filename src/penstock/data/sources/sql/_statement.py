"""The statement that reads a relation: window as bound values, and rows in a fixed order."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from penstock.data.sources._window import Window
from penstock.data.sources.sql._columns import Relation, SqlColumn

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, FromClause, Select
    from sqlalchemy.types import TypeEngine

    # A value that the driver sends beside the statement, and its type.
    Bind = Callable[[Any, TypeEngine[Any]], ColumnElement[Any]]


def table_rows(table: str, schema: str | None, names: Sequence[str] = ()) -> "FromClause":
    """Return a table as a part of a statement."""
    import sqlalchemy as sa

    return sa.table(table, *(sa.column(name) for name in names), schema=schema)


def query_rows(query: str, names: Sequence[str] = ()) -> "FromClause":
    """Return a query in brackets; a comment in its last line ends there."""
    import sqlalchemy as sa

    # A colon marks a parameter for SQLAlchemy, and the query has none.
    text = sa.text(query.replace(":", "\\:") + "\n")
    return text.columns(*(sa.column(name) for name in names)).subquery("penstock_rows")


def select_all(rows: "FromClause") -> "Select[Any]":
    """Return a statement that has a relation's columns and no rows."""
    import sqlalchemy as sa

    return sa.select(sa.literal_column("*")).select_from(rows).where(sa.literal_column("1 = 0"))


def select_rows(
    relation: Relation, window: Window, order_by: Sequence[str], bind: "Bind"
) -> "Select[Any]":
    """Return the statement that reads the rows of a window in a fixed order.

    Rows without a time pass, so that they can be counted, and rows whose time the database cannot
    compare; both are cut after reading.
    """
    import sqlalchemy as sa

    columns = relation.rows.c
    chosen = [each.read(columns[each.name]).label(each.name) for each in relation.columns]
    statement = sa.select(*chosen).where(*_limits(relation, window, bind))
    return statement.order_by(*_order(relation, order_by))


def pushed(relation: Relation, name: str | None) -> bool:
    """Return whether the database compares the times of a column."""
    return name in relation.names and relation.column(name).moment is not None if name else False


def _limits(relation: Relation, window: Window, bind: "Bind") -> "list[ColumnElement[bool]]":
    import sqlalchemy as sa

    limits = []
    name = window.time if isinstance(window.time, str) else None
    if name and window.is_limited and pushed(relation, name):
        column, times = relation.rows.c[name], relation.column(name)
        inside = []
        if window.since is not None:
            inside.append(column >= _bound(times, window.since, bind))
        if window.cutoff is not None:
            inside.append(column < _bound(times, window.cutoff, bind))
        limits.append(sa.or_(sa.and_(*inside), column.is_(None)))
    late = window.available_at
    if late and window.cutoff is not None and pushed(relation, late):
        known = relation.column(late)
        limits.append(relation.rows.c[late] < _bound(known, window.cutoff, bind))
    return limits


def _bound(column: SqlColumn, moment: datetime, bind: "Bind") -> "ColumnElement[Any]":
    import sqlalchemy as sa

    if column.moment == "date":
        return bind(_next_midnight(moment), sa.Date())
    if column.moment == "naive":
        return bind(moment.astimezone(UTC).replace(tzinfo=None), sa.DateTime())
    return bind(moment, sa.DateTime(timezone=True))


def _next_midnight(moment: datetime) -> date:
    """Return the first day that begins at or after a moment: days compare by their midnight."""
    day = moment.astimezone(UTC)
    return day.date() if day.time() == time() else day.date() + timedelta(days=1)


def _order(relation: Relation, order_by: Sequence[str]) -> "list[ColumnElement[Any]]":
    columns = relation.rows.c
    first = list(dict.fromkeys([*order_by, *relation.key]))
    ends: list[ColumnElement[Any]] = [columns[name] for name in first]
    if relation.key:
        return ends
    # Without a key only all columns together tell rows apart; those that are equal may swap.
    rest = [each for each in relation.columns if each.name not in first]
    again = [relation.column(name) for name in order_by]
    return [*ends, *(each.sort(columns[each.name]) for each in [*rest, *again])]
