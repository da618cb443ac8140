"""IncrementalSource: only what is new is read; what was read before comes from the last version."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol, Self

from penstock.core import DataError, ParameterError, parse_duration
from penstock.data._finding import Finding
from penstock.data._moments import Moment, TimeColumn, moments_of, to_moment
from penstock.data._row_hashes import hash_rows
from penstock.data.sources._batches import read_batches
from penstock.data.sources._protocol import (
    DataSource,
    FollowingSource,
    Reading,
    RememberingSource,
    Scan,
)
from penstock.data.sources._window import NoRowsError, Window

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from penstock.tables.reading import ReadingRule

_RULE = "incremental"
_BEFORE = "before"
_AHEAD = timedelta(days=1)


class EarlierRows(Protocol):
    """The rows of an earlier reading: a Snapshot."""

    @property
    def since(self) -> datetime | None:
        """First time of the reading's window; None without a lower end."""
        ...

    @property
    def cutoff(self) -> datetime | None:
        """End of the reading's window, not included; None without a cutoff."""
        ...

    @property
    def last_time(self) -> datetime | None:
        """Latest time of the rows; None if none has a time."""
        ...

    @property
    def ordered_digest(self) -> str:
        """Digest of the rows in order."""
        ...

    def batches(self, columns: Sequence[str] | None = None) -> "Iterator[pl.DataFrame]":
        """Yield the rows in order, the given columns or all."""
        ...


