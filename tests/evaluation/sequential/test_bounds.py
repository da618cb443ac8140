"""Rates: the martingale bound is checked by simulation; means: against the stated coverage."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import beta

from penstock.evaluation.sequential._bounds import log_e_value, mean_half_width, rate_bounds


def test_e_value_is_the_mixture_over_the_jeffreys_prior() -> None:
    errors, requests, rate = 3, 20, 0.3

    def likelihood(p: float) -> float:
        return p**errors * (1 - p) ** (requests - errors)

    mixed, _ = quad(lambda p: likelihood(p) * beta.pdf(p, 0.5, 0.5), 0, 1, limit=200)
    assert log_e_value(errors, requests, rate) == pytest.approx(
        math.log(mixed / likelihood(rate)), rel=1e-4
    )


@given(st.integers(0, 5_000), st.integers(0, 5_000), st.sampled_from([0.1, 0.01, 0.001]))
def test_bounds_hold_the_observed_rate(errors: int, more: int, alpha: float) -> None:
    requests = errors + more
    low, high = rate_bounds(errors, requests, alpha)
    assert 0 <= low <= high <= 1
    if requests:
        assert low <= errors / requests <= high


def test_bounds_narrow_with_more_requests() -> None:
    widths = [np.diff(rate_bounds(n // 10, n, 0.01))[0] for n in (10, 100, 1_000, 10_000)]
    assert widths == sorted(widths, reverse=True)


@pytest.mark.parametrize("rate", [0.001, 0.1, 0.5])
def test_the_true_rate_leaves_its_bounds_at_most_alpha_often_however_often_one_looks(
    rate: float,
) -> None:
    rng, alpha, replicates, length = np.random.default_rng(5), 0.05, 400, 2_000
    looks = np.unique(np.geomspace(1, length, 60).astype(int))
    outside = 0
    for _ in range(replicates):
        errors = np.cumsum(rng.random(length) < rate)[looks - 1]
        # log E >= log 1/alpha at any look: the same event as the rate being outside the bounds.
        outside += any(
            log_e_value(int(k), int(n), rate) >= math.log(1 / alpha)
            for k, n in zip(errors, looks, strict=True)
        )
    assert outside / replicates <= alpha + 2 * math.sqrt(alpha * (1 - alpha) / replicates)


def test_a_mean_leaves_its_interval_at_most_alpha_often_with_many_looks() -> None:
    rng, alpha, replicates, length = np.random.default_rng(6), 0.05, 300, 3_000
    looks = np.unique(np.geomspace(30, length, 60).astype(int))
    outside = 0
    for _ in range(replicates):
        values = (rng.random(length) < 0.3).astype(float)
        means = np.cumsum(values)[looks - 1] / looks
        outside += any(
            abs(mean - 0.3) > mean_half_width(int(n), max(mean * (1 - mean), 1e-9), alpha)
            for mean, n in zip(means, looks, strict=True)
        )
    assert outside / replicates <= alpha + 2 * math.sqrt(alpha * (1 - alpha) / replicates)


def test_one_row_says_nothing_about_a_mean() -> None:
    assert mean_half_width(1, 0.2, 0.05) == math.inf


def test_impossible_rates_are_out_of_the_question_at_once() -> None:
    assert log_e_value(1, 10, 0.0) == math.inf
    assert log_e_value(9, 10, 1.0) == math.inf
