"""Columns: what no model should learn from is left out, with the reason."""

import polars as pl
import pytest

from penstock.data import infer_schema
from penstock.scaffolding._columns import is_sensitive, note_group, note_left_out

ROWS = 2_000


def _note(**column):
    table = pl.DataFrame(column, strict=False)
    notes = note_left_out(table, infer_schema(table), set())
    return notes[0] if notes else None


@pytest.mark.parametrize(
    ("name", "values", "kind", "reason"),
    [
        ("instant", list(range(1, ROWS + 1)), "identifier", f"a running number, 1 to {ROWS}"),
        ("user_id", [n * 17 for n in range(ROWS)], "identifier", "a different number in every row"),
        ("token", [f"x{n:x}" for n in range(ROWS)], "identifier", "a different value in every row"),
        ("customer_id", [n % 300 for n in range(ROWS)], "identifier", "--group customer_id"),
        ("tag", [f"t{n // 2 + n % 2 * 9}" for n in range(ROWS)], "identifier", "values in 2,000"),
        ("note", [f"they said {n} words" for n in range(ROWS)], "text", "free text"),
        ("unit", ["m"] * ROWS, "constant", "always 'm'"),
        ("gone", [None] * ROWS, "empty", "no value in any row"),
        ("rare", ["x"] + [None] * (ROWS - 1), "empty", "a value in only 1 of 2,000 rows"),
        ("list", [[1, 2]] * ROWS, "type", "no model can use it"),
    ],
)
def test_a_column_without_use_is_left_out(name, values, kind, reason):
    note = _note(**{name: values})
    assert note.kind == kind
    assert reason in note.reason


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("price", [n * 1.5 for n in range(ROWS)]),
        ("city", ["Ulm", "Bonn"] * (ROWS // 2)),
        ("floor_id", [n % 12 for n in range(ROWS)]),
        ("population", [n * n + 7 for n in range(ROWS)]),
    ],
)
def test_a_column_of_use_stays(name, values):
    assert _note(**{name: values}) is None


def test_columns_with_a_duty_are_not_judged():
    table = pl.DataFrame({"instant": range(ROWS)})
    assert note_left_out(table, infer_schema(table), {"instant"}) == []


def test_a_long_constant_is_shortened():
    assert _note(text=["w" * 500] * ROWS).reason.endswith("…")


def test_groups_are_counted():
    assert "(2)" in note_group(pl.DataFrame({"shop": ["a", "b", "a"]}), "shop").reason


@pytest.mark.parametrize("name", ["sex", "Gender", "age_group", "race", "native_country", "Age"])
def test_words_about_people_are_known(name):
    assert is_sensitive(name)


@pytest.mark.parametrize("name", ["page", "sexton", "usage", "trace", "average"])
def test_words_that_only_sound_like_them_are_not(name):
    assert not is_sensitive(name)