@dataclass(frozen=True, slots=True)
class IncrementalSource:
    r"""A source of which only new rows are read; earlier rows come from the last version.

    The first reading is whole. Later ones start where the last ended (its cutoff, or its latest
    time if the cutoff was yet to come), less the allowed lateness: rows from there on are read again and replace the earlier
    ones, so that rows that came late are found and rows that were deleted are gone. Rows that come
    later than that are not seen; read the source itself to start anew.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import penstock as ps
    >>> path = Path(tempfile.mkdtemp()) / "rides.csv"
    >>> _ = path.write_text("day,tip\n2026-01-01,2.5\n2026-01-02,0\n")
    >>> source = ps.data.IncrementalSource(ps.FileSource(path, time="day"), lateness="2d")
    >>> source.name
    'rides'

    Which rows those are depends on what was read before, so that the step is never reused: it reads
    the new rows each time. The steps after it are reused as long as the rows are the same.

    Args:
        source: The source; it needs a time column.
        lateness: How late a row may come, measured by its time: ``"2d"``, ``"3h"``.
        key: Column or columns that identify a row: a row read now replaces the earlier one with the
            same key, whenever that was. Of several rows with a key the latest counts, in the first
            reading too, which then is in memory as a whole. ``time`` is then the time of the
            change. Without, rows are added.
        append_only: Whether rows never change: if a row that was read before is gone or different,
            the reading stops.

    Raises:
        ParameterError: If the source has no time column, or ``available_at`` and no lateness, or
            both ``key`` and ``append_only`` are given.
    """

    source: DataSource
    lateness: str | float | timedelta = 0
    key: str | Sequence[str] | None = None
    append_only: bool = False
    _earlier: EarlierRows | None = field(default=None, repr=False, compare=False)
    _read_at: datetime | None = field(default=None, repr=False, compare=False)
    _facts: "Mapping[str, Any] | None" = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        lateness = parse_duration(self.lateness)
        if self.source.time is None:
            raise ParameterError(
                what=f"Source '{self.source.name}' has no time column.",
                why="What is new in it cannot be told.",
                fix='Name it, for example: FileSource(…, time="column").',
            )
        if self.available_at and not lateness:
            raise ParameterError(
                what=f"Source '{self.source.name}' has available_at={self.available_at!r}, and no"
                " lateness was given.",
                why="A row that becomes known after its time was left out before, and its time lies"
                " before what is read now: it would be lost.",
                fix='Say how late rows become known, for example lateness="2d".',
            )
        if self.key and self.append_only:
            raise ParameterError(
                what="key= and append_only=True were both given.",
                why="With a key rows are replaced, which append_only rules out.",
                fix="Leave one of them out.",
            )

    @property
    def name(self) -> str:
        """Name of the source."""
        return self.source.name

    @property
    def time(self) -> TimeColumn | None:
        """The source's time column."""
        return self.source.time

    @property
    def time_format(self) -> str | None:
        """The source's format of times."""
        return getattr(self.source, "time_format", None)

    @property
    def available_at(self) -> str | None:
        """The source's column with the time at which a row became known."""
        return getattr(self.source, "available_at", None)

    @property
    def cut_by_ingest(self) -> bool:
        """Whether the source leaves the cut to ingest."""
        return bool(getattr(self.source, "cut_by_ingest", False))

    def describe(self) -> dict[str, Any]:
        """Return the source's description: read whole or in parts, the columns are the same."""
        return self.source.describe()

    def fingerprint(
        self, since: Moment | None = None, cutoff: Moment | None = None
    ) -> dict[str, Any] | None:
        """None: the rows depend on the last version, too."""
        del since, cutoff
        return None

    def stamp(self) -> "Mapping[str, Any] | None":
        """Return the source's cheap mark, if it has one."""
        stamp = getattr(self.source, "stamp", None)
        return stamp() if callable(stamp) else None

    def remembering(self, rules: "Mapping[str, ReadingRule]") -> Self:
        """Return a copy whose texts are read as before; see RememberingSource."""
        if not isinstance(self.source, RememberingSource):
            return self
        return replace(self, source=self.source.remembering(rules))

    def continuing(
        self,
        earlier: EarlierRows | None,
        at: datetime | None = None,
        facts: "Mapping[str, Any] | None" = None,
    ) -> Self:
        """Return a copy that continues an earlier reading.

        Args:
            earlier: Rows that were read from this source with the same options; None if there are
                none.
            at: Time before that reading; None if all of its window had passed.
            facts: Facts of that reading, for a source that forgets old rows; see FollowingSource.
        """
        # A reading that had nothing to read passes on the facts of the one before.
        facts = (facts or {}).get(_RULE, {}).get(_BEFORE, facts)
        source = self.source
        if facts is not None and isinstance(source, FollowingSource):
            source = source.following(facts)
        return replace(self, source=source, _earlier=earlier, _read_at=at, _facts=facts)

    def scan(self, since: Moment | None = None, cutoff: Moment | None = None) -> Scan:
        """Read the new rows, after the earlier ones that stay; see DataSource.scan."""
        earlier = self._earlier
        start = self._start(earlier, since, cutoff) if earlier is not None else None
        if earlier is None or start is None:
            return self._whole(since, cutoff, "no earlier version covers it")
        if self.key and _repeats(earlier, self._keys):
            return self._whole(since, cutoff, "the last version has several rows of a key")
        is_read = cutoff is None or to_moment(cutoff, "cutoff") > start
        new, reading = self._new_rows(start, cutoff) if is_read else (None, Reading())
        if new is not None and not _continues(earlier, new):
            return self._whole(since, cutoff, "its columns have changed")
        reading.facts = {
            **reading.facts,
            _RULE: {"after": earlier.ordered_digest, "from": start.isoformat()},
        }
        if not is_read and self._facts is not None and isinstance(self.source, FollowingSource):
            reading.facts[_RULE][_BEFORE] = dict(self._facts)
        return Scan(self._joined(earlier, new, start, reading), reading)

    def _start(
        self, earlier: EarlierRows, since: Moment | None, cutoff: Moment | None
    ) -> datetime | None:
        """Return the time from which rows are read; None if all are."""
        first = None if since is None else to_moment(since, "since")
        end = None if cutoff is None else to_moment(cutoff, "cutoff")
        watermark = earlier.cutoff or earlier.last_time
        if watermark is None or earlier.since != first or (end and end < watermark):
            return None
        if earlier.cutoff is None and end == watermark:  # the latest rows are outside now
            return None
        watermark = self._passed(watermark, earlier.last_time)
        if watermark is None:
            return None
        start = watermark - parse_duration(self.lateness)
        return None if first and start <= first else start

    def _passed(self, watermark: datetime, last: datetime | None) -> datetime | None:
        """Return the time up to which all was read; None if it is not known.

        Rows between the reading and a cutoff yet to come were not there, and are not late.
        """
        if self._read_at is None or watermark <= self._read_at:
            return watermark
        # Clocks differ, and a time without a zone may be ahead of UTC; a time further on is odd,
        # and says nothing of the rows before.
        return last if last is not None and last <= self._read_at + _AHEAD else None

    @property
    def _keys(self) -> list[str]:
        return [self.key] if isinstance(self.key, str) else list(self.key or ())

    def _whole(self, since: Moment | None, cutoff: Moment | None, why: str) -> Scan:
        scan = self.source.scan(since, cutoff)
        reading = scan.reading if isinstance(scan, Scan) else Reading()

        def batches() -> "Iterator[pl.DataFrame]":
            found = read_batches(scan, self.name)
            if self.key:
                every = [batch for batch in self._cut(found, since, cutoff) if batch.height]
                found = iter([self._latest(_together(every))] if every else [])
            yield from found
            text = f"All of '{self.name}' was read: {why}."
            reading.findings.append(Finding("info", _RULE, "", text))

        return Scan(batches(), reading)

    def _new_rows(
        self, start: datetime, cutoff: Moment | None
    ) -> "tuple[pl.DataFrame | None, Reading]":
        scan: Iterable[Any] = ()
        try:
            scan = self.source.scan(start, cutoff)
            found = self._cut(read_batches(scan, self.name), start, cutoff)
            batches = [batch for batch in found if batch.height]
        except NoRowsError:
            batches = []  # what the source has to tell of it stays
        reading = scan.reading if isinstance(scan, Scan) else Reading()
        return (_together(batches) if batches else None), reading

    def _cut(
        self, batches: "Iterator[pl.DataFrame]", since: Moment | None, cutoff: Moment | None
    ) -> "Iterator[pl.DataFrame]":
        """Cut the rows of a source that leaves this to ingest, which knows but the whole window."""
        if not self.cut_by_ingest:
            return batches
        window = Window.of(self.source, since, cutoff)
        return (window.keep(batch, is_part=True)[0] for batch in batches)

    def _joined(
        self,
        earlier: EarlierRows,
        new: "pl.DataFrame | None",
        start: datetime,
        reading: Reading,
    ) -> "Iterator[pl.DataFrame]":
        keys = self._keys
        if new is not None and keys:
            new = self._latest(new)
        kept = again = recent = 0
        replaced: list[pl.DataFrame] = []
        for batch in earlier.batches():
            is_final = moments_of(batch, self.time or "", self.time_format) < start
            final = batch.filter(is_final.fill_null(value=True))
            recent += batch.height - final.height
            if self.append_only and final.height < batch.height:
                replaced.append(batch.filter(~is_final.fill_null(value=True)))
            if keys and new is not None:
                stay = final.join(
                    new.select(keys), on=keys, how="anti", nulls_equal=True, maintain_order="left"
                )
                again += final.height - stay.height
                final = stay
            kept += final.height
            if final.height:
                yield final
        if replaced:
            self._require_all(replaced, new)
        if new is not None:
            yield new
        again += recent
        added = 0 if new is None else new.height
        if recent and reading.facts.get("forgotten"):
            reading.findings.append(_remark_forgotten(self.name, recent, start))
        text = (
            f"{kept:,} rows of the last version stay; {added:,} rows from"
            f" {start:%Y-%m-%d %H:%M} on were read, {again:,} of the last version stood in their place."
        )
        reading.facts[_RULE] |= {"kept": kept, "read": added, "replaced": again}
        reading.findings.append(Finding("info", _RULE, "", text))

    def _latest(self, new: "pl.DataFrame") -> "pl.DataFrame":
        """Return the latest row of each key, in the order read."""
        import polars as pl

        moments = moments_of(new, self.time or "", self.time_format)
        place = pl.DataFrame({"at": moments, "row": pl.int_range(new.height, eager=True)})
        order = place.sort("at", "row", nulls_last=False)["row"]
        last = (
            new.with_row_index("__row__")[order].unique(self._keys, keep="last")["__row__"].sort()
        )
        return new[last]

    def _require_all(self, before: "list[pl.DataFrame]", new: "pl.DataFrame | None") -> None:
        import polars as pl

        rows = pl.concat(before)
        held = _counted(rows)
        now = held.clear() if new is None else _counted(new)
        gone = held.join(now, on=["first", "second", "place"], how="anti")
        if not gone.height:
            return
        row = rows[int(gone["row"][0])].to_dicts()[0]
        shown = ", ".join(f"{name}={value}" for name, value in row.items())
        raise DataError(
            what=f"{gone.height:,} of {rows.height:,} rows of '{self.name}' that were read before are"
            f" gone or different, the first: {shown:.200}.",
            why="It was declared append_only. Nothing was stored.",
            fix="Find out who changed them; or declare key= to replace rows, or leave append_only out.",
            rows=gone.height,
        )


