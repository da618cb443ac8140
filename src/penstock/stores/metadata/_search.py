"""Search: a filter, an order and a page, by the plan that fits the rarity of the matches.

The first hundred of a million runs by a metric, among those with a parameter, can be found in two
ways. *Narrow*: take the runs with that parameter from the parameter's index, and sort them. *Walk*:
go through the metric's index in order, and select those with that parameter until the page is full.
The first costs as many steps as there are matches, the second the page size times the reciprocal of
the matching share; they are equal where the matches are the root of page times total, and a bounded
count tells which side applies.
"""
# ruff: noqa: S608 - statements are made of our own names; values are always bound

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from penstock.core import NotFoundError, ParameterError, did_you_mean
from penstock.stores.metadata._database import Transaction
from penstock.stores.metadata._fields import Kind, Sql
from penstock.stores.metadata._query import Filter, OrderTerm, compile_filter, compile_order

_FEW = 200
_MOST_NAMES = 1000


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """The query of a search.

    Args:
        kind: Kind of the searched objects.
        filter: See _query.
        order_by: See _query.
        limit: Page size.
        offset: Number of objects to skip at the beginning.
        after: Key of the last object of the previous page.
        also: An additional condition, as SQL.
    """

    kind: Kind
    filter: str = ""
    order_by: str = ""
    limit: int = 100
    offset: int = 0
    after: str | None = None
    also: Sql | None = None


def find(transaction: Transaction, columns: str, query: SearchQuery) -> list[Any]:
    """Return the rows of a page.

    Args:
        transaction: Transaction to read in.
        columns: Columns to select from the kind's table.
        query: The page.

    Raises:
        ParameterError: If the filter or the order cannot be read.
        NotFoundError: If the object in ``after`` does not exist.
    """
    kind = query.kind
    compiled = compile_filter(query.filter, kind)
    order = compile_order(query.order_by, kind)
    where = _conditions(compiled, query)
    if query.after is not None:
        where.append(_behind(transaction, kind, order, query.after))
    narrow = _rarest(transaction, compiled, query)
    if narrow is not None:
        where.append((f"{kind.table}.{kind.key} IN ({narrow[0]})", narrow[1]))
    walks = narrow is None and _can_walk(order[0])
    page = _walk if walks else _sorted
    rows = page(transaction, columns, where, order, query)
    if rows:
        _require_known(transaction, order, query)
    return rows


def _require_known(
    transaction: Transaction, order: Sequence[OrderTerm], query: SearchQuery
) -> None:
    """Raise an error for an order by an unused name: such an order would have no effect.

    Raises:
        ParameterError: If there is such a name.
    """
    for field in dict.fromkeys(term.field for term in order if term.field.group is not None):
        table = field.table.table
        names = (field.name, field.whole or field.name)
        sql = f'SELECT 1 FROM {table} WHERE "key" IN (?, ?) LIMIT 1'
        if transaction.execute(sql, names).fetchone() is not None:
            continue
        sql = f'SELECT DISTINCT "key" FROM {table} LIMIT {_MOST_NAMES}'
        known = [row[0] for row in transaction.execute(sql).fetchall()]
        guess = did_you_mean(field.name, known)
        raise ParameterError(
            what=f"No {query.kind.name} has {field.group}.{field.name}, so nothing is ordered by it:"
            f" {query.order_by!r}.",
            fix=guess or f"None has any {field.group} yet.",
            name=field.name,
        )


def count(transaction: Transaction, query: SearchQuery) -> int:
    """Count the matches, up to the limit."""
    compiled = compile_filter(query.filter, query.kind)
    where = _conditions(compiled, query)
    narrow = _rarest(transaction, compiled, query)
    if narrow is not None:
        where.append((f"{query.kind.table}.{query.kind.key} IN ({narrow[0]})", narrow[1]))
    condition, values = _all(where)
    sql = f"SELECT 1 FROM {query.kind.table} WHERE {condition} LIMIT ?"
    row = transaction.execute(f"SELECT COUNT(*) FROM ({sql}) AS found", (*values, query.limit))
    return int(row.fetchone()[0])


def _conditions(compiled: Filter, query: SearchQuery) -> list[Sql]:
    shown = [name for name in query.kind.hidden if name not in compiled.names]
    hidden = [(f"{query.kind.attributes[name].sql} IS NULL", list[Any]()) for name in shown]
    also = [query.also] if query.also else []
    return [(compiled.sql, list(compiled.values)), *hidden, *also]


def _all(conditions: Sequence[Sql]) -> Sql:
    sql = " AND ".join(f"({condition})" for condition, _ in conditions)
    return sql, [value for _, values in conditions for value in values]


def _rarest(transaction: Transaction, compiled: Filter, query: SearchQuery) -> Sql | None:
    """Return the test with the fewest matches, if they are few enough to be sorted."""
    if not compiled.narrow:
        return None
    # The largest id stands for the number of rows, which counting would have to visit.
    newest = transaction.execute(f"SELECT MAX(id) FROM {query.kind.table}").fetchone()[0] or 0
    bound = max(_FEW, math.isqrt((query.limit + query.offset) * int(newest)))
    rarest: Sql | None = None
    for sql, values in compiled.narrow:
        # Counting stops at the bound, so that a common value costs no full scan.
        few = f"SELECT COUNT(*) FROM ({sql} LIMIT ?) AS few"
        number = transaction.execute(few, (*values, bound)).fetchone()[0]
        if number < bound:
            rarest, bound = (sql, values), number
    return rarest


