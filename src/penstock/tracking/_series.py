"""Artifacts at several steps: the name contains the step, ``sample@10``; several make a series."""

import re
from collections.abc import Iterable

from penstock.core import ParameterError

_AT_STEP = re.compile(r"(?s)(.+)@(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)")


def name_at(name: str, step: float | None) -> str:
    """Return the name of an artifact at a step.

    >>> name_at("sample", 1_000_001), name_at("sample", 0.5), name_at("sample", None)
    ('sample@1000001', 'sample@0.5', 'sample')

    Raises:
        ParameterError: If the step is no finite number.
    """
    if step is None:
        return name
    try:
        number = float(step)
        whole = int(number)
    except (TypeError, ValueError, OverflowError) as error:
        raise ParameterError(
            what=f"The step of {name!r} is {step!r}.", fix="Give a finite number, or none."
        ) from error
    return f"{name}@{whole if whole == number else number}"


def step_of(label: str) -> tuple[str, float | None]:
    """Split the name of an artifact into name and step.

    >>> step_of("sample@10"), step_of("sample"), step_of("model@best")
    (('sample', 10.0), ('sample', None), ('model@best', None))
    """
    match = _AT_STEP.fullmatch(label)
    return (match[1], float(match[2])) if match else (label, None)


def last_of(name: str, labels: Iterable[str]) -> str:
    """Return the label of the last step of a series; the name itself if there is none.

    >>> last_of("sample", ["sample@9", "sample@10", "other"])
    'sample@10'
    """
    steps = [(step, label) for label in labels for stem, step in [step_of(label)]
             if stem == name and step is not None]  # fmt: skip
    return max(steps)[1] if steps else name
