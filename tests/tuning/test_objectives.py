"""What a search optimizes: metrics with their directions, and what is said of those that are not."""

import pytest

from penstock.core import ParameterError
from penstock.tuning._objectives import read_objectives


@pytest.mark.parametrize("name", ["rocauc", "roc-auc", "ROC_AUC", "roc_auk", "rocauc.max"])
def test_a_metric_of_almost_a_known_name_is_suggested(name):
    with pytest.raises(ParameterError, match=r"Did you mean 'roc_auc'"):
        read_objectives(name, None)


def test_a_metric_of_ones_own_is_asked_for_its_direction():
    with pytest.raises(ParameterError, match="Write direction='maximize'") as refused:
        read_objectives("profit", None)
    assert "Did you mean" not in str(refused.value)
    assert read_objectives("profit:maximize", None)[0].metric == "profit"


def test_no_metric_is_said_in_words():
    with pytest.raises(ParameterError, match="No metric is named") as refused:
        read_objectives((), None)
    assert "--metric" in str(refused.value)


def test_as_many_directions_as_metrics():
    with pytest.raises(ParameterError, match="2 metrics and 1 directions"):
        read_objectives(["roc_auc", "rmse"], ["maximize"])
