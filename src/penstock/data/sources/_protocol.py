"""DataSource: the protocol of every source of rows; separate so that users can write their own."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self, runtime_checkable

from penstock.data._finding import Finding
from penstock.data._moments import Moment, TimeColumn
from penstock.tables.reading import ReadingRule


@dataclass(slots=True)
class Reading:
    """What was read: filled while the batches of a scan are consumed, complete after the last.

    Args:
        facts: What was read, as plain JSON without secrets: versions, offsets, ranges, statements.
            They stand in the run's record and are no part of the rows' digest.
        findings: Oddities of the rows.
        rules: Reading rules of text columns, by name; requests use the same rules.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    rules: dict[str, ReadingRule] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scan:
    """A reading in progress: batches of rows in a fixed order, and what was read.

    >>> import polars as pl
    >>> scan = Scan([pl.DataFrame({"a": [1]}), pl.DataFrame({"a": [2]})])
    >>> [batch.height for batch in scan]
    [1, 1]

    Args:
        batches: Frames or Arrow tables with equal columns; consumed once.
        reading: What was read; complete after the last batch.
    """

    batches: Iterable[Any]
    reading: Reading = field(default_factory=Reading)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches)

    @classmethod
    def of(
        cls,
        table: object,
        findings: Iterable[Finding] = (),
        rules: Mapping[str, ReadingRule] | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> "Scan":
        """Return the scan of a single table."""
        return cls([table], Reading(dict(facts or {}), list(findings), dict(rules or {})))


@runtime_checkable
class DataSource(Protocol):
    """A source that rows are read from.

    ``ingest`` checks the window on the rows of every source. A source that returns rows outside of
    the window on purpose declares ``cut_by_ingest = True``: ingest removes and counts them. A
    source whose rows become known later than they happened has the attribute ``available_at``, the
    column with that time: rows that were not known before the cutoff are outside too.

    Threads: a source holds no open handle and may be read from any thread. Reading twice while the
        data has not changed returns equal rows in equal order.
    """

    @property
    def name(self) -> str:
        """Name of the source in lineage and in the record of schemas."""
        ...

    @property
    def time(self) -> TimeColumn | None:
        """The column with the time of a row; None if there is none."""
        ...

    def describe(self) -> dict[str, Any]:
        """Return the source's description as plain JSON, without current state and secrets."""
        ...

    def fingerprint(
        self, since: Moment | None = None, cutoff: Moment | None = None
    ) -> dict[str, Any] | None:
        """Return the state of the rows as plain JSON; equal states mean equal rows.

        None if that cannot be known: then the rows are read each time. A source that cannot tell
        the state of a window may take no arguments.
        """
        ...

    def scan(
        self, since: Moment | None = None, cutoff: Moment | None = None
    ) -> "Scan | Iterable[Any]":
        """Read the rows with ``since <= time < cutoff``, in a fixed order, in batches.

        Returns:
            A Scan; or just the frames or Arrow tables, where there is nothing to tell about them.
        """
        ...


@runtime_checkable
class StampedSource(DataSource, Protocol):
    """A source that can tell at little cost whether its data may have changed."""

    def stamp(self) -> dict[str, Any] | None:
        """Return a cheap mark of the data's state as plain JSON, different whenever that differs.

        None if the data has no such mark.

        Raises:
            NotFoundError: If the data does not exist.
        """
        ...


@runtime_checkable
class RememberingSource(DataSource, Protocol):
    """A source of texts that can reuse the reading rules of the last reading."""

    def remembering(self, rules: Mapping[str, ReadingRule]) -> Self:
        """Return a copy whose known columns keep their types.

        Args:
            rules: Reading rules of the columns, by name.
        """
        ...


@runtime_checkable
class PinnedSource(DataSource, Protocol):
    """A source that can read again what it read before."""

    def pinned(self, facts: Mapping[str, Any]) -> Self:
        """Return a copy that reads the recorded state, or raises what is gone.

        Args:
            facts: Facts of the earlier reading.
        """
        ...


@runtime_checkable
class FollowingSource(DataSource, Protocol):
    """A source that forgets old rows, and can tell what it forgot since an earlier reading."""

    def following(self, facts: Mapping[str, Any]) -> Self:
        """Return a copy whose reading names the rows that were lost, unread, since an earlier one.

        Where rows that were read then are gone, the reading's facts have ``forgotten``: they are
        lost only if they are to be read again.

        Args:
            facts: Facts of the earlier reading; without those that it needs, nothing is compared.
        """
        ...
