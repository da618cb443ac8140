import time

import numpy as np
import polars as pl
import pytest

from penstock.data import check_leakage, split_rows, split_table

RANDOM = np.random.default_rng(5)
N = 1_200


def clean(n: int = N) -> pl.DataFrame:
    """A table in which the target depends on the features, loosely."""
    a, b = RANDOM.normal(size=n), RANDOM.normal(size=n)
    city = np.array(["Bonn", "Köln", "Ulm"])[RANDOM.integers(0, 3, n)]
    y = (a + b + RANDOM.normal(size=n) > 0).astype(int)
    return pl.DataFrame({"a": a, "b": b, "city": city, "y": y})


def rules(split) -> list[tuple[str, str, str]]:
    return [(f.level, f.rule, f.column) for f in split.leakage]


@pytest.mark.parametrize("attempt", range(4))
def test_a_clean_table_gives_no_alarm(attempt):
    assert split_table(clean(), target="y", seed=attempt).leakage == ()


def test_a_table_of_few_different_rows_gives_no_alarm():
    flags = pl.DataFrame({name: RANDOM.integers(0, 2, N) for name in ("a", "b", "c", "y")})
    assert split_table(flags, target="y").leakage == ()


def test_test_rows_copied_from_train_are_a_failure():
    table = clean()
    copied = pl.concat([table, table[:150]])
    split = split_rows(copied, target="y", train=range(N), test=range(N, N + 150))
    assert rules(split) == [("fail", "L1", "")]
    assert "150 of 150 test rows (100.0%) equal a train row" in split.leakage[0].message


def test_rows_that_differ_in_an_identifier_are_no_copies_but_are_noted():
    table = clean()
    alike = pl.concat([table, table[:150]]).with_row_index("row_id")
    for drop in ([], ["row_id"]):
        split = split_rows(alike, target="y", train=range(N), test=range(N, N + 150), drop=drop)
        assert rules(split) == []
        (note,) = [finding for finding in split.findings if finding.rule == "alike"]
        assert "150 of 150 test rows equal a train row in all features" in note.message


def test_copies_are_found_where_an_identifier_is_copied_too():
    table = clean().with_row_index("row_id")
    copied = pl.concat([table, table[:150]])
    split = split_rows(copied, target="y", train=range(N), test=range(N, N + 150), drop=["row_id"])
    assert rules(split) == [("fail", "L1", "")]


def test_a_table_that_holds_copies_is_a_warning_in_a_random_split():
    table = clean(400)
    split = split_table(pl.concat([table] * 3), target="y")
    assert rules(split) == [("warn", "L1", "")]
    assert "unique" in split.leakage[0].message


def test_a_few_copies_by_nature_are_no_alarm():
    table = clean()
    split = split_table(pl.concat([table, table[:4]]), target="y")
    assert split.leakage == ()


def test_undeclared_groups_are_a_warning():
    table = clean().with_columns(customer_id=pl.Series(RANDOM.integers(0, 300, N)))
    assert rules(split_table(table, target="y")) == [("warn", "L3", "customer_id")]
    assert rules(split_table(table, target="y", by_group="customer_id")) == []
    assert rules(split_table(table, target="y", drop=["customer_id"])) == []


def test_columns_that_are_categories_are_no_groups():
    table = clean().with_columns(shop_id=pl.Series(RANDOM.integers(0, 8, N)))
    assert split_table(table, target="y").leakage == ()


def test_a_single_column_table_is_checked():
    table = pl.DataFrame({"key": [f"k{n}" for n in range(60)], "y": [n % 2 for n in range(60)]})
    assert check_leakage(split_table(table, target="y")) == []


@pytest.mark.parametrize(
    "values",
    [
        lambda y: y * 2.5 + RANDOM.normal(size=N) * 0.1,
        lambda y: np.where(y > 0, "paid", "open"),
        lambda y: y > 0,
        lambda y: np.where(y > 0, np.nan, 1.0),
    ],
    ids=["number", "category", "boolean", "missing"],
)
def test_a_column_that_gives_the_class_away_is_a_failure(values):
    table = clean()
    table = table.with_columns(leak=pl.Series(values(table["y"].to_numpy())))
    split = split_table(table, target="y")
    assert rules(split) == [("fail", "L5", "leak")]
    assert "alone predicts 'y' with AUC" in split.leakage[0].message


def test_a_strong_column_is_a_warning():
    table = clean()
    noise = RANDOM.normal(size=N) * 0.45
    split = split_table(table.with_columns(strong=pl.col("y") + pl.Series(noise)), target="y")
    assert rules(split) == [("warn", "L5", "strong")]


def test_a_column_that_gives_a_number_away_is_a_failure():
    table = clean().with_columns(y=pl.Series(RANDOM.normal(size=N) * 10))
    leak = pl.col("y").round(0) * -1
    split = split_table(table.with_columns(leak=leak), target="y")
    assert rules(split) == [("fail", "L5", "leak")]


def test_one_of_many_classes_is_given_away():
    table = clean().with_columns(y=pl.Series(np.array(list("pqrs"))[RANDOM.integers(0, 4, N)]))
    split = split_table(table.with_columns(leak=pl.col("y").str.to_uppercase()), target="y")
    assert rules(split) == [("fail", "L5", "leak")]


def test_numbers_that_add_up_to_the_target_are_a_warning():
    table = clean().with_columns(c=pl.Series(RANDOM.normal(size=N)))
    table = table.with_columns(y=pl.col("a") + 2 * pl.col("b") - pl.col("c"))
    split = split_table(table, target="y")
    assert rules(split) == [("warn", "L5", "a")]
    assert "an exact sum of 'a', 'b', 'c'" in split.leakage[0].message


def test_only_train_rows_are_asked():
    table = clean()
    leak = pl.when(pl.int_range(N) >= 900).then("y").otherwise(pl.lit(0)).cast(pl.Float64)
    table = table.with_columns(leak=leak + pl.Series(RANDOM.normal(size=N)))
    blind = split_rows(table, target="y", train=range(900), test=range(900, N))
    assert rules(blind) == []


def test_rare_classes_and_few_rows_are_not_judged():
    table = pl.DataFrame({"leak": [n % 2 for n in range(30)], "y": [n % 2 for n in range(30)]})
    assert split_table(table, target="y").leakage == ()
    rare = clean().with_columns(y=pl.Series([1] * 8 + [0] * (N - 8)))
    rare = rare.with_columns(leak=pl.col("y") * 3)
    assert split_table(rare, target="y").leakage == ()


def test_answers_do_not_change_from_one_time_to_the_next():
    table = clean().with_columns(leak=pl.col("y") + pl.Series(RANDOM.normal(size=N) * 0.4))
    first, second = (split_table(table, target="y").leakage for _ in range(2))
    assert first == second


def test_a_wide_table_is_checked_in_seconds():
    wide = pl.DataFrame({f"x{n}": RANDOM.normal(size=500) for n in range(300)})
    wide = wide.with_columns(y=pl.Series(RANDOM.integers(0, 2, 500)))
    start = time.process_time()
    split = split_table(wide, target="y")
    assert time.process_time() - start < 20
    assert split.leakage == ()


@pytest.mark.parametrize(
    "values", [["same"] * 120, [f"words of review number {n}" for n in range(120)]]
)
def test_a_table_of_texts_or_of_one_value_alone_can_be_split(values):
    split = split_table(pl.DataFrame({"said": values, "y": [0, 1] * 60}), target="y")
    assert len(split.train) + len(split.test) == 120
    assert [finding.rule for finding in split.leakage if finding.rule == "L5"] == []
