"""DataSource: the protocol of every source of rows; separate so that users can write their own."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from penstock.data._finding import Finding
from penstock.data._moments import Moment, TimeColumn
from penstock.tables.reading import ReadingRule

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Reading:
    """The rows of a reading, with findings and the reading rules of texts.

    Args:
        table: The rows.
        findings: Oddities of the rows.
        rules: Reading rules of text columns, by name; requests use the same rules.
    """

    table: "pl.DataFrame"
    findings: tuple[Finding, ...] = ()
    rules: Mapping[str, ReadingRule] = field(default_factory=dict)

    def with_table(self, table: "pl.DataFrame", findings: Iterable[Finding]) -> "Reading":
        """Return a copy with new rows and additional findings."""
        return replace(self, table=table, findings=(*self.findings, *findings))


@runtime_checkable
class DataSource(Protocol):
    """A source that rows are read from.

    ``ingest`` checks the window on the rows of every source. A source that returns rows outside of
    the window on purpose declares ``cut_by_ingest = True``: ingest removes and counts them.

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
        """Return the source's description as plain JSON, without the current state."""
        ...

    def fingerprint(self) -> dict[str, Any]:
        """Return the data's current state as plain JSON; equal states mean equal rows."""
        ...

    def read(self, since: Moment | None = None, cutoff: Moment | None = None) -> "pl.DataFrame":
        """Read the rows with ``since <= time < cutoff``, in a fixed order."""
        ...


@runtime_checkable
class StampedSource(DataSource, Protocol):
    """A source that can tell at little cost whether its data may have changed."""

    def stamp(self) -> dict[str, Any]:
        """Return a cheap mark of the data's state as plain JSON, different whenever that differs.

        Raises:
            NotFoundError: If the data does not exist.
        """
        ...


@runtime_checkable
class NotingSource(DataSource, Protocol):
    """A source that also returns findings about the rows."""

    def read_noted(self, since: Moment | None = None, cutoff: Moment | None = None) -> Reading:
        """Read like ``read``, with findings."""
        ...


@runtime_checkable
class RememberingSource(NotingSource, Protocol):
    """A source of texts that can reuse the reading rules of the last reading."""

    def read_as(
        self,
        remembered: Mapping[str, ReadingRule],
        since: Moment | None = None,
        cutoff: Moment | None = None,
    ) -> Reading:
        """Read like ``read_noted``; known columns keep their types."""
        ...
