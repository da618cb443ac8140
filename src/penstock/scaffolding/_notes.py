"""TableNotes: observations about a user's table; plain values for the written file and the CLI."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from penstock.scaffolding._splits import SplitChoice, Task

Label: TypeAlias = str | int | float | bool
NoteKind: TypeAlias = Literal[
    "constant", "date", "empty", "group", "identifier", "new", "suspect", "text", "type"
]

_SHOWN = 4


@dataclass(frozen=True, slots=True)
class ColumnNote:
    """A note on a column.

    Attributes:
        column: The column's name.
        kind: The observation.
        reason: The observation for people, short enough for a comment behind the name.
    """

    column: str
    kind: NoteKind
    reason: str


@dataclass(frozen=True, slots=True)
class TimeNote:
    """The time of the rows.

    Attributes:
        columns: The time column, or a date column and an hour column.
        form: Format of the times: ``ISO``, ``epoch seconds`` …
        time_format: strftime codes that the source needs; None without a need.
        first: First time as text.
        last: Last time as text.
        doubt: A second format that also fits; empty if none.
    """

    columns: tuple[str, ...]
    form: str
    time_format: str | None
    first: str
    last: str
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class RowsTested:
    """The number of test rows that the split's metrics rest on.

    Attributes:
        rows: Number of test rows.
        scarce: The class with the fewest test rows; None for regression.
        scarce_rows: Number of test rows of that class.
        weighty: For regression, the number of rows that carry the target's variance, as (sum)² /
            (sum of squares) of the squared deviations; if small, the errors depend on few rows.
    """

    rows: int
    scarce: Label | None = None
    scarce_rows: int = 0
    weighty: float | None = None


@dataclass(frozen=True, slots=True)
class TableNotes:
    """The observations about a table.

    Attributes:
        rows: Number of rows.
        columns: All column names in order.
        target: The column to predict.
        task: The kind of prediction.
        target_says: The reason for the inferred task, as a sentence.
        classes: Class labels with their row counts, largest first; empty for regression.
        missing_target: Rows without a target.
        time: The time of the rows; None if no time column was named.
        group: The column whose values are kept together in a split; None if no group was named.
        left_out: Columns that are no features, with the reason.
        watched: Features with a note.
        slices: Columns to evaluate per value.
        sensitive: Slices that describe people, for fairness.
        rare: Classes with too few rows to be learned and tested.
        positive: The positive class; None where evaluation infers the class (1, True).
        split: The choices of a split that works.
        tested: The test rows that the gates are judged on; None without a split.
        warnings: Sentences about the whole table.
    """

    rows: int
    columns: tuple[str, ...]
    target: str
    task: Task
    target_says: str
    split: SplitChoice
    classes: tuple[tuple[Label, int], ...] = ()
    missing_target: int = 0
    time: TimeNote | None = None
    group: str | None = None
    left_out: tuple[ColumnNote, ...] = ()
    watched: tuple[ColumnNote, ...] = ()
    slices: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = ()
    rare: tuple[Label, ...] = ()
    positive: Label | None = None
    tested: RowsTested | None = None
    warnings: tuple[str, ...] = ()

    @property
    def features(self) -> tuple[str, ...]:
        """The model's features, in order."""
        gone = {note.column for note in self.left_out} | {self.target}
        return tuple(name for name in self.columns if name not in gone)

    @property
    def needs_cleaning(self) -> bool:
        """Whether rows must be removed before the split: rare classes or copies."""
        return bool(self.rare) or self.split.distinct

    def lines(self) -> list[str]:
        """Return the findings as a short list for a terminal, most important first."""
        sentences = [
            f"{self.rows:,} rows, {len(self.columns):,} columns",
            self.target_says,
            *self._lines_of_split(),
            *self.warnings,
        ]
        for kind in ("suspect", "new", "identifier", "empty", "constant", "text", "type"):
            sentences += _summary([note for note in self.left_out if note.kind == kind], kind)
        sentences += [f"{note.column}: {note.reason}" for note in self.watched[:_SHOWN]]
        more = len(self.watched) - _SHOWN
        return [*sentences, f"and {more} more columns with a note"] if more > 0 else sentences

    def _lines_of_split(self) -> list[str]:
        lines = []
        if self.time is not None:
            name = " + ".join(self.time.columns)
            lines.append(
                f"split by time: {name} ({self.time.form}), {self.time.first} to {self.time.last}"
            )
        if self.group is not None:
            lines.append(f"split by group: every {self.group} stays whole")
        if self.slices:
            lines.append(f"evaluated per {', '.join(self.slices)}")
        return lines


def _summary(notes: list[ColumnNote], kind: str) -> list[str]:
    rest = len(notes) - _SHOWN
    if kind in {"suspect", "new", "text", "type"} or len(notes) == 1:
        sentences = [f"excluded {note.column}: {note.reason}" for note in notes[:_SHOWN]]
        return [*sentences, f"excluded {rest} similar columns"] if rest > 0 else sentences
    if not notes:
        return []
    names = ", ".join(note.column for note in notes[:_SHOWN])
    return [f"excluded as {kind}: {names}{f' and {rest} more' if rest > 0 else ''}"]
