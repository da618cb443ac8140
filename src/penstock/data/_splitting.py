"""``split_table``: cut a table into train, validation and test, with immediate leak checks."""

from collections.abc import Mapping, Sequence, Sized
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from penstock.core import ParameterError, parse_duration
from penstock.data import _assignment as assignment
from penstock.data._finding import Finding
from penstock.data._labels import fold_targets, rarest_labels
from penstock.data._large_split import (
    describe_large,
    draw_large,
    infer_large_schema,
    is_drawn_in_passes,
    is_large,
    require_room,
)
from penstock.data._leakage import check_leakage, count_copies, note_alike, note_groups, note_times
from penstock.data._long_columns import LongColumn
from penstock.data._moments import TimeColumn, moments_of, time_columns
from penstock.data._overlap import check_overlap, require_no_overlap
from penstock.data._room import estimate_bytes, require_memory
from penstock.data._schema import Schema, check_columns, infer_schema
from penstock.data._split import Split, Subset
from penstock.data._split_plan import Shares, SplitPlan
from penstock.data._split_rules import (
    chunks_of,
    codes_of,
    group_codes_of,
    require_classes,
    require_parts,
    require_shares,
    usable_rows,
)
from penstock.data._target import TargetValues, Task, choose_task, classes_of, require_variety
from penstock.stores import ChunkedTable, Positions
from penstock.tables import Column, match_class

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from penstock.data._snapshot import Snapshot
    from penstock.data._split import Rows

_FAR_OFF = 0.05
_WORK_BYTES = 1 << 28  # of train rows whose schema is inferred at once


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
    require_shares(validation, test)
    _require_sense(gap, by_time, stratify, by_group)
    rows, digest = chunks_of(table)
    rows, target = _fold(rows, target)
    plan = SplitPlan(target, by_time, by_group, tuple(drop), seed, task, positive)
    check_columns(rows, plan.columns + ([stratify] if stratify else []))
    shares = Shares(validation, test, parse_duration(gap or 0), stratify)
    require_room(rows, plan)
    draw = draw_large if is_drawn_in_passes(rows, plan) else _draw
    drawn, usable, findings = draw(rows, plan, shares)
    left_out = usable - sum(map(len, drawn.values()))
    findings += _note_left_out(left_out, usable, by_group if by_time else None, gap)
    findings += _note_shares(drawn, {"validation": validation, "test": test})
    return _build(rows, digest, drawn, plan, findings, allow_overlap=None)


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

    rows, digest = chunks_of(table)
    rows, target = _fold(rows, target)
    plan = SplitPlan(target, by_time, by_group, tuple(drop), 0, task, positive)
    check_columns(rows, plan.columns)
    frame = rows.read([target, *time_columns(by_time)])
    usable, findings = usable_rows(frame, target, by_time)
    shares = {"train": train, "validation": validation, "test": test}
    drawn = {}
    for name, positions in shares.items():
        chosen = np.sort(np.asarray(positions, dtype=np.int64))
        _require_positions(name, chosen, rows.rows)
        # Rows without a target or a time are left out, as in a drawn split.
        if name != "validation" or len(chosen):
            drawn[name] = Positions.of(chosen[np.isin(chosen, usable)], rows.rows)
    return _build(rows, digest, drawn, plan, findings, allow_overlap=allow_overlap)


def _fold(rows: ChunkedTable, target: str | Sequence[str]) -> tuple[ChunkedTable, str]:
    """Return the rows with a single target column; see `fold_targets`."""
    if isinstance(target, str):
        return rows, target
    require_memory(
        2 * estimate_bytes(rows),
        f"To make one target of the columns {', '.join(map(repr, target))}",
        "Store the table with a column of lists, and name that as target=.",
    )
    frame, folded = fold_targets(rows.read(), target)
    return ChunkedTable.of(frame), folded


