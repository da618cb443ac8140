"""Gates for test rows that are too few for an interval; apart because the rule is special.

With fewer than ten test rows of a class no interval of the area is valid, so ``lower(roc_auc)``
could never pass. Those rows do allow a test against guessing: the area of a guessing model is Mann
and Whitney's statistic, whose variance is known.
"""

from collections.abc import Collection, Sequence
from math import ceil, sqrt

import numpy as np

from penstock.data import Split
from penstock.evaluation import FEWEST_EVENTS, FEWEST_NUMBERS, FEWEST_WEIGHTY
from penstock.scaffolding._notes import Label, RowsTested

_Z = 1.96  # a guess exceeds the mean by so many deviations once in 40 tries
_ONE_ROW = 0.98  # the area of a single positive row is uniform, not normal


def count_tested(
    split: Split, classes: Sequence[Label], rare: Collection[Label] = ()
) -> RowsTested:
    """Count the test rows, and the test rows of the smallest class.

    Args:
        split: The split.
        classes: All classes of the table; empty for regression.
        rare: Classes whose rows are removed before the split.
    """
    target = split.test.y
    learned = [label for label in classes if label not in rare]
    if not learned:
        numbers = np.asarray(target, dtype=float)
        spread = (numbers - numbers.mean()) ** 2
        weight = float(spread @ spread)
        return RowsTested(len(target), weighty=spread.sum() ** 2 / weight if weight > 0 else None)
    labels = [str(label) for label in target]
    counts = {label: labels.count(str(label)) for label in learned}
    scarce = min(learned, key=lambda label: counts[label])
    return RowsTested(len(target), scarce, counts[scarce])


def beat_guessing(tested: RowsTested) -> float:
    """Compute the area that a guess reaches in 1 of 40 samples of these rows.

    >>> beat_guessing(RowsTested(400, 1, 4))
    0.79

    Source:
        Mann and Whitney (1947), Annals of Mathematical Statistics 18, 50-60.
    """
    few, many = tested.scarce_rows, tested.rows - tested.scarce_rows
    if few <= 1:
        return _ONE_ROW
    return ceil(100 * (0.5 + _Z * sqrt((few + many + 1) / (12 * few * many)))) / 100


def is_scarce(tested: RowsTested | None) -> bool:
    """Check whether an interval of the area, or for regression of the errors, would be refused."""
    if tested is None:
        return False
    if tested.scarce is None:
        return tested.rows < FEWEST_NUMBERS
    return tested.scarce_rows < FEWEST_EVENTS


def warn_scarce(tested: RowsTested) -> list[str]:
    """Return warnings about too few test rows."""
    if tested.weighty is not None and tested.weighty < FEWEST_WEIGHTY:
        few = f"{max(round(tested.weighty), 1)} of {tested.rows:,} test rows"
        warning = f"{few} carry most of the target's spread: lower(r2) may not be told."
        return [f"{warning} Predict its logarithm, or judge by upper(mae)."]
    if not is_scarce(tested):
        return []
    if tested.scarce is None:
        return [f"Only {tested.rows} test rows: an interval needs {FEWEST_NUMBERS}."]
    text = (
        f"Only {tested.scarce_rows} test rows of class {tested.scarce!r}: an interval of roc_auc "
    )
    return [f"{text}needs {FEWEST_EVENTS}, and what so few show is rough."]
