"""Window: the rows of a file that were asked for, ``since <= time < cutoff``, and only those."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from penstock.core import DataError, NotFoundError, did_you_mean
from penstock.data._finding import Finding
from penstock.data._moments import (
    Moment,
    TimeColumn,
    as_moments,
    has_zone,
    moments_of,
    time_columns,
    time_name,
    to_moment,
)
from penstock.data._times import read_times

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class _Window:
    """The rows asked for: ``since <= time < cutoff``."""

    source: FileSource
    since: Any
    cutoff: Any

    @classmethod
    def of(cls, source: FileSource, since: Moment | None, cutoff: Moment | None) -> "_Window":
        start = None if since is None else to_moment(since, "since")
        end = None if cutoff is None else to_moment(cutoff, "cutoff")
        if (start or end) and source.time is None:
            raise DataError(
                what=f"Source '{source.name}' has no time column, but since or cutoff was given.",
                why="Which rows came before the cutoff cannot be told.",
                fix='Name it: FileSource(…, time="column"), or leave since and cutoff out.',
            )
        if start and end and start >= end:
            raise DataError(
                what=f"since ({start:%Y-%m-%d %H:%M}) is not before cutoff ({end:%Y-%m-%d %H:%M}).",
                why="No row can lie between.",
                fix="Swap them.",
            )
        return cls(source, start, end)

    def keep(self, table: "pl.DataFrame") -> "tuple[pl.DataFrame, tuple[Finding, ...]]":
        """Read the time column and keep the rows asked for."""
        time = self.source.time
        if time is None or not table.width:
            return table, ()
        self._require_columns(table.columns)
        main = time_columns(time)[0]
        table = table.with_columns(read_times(table[main], self.source.time_format).alias(main))
        return self._cut(table)

    def keep_lazily(
        self, scan: "pl.LazyFrame", schema: "pl.Schema"
    ) -> "tuple[pl.DataFrame, tuple[Finding, ...]]":
        """Read only what can lie in the window, where the file knows times as times."""
        import polars as pl

        time = self.source.time
        if (
            not isinstance(time, str)
            or time not in schema
            or schema[time] not in (pl.Date, pl.Datetime)
        ):
            return self.keep(scan.collect())
        if self.since is None and self.cutoff is None:
            return scan.collect(), ()
        if getattr(schema[time], "time_zone", None) is None:
            moment = pl.col(time).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        else:
            moment = pl.col(time).dt.convert_time_zone("UTC")
        # A missing time passes here too, so that it can be counted.
        inside = pl.lit(value=True)
        if self.since is not None:
            inside &= moment >= self.since
        if self.cutoff is not None:
            inside &= moment < self.cutoff
        part = scan.filter(inside | pl.col(time).is_null()).collect()
        if part.height == part[time].null_count():
            self._none_left(as_moments(scan.select(time).collect().to_series()))
        return self._cut(part)

    def _cut(self, table: "pl.DataFrame") -> "tuple[pl.DataFrame, tuple[Finding, ...]]":
        import polars as pl

        assert self.source.time is not None
        moments = moments_of(table, self.source.time)
        unknown = moments.null_count()
        where = time_name(self.source.time)
        if self.since is None and self.cutoff is None:
            return table, _note_unknown(where, unknown, "kept", "no since or cutoff was given")
        inside = moments.is_not_null()
        if self.since is not None:
            inside &= moments >= pl.lit(self.since)
        if self.cutoff is not None:
            inside &= moments < pl.lit(self.cutoff)
        kept = table.filter(inside)
        if not kept.height and table.height:
            self._none_left(moments)
        return kept, _note_unknown(where, unknown, "left out", "they cannot be placed in time")

    def _none_left(self, moments: "pl.Series") -> None:
        first, last = moments.min(), moments.max()
        ends = [
            *([f"since {self.since:%Y-%m-%d %H:%M}"] if self.since else []),
            *([f"before {self.cutoff:%Y-%m-%d %H:%M}"] if self.cutoff else []),
        ]
        found = (
            f"Its times run from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} (UTC)."
            if first is not None
            else "No row has a time."
        )
        raise DataError(
            what=f"Source '{self.source.name}' has no rows {' and '.join(ends)}.",
            why=found,
            fix="Choose since and cutoff inside that range.",
            first=first,
            last=last,
        )

    def _require_columns(self, known: Sequence[str]) -> None:
        for name in time_columns(self.source.time):
            if name not in known:
                raise NotFoundError(
                    what=f"The time column {name!r} is not in {self.source.path}.",
                    fix=did_you_mean(name, known),
                    column=name,
                )


def _note_unknown(where: str, rows: int, verb: str, reason: str) -> tuple[Finding, ...]:
    if not rows:
        return ()
    message = f"{rows:,} rows have no time in '{where}'; they were {verb}: {reason}."
    return (Finding("warn", "no_time", where, message),)


