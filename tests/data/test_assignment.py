import itertools
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core import DataError
from penstock.data import _assignment, _time_search
from penstock.data._assignment import (
    OUT,
    TEST,
    TRAIN,
    VALIDATION,
    by_both,
    by_chance,
    by_group,
    by_time,
    part_sizes,
)
from penstock.data._time_search import nearest_time

NO_GAP = timedelta(0)
SHARES = st.sampled_from([(0.0, 0.2), (0.15, 0.15), (0.1, 0.5), (0.4, 0.4), (0.0, 0.01)])


@given(rows=st.integers(3, 300), shares=SHARES, seed=st.integers(0, 5))
def test_a_random_split_has_the_sizes_asked_for(rows, shares, seed):
    parts = by_chance(rows, *shares, seed, None)  # type: ignore[call-arg]
    sizes = tuple(int((parts == part).sum()) for part in (TRAIN, VALIDATION, TEST))
    assert sizes == part_sizes(rows, *shares)
    assert min(sizes[0], sizes[2]) >= 1
    assert (sizes[1] >= 1) == bool(shares[0])
    assert np.array_equal(parts, by_chance(rows, *shares, seed, None))  # type: ignore[call-arg]


@given(
    strata=st.lists(st.integers(0, 3), min_size=3, max_size=200),
    shares=SHARES,
    seed=st.integers(0, 5),
)
def test_each_stratum_is_shared_out_evenly(strata, shares, seed):
    codes = np.unique(strata, return_inverse=True)[1]
    parts = by_chance(len(codes), *shares, seed, codes)  # type: ignore[call-arg]
    sizes = part_sizes(len(codes), *shares)
    for code, count in enumerate(np.bincount(codes)):
        for part in (VALIDATION, TEST):
            found = int((parts[codes == code] == part).sum())
            assert abs(found - count * sizes[part] / len(codes)) <= 2


def test_another_seed_gives_another_split():
    assert not np.array_equal(by_chance(100, 0.0, 0.2, 0, None), by_chance(100, 0.0, 0.2, 1, None))


@given(
    times=st.lists(st.integers(0, 100), min_size=3, max_size=100).filter(lambda t: len(set(t)) > 2),
    shares=SHARES,
    gap=st.integers(0, 5),
)
def test_later_parts_are_newer_by_the_gap(times, shares, gap):
    stamps = np.asarray(times)
    try:
        parts = by_time(stamps, *shares, timedelta(microseconds=gap))  # type: ignore[call-arg]
    except DataError:
        assert gap
        assert shares[0]
        return
    order = [TRAIN, *([VALIDATION] if shares[0] else []), TEST]
    for early, late in itertools.pairwise(order):
        first, second = stamps[parts == early], stamps[parts == late]
        assert len(second)
        if len(first):
            assert second.min() - first.max() > gap or (gap == 0 and second.min() > first.max())
    assert gap or (parts != OUT).all()


def test_the_newest_share_is_test():
    parts = by_time(np.arange(100), 0.1, 0.2, NO_GAP)
    assert parts.tolist() == [TRAIN] * 70 + [VALIDATION] * 10 + [TEST] * 20


def test_equal_times_stay_together():
    parts = by_time(np.repeat([1, 2, 3], [80, 15, 5]), 0.0, 0.1, NO_GAP)
    assert parts.tolist() == [TRAIN] * 95 + [TEST] * 5


@pytest.mark.parametrize(("times", "validation"), [([5, 5, 5], 0.0), ([5, 5, 6], 0.2)])
def test_too_few_times_are_refused(times, validation):
    with pytest.raises(DataError, match=r"different times"):
        by_time(np.asarray(times), validation, 0.2, NO_GAP)


def test_a_gap_that_leaves_nothing_is_refused():
    with pytest.raises(DataError, match=r"leaves no rows to train on.*shorter gap"):
        by_time(np.arange(10), 0.2, 0.2, timedelta(seconds=1))


@given(
    groups=st.lists(st.integers(0, 12), min_size=3, max_size=150),
    shares=SHARES,
    seed=st.integers(0, 5),
)
def test_groups_are_whole(groups, shares, seed):
    codes = np.unique(groups, return_inverse=True)[1]
    if codes.max() + 1 < (3 if shares[0] else 2):
        with pytest.raises(DataError, match=r"groups"):
            by_group(codes, *shares, seed)  # type: ignore[call-arg]
        return
    parts = by_group(codes, *shares, seed)  # type: ignore[call-arg]
    for code in range(codes.max() + 1):
        assert len(set(parts[codes == code].tolist())) == 1
    wanted = {TRAIN, TEST} | ({VALIDATION} if shares[0] else set())
    assert set(parts.tolist()) == wanted


