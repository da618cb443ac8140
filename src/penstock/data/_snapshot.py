"""Snapshot: the rows of a reading, frozen, with range, digests, schema and profile."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

from penstock.core import DataError, Edge
from penstock.data._finding import Finding, findings_from_json, findings_to_json
from penstock.data._joint import JointProfile
from penstock.data._large_profile import describe_table
from penstock.data._moments import (
    Moment,
    TimeColumn,
    ends_of,
    moments_of,
    time_columns,
    to_moment,
)
from penstock.data._profile import TableProfile
from penstock.data._schema import Schema
from penstock.data._table_digest import digest_rows, digest_table
from penstock.data._table_writer import WrittenTable
from penstock.stores import ChunkedTable, PackedJson
from penstock.tables import MIN_ROWS
from penstock.tables.reading import ReadingRule, rules_from_json, rules_to_json

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The rows of a reading, frozen. Create with ``ingest`` or ``Snapshot.of``.

    >>> import polars as pl
    >>> snapshot = Snapshot.of(pl.DataFrame({"a": [1, 2], "b": ["x", "y"]}))
    >>> snapshot.rows, snapshot.columns
    (2, ['a', 'b'])

    Args:
        rows: Number of rows.
        schema: Columns with their kinds.
        source: The source (see DataSource.describe).
        time: The time column; or a date column and an hour column; or None.
        since: Start of the requested rows, included; None if not limited.
        cutoff: End of the requested rows, not included; None if not limited.
        first_time: The earliest time found; None without a time column.
        last_time: The latest time found.
        ordered_digest: Digest of the rows in order.
        order_free_digest: Digest of the rows as a multiset.
        findings: Oddities of the rows.
        reading: Reading rules of text columns, by name; requests use the same rules.
    """

    bundle_type: ClassVar[str] = "penstock.data:Snapshot"
    # The facts contain the digest of the rows, which does not depend on how they are stored.
    digested_parts: ClassVar[tuple[str, ...]] = ("facts", "profile")

    rows: int
    schema: Schema
    source: Mapping[str, Any]
    time: TimeColumn | None
    since: datetime | None
    cutoff: datetime | None
    first_time: datetime | None
    last_time: datetime | None
    ordered_digest: str
    order_free_digest: str
    findings: tuple[Finding, ...]
    reading: Mapping[str, ReadingRule]
    # Loaded on first access: a listing of snapshots reads no table.
    _load_chunks: Callable[[], ChunkedTable]
    _load_profile: Callable[[], TableProfile]
    # Of rows that were compared with accepted versions; no part of the digest.
    _load_joint: Callable[[], JointProfile | None] = lambda: None

    @classmethod
    def of(
        cls,
        table: "pl.DataFrame",
        *,
        source: Mapping[str, Any] | None = None,
        time: TimeColumn | None = None,
        time_format: str | None = None,
        since: Moment | None = None,
        cutoff: Moment | None = None,
        findings: tuple[Finding, ...] = (),
        reading: Mapping[str, ReadingRule] | None = None,
    ) -> Self:
        """Create a snapshot of a table.

        Raises:
            DataError: If the time column does not contain times.
        """
        written = WrittenTable(ChunkedTable.of(table), digest_table(table), digest_rows(table))
        return cls.of_written(
            written,
            source=source or {"type": "table", "name": "table"},
            time=time,
            time_format=time_format,
            since=since,
            cutoff=cutoff,
            findings=findings,
            reading=reading,
        )

    @classmethod
    def of_written(
        cls,
        written: WrittenTable,
        *,
        source: Mapping[str, Any],
        time: TimeColumn | None,
        time_format: str | None,
        since: Moment | None,
        cutoff: Moment | None,
        findings: tuple[Finding, ...],
        reading: Mapping[str, ReadingRule] | None,
    ) -> Self:
        """Create a snapshot of rows in chunks; see `of`.

        Raises:
            DataError: If the time column does not contain times.
        """
        table = written.table
        schema, profile = describe_table(table)
        first, last = (None, None) if time is None else _ends(table, time, time_format)
        return cls(
            rows=table.rows,
            schema=schema,
            source=source,
            time=time,
            since=None if since is None else to_moment(since, "since"),
            cutoff=None if cutoff is None else to_moment(cutoff, "cutoff"),
            first_time=first,
            last_time=last,
            ordered_digest=written.ordered_digest,
            order_free_digest=written.order_free_digest,
            findings=(
                *findings,
                *notice_columns(schema, table.rows),
                *notice_lookalikes(profile),
            ),
            reading=dict(reading or {}),
            _load_chunks=lambda: table,
            _load_profile=lambda: profile,
        )

    @cached_property
    def table(self) -> "pl.DataFrame":
        """The rows, all in memory; see `batches` for a table that is larger."""
        return self.chunks.read()

    @cached_property
    def chunks(self) -> ChunkedTable:
        """The rows in chunks, as they are stored."""
        return self._load_chunks()

    @cached_property
    def profile(self) -> TableProfile:
        """Distributions of the columns' values."""
        return self._load_profile()

    @cached_property
    def joint(self) -> JointProfile | None:
        """How the columns go together; None if nothing was learned from the rows."""
        return self._load_joint()

    def with_joint(self) -> Self:
        """Return a copy that stores how the columns go together, for later comparisons."""
        joint = self.joint or JointProfile.of(self)
        return replace(self, _load_joint=lambda: joint)

    @property
    def columns(self) -> list[str]:
        """Column names in order."""
        return self.schema.names

    def __len__(self) -> int:
        return self.rows

    def batches(self, columns: Sequence[str] | None = None) -> "Iterator[pl.DataFrame]":
        """Yield the rows in order, at most 64 MiB at a time.

        >>> import polars as pl
        >>> snapshot = Snapshot.of(pl.DataFrame({"a": [1, 2], "b": ["x", "y"]}))
        >>> [batch.height for batch in snapshot.batches(["a"])]
        [2]

        Args:
            columns: Columns to load; by default all.

        Raises:
            NotFoundError: If there is no such column.
        """
        for name in columns or ():
            self.schema[name]
        return self.chunks.batches(columns)

    def column(self, name: str) -> "pl.Series":
        """Return the values of a column; no further columns are loaded.

        Raises:
            NotFoundError: If there is no such column.
        """
        return self.chunks.column(self.schema[name].name)

    def with_findings(self, more: Iterable[Finding]) -> Self:
        """Return a copy with additional findings."""
        return replace(self, findings=(*self.findings, *more))

    def keep(self, table: "pl.DataFrame", reason: str) -> Self:
        """Return a copy with fewer rows, and record the number removed and the reason.

        >>> import polars as pl
        >>> snapshot = Snapshot.of(pl.DataFrame({"a": [1, 1, 2]}))
        >>> rows = snapshot.keep(snapshot.table.unique(maintain_order=True), "copies of a row")
        >>> rows.rows, rows.findings[-1].message
        (2, '1 of 3 rows were removed: copies of a row.')

        Args:
            table: The rows that stay, with the same columns.
            reason: Description of the removed rows, for example ``"copies of a row"``.

        Raises:
            DataError: If the table has different columns, or more rows.
        """
        if table.columns != self.columns or table.height > self.rows:
            raise DataError(
                what=f"{table.height:,} rows of {table.width} columns cannot be rows of this Snapshot "
                f"({self.rows:,} rows, {len(self.columns)} columns).",
                why="keep() removes rows and changes nothing else.",
                fix="Filter snapshot.table; for new columns return the frame itself.",
            )
        # Through the constructor: digests, schema and profile must be those of the new rows.
        kept = type(self).of(table, source=self.source, time=self.time, reading=self.reading)
        text = f"{self.rows - table.height:,} of {self.rows:,} rows were removed: {reason}."
        logging.getLogger(__name__).warning(text)
        removed = Finding("info" if table.height == self.rows else "warn", "removed", "", text)
        return replace(
            kept,
            since=self.since,
            cutoff=self.cutoff,
            findings=(*self.findings, removed),
        )

    def lineage_edges(self, artifact: str) -> list[Edge]:
        """Return the edges from the source's lineage nodes to the stored value; see HasLineage.

        A source whose rows come from elsewhere names these nodes: ``"origins": ["view:spend@3"]``.
        """
        edges = []
        for origin in self.source.get("origins", [f"source:{self.source['name']}"]):
            whole, version, _ = origin.partition("@")
            if version:
                edges.append(Edge(whole, origin, "version"))
            edges.append(Edge(origin, artifact, origin.partition(":")[0]))
        return edges

    def to_bundle(self) -> dict[str, Any]:
        """Return the parts to store."""
        facts = {
            "rows": self.rows,
            "schema": self.schema.to_json(),
            "source": dict(self.source),
            "time": list(self.time) if isinstance(self.time, tuple) else self.time,
            "since": self.since,
            "cutoff": self.cutoff,
            "first_time": self.first_time,
            "last_time": self.last_time,
            "ordered_digest": self.ordered_digest,
            "order_free_digest": self.order_free_digest,
            "findings": findings_to_json(self.findings),
            "reading": rules_to_json(self.reading),
        }
        profile = PackedJson(self.profile.to_json())
        joint = {} if self.joint is None else {"joint": PackedJson(self.joint.to_json())}
        return {"facts": facts, "profile": profile, **joint, "table": self.chunks.to_part()}

    @classmethod
    def from_bundle(cls, parts: Mapping[str, Any]) -> Self:
        """Create a snapshot from the result of to_bundle; the table is loaded on first access."""
        facts = dict(parts["facts"])
        facts["schema"] = Schema.from_json(facts["schema"])
        facts["findings"] = findings_from_json(facts["findings"])
        facts["reading"] = rules_from_json(facts.get("reading", {}))
        facts["time"] = tuple(facts["time"]) if isinstance(facts["time"], list) else facts["time"]
        return cls(
            **facts,
            _load_chunks=lambda: ChunkedTable.of_part(parts, "table"),
            _load_profile=lambda: TableProfile.from_json(_plain_json(parts["profile"])),
            _load_joint=lambda: (
                JointProfile.from_json(_plain_json(parts["joint"])) if "joint" in parts else None
            ),
        )