def _remark_forgotten(name: str, rows: int, start: datetime) -> Finding:
    text = (
        f"'{name}' has removed rows that were read before, and {rows:,} rows of the last version from"
        f" {start:%Y-%m-%d %H:%M} on were replaced by those that are left: some may be missing."
    )
    return Finding("warn", "removed", "", text)


def _continues(earlier: EarlierRows, new: "pl.DataFrame") -> bool:
    return next(iter(earlier.batches())).schema == new.schema


def _repeats(earlier: EarlierRows, keys: list[str]) -> bool:
    import polars as pl

    if not set(keys) <= set(next(iter(earlier.batches())).columns):
        return False
    found = pl.concat(earlier.batches(keys))
    return found.height > found.n_unique()


def _together(batches: "list[pl.DataFrame]") -> "pl.DataFrame":
    import polars as pl

    return pl.concat(batches, how="vertical_relaxed")  # days and times, once they were texts


def _counted(rows: "pl.DataFrame") -> "pl.DataFrame":
    """Return a line per row: its hashes, and its number among equal rows."""
    import polars as pl

    first, second = hash_rows(rows)
    lines = pl.DataFrame({"first": first, "second": second}).with_row_index("row")
    return lines.with_columns(place=pl.int_range(pl.len()).over("first", "second"))
