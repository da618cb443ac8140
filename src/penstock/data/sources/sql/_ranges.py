"""Ranges of a table's key in PostgreSQL, for reading several at a time; each follows the one before."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

from penstock.data.sources.sql._columns import Relation

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.types import TypeEngine

ROWS = 131_072
_MOST = 4_096
# The server's own statistics: limits of about a hundred ranges with equally many rows.
_LIMITS = (
    "SELECT CAST(CAST(s.histogram_bounds AS text) AS text[]) FROM pg_stats s"
    " JOIN pg_class c ON c.oid = to_regclass(current_setting('penstock.table'))"
    " JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = s.schemaname"
    " WHERE s.tablename = c.relname AND s.attname = current_setting('penstock.column')"
)
_COUNT = (
    "SELECT CAST(reltuples AS bigint) FROM pg_class"
    " WHERE oid = to_regclass(current_setting('penstock.table'))"
)


class HasRanges(Protocol):
    """What ranges need of the database."""

    def first(self, statement: Any) -> Sequence[Any]:
        """Return the first row of a statement."""
        ...

    def bind(self, value: Any, type_: "TypeEngine[Any]") -> Any:
        """Set a value for the transaction, and return the expression that reads that value."""
        ...

    def set_column(self, name: str) -> None:
        """Set the column of the next statement on the server's statistics."""
        ...


def in_ranges(
    database: HasRanges, statement: "Select[Any]", relation: Relation
) -> "list[Select[Any]]":
    """Return statements that together read a statement's rows, in its order.

    Where the key's distribution is not known, this is the statement itself.
    """
    if not relation.key:
        return [statement]
    column, kind = relation.column(relation.key[0]), _type_of(relation)
    if kind is None:
        return [statement]
    database.set_column(column.name)
    limits = _limits(database, relation, is_whole=column.type.startswith("int"))
    place = relation.rows.c[column.name]
    bound = [database.bind(limit, kind) for limit in limits]
    if not bound:
        return [statement]
    middle = [statement.where(place >= low, place < high) for low, high in pairwise(bound)]
    return [statement.where(place < bound[0]), *middle, statement.where(place >= bound[-1])]


def _type_of(relation: Relation) -> "TypeEngine[Any] | None":
    import sqlalchemy as sa
    from sqlalchemy.dialects import postgresql

    types: dict[str, TypeEngine[Any]] = {
        "int2": sa.BigInteger(),
        "int4": sa.BigInteger(),
        "int8": sa.BigInteger(),
        "date": sa.Date(),
        "timestamp": postgresql.TIMESTAMP(),
        "timestamptz": postgresql.TIMESTAMP(timezone=True),
        "uuid": sa.Uuid(),
        "text": sa.Text(),
        "varchar": sa.Text(),
    }
    return types.get(relation.column(relation.key[0]).type)


def _limits(database: HasRanges, relation: Relation, *, is_whole: bool) -> list[Any]:
    """Return limits between ranges in order, without the first and the last."""
    counted = database.first(_COUNT)
    rows = int(counted[0]) if counted else 0
    found = database.first(_LIMITS)
    known: list[Any] = list(found[0]) if found and found[0] else []
    if is_whole:
        known = [int(limit) for limit in known] or _ends(database, relation)
        rows = rows if rows > 0 else known[-1] - known[0] if known else 0
    wanted = min(_MOST, rows // ROWS)
    if not known or wanted < 2:  # noqa: PLR2004 - two ranges
        return []
    if not is_whole:
        step = max(1, len(known) // wanted)
        return known[step:-1:step]
    # Whole numbers may be cut between the known limits too.
    cuts = [place * (len(known) - 1) / wanted for place in range(1, wanted)]
    limits = [_between(known, cut) for cut in cuts]
    return sorted(set(limits))


def _between(known: list[int], cut: float) -> int:
    place = min(int(cut), len(known) - 2)
    low, high = known[place], known[place + 1]
    return low + int((high - low) * (cut - place))


def _ends(database: HasRanges, relation: Relation) -> list[int]:
    import sqlalchemy as sa

    column = relation.rows.c[relation.key[0]]
    statement = sa.select(sa.func.min(column), sa.func.max(column)).select_from(relation.rows)
    first, last = database.first(statement)
    return [] if first is None else [first, last]
