"""Split: a table cut into train, validation and test rows, with findings about leaks."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

from penstock.core import DataError
from penstock.data._finding import Finding, findings_from_json, findings_to_json
from penstock.data._labels import label_matrix
from penstock.data._long_columns import long_columns
from penstock.data._moments import TimeColumn
from penstock.data._schema import Schema
from penstock.data._target import Task
from penstock.stores import ChunkedTable, LazyParts, Positions, count_as_frame

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Rows = np.ndarray[Any, np.dtype[np.int64]]

_POSITIONS = "positions"


@dataclass(frozen=True, eq=False)
class Subset:
    """Some rows of a table, for training or testing.

    Args:
        positions: Positions in the whole table.
        target: The column to predict.
        features: The columns to predict from.
        labels: The labels of a target of several labels per row; empty for a target of single
            labels.
    """

    positions: Positions
    target: str
    features: tuple[str, ...]
    _load_chunks: Callable[[], ChunkedTable]
    labels: tuple[Any, ...] = ()

    @cached_property
    def rows(self) -> "Rows":
        """Positions in the whole table, rising, shape (n,)."""
        return self.positions.array()

    @cached_property
    def table(self) -> "pl.DataFrame":
        """All columns of these rows, the target and left-out columns too."""
        return self.read()

    def batches(self, columns: Sequence[str] | None = None) -> "Iterator[pl.DataFrame]":
        """Yield the rows in order, at most 64 MiB of the table at a time.

        >>> import polars as pl
        >>> from penstock.data import split_table
        >>> table = pl.DataFrame({"a": range(10), "b": [0.5, 1.5] * 5})
        >>> [batch.height for batch in split_table(table, target="b").train.batches(["a"])]
        [8]

        Args:
            columns: Columns to load; by default all.

        Raises:
            StoreError: If stored rows are gone or damaged.
        """
        start = 0
        for chunk in self._load_chunks().chunks:
            rows = self.positions.between(start, start + chunk.rows)
            if len(rows):
                yield chunk.read(columns)[rows - start]
            start += chunk.rows

    def long_columns(self) -> list[str]:
        """Return the columns of the table that are better read in batches; see `long_columns`."""
        return long_columns(self._load_chunks())

    def read(self, columns: Sequence[str] | None = None) -> "pl.DataFrame":
        """Return these rows; see `batches`."""
        import polars as pl

        batches = list(self.batches(columns))
        if batches:
            return batches[0] if len(batches) == 1 else pl.concat(batches)
        empty = self._load_chunks().empty()
        return empty if columns is None else empty.select(columns)

    @cached_property
    def X(self) -> "pl.DataFrame":  # noqa: N802 - the field's word
        """The features."""
        return self.table.select(self.features)

    @cached_property
    def y(self) -> "pl.Series":
        """The target."""
        return self.table[self.target]

    @cached_property
    def Y(self) -> "pl.DataFrame":  # noqa: N802 - the field's word
        """The target as a 0-1 column for each label, which estimators of several labels are fitted on.

        Raises:
            DataError: If the target has one value per row.
        """
        import polars as pl

        if not self.labels:
            raise DataError(
                what=f"The target {self.target!r} has one value per row, not several labels.",
                fix="Fit on y.",
            )
        return pl.DataFrame(
            label_matrix(self.y, self.labels), schema=[str(label) for label in self.labels]
        )

    def __len__(self) -> int:
        return len(self.positions)


@dataclass(frozen=True, eq=False)
class Split:
    """A table cut into train, validation and test rows. Create with ``split_table``.

    Args:
        train_positions: Positions of the training rows in the table.
        validation_positions: Positions of the validation rows; may be empty.
        test_positions: Positions of the test rows.
        schema: The features, as observed in the training rows.
        target: The column to predict.
        task: ``binary``, ``multiclass``, ``multilabel`` (several labels per row) or ``regression``.
        classes: The classes or labels in sorted order; empty for regression.
        by_time: The time column that orders the subsets; None if time does not count.
        by_group: The column whose values stay whole; None if groups do not count.
        seed: Seed of random choices.
        findings: Rows left out, and overlaps of rows, groups and times.
        leakage: Leaks found by experiment: duplicates, columns that reveal the target.
        table_digest: Ordered digest of the table that was cut.
        positive: The positive class, as declared; None if undeclared.
    """

    bundle_type: ClassVar[str] = "penstock.data:Split"

    train_positions: Positions
    validation_positions: Positions
    test_positions: Positions
    schema: Schema
    target: str
    task: Task
    classes: tuple[Any, ...]
    by_time: TimeColumn | None
    by_group: str | None
    seed: int
    findings: tuple[Finding, ...]
    leakage: tuple[Finding, ...]
    table_digest: str
    _load_chunks: Callable[[], ChunkedTable]
    positive: Any = None

    @cached_property
    def table(self) -> "pl.DataFrame":
        """The whole table that was cut, all in memory; a subset's `batches` need less."""
        return self.chunks.read()

    @cached_property
    def chunks(self) -> ChunkedTable:
        """The whole table in chunks: those of the snapshot that was cut."""
        return self._load_chunks()

    @cached_property
    def train_rows(self) -> "Rows":
        """Positions of the training rows in the table, rising, shape (n,)."""
        return self.train_positions.array()

    @cached_property
    def validation_rows(self) -> "Rows":
        """Positions of the validation rows."""
        return self.validation_positions.array()

    @cached_property
    def test_rows(self) -> "Rows":
        """Positions of the test rows."""
        return self.test_positions.array()

    @cached_property
    def train(self) -> Subset:
        """The rows for fitting."""
        return self._part(self.train_positions)

    @cached_property
    def validation(self) -> Subset:
        """The rows for model selection; may be empty."""
        return self._part(self.validation_positions)

    @cached_property
    def test(self) -> Subset:
        """The rows for evaluation."""
        return self._part(self.test_positions)

    def with_findings(
        self, findings: Iterable[Finding], *, leakage: Iterable[Finding] = ()
    ) -> Self:
        """Return a copy with these findings and leaks."""
        return replace(self, findings=tuple(findings), leakage=tuple(leakage))

    def _part(self, positions: Positions) -> Subset:
        labels = self.classes if self.task == "multilabel" else ()
        names = tuple(self.schema.names)
        return Subset(positions, self.target, names, lambda: self.chunks, labels)

    def to_bundle(self) -> dict[str, Any]:
        """Return the parts to store."""
        facts = {
            "schema": self.schema.to_json(),
            "target": self.target,
            "task": self.task,
            "classes": list(self.classes),
            "by_time": list(self.by_time) if isinstance(self.by_time, tuple) else self.by_time,
            "by_group": self.by_group,
            "seed": self.seed,
            "findings": findings_to_json(self.findings),
            "leakage": findings_to_json(self.leakage),
            "table_digest": self.table_digest,
            # Old splits have none, and retain their digest.
            **({} if self.positive is None else {"positive": self.positive}),
        }
        return {
            "facts": facts,
            "train_rows": self.train_positions.to_part(),
            "validation_rows": self.validation_positions.to_part(),
            "test_rows": self.test_positions.to_part(),
            # The chunks of a snapshot are referred to, not written again; the digest is that of
            # the rows as a single frame.
            "table": count_as_frame(self.chunks).to_part(),
        }

    @classmethod
    def from_bundle(cls, parts: Mapping[str, Any]) -> Self:
        """Create a split from the result of to_bundle; the table is loaded on first access."""
        facts = dict(parts["facts"])
        by_time = facts["by_time"]
        facts |= {
            "schema": Schema.from_json(facts["schema"]),
            "classes": tuple(facts["classes"]),
            "by_time": tuple(by_time) if isinstance(by_time, list) else by_time,
            "findings": findings_from_json(facts["findings"]),
            "leakage": findings_from_json(facts["leakage"]),
        }
        return cls(
            _positions_of(parts, "train_rows"),
            _positions_of(parts, "validation_rows"),
            _positions_of(parts, "test_rows"),
            **facts,
            _load_chunks=lambda: ChunkedTable.of_part(parts, "table"),
        )


def _positions_of(parts: Mapping[str, Any], name: str) -> Positions:
    stored = parts.stored(name) if isinstance(parts, LazyParts) else None
    if stored is not None and stored.record.format == _POSITIONS:
        return Positions.read(stored.read_bytes(), stored.record.metadata)
    rows = parts[name]
    if isinstance(rows, Positions):
        return rows
    return Positions.of(rows, int(rows[-1]) + 1 if len(rows) else 0)
