from datetime import date

import polars as pl
import pytest

from penstock.core import DataError
from penstock.data import FileSource, guess_task, ingest, split_table
from penstock.data._target import choose_task, classes_of


@pytest.mark.parametrize(
    ("values", "task"),
    [
        ([True, False], "binary"),
        (["no", "yes", "no"], "binary"),
        ([0, 1, 1], "binary"),
        ([-1, 1], "binary"),
        ([0.0, 1.0, None], "binary"),
        (["a", "b", "c"], "multiclass"),
        ([0, 1, 2] * 4, "multiclass"),
        (list(range(1, 11)) * 3, "multiclass"),
        ([1, 2, 3, 1, 2], "multiclass"),
        ([1, 2, 3], "regression"),
        ([16, 40, 32], "regression"),
        (list(range(40)), "regression"),
        ([5, 6, 7] * 9, "regression"),
        ([0.5, 1.0, 2.0], "regression"),
        ([float("nan"), 1.5, 2.5, 3.5], "regression"),
    ],
    ids=str,
)
def test_the_task_is_seen_from_the_values(values, task):
    assert guess_task(pl.Series("y", values)) == task


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (["no"] * 7, "one value, 'no', in 7 rows"),
        ([None, None], "no values"),
        ([3, None], "3, in 1"),
    ],
)
def test_one_class_is_refused_with_its_name_and_count(values, found):
    with pytest.raises(DataError, match=found):
        guess_task(pl.Series("y", values, dtype=None if values[0] else pl.Int64))


@pytest.mark.parametrize("values", [[date(2016, 1, 1), date(2016, 1, 2)], [[1.5], [2.5]]])
def test_dates_and_lists_of_numbers_are_no_targets(values):
    with pytest.raises(DataError, match=r"The target 'y' is"):
        guess_task(pl.Series("y", values))


def test_names_of_rows_are_no_classes():
    with pytest.raises(DataError, match=r"30 different texts in 30 rows"):
        guess_task(pl.Series("y", [f"k{n}" for n in range(30)]))


def test_a_task_that_is_told_must_fit():
    assert choose_task(pl.Series([1, 2, 3] * 9), "regression") == "regression"
    assert choose_task(pl.Series([3, 4, 7] * 9), "multiclass") == "multiclass"
    for values, told in ((["a", "b"], "regression"), ([1, 2, 3], "binary"), ([1, 2], "ranking")):
        with pytest.raises(DataError, match=f"task='{told}' does not fit"):
            choose_task(pl.Series("y", values), told)  # type: ignore[arg-type]


def test_classes_are_sorted_whatever_the_rows_say():
    enum = pl.Series("y", ["b", "a"], dtype=pl.Enum(["b", "a"]))
    assert classes_of(enum, "binary") == ("a", "b")
    assert classes_of(pl.Series([10, 9, None]), "binary") == (9, 10)
    assert classes_of(pl.Series([True, False]), "binary") == (False, True)
    assert classes_of(pl.Series([1.5, 2.5]), "regression") == ()


@pytest.mark.parametrize(
    ("write", "value"),
    [
        (lambda n: f"{n}.{n + 100},5{n % 10} €", lambda n: 1000 * n + n + 100.5 + n % 10 / 100),
        (lambda n: f"${n},{n + 100}.50", lambda n: 1000 * n + n + 100.5),
        (lambda n: f"CHF {n}'{n + 100}.50", lambda n: 1000 * n + n + 100.5),
        (lambda n: f"{n},5 %", lambda n: n + 0.5),
        (lambda n: f"{n}%", float),
        (lambda n: f"{n}GB", float),
    ],
)
def test_a_target_of_money_percent_or_units_is_numbers_to_predict(tmp_path, write, value):
    path = tmp_path / "offers.csv"
    path.write_text("size;price\n" + "".join(f"{n % 7};{write(n)}\n" for n in range(1, 61)))
    snapshot = ingest(FileSource(path))
    assert snapshot.table["price"].to_list() == pytest.approx([value(n) for n in range(1, 61)])
    assert any(found.column == "price" for found in snapshot.findings)
    split = split_table(snapshot.table, target="price")
    assert split.task == "regression"
    assert sorted([*split.train.y, *split.test.y]) == pytest.approx(
        [value(n) for n in range(1, 61)]
    )
