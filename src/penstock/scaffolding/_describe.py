"""``describe_table``: the facts about a table that matter before the first pipeline is written."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from penstock.core import DataError, ParameterError
from penstock.data import LEVELS, Finding, Schema, Snapshot, check_columns
from penstock.scaffolding._columns import is_sensitive, note_group, note_left_out
from penstock.scaffolding._formulas import find_formula
from penstock.scaffolding._notes import ColumnNote, Label, TableNotes, TimeNote
from penstock.scaffolding._novelty import note_new_in_test
from penstock.scaffolding._scarce import count_tested, warn_scarce
from penstock.scaffolding._slices import choose_slices
from penstock.scaffolding._splits import SplitChoice, Task, WorkingSplit, choose_split
from penstock.scaffolding._target import (
    choose_positive,
    count_classes,
    describe_target,
    find_rare,
    require_target,
)
from penstock.scaffolding._times import TimeForm, note_times, note_written_dates, show_moment
from penstock.tables import without_nan

if TYPE_CHECKING:
    import polars as pl

FEW_ROWS = 300
"""Below this many rows a simple model is the better first model, and metrics are unreliable."""

_FORMULA_ROUNDS = 3
_SHOWN = 6
# Rules of findings that the column notes cover in their own words.
_NOT_NUMBERS = {"number_text", "mixed_units"}
_TOLD_ELSEWHERE = {"identifier", "constant", "empty", "unusable", "few_rows", "no_time"}


@dataclass(frozen=True, slots=True)
class _Question:
    """The table with the user's choices and the inferred task."""

    table: "pl.DataFrame"
    schema: Schema
    target: str
    task: Task
    group: str | None
    times: tuple[str, ...]
    nearly_numbers: frozenset[str]

    @property
    def kept(self) -> set[str]:
        """Columns with a special role."""
        return {self.target, *self.times, *([self.group] if self.group else [])}


def describe_table(
    snapshot: Snapshot, *, target: str, group: str | None = None, form: TimeForm | None = None
) -> TableNotes:
    """Describe a table for a first pipeline: task, columns to leave out, slices, a working split.

    >>> import polars as pl
    >>> table = pl.DataFrame(
    ...     {
    ...         "row_id": range(60),
    ...         "size": [i * 7 % 13 for i in range(60)],
    ...         "paid": [i % 3 == 0 for i in range(60)],
    ...     }
    ... )
    >>> notes = describe_table(Snapshot.of(table), target="paid")
    >>> notes.task, [note.reason for note in notes.left_out]
    ('binary', ['a running number, 0 to 59'])

    Args:
        snapshot: The rows; with a time column if any.
        target: The column to predict.
        group: Column whose values must not appear on both sides of a split.
        form: Format of the time column in the file.

    Raises:
        NotFoundError: If a column does not exist, with did-you-mean.
        ParameterError: If a column has two roles.
        DataError: If nothing can be predicted: a single class, no values, too few rows.
    """
    question = _ask(snapshot, target, group)
    series = snapshot.table[target]
    classes = count_classes(question.table[target]) if question.task != "regression" else ()
    rare = find_rare(classes)
    rows = without_classes(question.table, target, rare)
    settled = _settle(question, rows, snapshot.time)
    tested = count_tested(settled.chosen.split, [label for label, _ in classes], rare)
    missing = snapshot.rows - question.table.height
    return TableNotes(
        rows=snapshot.rows,
        columns=tuple(snapshot.columns),
        target=target,
        task=question.task,
        target_says=describe_target(series, question.task, classes, missing),
        split=settled.chosen.choice,
        classes=classes,
        missing_target=missing,
        time=_note_time(snapshot, form),
        group=group,
        left_out=settled.left_out,
        watched=_watch(question, settled),
        slices=settled.slices,
        sensitive=tuple(name for name in settled.slices if is_sensitive(name)),
        rare=rare,
        positive=choose_positive(classes) if question.task == "binary" else None,
        tested=tested,
        warnings=(*settled.chosen.warnings, *_warn(snapshot, settled), *warn_scarce(tested)),
    )


def without_classes(table: "pl.DataFrame", target: str, rare: Sequence[Label]) -> "pl.DataFrame":
    """Remove the rows of some classes."""
    import polars as pl

    return table.filter(~pl.col(target).is_in(list(rare))) if rare else table


@dataclass(frozen=True, slots=True)
class _Settled:
    """The decisions after the columns and the split were tried."""

    chosen: WorkingSplit
    left_out: tuple[ColumnNote, ...]
    slices: tuple[str, ...]


def _ask(snapshot: Snapshot, target: str, group: str | None) -> _Question:
    check_columns(snapshot.table, [target, *([group] if group else [])])
    times = time_columns(snapshot)
    if target == group or target in times[:1]:
        raise ParameterError(
            what=f"Column {target!r} is the target and the {'group' if target == group else 'time'}.",
            why="What is predicted cannot also say how rows are split.",
            fix="Name another column.",
            column=target,
        )
    task = require_target(snapshot.table[target])
    rows = snapshot.table.filter(~without_nan(snapshot.table[target]).is_null())
    odd = frozenset(f.column for f in snapshot.findings if f.rule in _NOT_NUMBERS)
    return _Question(rows, snapshot.schema, target, task, group, times, odd)


