import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, chi2_contingency

from penstock.core import ParameterError
from penstock.serving._traffic import TrafficSplit, bucket


def split(share: float, salt: str = "big-tips") -> TrafficSplit:
    return TrafficSplit({1: 1 - share, 2: share}, control=1, salt=salt)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.25, 0.5])
def test_split_is_inside_the_999_permille_binomial_interval(share: float) -> None:
    ids = 100_000
    chosen = split(share)
    hits = sum(chosen.choose(f"unit-{i}").version == 2 for i in range(ids))
    low, high = binom.interval(0.999, ids, share)
    assert low <= hits <= high


@given(st.text(), st.floats(0, 1), st.floats(0, 1))
def test_raising_a_share_never_moves_a_unit_out_of_it(unit: str, one: float, two: float) -> None:
    small, large = sorted((one, two))
    if split(small).choose(unit).version == 2:
        assert split(large).choose(unit).version == 2


def test_a_unit_meets_the_same_version_in_another_process() -> None:
    code = "from penstock.serving._traffic import bucket; print([bucket('s', str(i)) for i in range(50)])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == str([bucket("s", str(i)) for i in range(50)])


def test_two_deployments_assign_independently() -> None:
    one, two = split(0.5, "one"), split(0.5, "two")
    table = [[0, 0], [0, 0]]
    for place in range(50_000):
        unit = str(place)
        table[one.choose(unit).version - 1][two.choose(unit).version - 1] += 1
    assert chi2_contingency(table).pvalue > 1e-4


def test_without_a_unit_chance_decides_and_says_so() -> None:
    chosen = [split(0.5).choose() for _ in range(400)]
    assert not any(assignment.sticky for assignment in chosen)
    assert {assignment.version for assignment in chosen} == {1, 2}
    assert split(0.5).choose("unit").sticky


def test_choosing_by_chance_leaves_the_global_generator_alone() -> None:
    import random

    random.seed(3)
    state = random.getstate()
    split(0.5).choose()
    assert random.getstate() == state


@pytest.mark.parametrize("weights", [{1: 0.5, 2: 0.4}, {1: 1.5, 2: -0.5}, {}])
def test_weights_that_do_not_share_out_all_traffic_are_refused(weights: dict) -> None:
    with pytest.raises(ParameterError, match="sum to"):
        TrafficSplit(weights, control=1, salt="s")


def test_all_traffic_to_one_version_leaves_nothing_for_others() -> None:
    everything = split(1.0)
    assert {everything.choose(str(i)).version for i in range(1000)} == {2}
