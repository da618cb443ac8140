"""Conditions of a valid interval: enough rows, and enough rows that carry the figure."""

import numpy as np

from penstock.evaluation._moves import errors, losses
from penstock.evaluation._outcomes import Outcomes
from penstock.evaluation.intervals._carrying import weighty
from penstock.evaluation.intervals._ends import Floats

FEWEST_EVENTS = 10
"""Number of rows of the rarer class below which no method holds for figures of scores."""

FEWEST_NUMBERS = 10
"""Number of rows below which no method holds for figures of numbers."""

FEWEST_WEIGHTY = 6
"""Effective number of rows, (sum)² / (sum of squares), that a mean of errors needs: a mean that
depends on fewer rows says nothing about large errors that these rows happen not to have."""

_FEWEST = {
    "balanced_accuracy": 1,
    "macro_f1": 1,
    "roc_auc": FEWEST_EVENTS,
    "log_loss": FEWEST_EVENTS,
    "brier": FEWEST_EVENTS,
    "average_precision": FEWEST_EVENTS,
}


def why_too_few(name: str, outcomes: Outcomes) -> str:
    """Return the reason why an interval is not valid; empty if valid."""
    rows = len(outcomes)
    if outcomes.task == "multilabel":
        return _why_too_few_labels(name, outcomes)
    if outcomes.task == "regression":
        if rows < FEWEST_NUMBERS:
            return f"{rows} rows, {FEWEST_NUMBERS} are needed"
        return "" if name in {"bias", "medae"} else _why_too_light(errors(name, outcomes))
    needed = _FEWEST.get(name, 0)
    if not needed:
        return ""
    if name == "log_loss" and outcomes.task == "multiclass":
        few = f"{rows} rows, {needed} are needed" if rows < needed else ""
        return few or _why_too_light(losses(name, outcomes))
    counts = np.bincount(outcomes.truth, minlength=len(outcomes.classes))
    rarest = 1 if name == "average_precision" else int(counts.argmin())
    if counts[rarest] < needed:
        return f"{counts[rarest]} rows of class {outcomes.classes[rarest]!r}, {needed} are needed"
    return _why_too_light(losses(name, outcomes)) if name in {"log_loss", "brier"} else ""


def _why_too_few_labels(name: str, outcomes: Outcomes) -> str:
    if not name.endswith("average_precision"):
        return ""
    counts = outcomes.truth.sum(axis=0)
    if name.startswith("micro"):
        total = int(counts.sum())
        return f"{total} labels, {FEWEST_EVENTS} are needed" if total < FEWEST_EVENTS else ""
    rarest = int(counts.argmin())
    if counts[rarest] >= FEWEST_EVENTS:
        return ""
    label = outcomes.classes[rarest]
    return f"{counts[rarest]} rows of label {label!r}, {FEWEST_EVENTS} are needed"


def _why_too_light(values: Floats) -> str:
    carrying = weighty(values)
    if carrying >= FEWEST_WEIGHTY:
        return ""
    return f"it hangs on {round(carrying)} rows with large errors, {FEWEST_WEIGHTY} are needed"