def test_many_small_groups_reach_the_share():
    codes = np.repeat(np.arange(100), 7)
    parts = by_group(codes, 0.1, 0.2, 0)
    assert (parts == TEST).mean() == pytest.approx(0.2, abs=0.01)
    assert (parts == VALIDATION).mean() == pytest.approx(0.1, abs=0.01)


def test_a_huge_group_does_not_swallow_the_train_rows():
    codes = np.repeat([0, 1, 2, 3], [900, 40, 40, 40])
    for seed in range(8):
        assert (by_group(codes, 0.0, 0.1, seed)[codes == 0] == TRAIN).all()


@given(data=st.data(), shares=SHARES, seed=st.integers(0, 3))
def test_groups_are_whole_and_times_ordered_at_once(data, shares, seed):
    rows = data.draw(st.integers(10, 80))
    times = np.asarray(data.draw(st.lists(st.integers(0, 40), min_size=rows, max_size=rows)))
    groups = np.asarray(data.draw(st.lists(st.integers(0, 9), min_size=rows, max_size=rows)))
    codes = np.unique(groups, return_inverse=True)[1]
    if len(set(times.tolist())) < 3:
        return
    parts = by_both(codes, times, *shares, NO_GAP, seed)  # type: ignore[call-arg]
    for code in range(codes.max() + 1):
        assert len(set(parts[codes == code].tolist()) - {OUT}) <= 1
    for early, late in ((TRAIN, VALIDATION), (VALIDATION, TEST), (TRAIN, TEST)):
        first, second = times[parts == early], times[parts == late]
        if len(first) and len(second):
            assert first.max() < second.min()


def test_short_lived_groups_lose_no_rows():
    codes = np.repeat(np.arange(50), 4)
    parts = by_both(codes, np.repeat(np.arange(50), 4), 0.0, 0.2, NO_GAP, 0)
    assert (parts != OUT).all()


def test_long_lived_groups_are_shared_out():
    codes = np.tile(np.arange(20), 50)
    parts = by_both(codes, np.repeat(np.arange(50), 20), 0.0, 0.2, NO_GAP, 0)
    assert (parts == TRAIN).sum() == 16 * 40
    assert (parts == TEST).sum() == 4 * 10


def sorted_by_chance(rows, validation, test, seed, strata):
    """The plain form: all rows in the order of their share of the stratum."""
    order = np.random.default_rng(seed).permutation(rows)
    shuffled = strata[order]
    sizes, by_stratum = np.bincount(shuffled), np.argsort(shuffled, kind="stable")
    rank = np.empty(rows)
    rank[by_stratum] = np.arange(rows) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    order = order[np.argsort((rank + 0.5) / sizes[shuffled], kind="stable")]
    _, validations, tests = part_sizes(rows, validation, test)
    parts = np.full(rows, TRAIN, dtype=np.int8)
    parts[order[:tests]] = TEST
    parts[order[tests : tests + validations]] = VALIDATION
    return parts


@given(
    strata=st.lists(st.integers(0, 9), min_size=3, max_size=300),
    shares=SHARES,
    seed=st.integers(0, 99),
    block=st.integers(1, 100),
)
def test_strata_are_taken_by_rank_as_if_all_rows_were_sorted(strata, shares, seed, block):
    codes = np.unique(strata, return_inverse=True)[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_assignment, "_BLOCK", block)
        found = by_chance(len(codes), *shares, seed, codes.astype(np.uint8))  # type: ignore[call-arg]
    assert np.array_equal(found, sorted_by_chance(len(codes), *shares, seed, codes))  # type: ignore[call-arg]


@given(
    times=st.lists(st.integers(-(10**12), 10**12) | st.integers(0, 9), min_size=1, max_size=200),
    wanted=st.integers(1, 200),
    limit=st.none() | st.integers(0, 199),
    intervals=st.integers(2, 40),
    few=st.integers(0, 20),
)
def test_a_cut_is_the_time_nearest_to_the_wanted_number(times, wanted, limit, intervals, few):
    every = np.array(times)
    before = None if limit is None else int(np.sort(every)[limit % len(every)]) + 1
    counted = every if before is None else every[every < before]
    choices = np.unique(counted)
    after = [int((counted >= choice).sum()) for choice in choices]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_time_search, "_INTERVALS", intervals)
        patch.setattr(_time_search, "_FEW", few)
        found = nearest_time(lambda: np.array_split(every, 3), int(choices[0]), before, wanted)
    assert found == choices[np.argmin(np.abs(np.array(after) - wanted))]
