"""Exact sums: the sum of the values as fractions, rounded once, whatever the grouping."""

import math
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from penstock.features.views._exact_sums import exact_mean, exact_parts, exact_sum

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def rounded(exact):
    try:
        return float(exact)
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


@given(st.lists(FINITE))
def test_parts_have_the_exact_sum(values):
    exact = sum(map(Fraction, values), Fraction(0))
    assert sum(map(Fraction, exact_parts(values)), Fraction(0)) == exact
    assert exact_sum(values) == exact_sum(exact_parts(values)) == rounded(exact)


@given(st.lists(st.lists(st.floats()), min_size=1), st.randoms(use_true_random=False))
def test_any_grouping_ends_in_the_same_bits(groups, random):
    values = [each for group in groups for each in group]
    whole = exact_sum(values)
    random.shuffle(values)
    parts = [part for group in groups for part in exact_parts(group)]
    for found in (exact_sum(values), exact_sum(parts), exact_sum(exact_parts(parts))):
        assert (found, math.copysign(1, found)) == (whole, math.copysign(1, whole)) or (
            math.isnan(found) and math.isnan(whole)
        )


@given(st.lists(FINITE, min_size=1))
def test_a_mean_is_rounded_once_and_never_overflows(values):
    exact = sum(map(Fraction, values), Fraction(0)) / len(values)
    assert exact_mean(exact_parts(values), len(values)) == float(exact)