def _settle(
    question: _Question, rows: "pl.DataFrame", time: str | tuple[str, str] | None
) -> _Settled:
    notes = _note_columns(question)
    left = rows.width - 1 - len(notes)
    if not left:
        raise _nothing_left(question.target, notes)
    suspects = _note_formulas(question, notes)
    if len(suspects) == left:
        suspects = []  # A toy table may contain no column but the formula's.
    drop = tuple(note.column for note in (*notes, *suspects))
    # Whole numbers may look like classes in some rows and like amounts in others.
    task = question.task if rows[question.target].dtype.is_integer() else None
    wish = SplitChoice(question.target, time, question.group, drop, task=task)
    chosen = choose_split(rows, wish)
    suspects += _note_proxies(question.target, chosen)
    new = note_new_in_test(chosen.split)
    # Known only after a split by time; the split is chosen again without these columns.
    if 0 < len(new) < len(chosen.split.schema):
        again = choose_split(rows, chosen.choice.without(note.column for note in new))
        chosen = replace(again, warnings=chosen.warnings)
        suspects += new
    features = tuple(question.schema.select(chosen.split.schema.names))
    slices = choose_slices(chosen.split, features, chosen.choice.by_group)
    return _Settled(chosen, (*notes, *suspects), slices)


def _nothing_left(target: str, notes: Sequence[ColumnNote]) -> DataError:
    reasons = "; ".join(f"{note.column}: {note.reason}" for note in notes[:_SHOWN])
    more = f"; and {len(notes) - _SHOWN} more" if len(notes) > _SHOWN else ""
    return DataError(
        what=f"No column is left to predict {target!r} from ({reasons}{more}).",
        why="A model would learn the rows by heart, or nothing.",
        fix="Add columns that say something about the target.",
    )


def _note_columns(question: _Question) -> list[ColumnNote]:
    written = note_written_dates(question.table, question.schema, question.kept)
    dated = {note.column for note in written}
    other = note_left_out(question.table, question.schema, question.kept | dated)
    notes = [*written, *(_nearly_numbers(note, question.nearly_numbers) for note in other)]
    if question.group is not None:
        notes.append(note_group(question.table, question.group))
    return sorted(notes, key=lambda note: question.schema.names.index(note.column))


def _nearly_numbers(note: ColumnNote, columns: Collection[str]) -> ColumnNote:
    if note.column not in columns:
        return note
    return replace(note, kind="type", reason="text that is nearly numbers: fix it in a step")


def _note_formulas(question: _Question, notes: Sequence[ColumnNote]) -> list[ColumnNote]:
    if question.task != "regression":
        return []
    gone = question.kept | {note.column for note in notes}
    formulas: list[ColumnNote] = []
    # Each round may reveal a further formula among the remaining columns.
    for _ in range(_FORMULA_ROUNDS):
        numbers = [
            column.name
            for column in question.schema
            if column.kind in {"number", "integer"} and column.name not in gone
        ]
        formula = find_formula(question.table, question.target, numbers)
        if formula is None:
            break
        formulas += [ColumnNote(name, "suspect", formula.text) for name in formula.columns]
        gone |= set(formula.columns)
    return formulas


def _note_proxies(target: str, chosen: WorkingSplit) -> list[ColumnNote]:
    return [
        ColumnNote(leak.column, "suspect", f"alone predicts {target}{_score(leak)}")
        for leak in chosen.leaks
        if leak.level == "fail" and leak.column in chosen.choice.drop
    ]


def _score(leak: Finding) -> str:
    figure = re.search(r"(AUC|R2) [\d.]*\d", leak.message)
    return f" ({figure[0]})" if figure else ""


def _watch(question: _Question, settled: _Settled) -> tuple[ColumnNote, ...]:
    notes = [
        ColumnNote(leak.column, "suspect", f"alone nearly predicts {question.target}{_score(leak)}")
        for leak in settled.chosen.leaks
        if leak.level == "warn" and _score(leak)
    ]
    notes += [
        ColumnNote(leak.column, "group", f"repeats; --group {leak.column} keeps its rows together")
        for leak in settled.chosen.leaks
        if leak.rule == "L3" and leak.column
    ]
    if not question.times:
        gone = question.kept | set(settled.chosen.choice.drop)
        notes += note_times(question.table, question.schema, gone)
    return tuple(notes)


def _note_time(snapshot: Snapshot, form: TimeForm | None) -> TimeNote | None:
    names = time_columns(snapshot)
    if not names:
        return None
    form_used = form or TimeForm(names, "times")
    first, last = show_moment(snapshot.first_time), show_moment(snapshot.last_time)
    return TimeNote(names, form_used.form, form_used.time_format, first, last, form_used.doubt)


def _warn(snapshot: Snapshot, settled: _Settled) -> tuple[str, ...]:
    warnings = []
    if snapshot.rows < FEW_ROWS:
        warnings.append(
            f"Only {snapshot.rows} rows, {len(settled.chosen.split.test)} of them to test on: "
            "figures from so few mean little, and gates may refuse."
        )
    given_away = [leak.column for leak in settled.chosen.split.leakage if leak.level == "fail"]
    if any(given_away):
        warnings.append(
            f"All remaining columns reveal the target ({', '.join(given_away[:_SHOWN])}): known "
            'beforehand? If so, take "leakage == none" out of the gates.'
        )
    if settled.chosen.choice.distinct:
        warnings.append("The table has duplicate rows: the first of each is kept.")
    findings = sorted(snapshot.findings, key=lambda f: LEVELS.index(f.level))
    shown = [f.message for f in findings if f.rule not in _TOLD_ELSEWHERE]
    more = len(shown) - _SHOWN
    return (
        *warnings,
        *shown[:_SHOWN],
        *([f"And {more} more {'remark' if more == 1 else 'remarks'}."] if more > 0 else []),
    )


def time_columns(snapshot: Snapshot) -> tuple[str, ...]:
    """Return the columns that a snapshot's time consists of."""
    if snapshot.time is None:
        return ()
    return (snapshot.time,) if isinstance(snapshot.time, str) else snapshot.time
