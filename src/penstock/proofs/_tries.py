"""How many hash seeds a step is tried under: many where sets are used or time is short, else few."""

import math
from enum import IntEnum

MOST_SEEDS = 12
"""A set of two strings that no source names is missed by so many once in about 2,000 times."""


class Sets(IntEnum):
    """Where the project's code can put values into the order of a set."""

    NOWHERE = 0
    ELSEWHERE = 1
    """In code that the step is not known to reach; its inputs may be sets all the same."""
    IN_STEP = 2


# Per case: the fewest and the most tries, and the seconds that they may take together.
_BUDGETS = {Sets.NOWHERE: (1, 4, 2.0), Sets.ELSEWHERE: (1, 12, 8.0), Sets.IN_STEP: (4, 12, 60.0)}


def count_tries(cost_s: float, *, sets: Sets) -> int:
    """Return under how many hash seeds a step is executed.

    >>> [count_tries(40.0, sets=sets) for sets in Sets]
    [1, 1, 4]

    Args:
        cost_s: Seconds of one more try: loading the pipeline and executing the step.
        sets: Where the project's code uses sets.
    """
    least, most, seconds = _BUDGETS[sets]
    return max(least, min(most, int(seconds / max(cost_s, 0.01))))


def is_tried(
    rank: int, *, cost_s: float, sets: Sets, place: int = 0, items: int = 1, most: int | None = None
) -> tuple[bool, int]:
    """Return whether a step is executed under a hash seed, and the last rank that any item needs.

    Items of a map share their code: they are spread over the seeds, so that many of them cost
    little more than one of them.

    Args:
        rank: Number of the hash seed, from 0; under the first everything is executed.
        cost_s: See `count_tries`.
        sets: See `count_tries`.
        place: Place of an item in its map, from 0.
        items: How many items the map has; 1 for a plain step.
        most: How many seeds were asked for; None to let the cost decide.
    """
    tries = most or count_tries(cost_s, sets=sets)
    others = tries - 1
    if rank == 0 or not others:
        return rank == 0, tries
    if items == 1:
        return rank < tries, tries
    each = min(others, max(1, math.ceil(2 * others / items)))
    return rank < tries and (rank - 1 - place * each) % others < each, tries
