"""How many hash seeds a step is tried under depends on what one more costs."""

import pytest

from penstock.proofs._tries import Sets, count_tries, is_tried


@pytest.mark.parametrize(
    ("cost_s", "sets", "tries"),
    [
        (0.3, Sets.NOWHERE, 4),
        (3.0, Sets.NOWHERE, 1),
        (0.3, Sets.ELSEWHERE, 12),
        (60.0, Sets.ELSEWHERE, 1),
        (4.0, Sets.IN_STEP, 12),
        (600.0, Sets.IN_STEP, 4),
    ],
)
def test_steps_that_cost_little_or_use_sets_are_tried_more_often(cost_s, sets, tries):
    assert count_tries(cost_s, sets=sets) == tries


@pytest.mark.parametrize("items", [1, 2, 5, 40, 1000])
def test_items_share_the_seeds_and_each_is_tried_under_two(items):
    tried = [
        [rank for rank in range(12) if is_tried(
            rank, cost_s=0.1, sets=Sets.IN_STEP, place=place, items=items
        )[0]]
        for place in range(items)
    ]  # fmt: skip
    assert {rank for ranks in tried for rank in ranks} == set(range(12))
    assert all(ranks[0] == 0 and len(ranks) >= 2 for ranks in tried)
    assert sum(map(len, tried)) <= max(24, 2 * items) + 12
