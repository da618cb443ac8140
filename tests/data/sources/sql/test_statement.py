from datetime import UTC, date, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql, mysql, sqlite

from penstock.data.sources._window import Window
from penstock.data.sources.sql._columns import Relation, SqlColumn
from penstock.data.sources.sql._statement import query_rows, select_rows, table_rows

SINCE, CUTOFF = datetime(2026, 1, 1, 12, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)


def statement(dialect, *, query="", moment="naive", key=("id",), order_by=(), available_at=None):
    names = ["id", "at", "known"]
    rows = query_rows(query, names) if query else table_rows("rides", "sales", names)
    columns = [
        SqlColumn("id", "integer"),
        SqlColumn("at", "times", moment),
        SqlColumn("known", "times", moment),
    ]
    window = Window("rides", "at", None, SINCE, CUTOFF, available_at)
    chosen = select_rows(Relation(rows, columns, key, "'rides'"), window, order_by, sa.literal)
    compiled = chosen.compile(dialect=dialect)
    return " ".join(str(compiled).split()), list(compiled.params.values())


def test_sql_server_gets_bound_values():
    text, values = statement(mssql.dialect())
    assert "FROM sales.rides" in text
    assert text.endswith("ORDER BY sales.rides.id")
    assert "2026" not in text
    assert values == [SINCE.replace(tzinfo=None), CUTOFF.replace(tzinfo=None)]


def test_a_query_stands_in_brackets_whatever_it_ends_with():
    query = "SELECT id, a::int, ':x' AS at, '%' AS known FROM t -- all"
    text, _ = statement(sqlite.dialect(), query=query)
    assert (
        "FROM (SELECT id, a::int, ':x' AS at, '%' AS known FROM t -- all ) AS penstock_rows" in text
    )
    text, _ = statement(mysql.dialect(), query=query)
    assert "'%%' AS known" in text


@pytest.mark.parametrize(
    ("moment", "values"),
    [
        ("aware", [SINCE, CUTOFF]),
        ("naive", [SINCE.replace(tzinfo=None), CUTOFF.replace(tzinfo=None)]),
        # A day is its midnight: that of 1 January lies before noon.
        ("date", [date(2026, 1, 2), date(2026, 2, 1)]),
        (None, []),
    ],
)
def test_limits_have_the_columns_type_or_are_left_to_the_reading(moment, values):
    text, bound = statement(sqlite.dialect(), moment=moment)
    assert bound == values
    assert ("WHERE" in text) == bool(values)


def test_the_time_of_knowledge_is_limited_by_the_cutoff_only():
    text, bound = statement(sqlite.dialect(), available_at="known")
    assert "sales.rides.known < ?" in text
    assert bound.count(CUTOFF.replace(tzinfo=None)) == 2


def test_rows_have_the_order_of_the_key_or_of_all_columns():
    def order(**options):
        text, _ = statement(sqlite.dialect(), moment=None, **options)
        return text.partition("ORDER BY ")[2].replace("sales.rides.", "")

    assert order() == "id"
    assert order(order_by=("at",)) == "at, id"
    assert order(key=()) == "id, at, known"
    assert order(key=(), order_by=("at",)) == "at, id, known, at"
