"""DataSource: what every source of rows must do; apart so that a user can write one without us."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from penstock.data._finding import Finding
from penstock.data._moments import Moment, TimeColumn
from penstock.reading import ReadingRule

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Reading:
    """The rows of one reading, with what was odd about them and how texts were read.

    Args:
        table: The rows.
        findings: What was odd.
        rules: How the texts of columns were read, by name; requests are read alike.
    """

    table: "pl.DataFrame"
    findings: tuple[Finding, ...] = ()
    rules: Mapping[str, ReadingRule] = field(default_factory=dict)

    def with_table(self, table: "pl.DataFrame", findings: Iterable[Finding]) -> "Reading":
        """Return a copy with other rows and more findings."""
        return replace(self, table=table, findings=(*self.findings, *findings))


@runtime_checkable
class DataSource(Protocol):
    """A place that rows are read from.

    ``ingest`` checks the window on the rows of every source. A source that returns rows outside it
    on purpose declares ``cut_by_ingest = True``: ingest removes and counts them.

    Threads: a source holds no open handle and may be read from any thread. Reading twice while the
    place has not changed gives equal rows in equal order.
    """

    @property
    def name(self) -> str:
        """Name in lineage and in the record of schemas."""
        ...

    @property
    def time(self) -> TimeColumn | None:
        """The column that says when a row happened; None if there is none."""
        ...

    def describe(self) -> dict[str, Any]:
        """Say what the source is, as plain JSON, without its present state."""
        ...

    def fingerprint(self) -> dict[str, Any]:
        """Give the place's present state as plain JSON; equal states give equal rows."""
        ...

    def read(self, since: Moment | None = None, cutoff: Moment | None = None) -> "pl.DataFrame":
        """Read the rows with ``since <= time < cutoff``, in a fixed order."""
        ...


@runtime_checkable
class NotingSource(DataSource, Protocol):
    """A source that can also tell what was odd about the rows it read."""

    def read_noted(self, since: Moment | None = None, cutoff: Moment | None = None) -> Reading:
        """Read like ``read``, with findings."""
        ...


@runtime_checkable
class RememberingSource(NotingSource, Protocol):
    """A source of texts that can read its columns as they were read the last time."""

    def read_as(
        self,
        remembered: Mapping[str, ReadingRule],
        since: Moment | None = None,
        cutoff: Moment | None = None,
    ) -> Reading:
        """Read like ``read_noted``; columns that are known keep their types."""
        ...
