"""Window: the requested rows, ``since <= time < cutoff``, and only those known before the cutoff."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Protocol

from penstock.core import DataError, NotFoundError, did_you_mean
from penstock.data._finding import Finding
from penstock.data._moments import (
    Moment,
    TimeColumn,
    as_moments,
    ends_of,
    has_zone,
    moments_of,
    time_columns,
    time_name,
    to_moment,
)
from penstock.tables.reading import read_times

if TYPE_CHECKING:
    import polars as pl

_BATCH_ROWS = 1 << 18
_NEAR = timedelta(days=1)


class NoRowsError(DataError):
    """No row of a source lies in the window."""


class HasTime(Protocol):
    """What a window needs to know of a source."""

    @property
    def name(self) -> str:
        """Name of the source, for messages."""
        ...

    @property
    def time(self) -> TimeColumn | None:
        """The time column; None for a source without times."""
        ...


@dataclass(frozen=True, slots=True)
class Window:
    """The requested rows: ``since <= time < cutoff``, and known before the cutoff.

    Args:
        name: Name of the source, for messages.
        time: Column with the time of a row.
        time_format: Format of the times in strftime codes, if neither ISO nor epoch.
        since: First moment, included.
        cutoff: Last moment, not included.
        available_at: Column with the time at which a row became known.
    """

    name: str
    time: TimeColumn | None
    time_format: str | None
    since: datetime | None
    cutoff: datetime | None
    available_at: str | None = None

    @classmethod
    def of(
        cls, source: "HasTime", since: Moment | None = None, cutoff: Moment | None = None
    ) -> "Window":
        """Return the window of a request to a source.

        Raises:
            DataError: If a limit cannot be read, or there is no time column to compare with.
        """
        name, time = source.name, source.time
        start = None if since is None else to_moment(since, "since")
        end = None if cutoff is None else to_moment(cutoff, "cutoff")
        if (start or end) and time is None:
            raise DataError(
                what=f"Source '{name}' has no time column, but since or cutoff was given.",
                why="Which rows came before the cutoff cannot be told.",
                fix=f'Name it: {type(source).__name__}(…, time="column"), or leave since and cutoff out.',
            )
        if start and end and start >= end:
            raise DataError(
                what=f"since ({start:%Y-%m-%d %H:%M}) is not before cutoff ({end:%Y-%m-%d %H:%M}).",
                why="No row can lie between.",
                fix="Swap them.",
            )
        available_at = getattr(source, "available_at", None)
        return cls(name, time, getattr(source, "time_format", None), start, end, available_at)

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit at all."""
        return self.since is not None or self.cutoff is not None

    def keep(
        self, table: "pl.DataFrame", *, is_part: bool = False
    ) -> "tuple[pl.DataFrame, tuple[Finding, ...]]":
        """Read the time column and select the rows in the window.

        Args:
            table: Rows of the source.
            is_part: Whether more rows follow: then these may all lie outside.

        Raises:
            DataError: If no row is left.
        """
        time = self.time
        if time is None or not table.width:
            return table, ()
        self.require_columns(table.columns)
        main = time_columns(time)[0]
        table = table.with_columns(read_times(table[main], self.time_format).alias(main))
        if self.available_at is not None and self.available_at != main:
            known = read_times(table[self.available_at], self.time_format)
            table = table.with_columns(known.alias(self.available_at))
        return self._cut(table, is_part=is_part)

    def keep_lazily(
        self, scan: "pl.LazyFrame", schema: "pl.Schema"
    ) -> "tuple[pl.DataFrame, tuple[Finding, ...]]":
        """Read only rows that can lie in the window, where the file stores times as times."""
        if not self._stores_times(schema) or not self.is_limited:
            return self.keep(scan.collect())
        part = scan.filter(self._may_lie_inside(schema)).collect()
        if part.height == part[str(self.time)].null_count():
            self._require_rows(scan)
        return self._cut(part)

    def keep_batches(
        self,
        scan: "pl.LazyFrame",
        schema: "pl.Schema",
        findings: list[Finding],
        at_once: int = _BATCH_ROWS,
    ) -> "Iterator[pl.DataFrame]":
        """Read like `keep_lazily`, in batches, so that the rows need not fit into memory.

        Args:
            scan: Rows whose times are stored as times, or a window without a time.
            schema: The columns of the rows.
            findings: Findings are added to, after the last batch.
            at_once: Rows of a batch.

        Raises:
            DataError: If no row is left.
        """
        whole, scan = scan, self.narrowed(scan, schema)
        rows = unknown = late = 0
        for batch in scan.collect_batches(maintain_order=True, chunk_size=at_once):
            if self.time is None:
                kept = batch
            else:
                kept, without, unknown_yet = self.select(batch, moments_of(batch, self.time))
                unknown, late = unknown + without, late + unknown_yet
            rows += kept.height
            yield kept
        if scan is not whole and not rows:
            self._require_rows(whole)
        if self.time is not None:
            findings += self.notes(unknown, late)

    def narrowed(self, scan: "pl.LazyFrame", schema: "pl.Schema") -> "pl.LazyFrame":
        """Return only rows that can lie in the window: parts of a file without any are not read."""
        if self.time is None or not self.is_limited:
            return scan
        return scan.filter(self._may_lie_inside(schema))

    def reads_in_batches(self, schema: "pl.Schema") -> bool:
        """Return whether rows with these columns can be read by `keep_batches`."""
        return self.time is None or self._stores_times(schema)

    def _stores_times(self, schema: "pl.Schema") -> bool:
        import polars as pl

        known = [self.time] if self.available_at is None else [self.time, self.available_at]
        return all(
            isinstance(name, str) and schema.get(name) in (pl.Date, pl.Datetime) for name in known
        )

    def _may_lie_inside(self, schema: "pl.Schema") -> "pl.Expr":
        """Return the condition for rows in the window by their time, or without a time."""
        import polars as pl

        self.require_columns(schema.names())
        column = pl.col(str(self.time))
        moment = column.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        if has_zone(schema[str(self.time)]):
            moment = column.dt.convert_time_zone("UTC")
            if getattr(schema[str(self.time)], "time_unit", "us") != "us":
                # Compared with milliseconds a limit would lose its microseconds.
                moment = moment.dt.cast_time_unit("us")
        # A missing time passes here too, so that it can be counted. The comparison of the stored
        # values is wider, and the one by which the reader leaves row groups out.
        near = self._near(column, schema[str(self.time)])
        return (near | column.is_null()) & (self._inside(moment) | column.is_null())

    def _near(self, column: "pl.Expr", dtype: "pl.DataType") -> "pl.Expr":
        """Return the condition that a stored time lies in the window or within a day of it."""
        import polars as pl

        near = column.is_not_null()
        for limit, sign in ((self.since, -1), (self.cutoff, 1)):
            if limit is None:
                continue
            try:
                moved = limit + sign * _NEAR
            except OverflowError:
                continue
            bound = pl.lit(moved if has_zone(dtype) else moved.replace(tzinfo=None)).cast(dtype)
            near &= column >= bound if sign < 0 else column <= bound
        return near

    def count_lazily(self, scan: "pl.LazyFrame", schema: "pl.Schema") -> int:
        """Return how many rows lie inside by their time; 0 where the file stores no times."""
        import polars as pl

        if not self._stores_times(schema) or not self.is_limited:
            return 0
        column = pl.col(str(self.time))
        inside = scan.filter(self._may_lie_inside(schema)).select(column.is_not_null().sum())
        return int(inside.collect().item())

    def may_hold(self, low: date, high: date) -> bool:
        """Return whether rows between two stored times can lie in the window.

        Args:
            low: The earliest, as a date, or as a time, in UTC if without an offset.
            high: The latest.
        """
        first, last = (_as_utc(each) for each in (low, high))
        two_days = 2 * _NEAR
        with suppress(OverflowError):
            if self.since is not None and last < self.since - two_days:
                return False
        with suppress(OverflowError):
            if self.cutoff is not None and first > self.cutoff + two_days:
                return False
        return True

    def _require_rows(self, scan: "pl.LazyFrame") -> None:
        every = as_moments(scan.select(str(self.time)).collect().to_series())
        if len(every):
            raise self.none_left(*ends_of(every))

    def contains(self, moments: "pl.Series") -> "pl.Series":
        """Return for each moment whether the window contains the moment; False if missing."""
        import polars as pl

        frame = moments.rename("moment").to_frame()
        return frame.select(self._inside(pl.col("moment"))).to_series().fill_null(value=False)

    def outside(self, table: "pl.DataFrame") -> "tuple[str, pl.Series] | None":
        """Return the column that places rows outside, and for each row whether it is outside.

        Raises:
            DataError: If a value is not a time.
        """
        if self.time is None:
            return None
        outside = ~self.contains(moments_of(table, self.time, self.time_format))
        late = self._unknown_yet(table)
        by_time = outside
        if late is not None:
            outside |= late
        if not outside.any():
            return None
        first = int(outside.arg_max() or 0)
        column = time_columns(self.time)[0] if by_time[first] else str(self.available_at)
        return column, outside

    def _unknown_yet(self, table: "pl.DataFrame") -> "pl.Series | None":
        """Return for each row whether it became known at or after the cutoff."""
        if self.available_at is None or self.cutoff is None:
            return None
        known = replace(self, time=self.available_at, since=None, available_at=None)
        return ~known.contains(moments_of(table, self.available_at, self.time_format))

    @property
    def words(self) -> str:
        """Description of the location of a row outside, in words."""
        limits = [
            *([f"before {self.since:%Y-%m-%d %H:%M}"] if self.since else []),
            *([f"at or after {self.cutoff:%Y-%m-%d %H:%M}"] if self.cutoff else []),
            "without a time",
        ]
        return f"outside the window ({', '.join(limits[:-1])} or {limits[-1]})"

    def _inside(self, moment: "pl.Expr") -> "pl.Expr":
        import polars as pl

        inside = moment.is_not_null()
        if self.since is not None:
            inside &= moment >= pl.lit(self.since)
        if self.cutoff is not None:
            inside &= moment < pl.lit(self.cutoff)
        return inside

    def _cut(
        self, table: "pl.DataFrame", *, is_part: bool = False
    ) -> "tuple[pl.DataFrame, tuple[Finding, ...]]":
        assert self.time is not None
        moments = moments_of(table, self.time)
        kept, unknown, late = self.select(table, moments)
        if self.is_limited and kept.height + late == 0 and table.height and not is_part:
            raise self.none_left(*ends_of(moments))
        return kept, self.notes(unknown, late)

    def select(
        self, table: "pl.DataFrame", moments: "pl.Series"
    ) -> "tuple[pl.DataFrame, int, int]":
        """Return the rows inside, and how many had no time and how many were not known yet.

        Args:
            table: Rows whose times have been read.
            moments: The time of each row.
        """
        unknown = moments.null_count()
        if not self.is_limited:
            return table, unknown, 0
        kept = table.filter(self.contains(moments))
        late = self._unknown_yet(kept)
        if late is None or not late.any():
            return kept, unknown, 0
        return kept.filter(~late), unknown, int(late.sum())

    def notes(self, unknown: int, late: int) -> tuple[Finding, ...]:
        """Return the findings on rows without a time, and on rows that were not known yet."""
        where = time_name(self.time or "")
        if not self.is_limited:
            return _note_unknown(where, unknown, "kept: no since or cutoff was given")
        notes = _note_unknown(where, unknown, "left out: they cannot be placed in time")
        if late:
            message = (
                f"{late:,} rows were not known before the cutoff "
                f"('{self.available_at}'); they were left out."
            )
            notes += (Finding("info", "not_known_yet", str(self.available_at), message),)
        return notes

    def none_left(self, first: datetime | None, last: datetime | None) -> NoRowsError:
        """Return the error of a source whose rows all lie outside.

        Args:
            first: Earliest time of its rows; None if none has a time.
            last: Latest time of its rows.
        """
        asked = [
            *([f"since {self.since:%Y-%m-%d %H:%M}"] if self.since else []),
            *([f"before {self.cutoff:%Y-%m-%d %H:%M}"] if self.cutoff else []),
        ]
        found, fix = "None of its rows has a time.", "Name another time= column."
        if first and last:
            found = f"They run from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} (UTC)."
            fix = "Choose since and cutoff inside that range."
        return NoRowsError(
            what=f"Source '{self.name}' has no rows {' and '.join(asked)}.",
            why=found,
            fix=fix,
            first=first,
            last=last,
        )

    def require_columns(self, known: Sequence[str]) -> None:
        """Check that the time column exists.

        Raises:
            NotFoundError: If the column does not exist, with did-you-mean.
        """
        columns = [*time_columns(self.time), *([self.available_at] if self.available_at else [])]
        for name in columns:
            if name not in known:
                raise NotFoundError(
                    what=f"The time column {name!r} is not in source '{self.name}'.",
                    fix=did_you_mean(name, known),
                    column=name,
                )


def _as_utc(value: date) -> datetime:
    if not isinstance(value, datetime):
        value = datetime.combine(value, time.min)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _note_unknown(where: str, rows: int, what: str) -> tuple[Finding, ...]:
    if not rows:
        return ()
    message = f"{rows:,} rows have no time in '{where}'; they were {what}."
    return (Finding("warn", "no_time", where, message),)
