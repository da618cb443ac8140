"""Overlaps between subsets of a Split, facts and not guesses: rows, groups (L3), times (L4)."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from penstock.core import LeakageError
from penstock.data._finding import Finding
from penstock.data._moments import ends_of, moments_of, time_name
from penstock.data._split import Split
from penstock.data._split_rules import group_codes_of

if TYPE_CHECKING:
    from penstock.data._split import Rows

_EXAMPLES = 3


def check_overlap(split: Split) -> list[Finding]:
    """Check for rows, groups and times that are in a subset and in a later subset too.

    Groups and times are only checked where the split names their column.
    """
    pairs = [
        ("train", split.train_rows, "test", split.test_rows),
        ("train", split.train_rows, "validation", split.validation_rows),
        ("validation", split.validation_rows, "test", split.test_rows),
    ]
    findings: list[Finding] = []
    for early, first, late, second in pairs:
        if len(first) and len(second):
            findings += _shared_rows(early, first, late, second)
            findings += _shared_groups(split, early, first, late, second)
            findings += _shared_times(split, early, first, late, second)
    return findings


def require_no_overlap(findings: Iterable[Finding]) -> None:
    """Raise an error for a split whose subsets overlap.

    Raises:
        LeakageError: If any finding is a failure; the message has the first and counts the rest.
    """
    failures = [finding for finding in findings if finding.level == "fail"]
    if not failures:
        return
    more = f" ({len(failures) - 1} more such findings.)" if len(failures) > 1 else ""
    raise LeakageError(
        what=failures[0].message + more,
        why="The model would be judged on what it has seen.",
        fix="Use split_table(by_time=…, by_group=…), or give allow_overlap= with the reason.",
        findings=failures,
    )


def _shared_rows(early: str, first: "Rows", late: str, second: "Rows") -> list[Finding]:
    import numpy as np

    shared = np.intersect1d(first, second)
    if not len(shared):
        return []
    examples = ", ".join(str(row) for row in shared[:_EXAMPLES])
    text = f"{len(shared):,} of {len(second):,} {late} rows are {early} rows too (row {examples})."
    return [Finding("fail", "rows", "", text)]


def _shared_groups(
    split: Split, early: str, first: "Rows", late: str, second: "Rows"
) -> list[Finding]:
    import numpy as np

    name = split.by_group
    if name is None:
        return []
    codes = group_codes_of(split.table[name])
    both = np.intersect1d(codes[first], codes[second])
    if not len(both):
        return []
    inside = np.isin(codes[second], both)
    values = split.table[name][second[inside]].unique(maintain_order=True)
    examples = ", ".join(repr(value) for value in values.head(_EXAMPLES))
    text = (
        f"{len(both):,} groups of '{name}' ({examples}) are in {early} and in {late}: "
        f"{int(inside.sum()):,} of {len(second):,} {late} rows."
    )
    return [Finding("fail", "L3", name, text)]


def _shared_times(
    split: Split, early: str, first: "Rows", late: str, second: "Rows"
) -> list[Finding]:
    if split.by_time is None:
        return []
    moments = moments_of(split.table, split.by_time)
    _, newest = ends_of(moments[first])
    # Equal times count as overlap: their order is unknown.
    older = int((moments[second] <= newest).sum())
    if newest is None or not older:
        return []
    name = time_name(split.by_time)
    text = (
        f"{older:,} of {len(second):,} {late} rows are not newer than the newest {early} row "
        f"({newest:%Y-%m-%d %H:%M}) by '{name}'."
    )
    return [Finding("fail", "L4", name, text)]
