"""Overlaps between subsets of a Split, facts and not guesses: rows, groups (L3), times (L4)."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from penstock.core import LeakageError
from penstock.data._finding import Finding
from penstock.data._large_leakage import count_large_groups, groups_of, is_large_split
from penstock.data._moments import ends_of, moments_of, time_columns, time_name
from penstock.data._row_hashes import are_in, column_hashes
from penstock.data._split import Split, Subset
from penstock.data._split_rules import group_codes_of

if TYPE_CHECKING:
    import numpy as np

_EXAMPLES = 3


def check_overlap(split: Split) -> list[Finding]:
    """Check for rows, groups and times that are in a subset and in a later subset too.

    Groups and times are only checked where the split names their column.
    """
    pairs = [
        ("train", split.train, "test", split.test),
        ("train", split.train, "validation", split.validation),
        ("validation", split.validation, "test", split.test),
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


def _shared_rows(early: str, first: Subset, late: str, second: Subset) -> list[Finding]:
    shared = first.positions.shared(second.positions)
    if not len(shared):
        return []
    examples = ", ".join(str(row) for row in shared.every(1)[:_EXAMPLES])
    text = f"{len(shared):,} of {len(second):,} {late} rows are {early} rows too (row {examples})."
    return [Finding("fail", "rows", "", text)]


def _shared_groups(
    split: Split, early: str, first: Subset, late: str, second: Subset
) -> list[Finding]:
    name = split.by_group
    if name is None:
        return []
    if is_large_split(split):
        both, rows, values = count_large_groups(name, first, second)
    else:
        both, rows, values = _count_groups(split, name, first, second)
    if not both:
        return []
    examples = ", ".join(repr(value) for value in values[:_EXAMPLES])
    text = (
        f"{both:,} groups of '{name}' ({examples}) are in {early} and in {late}: "
        f"{rows:,} of {len(second):,} {late} rows."
    )
    return [Finding("fail", "L3", name, text)]


def _count_groups(
    split: Split, name: str, first: Subset, second: Subset
) -> tuple[int, int, list[Any]]:
    """Return the number of shared groups, of their rows in the second subset, and some groups."""
    import numpy as np

    if not bool(are_in(_hashes_of_groups(second, name), _hashes_of_groups(first, name)).any()):
        return 0, 0, []
    groups = split.chunks.column(name)
    codes = group_codes_of(groups)
    both = np.intersect1d(codes[first.rows], codes[second.rows])
    inside = np.isin(codes[second.rows], both)
    values = groups[second.rows[inside]].unique(maintain_order=True)
    return len(both), int(inside.sum()), values.head(_EXAMPLES).to_list()


def _hashes_of_groups(subset: Subset, name: str) -> "np.ndarray[Any, np.dtype[np.uint64]]":
    """Return a hash of the group of each row that has one: less memory than the groups themselves."""
    import numpy as np

    return np.concatenate(
        [column_hashes(groups.to_frame())[0] for groups in groups_of(subset, name)]
    )


def _shared_times(
    split: Split, early: str, first: Subset, late: str, second: Subset
) -> list[Finding]:
    by_time = split.by_time
    if by_time is None:
        return []
    columns = time_columns(by_time)
    ends = [ends_of(moments_of(batch, by_time))[1] for batch in first.batches(columns)]
    newest = max((end for end in ends if end is not None), default=None)
    if newest is None:
        return []
    # Equal times count as overlap: their order is unknown.
    older = sum(
        int((moments_of(batch, by_time) <= newest).sum()) for batch in second.batches(columns)
    )
    if not older:
        return []
    name = time_name(by_time)
    text = (
        f"{older:,} of {len(second):,} {late} rows are not newer than the newest {early} row "
        f"({newest:%Y-%m-%d %H:%M}) by '{name}'."
    )
    return [Finding("fail", "L4", name, text)]
