"""``split_table``: cut a table into train, validation and test, with immediate leak checks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from penstock.core import ParameterError, parse_duration
from penstock.data import _assignment as assignment
from penstock.data._finding import Finding
from penstock.data._labels import fold_targets, rarest_labels
from penstock.data._leakage import check_leakage, note_alike, note_groups, note_times
from penstock.data._moments import TimeColumn, moments_of, time_columns
from penstock.data._overlap import check_overlap, require_no_overlap
from penstock.data._schema import check_columns, infer_schema
from penstock.data._split import Split
from penstock.data._split_rules import (
    codes_of,
    frame_of,
    group_codes_of,
    require_parts,
    require_shares,
    usable_rows,
)
from penstock.data._target import Task, choose_task, classes_of, require_variety
from penstock.tables import match_class

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from penstock.data._snapshot import Snapshot
    from penstock.data._split import Rows

_FAR_OFF = 0.05


def split_table(
    table: "pl.DataFrame | Snapshot",
    *,
    target: str | Sequence[str],
    by_time: TimeColumn | None = None,
    by_group: str | None = None,
    validation: float = 0.0,
    test: float = 0.2,
    gap: str | timedelta | None = None,
    drop: Sequence[str] = (),
    seed: int = 0,
    stratify: str | None = None,
    task: Task | None = None,
    positive: object = None,
) -> Split:
    """Cut a table into train, validation and test rows, and check for leaks between them.

    At random (each class in proportion); with ``by_time`` the newest rows are test; with
    ``by_group`` every group is whole in a single subset; with both, rows that would break either
    rule are left out and counted. Rows without a target are left out and counted.

    >>> import polars as pl
    >>> table = pl.DataFrame({"size": range(40), "big": [i % 3 == 0 for i in range(40)]})
    >>> split = split_table(table, target="big")
    >>> len(split.train), len(split.test), split.task
    (32, 8, 'binary')

    Args:
        table: The rows; or a Snapshot.
        target: The column to predict. Several labels per row are a column of lists, or the names of
            several 0-1 columns, which become a column of lists ``labels``.
        by_time: Column of times; or a date column and an hour column.
        by_group: Column of groups; each row without a group is a separate group.
        validation: Share of rows for model selection, 0 (none) to 1.
        test: Share of rows for evaluation, above 0.
        gap: Time left out before validation and test, for example ``"1d"``: the delay until the
            target is known.
        drop: Columns that are no features; they stay in the subsets' tables.
        seed: Equal seeds give equal subsets.
        stratify: Column to distribute evenly in a random split; by default the target's classes.
        task: The kind of prediction, where the values do not decide (see ``guess_task``).
        positive: The positive class of a binary target, where the labels do not decide.

    Raises:
        NotFoundError: If a column does not exist.
        ParameterError: If a gap is passed without a time.
        DataError: If the target has a single value, or there are too few rows, times or groups.
        LeakageError: If the subsets share rows, groups or times.
    """
    import numpy as np

    require_shares(validation, test)
    _require_sense(gap, by_time, stratify, by_group)
    frame, digest = frame_of(table)
    frame, target = fold_targets(frame, target)
    plan = _Plan(target, by_time, by_group, tuple(drop), seed, task, positive)
    check_columns(frame, plan.columns + ([stratify] if stratify else []))
    usable, findings = usable_rows(frame, target, by_time)
    kept = frame[usable]
    require_variety(kept[target], kept[target].n_unique())
    parts = _assign(kept, plan, (validation, test), parse_duration(gap or 0), stratify)
    left_out = int((parts == assignment.OUT).sum())
    findings += _note_left_out(left_out, len(usable), by_group if by_time else None, gap)
    rows = {
        name: usable[np.flatnonzero(parts == part)]
        for name, part in (("train", 0), ("validation", 1), ("test", 2))
        if name != "validation" or validation
    }
    findings += _note_shares(rows, {"validation": validation, "test": test})
    return _build(frame, digest, rows, plan, findings, allow_overlap=None)


def split_rows(
    table: "pl.DataFrame | Snapshot",
    *,
    target: str | Sequence[str],
    train: Sequence[int],
    test: Sequence[int],
    validation: Sequence[int] = (),
    by_time: TimeColumn | None = None,
    by_group: str | None = None,
    drop: Sequence[str] = (),
    task: Task | None = None,
    allow_overlap: str | None = None,
    positive: object = None,
) -> Split:
    """Create a Split from subsets chosen elsewhere, with the same checks.

    >>> import polars as pl
    >>> table = pl.DataFrame({"size": [1.5, 2.5, 3.5, 4.5], "price": [2.0, 3.0, 4.0, 5.5]})
    >>> len(split_rows(table, target="price", train=[0, 1, 2], test=[3]).train)
    3

    Args:
        table: The rows; or a Snapshot.
        target: The column to predict. Several labels per row are a column of lists, or the names of
            several 0-1 columns, which become a column of lists ``labels``.
        train: Positions of the training rows.
        test: Positions of the test rows.
        validation: Positions of the validation rows.
        by_time: Column by which later subsets must be newer.
        by_group: Column whose values must not be in two subsets.
        drop: Columns that are no features.
        task: The kind of prediction, where the values do not decide.
        allow_overlap: Reason why an overlap of rows, groups or times is right here; recorded.
        positive: The positive class of a binary target, where the labels do not decide.

    Raises:
        NotFoundError: If a column does not exist.
        DataError: If a subset is empty, or the target has a single value.
        LeakageError: If the subsets share rows, groups or times, and no reason was passed.
    """
    import numpy as np

    frame, digest = frame_of(table)
    frame, target = fold_targets(frame, target)
    plan = _Plan(target, by_time, by_group, tuple(drop), 0, task, positive)
    check_columns(frame, plan.columns)
    usable, findings = usable_rows(frame, target, by_time)
    shares = {"train": train, "validation": validation, "test": test}
    rows = {}
    for name, positions in shares.items():
        chosen = np.sort(np.asarray(positions, dtype=np.int64))
        _require_positions(name, chosen, frame.height)
        # Rows without a target or a time are left out, as in a drawn split.
        if name != "validation" or len(chosen):
            rows[name] = chosen[np.isin(chosen, usable)]
    return _build(frame, digest, rows, plan, findings, allow_overlap=allow_overlap)


@dataclass(frozen=True, slots=True)
class _Plan:
    """The purpose of the subsets, however they were chosen."""

    target: str
    by_time: TimeColumn | None
    by_group: str | None
    drop: tuple[str, ...]
    seed: int
    task: Task | None
    positive: Any

    @property
    def columns(self) -> list[str]:
        group = [self.by_group] if self.by_group else []
        return [self.target, *time_columns(self.by_time), *group, *self.drop]


def _build(
    frame: "pl.DataFrame",
    digest: str,
    rows: "dict[str, Rows]",
    plan: _Plan,
    findings: list[Finding],
    *,
    allow_overlap: str | None,
) -> Split:
    import numpy as np

    # Task and classes follow from the rows of the split, not from rows that were left out.
    together = np.sort(np.concatenate(list(rows.values())))
    target = frame[plan.target][together]
    require_variety(target, target.n_unique() if len(target) else 0)
    task = choose_task(target, plan.task)
    require_parts(rows, frame[plan.target], task)
    classes = classes_of(target, task)
    features = [n for n in frame.columns if n != plan.target and n not in plan.drop]
    split = Split(
        train_rows=rows["train"],
        validation_rows=rows.get("validation", np.empty(0, dtype=np.int64)),
        test_rows=rows["test"],
        schema=infer_schema(frame[rows["train"]].select(features)),
        target=plan.target,
        task=task,
        classes=classes,
        by_time=plan.by_time,
        by_group=plan.by_group,
        seed=plan.seed,
        findings=(),
        leakage=(),
        table_digest=digest,
        _load_table=lambda: frame,
        positive=_declared(plan, task, classes),
    )
    # On the finished split, so that drawn and given subsets pass the same checks.
    overlaps = check_overlap(split)
    if allow_overlap:
        overlaps = [_allowed(finding, allow_overlap) for finding in overlaps]
    require_no_overlap(overlaps)
    noted = [*overlaps, *note_groups(split), *note_times(split), *note_alike(split)]
    return split.with_findings([*findings, *noted], leakage=check_leakage(split))


def _declared(plan: _Plan, task: Task, classes: Sequence[Any]) -> Any:
    if plan.positive is None:
        return None
    if task != "binary":
        raise ParameterError(
            what=f"positive={plan.positive!r} is declared, but {plan.target!r} is {task}.",
            why="Only a target of two classes has a positive one.",
            fix="Leave positive= out.",
        )
    return match_class(classes, plan.positive)


def _assign(
    kept: "pl.DataFrame",
    plan: _Plan,
    shares: tuple[float, float],
    gap: timedelta,
    stratify: str | None,
) -> "np.ndarray[Any, Any]":
    times, groups = None, None
    if plan.by_time is not None:
        times = moments_of(kept, plan.by_time).to_physical().to_numpy()
    if plan.by_group is not None:
        groups = group_codes_of(kept[plan.by_group])
    if times is not None and groups is not None:
        return assignment.by_both(groups, times, *shares, gap, plan.seed)
    if times is not None:
        return assignment.by_time(times, *shares, gap)
    if groups is not None:
        return assignment.by_group(groups, *shares, plan.seed)
    task = choose_task(kept[plan.target], plan.task)
    # Classes are stratified by default, so that rare classes reach every subset.
    column = stratify or (None if task == "regression" else plan.target)
    values = None if column is None else kept[column]
    if values is not None and task == "multilabel" and not stratify:
        values = rarest_labels(values)
    strata = None if values is None else codes_of(values)
    return assignment.by_chance(kept.height, *shares, plan.seed, strata)


def _note_left_out(
    lost: int, rows: int, group: str | None, gap: str | timedelta | None
) -> list[Finding]:
    if not lost:
        return []
    reasons = [
        *([f"within {gap} before a later part"] if gap else []),
        *([f"of a '{group}' that is in another subset"] if group else []),
    ]
    text = f"{lost:,} of {rows:,} rows were left out: {' or '.join(reasons)}."
    return [Finding("warn" if lost > rows / 4 else "info", "left_out", group or "", text)]


def _note_shares(rows: "dict[str, Rows]", wanted: dict[str, float]) -> list[Finding]:
    """Return findings where equal times or whole groups moved a subset far from the requested share."""
    total = sum(map(len, rows.values()))
    findings = []
    for name, share in wanted.items():
        actual = len(rows.get(name, ())) / total
        # A single row more or less is rounding.
        if abs(actual - share) > max(_FAR_OFF, 1 / total):
            text = f"The {name} part holds {actual:.0%} of the rows instead of {share:.0%}."
            findings.append(Finding("info", "share", "", text))
    return findings


def _allowed(finding: Finding, reason: str) -> Finding:
    return Finding("warn", finding.rule, finding.column, f"{finding.message} Allowed: {reason}")


def _require_sense(
    gap: str | timedelta | None,
    by_time: TimeColumn | None,
    stratify: str | None,
    by_group: str | None,
) -> None:
    if gap and by_time is None:
        raise ParameterError(
            what=f"gap={str(gap)!r} was given without by_time.",
            why="A gap is time between the parts.",
            fix='Name the time column: by_time="…".',
        )
    if stratify and (by_time or by_group):
        raise ParameterError(
            what=f"stratify={stratify!r} was given with by_time or by_group.",
            why="Times and groups decide where rows go; no column can be shared out evenly then.",
            fix="Leave one of them out.",
        )


def _require_positions(name: str, rows: "Rows", height: int) -> None:
    if len(rows) and (rows[0] < 0 or rows[-1] >= height):
        raise ParameterError(
            what=f"{name}= names row {rows[0] if rows[0] < 0 else rows[-1]} of {height} rows.",
            fix=f"Give positions from 0 to {height - 1}.",
        )
