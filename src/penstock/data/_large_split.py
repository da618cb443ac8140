"""Splits of tables with more than 2^24 rows, from passes over the chunks.

In memory are a byte per row (the subset), four more per row for a random order, one to four for
strata, and the distinct values of a group column. The subsets are bit for bit those of a table that
is in memory; kinds and numbers of distinct values in the schema are estimates, as in the schema of
such a snapshot.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from penstock.core import DataError
from penstock.data import _assignment as assignment
from penstock.data._column_values import ColumnValues
from penstock.data._finding import Finding
from penstock.data._large_profile import infer_large
from penstock.data._moments import moments_of, time_columns
from penstock.data._room import estimate_bytes, require_memory
from penstock.data._schema import Schema
from penstock.data._split import Subset
from penstock.data._split_plan import Shares, SplitPlan
from penstock.data._split_rules import (
    codes_of,
    groupless_of,
    missing_of,
    note_unusable,
    require_classes,
    require_few_lost,
    require_parts,
)
from penstock.data._target import TargetValues, Task, choose_task, classes_of, require_variety
from penstock.stores import ChunkedTable, Positions

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Parts: TypeAlias = "np.ndarray[Any, np.dtype[np.int8]]"
    Codes: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"

LARGE_ROWS = 1 << 24
_MANY_BYTES = 1 << 27  # of the columns that decide; in memory they take several times as much
_BYTES_BY_CHANCE = 6  # order, stratum and subset of a row
_BYTES_OF_OBJECT = 60
_GROUP_COPIES = 3  # of the distinct groups, while they are counted and put in order
_UNUSABLE = -2  # no target, or no time
_MOST_VALUES = 1 << 20
"""Of a target, so many different values are counted: more are no classes."""


def is_large(rows: ChunkedTable) -> bool:
    """Return whether a table is split from passes over the chunks."""
    return rows.rows > LARGE_ROWS


def is_drawn_in_passes(rows: ChunkedTable, plan: SplitPlan) -> bool:
    """Return whether the subsets are drawn in passes: they are the same, and take less memory."""
    if not has_single_values(rows, plan):
        return False
    if is_large(rows):
        return True
    group = [plan.by_group] if plan.by_group else []
    deciding = _once([plan.target, *time_columns(plan.by_time), *group])
    return len(rows.chunks) > 1 and estimate_bytes(rows, deciding) > _MANY_BYTES


def has_single_values(rows: ChunkedTable, plan: SplitPlan) -> bool:
    """Return whether target and groups are plain values; lists are read as whole columns."""
    names = [plan.target, *([plan.by_group] if plan.by_group else [])]
    return not any(dtype.is_nested() for dtype in rows.chunks[0].read(names).head(0).dtypes)


def require_room(rows: ChunkedTable, plan: SplitPlan) -> None:
    """Refuse a split that does not fit in memory, before rows are read.

    Raises:
        DataError: If it does not.
    """
    work = f"A split of {rows.rows:,} rows"
    if not is_large(rows):
        return
    if not has_single_values(rows, plan):
        # Lists are compared as values of Python.
        needed = 3 * estimate_bytes(rows, plan.columns) + _BYTES_OF_OBJECT * rows.rows
        require_memory(needed, f"{work} by lists", "Split by a column of plain values.")
        return
    is_random = plan.by_time is None and plan.by_group is None
    per_row = _BYTES_BY_CHANCE if is_random else 1
    fix = (
        "Split by time (by_time=), which takes a byte per row."
        if is_random
        else "Give more memory."
    )
    require_memory(per_row * rows.rows, work, fix)


def draw_large(
    rows: ChunkedTable, plan: SplitPlan, shares: Shares
) -> tuple[dict[str, Positions], int, list[Finding]]:
    """Draw the subsets.

    Returns:
        The positions by name, the number of usable rows, and findings.

    Raises:
        DataError: If there are too few rows, times or groups, or too many strata.
    """
    drawing = _Drawing(rows, plan, shares)
    findings = drawing.find_usable()
    drawing.assign()
    drawn = {
        name: Positions.of_codes(drawing.parts, part)
        for name, part in assignment.NAMES.items()
        if name != "validation" or shares.validation
    }
    return drawn, drawing.usable, findings


def describe_large(
    rows: ChunkedTable, plan: SplitPlan, drawn: Mapping[str, Positions]
) -> tuple[Task, tuple[Any, ...]]:
    """Return task and classes from the rows of the split.

    Raises:
        DataError: If there are too few classes, or more than 1,048,576.
    """
    import numpy as np

    values = {name: ColumnValues(_MOST_VALUES) for name in drawn}
    start = 0
    for batch in rows.batches([plan.target]):
        series = batch.to_series()
        for name, positions in drawn.items():
            values[name].add(series[positions.between(start, start + batch.height) - start])
        start += batch.height
    dtype = series.dtype
    together = ColumnValues(_MOST_VALUES)
    for each in values.values():
        together.merge(each)
    target = _target_values(plan.target, dtype, together, sum(map(len, drawn.values())))
    require_variety(target, target.distinct)
    task = choose_task(target, plan.task)
    require_parts(drawn)
    train = _target_values(plan.target, dtype, values["train"], len(drawn["train"]))
    require_classes(train, task)
    if task == "regression":
        return task, ()
    if together.is_over and is_large(rows):
        raise _too_many(plan.target)
    if together.is_over:
        chosen = np.sort(np.concatenate([positions.array() for positions in drawn.values()]))
        return task, classes_of(rows.take(chosen, [plan.target]).to_series(), task)
    return task, tuple(together.table["value"].sort().to_list())


def infer_large_schema(train: Subset, features: Sequence[str]) -> Schema:
    """Infer the schema of very many train rows, as that of a large snapshot."""
    return infer_large(len(train), features, lambda: train.batches(features))


class _Drawing:
    """The assignment of the rows of a table; a byte for each."""

    def __init__(self, rows: ChunkedTable, plan: SplitPlan, shares: Shares) -> None:
        self._rows, self._plan, self._shares = rows, plan, shares
        self._target_values = ColumnValues(_MOST_VALUES)
        self._target: TargetValues
        self.parts: Parts
        self.usable = 0

    def find_usable(self) -> list[Finding]:
        """Find the rows with a target and, where needed, a time."""
        import numpy as np

        plan, dtype = self._plan, None
        no_target = no_time = start = 0
        self.parts = np.zeros(self._rows.rows, dtype=np.int8)
        for batch in self._rows.batches(_once([plan.target, *time_columns(plan.by_time)])):
            series = batch[plan.target]
            gone = missing_of(series)
            no_target += int(gone.sum())
            if plan.by_time is not None:
                timeless = moments_of(batch, plan.by_time).is_null().to_numpy() & ~gone
                no_time += int(timeless.sum())
                gone |= timeless
            self._target_values.add(_filter(series.to_frame(), ~gone).to_series())
            self.parts[start : start + batch.height][gone] = _UNUSABLE
            start, dtype = start + batch.height, series.dtype
        self.usable = start - no_target - no_time
        findings = note_unusable(start, no_target, no_time, plan.target, plan.by_time)
        require_few_lost(self.usable, start, findings)
        assert dtype is not None
        self._target = _target_values(plan.target, dtype, self._target_values, self.usable)
        require_variety(self._target, self._target.distinct)
        return findings

    def assign(self) -> None:
        """Assign every usable row."""
        plan, shares = self._plan, self._shares
        if plan.by_time is None and plan.by_group is None:
            self._assign_by_chance()
        if plan.by_time is not None:
            cuts = assignment.cut_times(self._times, shares.validation, shares.test, shares.gap)
            for place, times in zip(self._places(), self._times(), strict=True):
                place.assign(cuts.parts(times))
        if plan.by_group is not None:
            self._assign_groups(plan.by_group, is_timed=plan.by_time is not None)

    def _assign_by_chance(self) -> None:
        plan, shares = self._plan, self._shares
        task = choose_task(self._target, plan.task)
        # Classes are stratified by default, so that rare classes reach every subset.
        column = shares.stratify or (None if task == "regression" else plan.target)
        strata = None if column is None else self._strata(column)
        drawn = assignment.by_chance(self.usable, shares.validation, shares.test, plan.seed, strata)
        start = 0
        for place in self._places():
            place.assign(drawn[start : start + place.usable])
            start += place.usable

    def _strata(self, column: str) -> "Codes":
        """Return the stratum of each usable row, in as few bytes as possible."""
        import numpy as np
        import polars as pl

        values = self._target_values
        if column != self._plan.target:
            values = ColumnValues(_MOST_VALUES)
            for series in self._column(column):
                values.add(series)
        if values.is_over and is_large(self._rows):
            raise _too_many(column)
        if values.is_over:
            mask = np.concatenate([place.mask for place in self._places()])
            return codes_of(self._rows.column(column).filter(pl.Series(mask)))
        codes = np.empty(self.usable, dtype=np.min_scalar_type(len(values.sizes)))
        start = 0
        for series in self._column(column):
            codes[start : start + len(series)] = values.codes(series)
            start += len(series)
        return codes

    def _assign_groups(self, name: str, *, is_timed: bool) -> None:
        """Assign whole groups; with times, rows that belong elsewhere by time are left out."""
        import numpy as np

        shares, seed = self._shares, self._plan.seed
        groups = _Groups()
        for series in self._column(name):
            groups.add(series)
        sizes = groups.sizes()
        if is_timed:
            present = np.zeros((len(sizes), 3), dtype=np.int64)
            for place, codes in zip(self._places(), groups.codes(self._column(name)), strict=True):
                assignment.add_present(present, codes, place.parts)
            part_of = assignment.straddling_parts(
                present, sizes, shares.validation, shares.test, seed
            )
        else:
            part_of = assignment.group_parts(sizes, shares.validation, shares.test, seed)
        for place, codes in zip(self._places(), groups.codes(self._column(name)), strict=True):
            own = part_of[codes]
            is_right = ~np.bool_(is_timed) | (own == place.parts)
            place.assign(np.where(is_right, own, assignment.OUT).astype(np.int8))

    def _places(self) -> "Iterator[_Place]":
        """Yield the assignment of each chunk's rows."""
        start = 0
        for chunk in self._rows.chunks:
            yield _Place(self.parts[start : start + chunk.rows])
            start += chunk.rows

    def _read(self, columns: Sequence[str]) -> "Iterator[pl.DataFrame]":
        """Yield the usable rows of each chunk."""
        for place, batch in zip(self._places(), self._rows.batches(columns), strict=True):
            yield _filter(batch, place.mask)

    def _column(self, name: str) -> "Iterator[pl.Series]":
        return (batch.to_series() for batch in self._read([name]))

    def _times(self) -> "Iterator[Codes]":
        by_time = self._plan.by_time
        assert by_time is not None
        for batch in self._read(time_columns(by_time)):
            yield moments_of(batch, by_time).to_physical().to_numpy()


