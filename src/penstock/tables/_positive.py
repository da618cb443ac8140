"""The positive class of two: declared, found by meaning, or unknown; never by alphabetical order.

Found by meaning are pairs of a word for yes and a word for no (the lists below), a class and the
negation ("churn" and "no churn", "fraud" and "not_fraud"; but not "stable" and "unstable": which of
these is positive is the user's decision), 1 beside 0 or -1, and "over" beside "up to" (">50K",
"<=50K").
"""

import re
from collections.abc import Sequence
from typing import Any

from penstock.core import ParameterError, did_you_mean
from penstock.tables._labels import read_label

_YES = frozenset(
    [
        "yes",
        "y",
        "true",
        "t",
        "1",
        "positive",
        "pos",
        "fraud",
        "fraudulent",
        "churn",
        "churned",
        "default",
        "defaulted",
        "spam",
        "malignant",
        "anomaly",
        "anomalous",
        "abnormal",
        "attack",
        "malicious",
        "infected",
        "sick",
        "diseased",
        "ill",
    ]
)
_NO = frozenset(
    [
        "no",
        "n",
        "false",
        "f",
        "0",
        "negative",
        "neg",
        "none",
        "normal",
        "legit",
        "legitimate",
        "genuine",
        "ok",
        "clean",
        "ham",
        "benign",
        "healthy",
        "stay",
        "stayed",
        "stays",
        "retained",
        "paid",
        "repaid",
        "well",
    ]
)
_NUMBERS = ((0, 1), (-1, 1))
_NEGATION = re.compile(r"^(?:no|not|non|never|without)(?:[\s_-]+|(?=[A-Z]))(.+)$")
_OVER = re.compile(r"^\s*>=?\s*(.+)$")
_UNDER = re.compile(r"^\s*<=?\s*(.+)$")


def find_positive(classes: Sequence[Any]) -> Any:  # Any: a class label
    """Return the positive class of two by their meaning; None where the meaning is unclear.

    >>> find_positive(["fraud", "legit"]), find_positive([0, 1]), find_positive(["No", "Yes"])
    ('fraud', 1, 'Yes')
    >>> find_positive(["cat", "dog"]) is None
    True

    Args:
        classes: The two labels, in any order.
    """
    if len(classes) != 2:  # noqa: PLR2004 - a question about two
        return None
    for label, other in (tuple(classes), tuple(classes)[::-1]):
        if _is_yes(label, other):
            return label
    return None


def _is_yes(label: Any, other: Any) -> bool:
    if isinstance(label, bool) and isinstance(other, bool):
        return label
    if isinstance(label, int | float) and isinstance(other, int | float):
        return any((other, label) == pair for pair in _NUMBERS)
    if not (isinstance(label, str) and isinstance(other, str)):
        return False
    yes, no = label.strip().lower(), other.strip().lower()
    if yes in _YES and no in _NO:
        return True
    negated = _NEGATION.match(other.strip()[:1].lower() + other.strip()[1:])
    if negated and _plain(negated[1]) == _plain(label):
        return True
    if yes in {"-1", "1", "1.0"} and no in {"-1", "0", "-1.0", "0.0"}:
        return yes != "-1"
    over, under = _OVER.match(label), _UNDER.match(other)
    return bool(over and under and over[1].strip() == under[1].strip())


def _plain(text: str) -> str:
    return re.sub(r"[\s_-]+", "", text).lower()


def match_class(classes: Sequence[Any], declared: object) -> Any:  # Any: a class label
    """Return the class that was declared as positive, in the target's own type.

    >>> match_class([0, 1], "1")
    1

    Raises:
        ParameterError: If the declared class does not exist.
    """
    label = read_label(declared, classes)
    if label is not None:
        return label
    raise ParameterError(
        what=f"The positive class {declared!r} is none of the target's classes.",
        fix=did_you_mean(str(declared), [str(label) for label in classes]),
        positive=declared,
    )


def why_unknown(classes: Sequence[Any]) -> str:
    """Return a sentence that neither class is known as positive, with the declaration to add."""
    first, second = classes
    return (
        f"which of {first!r} and {second!r} is the positive class is not known; "
        f"declare it with positive={first!r} or positive={second!r} in split or evaluate"
    )
