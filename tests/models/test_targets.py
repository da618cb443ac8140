"""Targets: rows of values by name, in the types of the labels."""

import numpy as np
import pandas as pd
import pytest

from penstock.models import Target
from penstock.models._targets import TargetColumn, is_row_of_values, rows_by_target


def test_labels_keep_the_type_of_the_classes_where_a_matrix_has_floats():
    output = np.array([[1.0, 2.5], [0.0, 3.5]])
    targets = [Target("came", (0, 1)), Target("height")]
    rows = rows_by_target(output, targets)
    assert rows == [{"came": 1, "height": 2.5}, {"came": 0, "height": 3.5}]
    assert type(rows[0]["came"]) is int
    assert rows_by_target(pd.DataFrame(output), targets) == rows


def test_only_a_matrix_of_several_columns_is_rows_of_values():
    assert is_row_of_values(np.zeros((3, 2)))
    assert not is_row_of_values(np.zeros(3))
    assert not is_row_of_values([1, 2])


def test_a_column_has_probabilities_only_where_the_estimator_has():
    class Wide:
        def predict(self, rows):
            return np.ones((len(rows), 2))

    assert not hasattr(TargetColumn(Wide(), 0, (0, 1)), "predict_proba")
    assert TargetColumn(Wide(), 1).predict([[1]]) == [1.0]
    with pytest.raises(AttributeError):
        _ = TargetColumn(Wide(), 0).classes_
