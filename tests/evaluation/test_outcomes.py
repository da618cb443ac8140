import numpy as np
import pytest

from penstock.core import DataError
from penstock.evaluation import Outcomes
from penstock.evaluation._outcomes import encode_labels, order_scores, sort_labels


def test_truth_and_one_are_one_label():
    assert encode_labels([True, False, 1], (0, 1), owner="target").tolist() == [1, 0, 1]


def test_a_label_in_another_type_is_refused_with_both_types():
    with pytest.raises(DataError, match=r"'1' \(str\).*0 \(int\), 1 \(int\)"):
        encode_labels(np.array(["1", "0"]), (0, 1), owner="model's prediction")


def test_labels_of_mixed_types_have_an_order():
    assert sort_labels([2, "a", 1]) == (1, 2, "a")
    assert sort_labels(np.array([True, False])) == (False, True)


def test_ties_of_scores_are_found_in_any_order():
    order, starts, ends = order_scores(np.array([0.5, 0.1, 0.5]))
    assert order.tolist() == [1, 0, 2]
    assert (starts.tolist(), ends.tolist()) == ([0, 1, 1], [0, 2, 2])
    assert order_scores(np.array([0.1, 0.5]))[0] is None


def test_rows_with_a_bad_score_are_counted_once():
    scores = np.array([[np.nan, np.nan], [0.5, 0.5]])
    outcomes = Outcomes("multiclass", ("a", "b"), np.zeros(2, int), np.zeros(2, int), scores, True)
    assert outcomes.bad_scores == 1