def _plain_json(part: Any) -> Any:
    """Return a part's value: as loaded from a store, or as `to_bundle` returned it."""
    return part.load() if isinstance(part, PackedJson) else part


def _ends(
    table: ChunkedTable, time: TimeColumn, time_format: str | None
) -> tuple[datetime | None, datetime | None]:
    ends = [
        ends_of(moments_of(batch, time, time_format)) for batch in table.batches(time_columns(time))
    ]
    first = min((low for low, _ in ends if low is not None), default=None)
    return first, max((high for _, high in ends if high is not None), default=None)


def notice_columns(schema: Schema, rows: int) -> tuple[Finding, ...]:
    """Return findings on columns unfit for learning: identifiers, constants, empty columns."""
    findings = []
    for column in schema:
        name = column.name
        if column.kind == "id":
            text = f"Column '{name}' is another value in each of {rows:,} rows: an identifier."
            findings.append(Finding("info", "identifier", name, text))
        elif column.kind == "other":
            text = f"Column '{name}' is {column.dtype}: a model cannot use it as it is."
            findings.append(Finding("warn", "unusable", name, text))
        elif column.kind == "constant" and not column.distinct:
            findings.append(Finding("warn", "empty", name, f"Column '{name}' has no values."))
        elif column.kind == "constant":
            text = f"Column '{name}' holds one value only."
            findings.append(Finding("info", "constant", name, text))
    if rows < MIN_ROWS:
        text = f"The table has {rows} rows: figures from so few mean little."
        findings.append(Finding("warn", "few_rows", "", text))
    return tuple(findings)


