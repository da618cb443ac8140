"""Column: one class for schema, signature and requests."""

import json

import pytest

from penstock.tables import Column, show_limit
from penstock.tables.reading import ReadingRule

NAIVE = "Datetime(time_unit='us', time_zone=None)"
AWARE = "Datetime(time_unit='us', time_zone='UTC')"


@pytest.mark.parametrize(
    "column",
    [
        Column("age", "integer", "Int64", minimum=17, maximum=90),
        Column("city", "category", "String", nullable=True, levels=("Bonn", "Köln")),
        Column("price", "number", "Float64", reading=ReadingRule("number", prefix="$")),
    ],
    ids=lambda column: column.name,
)
def test_a_column_is_read_back_from_its_json(column):
    assert Column.from_json(json.loads(json.dumps(column.to_json()))) == column


def test_the_reading_rule_is_in_the_json_only_if_there_is_one():
    assert "reading" not in Column("age", "integer", "Int64").to_json()


def test_the_type_decides_family_zone_and_need():
    naive, aware = Column("at", "datetime", NAIVE), Column("at", "datetime", AWARE, nullable=True)
    assert (naive.family, naive.has_zone, aware.has_zone) == ("datetime", False, True)
    assert (naive.is_time, naive.is_required, aware.is_required) == (True, True, False)
    assert not Column("void", "constant", "Null").is_required


def test_limits_are_shown_in_the_columns_unit():
    assert show_limit(Column("x", "number", "Float64"), 2_000_000.0) == "2000000"
    assert show_limit(Column("at", "datetime", NAIVE), 3_600.0) == "1970-01-01T01:00:00"
