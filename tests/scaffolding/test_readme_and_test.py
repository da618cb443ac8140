"""The files beside the pipeline: the test imports what it uses, the README names the commands."""

from decimal import Decimal
from pathlib import Path

import polars as pl

from penstock.scaffolding._names import ProjectNames
from penstock.scaffolding._notes import ColumnNote, TableNotes, TimeNote
from penstock.scaffolding._readme_and_test import render_readme, render_test
from penstock.scaffolding._splits import SplitChoice

NAMES = ProjectNames(Path("shop"), "shop", "shop")


def _notes(**changes) -> TableNotes:
    facts = {
        "rows": 3,
        "columns": ("day", "city", "gone", "y"),
        "target": "y",
        "task": "regression",
        "target_says": "",
        "split": SplitChoice("y"),
    }
    return TableNotes(**{**facts, **changes})


def test_the_test_file_imports_what_it_uses():
    notes = _notes(left_out=(ColumnNote("id", "identifier", "x"),), rare=("c",), task="multiclass")
    code = render_test(notes, NAMES, every=7)
    assert "from shop import LEFT_OUT, clean, shop, table, train" in code
    assert "table.read().gather_every(7)" in code
    assert '["ingest", "clean", "split", "train", "evaluate", "register"]' in code


def test_a_seed_and_a_task_that_were_needed_are_in_the_test_too():
    code = render_test(_notes(split=SplitChoice("y", seed=4, task="binary")), NAMES, every=1)
    assert 'split_table(rows, target="y", task="binary", seed=4)' in code


def test_the_readme_asks_for_a_prediction_with_typical_values():
    table = pl.DataFrame(
        {
            "day": ["2020-01-01", "2020-01-03", "2020-01-02"],
            "city": ["Ulm", "Bonn's", "Bonn's"],
            "gone": [None, None, None],
            "y": [1.0, 2.0, 3.0],
        }
    ).with_columns(pl.col("day").str.to_date())
    text = render_readme(_notes(), NAMES, "shop.csv", table)
    row = '{"rows": [{"day": "2020-01-03", "city": "Bonn\'\\\'\'s", "gone": null}]}'
    assert row in text
    assert "penstock serve shop " in text


def test_the_request_of_the_readme_is_json_that_the_model_takes():
    table = pl.DataFrame(
        {
            "day": pl.Series([Decimal("4.69")] * 3, dtype=pl.Decimal(10, 2)),
            "city": [float("nan"), float("nan"), 2.5],
            "gone": ["x"] * 3,
            "y": [1.0, 2.0, 3.0],
        }
    )
    text = render_readme(_notes(), NAMES, "shop.parquet", table)
    assert '{"rows": [{"day": 4.69, "city": 2.5, "gone": "x"}]}' in text


def test_the_readme_tells_of_the_cutoff_where_there_is_time():
    note = TimeNote(("day",), "ISO dates", None, "2020-01-01", "2020-01-03")
    table = pl.DataFrame({"day": ["a"], "city": ["b"], "gone": ["c"], "y": [1.0]})
    assert "--cutoff 2020-01-03" in render_readme(_notes(time=note), NAMES, "shop.csv", table)
