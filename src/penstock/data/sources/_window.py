"""Window: the requested rows of a file, ``since <= time < cutoff``, and only those."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NoReturn

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


@dataclass(frozen=True, slots=True)
class Window:
    """The requested rows: ``since <= time < cutoff``."""

    name: str
    time: TimeColumn | None
    time_format: str | None
    since: datetime | None
    cutoff: datetime | None

    @classmethod
    def of(
        cls,
        name: str,
        time: TimeColumn | None,
        time_format: str | None,
        since: Moment | None,
        cutoff: Moment | None,
    ) -> "Window":
        """Return the window of a request.

        Raises:
            DataError: If a limit cannot be read, or there is no time column to compare with.
        """
        start = None if since is None else to_moment(since, "since")
        end = None if cutoff is None else to_moment(cutoff, "cutoff")
        if (start or end) and time is None:
            raise DataError(
                what=f"Source '{name}' has no time column, but since or cutoff was given.",
                why="Which rows came before the cutoff cannot be told.",
                fix='Name it: FileSource(…, time="column"), or leave since and cutoff out.',
            )
        if start and end and start >= end:
            raise DataError(
                what=f"since ({start:%Y-%m-%d %H:%M}) is not before cutoff ({end:%Y-%m-%d %H:%M}).",
                why="No row can lie between.",
                fix="Swap them.",
            )
        return cls(name, time, time_format, start, end)

    def keep(self, table: "pl.DataFrame") -> "tuple[pl.DataFrame, tuple[Finding, ...]]":
        """Read the time column and select the rows in the window."""
        time = self.time
        if time is None or not table.width:
            return table, ()
        self.require_columns(table.columns)
        main = time_columns(time)[0]
        table = table.with_columns(read_times(table[main], self.time_format).alias(main))
        return self._cut(table)

    def keep_lazily(
        self, scan: "pl.LazyFrame", schema: "pl.Schema"
    ) -> "tuple[pl.DataFrame, tuple[Finding, ...]]":
        """Read only rows that can lie in the window, where the file stores times as times."""
        import polars as pl

        time = self.time
        known = isinstance(time, str) and schema.get(time) in (pl.Date, pl.Datetime)
        if not known or (self.since is None and self.cutoff is None):
            return self.keep(scan.collect())
        column = pl.col(str(time))
        moment = column.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        if has_zone(schema[str(time)]):
            moment = column.dt.convert_time_zone("UTC")
        # A missing time passes here too, so that it can be counted.
        part = scan.filter(self._inside(moment) | column.is_null()).collect()
        if part.height == part[str(time)].null_count():
            every = as_moments(scan.select(column).collect().to_series())
            if len(every):
                self._none_left(every)
        return self._cut(part)

    def contains(self, moments: "pl.Series") -> "pl.Series":
        """Return for each moment whether the window contains the moment; False if missing."""
        import polars as pl

        frame = moments.rename("moment").to_frame()
        return frame.select(self._inside(pl.col("moment"))).to_series().fill_null(value=False)

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

    def _cut(self, table: "pl.DataFrame") -> "tuple[pl.DataFrame, tuple[Finding, ...]]":
        assert self.time is not None
        moments = moments_of(table, self.time).rename("moment")
        unknown, where = moments.null_count(), time_name(self.time)
        if self.since is None and self.cutoff is None:
            return table, _note_unknown(where, unknown, "kept: no since or cutoff was given")
        kept = table.filter(self.contains(moments))
        if not kept.height and table.height:
            self._none_left(moments)
        return kept, _note_unknown(where, unknown, "left out: they cannot be placed in time")

    def _none_left(self, moments: "pl.Series") -> NoReturn:
        first, last = ends_of(moments)
        asked = [
            *([f"since {self.since:%Y-%m-%d %H:%M}"] if self.since else []),
            *([f"before {self.cutoff:%Y-%m-%d %H:%M}"] if self.cutoff else []),
        ]
        found, fix = "None of its rows has a time.", "Name another time= column."
        if first and last:
            found = f"They run from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} (UTC)."
            fix = "Choose since and cutoff inside that range."
        raise DataError(
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
        for name in time_columns(self.time):
            if name not in known:
                raise NotFoundError(
                    what=f"The time column {name!r} is not in source '{self.name}'.",
                    fix=did_you_mean(name, known),
                    column=name,
                )


def _note_unknown(where: str, rows: int, what: str) -> tuple[Finding, ...]:
    if not rows:
        return ()
    message = f"{rows:,} rows have no time in '{where}'; they were {what}."
    return (Finding("warn", "no_time", where, message),)
