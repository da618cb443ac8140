import polars as pl
import pytest

from penstock.core import NotFoundError
from penstock.data import Schema, check_columns, check_schema, infer_schema
from penstock.tables import Column

TABLE = pl.DataFrame(
    {
        "age": [31, None, 25],
        "city": ["A", "B", "A"],
        "unit": ["m", "m", "m"],
        "old": [True, None, False],
    }
)


def test_kinds_types_and_levels_are_inferred():
    assert infer_schema(TABLE).columns == (
        Column("age", "integer", "Int64", nullable=True, distinct=2),
        Column("city", "category", "String", nullable=False, distinct=2),
        Column("unit", "constant", "String", nullable=False, distinct=1),
        Column("old", "boolean", "Boolean", nullable=True, distinct=2),
    )


def test_a_schema_survives_json():
    schema = infer_schema(TABLE)
    assert Schema.from_json(schema.to_json()) == schema


def test_columns_are_selected_and_left_out_by_name():
    schema = infer_schema(TABLE)
    assert schema.select(["city", "age"]).names == ["city", "age"]
    assert schema.without(["unit"]).names == ["age", "city", "old"]
    assert schema.of_kind("boolean", "integer") == ["age", "old"]
    assert "age" in schema
    assert "agee" not in schema
    assert len(list(schema)) == len(schema) == 4


def test_an_unknown_column_is_refused_with_the_nearest_name():
    with pytest.raises(NotFoundError, match=r"'agee'.*Did you mean 'age'"):
        infer_schema(TABLE)["agee"]
    with pytest.raises(NotFoundError, match=r"Did you mean 'city'"):
        infer_schema(TABLE).without(["citty"])
    with pytest.raises(NotFoundError, match=r"in the snapshot.*Did you mean 'unit'"):
        check_columns(TABLE, ["age", "units"], owner="the snapshot")


def _changes(before: pl.DataFrame, now: pl.DataFrame) -> list[tuple[str, str, str]]:
    findings = check_schema(infer_schema(before), infer_schema(now))
    return [(finding.level, finding.rule, finding.column) for finding in findings]


def test_the_same_columns_give_no_findings():
    assert _changes(TABLE, TABLE.reverse()) == []


def test_missing_added_and_retyped_columns_are_named():
    now = TABLE.drop("city").with_columns(pl.col("age").cast(pl.String), new=1)
    assert _changes(TABLE, now) == [
        ("fail", "retyped", "age"),
        ("fail", "missing", "city"),
        ("warn", "added", "new"),
    ]


def test_a_renamed_column_is_guessed():
    findings = check_schema(infer_schema(TABLE), infer_schema(TABLE.rename({"city": "cities"})))
    assert "Did you mean 'cities'?" in findings[0].message


def test_integers_that_became_numbers_are_a_warning():
    assert _changes(TABLE, TABLE.with_columns(age=pl.lit(1.5))) == [("warn", "number_type", "age")]


def test_a_column_that_is_empty_now_is_a_warning():
    assert _changes(TABLE, TABLE.with_columns(city=pl.lit(None))) == [("warn", "empty", "city")]


def test_a_csv_column_without_values_is_not_retyped():
    empty = TABLE.with_columns(age=pl.lit(None, dtype=pl.String))
    assert _changes(TABLE, empty) == [("warn", "empty", "age")]
    assert _changes(empty, TABLE) == [("warn", "empty", "age")]


def test_a_smaller_integer_type_is_no_change():
    assert _changes(TABLE, TABLE.with_columns(pl.col("age").cast(pl.Int16))) == []