class _Place:
    """The assignment of a chunk's usable rows."""

    def __init__(self, parts: "Parts") -> None:
        self._parts = parts
        self.mask = parts != _UNUSABLE
        self.usable = int(self.mask.sum())

    @property
    def parts(self) -> "Parts":
        """The subsets of the usable rows."""
        parts: Parts = self._parts[self.mask]
        return parts

    def assign(self, parts: "Parts") -> None:
        """Set the subsets of the usable rows."""
        self._parts[self.mask] = parts


class _Groups:
    """The groups of a column; each row without a group is a separate one, after all others."""

    def __init__(self) -> None:
        self._values = ColumnValues()
        self._without = 0

    def add(self, series: "pl.Series") -> None:
        """Add the next rows."""
        without = groupless_of(series)
        self._without += int(without.sum())
        self._values.add(_filter(series.to_frame(), ~without).to_series())
        # How many groups there are is not known before: told on the way, in good time.
        require_memory(
            _GROUP_COPIES * self._values.size_bytes,
            f"A split by the groups of '{series.name}'",
            "Split by a column with fewer or shorter values, or by time (by_time=).",
        )

    def sizes(self) -> "Codes":
        """Return the rows of each group."""
        import numpy as np

        return np.append(self._values.sizes, np.ones(self._without, dtype=np.int64))

    def codes(self, columns: "Iterator[pl.Series]") -> "Iterator[Codes]":
        """Yield the group of each row, for all rows from the first."""
        import numpy as np

        next_code = len(self._values)
        for series in columns:
            codes, without = self._values.codes(series), groupless_of(series)
            count = int(without.sum())
            codes[without] = next_code + np.arange(count)
            next_code += count
            yield codes


def _target_values(
    name: str, dtype: "pl.DataType", values: ColumnValues, rows: int
) -> TargetValues:
    table = values.table
    first = table["value"][0] if table.height else None
    # Very many integers are no codes of classes, whatever the ends.
    known = dtype.is_integer() and not values.is_over and table.height
    ends = (table["value"].min(), table["value"].max()) if known else (None, None)
    return TargetValues(name, dtype, rows, len(values), first, *ends)


def _filter(frame: "pl.DataFrame", mask: "np.ndarray[Any, Any]") -> "pl.DataFrame":
    import polars as pl

    return frame if mask.all() else frame.filter(pl.Series(mask))


def _once(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _too_many(column: str) -> DataError:
    return DataError(
        what=f"Column {column!r} has more than {_MOST_VALUES:,} different values.",
        why="A table of this size is divided evenly by at most so many.",
        fix="Choose a column with fewer values for stratify= or as classes.",
        column=column,
    )