def _draw(
    rows: ChunkedTable, plan: SplitPlan, shares: Shares
) -> tuple[dict[str, Positions], int, list[Finding]]:
    """Draw the subsets with the needed columns in memory.

    Returns:
        The positions by name, the number of usable rows, and findings.
    """
    import numpy as np

    stratify = [shares.stratify] if shares.stratify else []
    group = [plan.by_group] if plan.by_group else []
    needed = [plan.target, *time_columns(plan.by_time), *group, *stratify]
    frame = rows.read(list(dict.fromkeys(needed)))
    usable, findings = usable_rows(frame, plan.target, plan.by_time)
    kept = frame[usable]
    require_variety(kept[plan.target], kept[plan.target].n_unique())
    parts = _assign(kept, plan, shares)
    drawn = {
        name: Positions.of(usable[np.flatnonzero(parts == part)], rows.rows)
        for name, part in assignment.NAMES.items()
        if name != "validation" or shares.validation
    }
    return drawn, len(usable), findings


def _build(
    rows: ChunkedTable,
    digest: str,
    drawn: dict[str, Positions],
    plan: SplitPlan,
    findings: list[Finding],
    *,
    allow_overlap: str | None,
) -> Split:
    import numpy as np

    large = is_large(rows)
    describe = describe_large if is_drawn_in_passes(rows, plan) else _describe
    task, classes = describe(rows, plan, drawn)
    features = [n for n in rows.columns if n != plan.target and n not in plan.drop]
    nobody = Positions.of(np.empty(0, dtype=np.int64), rows.rows)
    split = Split(
        train_positions=drawn["train"],
        validation_positions=drawn.get("validation", nobody),
        test_positions=drawn["test"],
        schema=Schema(()),
        target=plan.target,
        task=task,
        classes=classes,
        by_time=plan.by_time,
        by_group=plan.by_group,
        seed=plan.seed,
        findings=(),
        leakage=(),
        table_digest=digest,
        _load_chunks=lambda: rows,
        positive=_declared(plan, task, classes),
    )
    infer = infer_large_schema if large else _infer_schema
    split = replace(split, schema=infer(split.train, features))
    # On the finished split, so that drawn and given subsets pass the same checks.
    overlaps = check_overlap(split)
    if allow_overlap:
        overlaps = [_allowed(finding, allow_overlap) for finding in overlaps]
    require_no_overlap(overlaps)
    copies = count_copies(split)
    noted = [*overlaps, *note_groups(split), *note_times(split), *note_alike(split, copies)]
    return split.with_findings([*findings, *noted], leakage=check_leakage(split, copies))


def _describe(
    rows: ChunkedTable, plan: SplitPlan, drawn: Mapping[str, Positions]
) -> tuple[Task, tuple[Any, ...]]:
    """Return task and classes from the rows of the split, not from rows that were left out."""
    import numpy as np

    values = rows.column(plan.target)
    together = np.sort(np.concatenate([positions.array() for positions in drawn.values()]))
    target = values[together]
    require_variety(target, target.n_unique() if len(target) else 0)
    task = choose_task(target, plan.task)
    require_parts(drawn)
    require_classes(TargetValues.of(values[drawn["train"].array()]), task)
    return task, classes_of(target, task)


def _infer_schema(train: Subset, features: Sequence[str]) -> Schema:
    """Infer the schema of the train rows, some columns at a time."""
    at_once = max(1, _WORK_BYTES // (8 * max(len(train), 1)))
    found: dict[str, Column] = {}
    for name in train.long_columns():
        if name in features:
            batches = (batch.to_series() for batch in train.batches([name]))
            found[name] = LongColumn(batches).fact
    others = [name for name in features if name not in found]
    for start in range(0, len(others), at_once):
        columns = infer_schema(train.read(others[start : start + at_once]))
        found |= {column.name: column for column in columns}
    return Schema(tuple(found[name] for name in features))


def _declared(plan: SplitPlan, task: Task, classes: Sequence[Any]) -> Any:
    if plan.positive is None:
        return None
    if task != "binary":
        raise ParameterError(
            what=f"positive={plan.positive!r} is declared, but {plan.target!r} is {task}.",
            why="Only a target of two classes has a positive one.",
            fix="Leave positive= out.",
        )
    return match_class(classes, plan.positive)


def _assign(kept: "pl.DataFrame", plan: SplitPlan, wanted: Shares) -> "np.ndarray[Any, Any]":
    shares, gap, stratify = (wanted.validation, wanted.test), wanted.gap, wanted.stratify
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


def _note_shares(rows: Mapping[str, Sized], wanted: dict[str, float]) -> list[Finding]:
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
