import pytest

from penstock.core import ParameterError
from penstock.evaluation import METRICS, TASK_METRICS, Estimate, format_figure
from penstock.evaluation._formulas import FORMULAS
from penstock.evaluation._metrics import get_metric


def test_every_metric_of_a_task_has_a_formula_and_a_title():
    for task, names in TASK_METRICS.items():
        assert list(names) == list(FORMULAS[task])
        assert all(METRICS[name].title for name in names)


def test_a_misspelt_metric_is_answered_with_the_right_one():
    with pytest.raises(ParameterError, match="Did you mean 'recall'"):
        get_metric("recal", "binary")
    with pytest.raises(ParameterError, match="for a binary target"):
        get_metric("rmse", "binary")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.70049, "0.700"), (-12.345, "-12.35"), (1e6, "1,000,000"), (0.001234, "0.00123"), (0, "0")],
)
def test_figures_are_written_as_people_read_them(value, text):
    assert format_figure(value) == text


def test_an_estimate_reads_and_gives_its_figures():
    estimate = Estimate(0.5, 0.4, 0.6)
    assert str(estimate) == "0.500 [0.400, 0.600]"
    assert Estimate(**estimate.to_json()) == estimate