def find_twins(series: "pl.Series") -> list[tuple[str, str]]:
    """Return texts that differ from a second text only by case, blanks or trailing marks.

    >>> import polars as pl
    >>> find_twins(pl.Series(["P1", "p1", "P2"]))
    [('P1', 'p1')]
    """
    import polars as pl

    if series.dtype not in (pl.String, pl.Categorical, pl.Enum):
        return []
    texts = series.drop_nulls().cast(pl.String).unique().rename("text").sort().to_frame()
    # Texts in millions are compared by polars; only those with letters and marks that Python and
    # polars might treat differently one by one.
    simple = pl.col("text").str.contains(r"^[\x20-\x7e]*$")
    key = pl.col("text").str.to_lowercase().str.strip_chars().str.strip_chars_end(" .,;:")
    texts = texts.with_columns(
        pl.when(simple)
        .then(key)
        .otherwise(
            pl.when(~simple)
            .then(pl.col("text"))
            .map_elements(_plain, return_dtype=pl.String, skip_nulls=True)
        )
        .alias("plain")
    )
    alike = texts.filter(pl.col("plain").is_duplicated())
    alike = alike.with_columns(pl.col("text").first().over("plain").alias("first"))
    return alike.filter(pl.col("text") != pl.col("first")).select("first", "text").rows()


def _plain(text: str) -> str:
    return text.casefold().strip().rstrip(" .,;:")


def notice_lookalikes(profile: TableProfile) -> tuple[Finding, ...]:
    """Return findings on levels that differ only by case, blanks or trailing marks: Yes and yes."""
    findings = []
    for name, column in profile.columns.items():
        if column.kind != "category" or column.other:
            continue
        first: dict[str, str] = {}
        for text in sorted(text for text, _ in column.top):
            twin = first.setdefault(_plain(text), text)
            if twin != text:
                message = f"Column '{name}' has '{twin}' and '{text}': are they the same?"
                findings.append(Finding("warn", "lookalike", name, message))
                break
    return tuple(findings)