def _can_walk(first: OrderTerm) -> bool:
    return (
        bool(first.field.group)
        and first.field.statistic == "last"
        and first.field.whole is None
        and (first.field.table.table == "metric_summaries" and first.field.kind.table == "runs")
    )


def _walk(
    transaction: Transaction,
    columns: str,
    where: Sequence[Sql],
    order: Sequence[OrderTerm],
    query: SearchQuery,
) -> list[Any]:
    """Return rows in the order of the metric's index, then NaN, then objects without the metric."""
    first, _presence, *others = order
    key, table = first.field.name, query.kind.table
    condition, values = _all(where)
    # Tested on the metric's row: other rows are skipped without reading their runs.
    of_metric = condition.replace(f"{table}.{query.kind.key}", "o.run_id")
    # CROSS JOIN keeps SQLite from starting at the other table.
    named = (
        f"FROM metric_summaries o CROSS JOIN {table}"
        f' WHERE o.run_id = {table}.run_id AND o."key" = ? AND {of_metric}'
    )
    there, names = first.field.exists()
    rest, rest_values = _order(others, query.kind, order[-1])
    by_value = f'o."last" {"DESC" if first.descending else "ASC"}, {rest}'
    rows: list[Any] = []
    offset = query.offset
    for source, source_values, by in (
        (f'{named} AND o."last" IS NOT NULL', [key, *values], by_value),
        (f'{named} AND o."last" IS NULL', [key, *values], rest),
        (f"FROM {table} WHERE {condition} AND NOT {there}", [*values, *names], rest),
    ):
        found = transaction.execute(
            f"SELECT {columns} {source} ORDER BY {by} LIMIT ? OFFSET ?",
            (*source_values, *rest_values, query.limit - len(rows), offset),
        ).fetchall()
        rows += found
        if len(rows) == query.limit:
            break
        # The offset ended within these rows, or passed all of them.
        if found:
            offset = 0
        elif offset:
            passed = transaction.execute(f"SELECT COUNT(*) {source}", source_values).fetchone()
            offset -= passed[0]
    return rows


def _sorted(
    transaction: Transaction,
    columns: str,
    where: Sequence[Sql],
    order: Sequence[OrderTerm],
    query: SearchQuery,
) -> list[Any]:
    condition, values = _all(where)
    terms, term_values = _order(order, query.kind, order[-1])
    return transaction.execute(
        f"SELECT {columns} FROM {query.kind.table} WHERE {condition}"
        f" ORDER BY {terms} LIMIT ? OFFSET ?",
        (*values, *term_values, query.limit, query.offset),
    ).fetchall()


def _order(order: Sequence[OrderTerm], kind: Kind, last: OrderTerm) -> Sql:
    """Return the inside of ORDER BY: missing values last, equal values in the order of creation."""
    parts, values = [], list[Any]()
    for term in order:
        if term.field.nullable:
            parts.append(f"{term.sql} IS NULL")
            values += term.values
        parts.append(f"{term.sql} {'DESC' if term.descending else 'ASC'}")
        values += term.values
    # The tie orders equal values, so that pages never overlap.
    tie = f"{kind.table}.{kind.tie} {'DESC' if last.descending else 'ASC'}"
    return ", ".join([*parts, tie]), values


def _behind(transaction: Transaction, kind: Kind, order: Sequence[OrderTerm], key: str) -> Sql:
    """Return the condition that an object comes after a given object in the order."""
    terms = ", ".join(term.sql for term in order)
    bound = [value for term in order for value in term.values]
    row = transaction.execute(
        f"SELECT {terms}, {kind.table}.{kind.tie} FROM {kind.table}"
        f" WHERE {kind.table}.{kind.key} = ?",
        (*bound, key),
    ).fetchone()
    if row is None:
        raise NotFoundError(
            what=f"There is no {kind.name} {key!r} to go on after.",
            fix=f"Give the last {kind.name} of the page before, or begin again without it.",
            key=key,
        )
    # From the last term inwards: the tie decides where all terms are equal.
    *seen, tie = row
    sign = "<" if order[-1].descending else ">"
    sql, values = f"{kind.table}.{kind.tie} {sign} ?", [tie]
    for term, value in zip(reversed(order), reversed(seen), strict=True):
        sql, values = _later(term, value, (sql, values))
    return sql, values


def _later(term: OrderTerm, seen: Any, rest: Sql) -> Sql:
    """Return the condition: later by this term, or equal in this term and later by the rest."""
    bound = list(term.values)
    # Missing values come last: only further missing values can follow.
    if seen is None:
        return f"({term.sql} IS NULL AND {rest[0]})", [*bound, *rest[1]]
    sign = "<" if term.descending else ">"
    sql = f"({term.sql} {sign} ? OR ({term.sql} = ? AND {rest[0]})"
    values = [*bound, seen, *bound, seen, *rest[1]]
    if term.field.nullable:
        sql += f" OR {term.sql} IS NULL"
        values += bound
    return sql + ")", values
