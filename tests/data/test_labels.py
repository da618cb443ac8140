"""Several labels per row: lists, folded 0-1 columns, the 0-1 frame, and labels in every subset."""

import polars as pl
import pytest

from penstock.core import DataError, NotFoundError, ParameterError
from penstock.data import Split, guess_task, split_table
from penstock.data._labels import fold_targets, label_matrix, labels_of, rarest_labels

WIDE = pl.DataFrame(
    {"x": [1, 2, 3, 4], "red": [1, 0, 0, None], "round": [True, True, False, True]},
)


def test_columns_become_lists_and_a_row_without_one_has_no_target():
    folded, name = fold_targets(WIDE, ["red", "round"])
    assert (name, folded.columns) == ("labels", ["x", "labels"])
    assert folded["labels"].to_list() == [["red", "round"], ["round"], [], None]
    taken = WIDE.with_columns(labels=pl.lit("taken"))
    assert fold_targets(taken, ["red", "round"])[1] == "labels_"
    assert fold_targets(WIDE, "red") == (WIDE, "red")


@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        (["red", "x"], DataError, "target 'x' is Int64 and holds"),
        (["red", "red"], ParameterError, "names a column twice"),
        ([], ParameterError, "names no column"),
        (["red", "rund"], NotFoundError, "rund"),
    ],
)
def test_other_columns_are_refused(target, error, message):
    with pytest.raises(error, match=message):
        fold_targets(WIDE, target)


def test_labels_are_found_and_become_a_matrix():
    lists = pl.Series("tags", [["b", "a", "b"], [], None, ["c"]])
    assert guess_task(lists) == "multilabel"
    assert labels_of(lists) == ("a", "b", "c")
    matrix = label_matrix(lists, ("a", "b", "c"))
    assert matrix.tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 0], [0, 0, 1]]
    assert rarest_labels(pl.Series([["a", "b"], ["a"], []])).to_list() == ["b", "a", None]
    with pytest.raises(DataError, match="Row 3 has the label 'c'"):
        label_matrix(lists, ("a", "b"))
    with pytest.raises(DataError, match="list of 'tags' has a missing label"):
        labels_of(pl.Series("tags", [["a", None], ["b"]]))
    with pytest.raises(DataError, match="has 1 different labels"):
        labels_of(pl.Series("tags", [["a"], []]))
    with pytest.raises(DataError, match=r"target 'y' is List\(Float64\)"):
        guess_task(pl.Series("y", [[0.5], [1.0]]))


def test_a_rare_label_is_in_every_subset_and_y_has_a_column_for_each():
    tags = [["common"]] * 150 + [["common", "rare"]] * 10 + [[]] * 40
    rows = pl.DataFrame({"x": range(200), "tags": tags})
    split = split_table(rows, target="tags", validation=0.2)
    for part in (split.train, split.validation, split.test):
        assert part.Y.columns == ["common", "rare"]
        assert part.Y["rare"].sum() >= 2
    again = Split.from_bundle(split.to_bundle())
    assert again.test.Y.equals(split.test.Y)
    with pytest.raises(DataError, match="has one value per row"):
        _ = split_table(rows.with_columns(y=pl.col("x") % 2), target="y", drop=["tags"]).train.Y


def test_a_column_that_reveals_a_label_is_found():
    rows = pl.DataFrame({"x": range(200), "noise": [i * 7 % 13 for i in range(200)]})
    rows = rows.with_columns(
        red=pl.col("x") < 100, round=pl.col("noise").is_in([1, 5, 8]) ^ (pl.col("x") % 3 == 0)
    )
    [found] = split_table(rows, target=["red", "round"]).leakage
    assert (found.level, found.column) == ("fail", "x")
    assert "label 'red'" in found.message
