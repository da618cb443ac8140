"""Number of hash seeds for a step: many where sets are used or the step is quick, else few."""

import math
from enum import IntEnum

MOST_SEEDS = 12
"""With this many seeds, a set of two unknown strings is missed about once in 2,000 times."""


class Sets(IntEnum):
    """Where the project's code can put values into the order of a set."""

    NOWHERE = 0
    ELSEWHERE = 1
    """In code that the step is not known to reach; the inputs may be sets all the same."""
    IN_STEP = 2


# Per case: minimum and maximum number of tries, and a limit of their total in seconds.
_BUDGETS = {Sets.NOWHERE: (1, 4, 2.0), Sets.ELSEWHERE: (1, 12, 8.0), Sets.IN_STEP: (4, 12, 60.0)}


def count_tries(cost_s: float, *, sets: Sets) -> int:
    """Return the number of hash seeds under which a step is executed.

    >>> [count_tries(40.0, sets=sets) for sets in Sets]
    [1, 1, 4]

    Args:
        cost_s: Seconds of a further try: loading the pipeline and executing the step.
        sets: Where the project's code uses sets.
    """
    least, most, seconds = _BUDGETS[sets]
    return max(least, min(most, int(seconds / max(cost_s, 0.01))))


def is_tried(
    rank: int, *, cost_s: float, sets: Sets, place: int = 0, items: int = 1, most: int | None = None
) -> tuple[bool, int]:
    """Return whether a step is executed under a hash seed, and the last rank that any item needs.

    Items of a map share their code: they are spread over the seeds, so that many items cost little
    more than a single item.

    Args:
        rank: Number of the hash seed, from 0; under the first everything is executed.
        cost_s: See `count_tries`.
        sets: See `count_tries`.
        place: Index of an item in the map, from 0.
        items: Number of items of the map; 1 for a plain step.
        most: Requested number of seeds; None to derive the number from the cost.
    """
    tries = most or count_tries(cost_s, sets=sets)
    others = tries - 1
    if rank == 0 or not others:
        return rank == 0, tries
    if items == 1:
        return rank < tries, tries
    each = min(others, max(1, math.ceil(2 * others / items)))
    return rank < tries and (rank - 1 - place * each) % others < each, tries
