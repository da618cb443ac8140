from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core import DataError, LeakageError, NotFoundError, ParameterError
from penstock.data import Snapshot, Split, split_rows, split_table

N = 200
TABLE = pl.DataFrame(
    {
        "day": [date(2016, 1, 1) + timedelta(n // 2) for n in range(N)],
        "shop": [f"s{n % 10}" for n in range(N)],
        "size": [(n * 37) % 101 / 7 for n in range(N)],
        "price": [(n * 53) % 97 + 0.5 for n in range(N)],
        "paid": ["no" if n % 4 else "yes" for n in range(N)],
    }
)


def test_a_random_split_keeps_each_classs_share():
    split = split_table(TABLE, target="paid", validation=0.25, test=0.25)
    assert (len(split.train), len(split.validation), len(split.test)) == (100, 50, 50)
    for part in (split.train, split.validation, split.test):
        assert (part.y == "yes").mean() == pytest.approx(0.25, abs=0.02)


def test_parts_hold_features_target_and_everything():
    split = split_table(TABLE, target="paid", drop=["shop"])
    assert split.train.X.columns == ["day", "size", "price"]
    assert split.train.y.name == "paid"
    assert split.train.table.columns == TABLE.columns
    assert split.train.table.equals(TABLE[split.train.rows])
    assert split.schema.names == ["day", "size", "price"]
    assert len(split.validation) == split.validation.X.height == 0


def test_every_row_is_in_one_part_and_positions_rise():
    split = split_table(TABLE, target="price", validation=0.1)
    rows = [split.train.rows, split.validation.rows, split.test.rows]
    assert sorted(np.concatenate(rows).tolist()) == list(range(N))
    assert all((np.diff(part) > 0).all() for part in rows)


def test_the_same_seed_gives_the_same_parts():
    first, second = (split_table(TABLE, target="price", seed=7) for _ in range(2))
    assert np.array_equal(first.test_rows, second.test_rows)
    assert not np.array_equal(first.test_rows, split_table(TABLE, target="price", seed=8).test_rows)


def test_a_split_by_time_tests_on_the_newest_rows_after_the_gap():
    split = split_table(TABLE, target="price", by_time="day", validation=0.2, test=0.2, gap="3d")
    train, validation, test = (p.table["day"] for p in (split.train, split.validation, split.test))
    assert validation.min() - train.max() > timedelta(days=3)  # type: ignore[operator]
    assert test.min() - validation.max() > timedelta(days=3)  # type: ignore[operator]
    assert test.max() == TABLE["day"].max()
    assert split.findings[0].rule == "left_out"
    assert "within 3d before a later part" in split.findings[0].message


def test_a_split_by_group_keeps_groups_whole():
    split = split_table(TABLE, target="price", by_group="shop", validation=0.2)
    shops = [set(p.table["shop"]) for p in (split.train, split.validation, split.test)]
    assert [len(part) for part in shops] == [6, 2, 2]
    assert not shops[0] & shops[1] | shops[1] & shops[2] | shops[0] & shops[2]


def test_a_split_by_both_counts_what_it_leaves_out():
    split = split_table(TABLE, target="price", by_group="shop", by_time="day", test=0.5)
    assert split.train.table["day"].max() < split.test.table["day"].min()  # type: ignore[operator]
    assert not set(split.train.table["shop"]) & set(split.test.table["shop"])
    lost = N - len(split.train) - len(split.test)
    assert f"{lost:,} of {N} rows were left out: of a 'shop'" in split.findings[0].message
    assert split.findings[0].level == "warn"


def test_a_date_and_an_hour_column_order_the_rows():
    table = TABLE.with_columns(hr=pl.int_range(N) % 2 * 12)
    split = split_table(table, target="price", by_time=("day", "hr"), test=0.01)
    assert split.test.table["hr"].unique().to_list() == [0, 12]
    assert split.by_time == ("day", "hr")


def test_rows_without_target_or_time_are_left_out_and_counted():
    table = TABLE.with_columns(
        price=pl.when(pl.int_range(N) < 5).then(float("nan")).otherwise("price"),
        day=pl.when(pl.int_range(N) >= 6).then("day"),
    )
    split = split_table(table, target="price", by_time="day")
    assert len(split.train) + len(split.test) == N - 6
    assert [finding.message.split(" and ")[0] for finding in split.findings[:2]] == [
        "5 of 200 rows have no 'price'",
        "1 rows have no time in 'day'",
    ]


def test_rows_without_a_group_fill_a_part_beside_one_large_group():
    table = TABLE.with_columns(shop=pl.when(pl.int_range(N) % 10 > 3).then(pl.lit("shop")))
    split = split_table(table, target="price", by_group="shop")
    assert (len(split.test), split.test.table["shop"].null_count()) == (40, 40)
    assert split.train.table["shop"].null_count() == 40


def test_kinds_are_those_of_the_train_rows():
    table = TABLE.with_columns(new=pl.when(pl.int_range(N) > 170).then(pl.lit("x")))
    split = split_table(table, target="price", by_time="day")
    assert split.schema["new"].kind == "constant"


def test_a_random_split_of_rows_with_times_remarks_on_it():
    findings = split_table(TABLE, target="price").findings
    assert [(f.level, f.rule, f.column) for f in findings] == [("info", "L4", "day")]


@given(rows=st.integers(3, 12), test=st.sampled_from([0.1, 0.3, 0.5]), seed=st.integers(0, 3))
def test_three_rows_are_enough(rows, test, seed):
    table = pl.DataFrame({"a": range(rows), "y": [0.5 * n * n for n in range(rows)]})
    split = split_table(table, target="y", test=test, seed=seed)
    assert len(split.train) >= 1
    assert len(split.test) >= 1
    assert split.leakage == ()


def test_two_rows_are_too_few():
    with pytest.raises(DataError, match=r"2 of 3 rows can be used.*1 of 3 rows have no 'y'"):
        split_table(pl.DataFrame({"a": [1, 2, 3], "y": [1.0, None, 2.0]}), target="y")
    with pytest.raises(DataError, match=r"0 of 0 rows"):
        split_table(pl.DataFrame({"y": []}), target="y")


def test_a_target_with_one_class_is_refused_with_its_name_and_count():
    with pytest.raises(DataError, match=r"'y' has one value, 'no', in 5 rows"):
        split_table(pl.DataFrame({"a": range(5), "y": ["no"] * 5}), target="y")


def test_train_rows_of_one_class_are_refused():
    table = pl.DataFrame({"t": [date(2016, 1, n) for n in range(1, 11)], "y": [0] * 8 + [1] * 2})
    with pytest.raises(DataError, match=r"All 8 train rows have 'y' = 0"):
        split_table(table, target="y", by_time="t")


@pytest.mark.parametrize(
    "wrong",
    [
        {"target": "pric"},
        {"by_time": "dya"},
        {"by_group": "shp"},
        {"drop": ["sise"]},
        {"stratify": "pai"},
    ],
)
def test_a_wrong_column_is_refused_with_the_nearest_name(wrong):
    with pytest.raises(NotFoundError, match=r"Did you mean"):
        split_table(TABLE, **({"target": "price"} | wrong))


@pytest.mark.parametrize(
    "shares", [{"test": 0.0}, {"test": 1.0}, {"test": 0.5, "validation": 0.5}, {"validation": -0.1}]
)
def test_shares_that_leave_nothing_are_refused(shares):
    with pytest.raises(DataError, match=r"no shares of a table"):
        split_table(TABLE, target="price", **shares)


def test_a_gap_needs_a_time():
    with pytest.raises(ParameterError, match=r"gap='1d' was given without by_time"):
        split_table(TABLE, target="price", gap="1d")


def test_stratify_is_for_random_splits():
    with pytest.raises(ParameterError, match=r"stratify='shop' was given with by_time"):
        split_table(TABLE, target="price", by_time="day", stratify="shop")


def test_parts_far_from_their_share_are_remarked_on():
    table = TABLE.with_columns(
        day=pl.lit(date(2016, 1, 1)) + pl.duration(days=pl.int_range(N) // 100)
    )
    split = split_table(table, target="price", by_time="day", test=0.1)
    assert "test part holds 50% of the rows instead of 10%" in split.findings[0].message


def test_a_gap_as_long_as_the_data_is_refused():
    with pytest.raises(DataError, match=r"No rows are left for train"):
        split_table(TABLE, target="price", by_time="day", gap="500d")


def test_the_task_may_be_told():
    table = pl.DataFrame({"a": range(60), "stars": [1, 2, 3, 4, 5, 6] * 10})
    assert split_table(table, target="stars").task == "multiclass"
    split = split_table(table, target="stars", task="regression")
    assert (split.task, split.classes) == ("regression", ())


def test_another_column_may_be_shared_out_evenly():
    split = split_table(TABLE, target="price", stratify="shop", test=0.5)
    assert set(split.test.table["shop"].value_counts()["count"]) == {10}


def test_pandas_frames_and_snapshots_are_split_like_polars_frames():
    plain = split_table(TABLE.drop("day"), target="price")
    pandas = pd.DataFrame(TABLE.drop("day").to_dict(as_series=False))
    snapshot = Snapshot.of(TABLE.drop("day"))
    for other in (split_table(pandas, target="price"), split_table(snapshot, target="price")):  # type: ignore[arg-type]
        assert np.array_equal(other.test_rows, plain.test_rows)
        assert other.table_digest == plain.table_digest
    with pytest.raises(DataError, match=r"A list cannot be split"):
        split_table([1, 2, 3], target="price")  # type: ignore[arg-type]


def test_a_split_survives_its_bundle():
    for by_time in ("day", None):
        before = split_table(TABLE, target="paid", by_time=by_time, validation=0.1)
        after = Split.from_bundle(before.to_bundle())
        assert after.train.X.equals(before.train.X)
        assert after.test.y.equals(before.test.y)
        assert after.to_bundle()["facts"] == before.to_bundle()["facts"]
        assert (after.classes, after.by_time, after.schema) == (
            before.classes,
            before.by_time,
            before.schema,
        )


def test_chosen_rows_get_the_same_checks():
    split = split_rows(TABLE, target="price", train=range(100), validation=[120], test=[150, 140])
    assert split.test_rows.tolist() == [140, 150]
    assert len(split.validation) == 1


def test_rows_in_two_parts_are_refused():
    with pytest.raises(LeakageError, match=r"2 of 3 test rows are train rows too \(row 1, 2\)"):
        split_rows(TABLE, target="price", train=[0, 1, 2], test=[1, 2, 3])


def test_groups_in_two_parts_are_refused():
    with pytest.raises(LeakageError, match=r"2 groups of 'shop' .* 2 of 3 test rows") as caught:
        split_rows(TABLE, target="price", by_group="shop", train=[0, 1, 2], test=[10, 11, 13])
    assert caught.value.findings[0].rule == "L3"


def test_test_rows_that_are_not_newer_are_refused():
    with pytest.raises(
        LeakageError, match=r"1 of 2 test rows are not newer .*\(2016-01-11 00:00\)"
    ):
        split_rows(TABLE, target="price", by_time="day", train=[0, 5, 20], test=[21, 40])


def test_an_overlap_may_be_allowed_with_a_reason_that_is_kept():
    split = split_rows(
        TABLE, target="price", train=[0, 1, 2], test=[2, 3], allow_overlap="tiny example"
    )
    assert split.findings[0].level == "warn"
    assert split.findings[0].message.endswith("Allowed: tiny example")


def test_positions_outside_the_table_are_refused():
    with pytest.raises(ParameterError, match=r"test= names row 200 of 200 rows"):
        split_rows(TABLE, target="price", train=[0, 1], test=[200])


def test_an_empty_part_is_refused():
    with pytest.raises(DataError, match=r"No rows are left for test"):
        split_rows(TABLE, target="price", train=[0, 1], test=[])


def test_moments_order_the_rows_whatever_their_zone():
    start = datetime(2016, 1, 1)  # noqa: DTZ001
    table = pl.DataFrame(
        {"t": [start + timedelta(hours=n) for n in range(10)], "y": np.arange(10.0) ** 2}
    )
    zoned = table.with_columns(
        pl.col("t").dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo")
    )
    plain = split_table(table, target="y", by_time="t")
    assert np.array_equal(split_table(zoned, target="y", by_time="t").test_rows, plain.test_rows)


def test_each_row_without_a_group_is_a_group_of_its_own():
    groups = [None if n % 5 < 2 else f"P{n % 40}" for n in range(400)]
    table = pl.DataFrame({"p": groups, "a": range(400), "y": [n % 3 == 0 for n in range(400)]})
    split = split_table(table, target="y", by_group="p", drop=["p"])
    shares = [part.table["p"].null_count() / len(part) for part in (split.train, split.test)]
    assert all(0.2 < share < 0.6 for share in shares)
    (note,) = [finding for finding in split.findings if finding.rule == "no_group"]
    assert note.message.startswith("160 rows have no 'p'")


def test_group_names_that_differ_by_case_only_are_noted():
    groups = [f"P{n % 40}" if n else "p7" for n in range(400)]
    table = pl.DataFrame({"p": groups, "a": range(400), "y": [n % 3 == 0 for n in range(400)]})
    findings = split_table(table, target="y", by_group="p", drop=["p"]).findings
    assert "'P7' and 'p7'" in " ".join(f.message for f in findings if f.rule == "lookalike")


def test_many_rows_without_a_target_are_a_warning():
    table = pl.DataFrame({"a": range(100), "y": [None if n < 10 else n % 2 for n in range(100)]})
    (note,) = [f for f in split_table(table, target="y").findings if f.rule == "no_target"]
    assert note.level == "warn"
    assert "10 of 100 rows" in note.message


def test_groups_of_lists_stay_whole():
    table = pl.DataFrame(
        {
            "x": [float(n) for n in range(60)],
            "tags": [None if n < 5 else [n % 7, n % 2] for n in range(60)],
            "y": [n % 2 for n in range(60)],
        }
    )
    split = split_table(table, target="y", by_group="tags", test=0.3)
    train, test = (
        set(map(str, part.table["tags"].drop_nulls())) for part in (split.train, split.test)
    )
    assert train
    assert test
    assert not train & test
