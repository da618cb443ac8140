"""Parity figures against fairlearn itself, and by hand."""

import warnings

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.evaluation import GroupCounts, count_groups, parity
from penstock.evaluation._fairness import RATES, rate_difference, rate_ratio

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import fairlearn.metrics as fairlearn


def rows(seed, groups=4, n=400):
    draw = np.random.default_rng(seed)
    group = draw.integers(0, groups, n)
    truth = draw.random(n) < 0.2 + 0.1 * group
    said = draw.random(n) < np.where(truth, 0.7, 0.2 + 0.05 * group)
    for each in range(groups):  # every group has each combination, as fairlearn needs
        at = np.flatnonzero(group == each)[:4]
        truth[at], said[at] = [0, 0, 1, 1], [0, 1, 0, 1]
    return truth, said, np.array(list("dcba"))[group]


@pytest.mark.parametrize("seed", range(5))
def test_parity_figures_equal_fairlearn(seed):
    truth, said, group = rows(seed)
    found = parity(count_groups(truth, said, pl.DataFrame({"g": group}))["g"])
    arguments = {
        "y_true": truth.astype(int),
        "y_pred": said.astype(int),
        "sensitive_features": group,
    }
    expected = {name: getattr(fairlearn, name)(**arguments) for name in found}
    assert len(found) == 4
    assert found == pytest.approx(expected, rel=1e-12)


def test_rates_by_group_equal_fairlearn():
    from sklearn.metrics import accuracy_score, precision_score

    truth, said, group = rows(9)
    frame = fairlearn.MetricFrame(
        metrics={
            "selection_rate": fairlearn.selection_rate,
            "true_positive_rate": fairlearn.true_positive_rate,
            "false_positive_rate": fairlearn.false_positive_rate,
            "accuracy": accuracy_score,
            "precision": precision_score,
        },
        y_true=truth.astype(int),
        y_pred=said.astype(int),
        sensitive_features=group,
    )
    groups = count_groups(truth, said, pl.DataFrame({"g": group}))["g"]
    for rate in RATES:
        found = {each.value: getattr(each, rate) for each in groups}
        assert found == pytest.approx(frame.by_group[rate].to_dict(), rel=1e-12)
        assert rate_difference(groups, rate) == pytest.approx(frame.difference()[rate], rel=1e-12)
        assert rate_ratio(groups, rate) == pytest.approx(frame.ratio()[rate], rel=1e-12)


def test_two_groups_by_hand():
    # women: 2 of 4 selected, 1 of 2 found, 1 of 2 wrongly; men: 3 of 4, 2 of 2, 1 of 2
    groups = [GroupCounts("f", 4, 2, 2, 1), GroupCounts("m", 4, 2, 3, 2)]
    assert parity(groups) == {
        "demographic_parity_difference": 0.25,
        "demographic_parity_ratio": 2 / 3,
        "equalized_odds_difference": 0.5,
        "equalized_odds_ratio": 0.5,
    }


def test_a_rate_without_rows_is_left_out_and_never_a_division_by_zero():
    groups = [GroupCounts("f", 4, 0, 0, 0), GroupCounts("m", 4, 4, 0, 0)]
    assert groups[0].true_positive_rate is None
    assert groups[1].false_positive_rate is None
    assert parity(groups) == {
        "demographic_parity_difference": 0.0,
        "equalized_odds_difference": 0.0,
    }
    assert parity([]) == {}


@given(
    st.lists(
        st.tuples(st.booleans(), st.booleans(), st.sampled_from(["a", "b", None])),
        min_size=1,
        max_size=40,
    )
)
@settings(max_examples=50, deadline=None)
def test_differences_are_never_negative_and_ratios_never_above_one(triples):
    truth, said, group = zip(*triples, strict=True)
    groups = count_groups(truth, said, pl.DataFrame({"g": pl.Series(group, dtype=pl.String)}))["g"]
    assert sum(each.rows for each in groups) == len(triples)
    assert all(0 <= figure <= 1 for figure in parity(groups).values())
