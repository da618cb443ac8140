"""Split: a table cut into train, validation and test rows, with findings about leaks."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

from penstock.core import DataError
from penstock.data._finding import Finding, findings_from_json, findings_to_json
from penstock.data._labels import label_matrix
from penstock.data._moments import TimeColumn
from penstock.data._schema import Schema
from penstock.data._target import Task

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Rows = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, eq=False)
class Subset:
    """Some rows of a table, for training or testing.

    Args:
        rows: Positions in the whole table, rising, shape (n,).
        target: The column to predict.
        features: The columns to predict from.
        labels: The labels of a target of several labels per row; empty for a target of single
            labels.
    """

    rows: "Rows"
    target: str
    features: tuple[str, ...]
    _load_table: "Callable[[], pl.DataFrame]"
    labels: tuple[Any, ...] = ()

    @cached_property
    def table(self) -> "pl.DataFrame":
        """All columns of these rows, the target and left-out columns too."""
        return self._load_table()[self.rows]

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
        return len(self.rows)


@dataclass(frozen=True, eq=False)
class Split:
    """A table cut into train, validation and test rows. Create with ``split_table``.

    Args:
        train_rows: Positions of the training rows in the table.
        validation_rows: Positions of the validation rows; may be empty.
        test_rows: Positions of the test rows.
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

    train_rows: "Rows"
    validation_rows: "Rows"
    test_rows: "Rows"
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
    _load_table: "Callable[[], pl.DataFrame]"
    positive: Any = None

    @cached_property
    def table(self) -> "pl.DataFrame":
        """The whole table that was cut."""
        return self._load_table()

    @cached_property
    def train(self) -> Subset:
        """The rows for fitting."""
        return self._part(self.train_rows)

    @cached_property
    def validation(self) -> Subset:
        """The rows for model selection; may be empty."""
        return self._part(self.validation_rows)

    @cached_property
    def test(self) -> Subset:
        """The rows for evaluation."""
        return self._part(self.test_rows)

    def with_findings(
        self, findings: Iterable[Finding], *, leakage: Iterable[Finding] = ()
    ) -> Self:
        """Return a copy with these findings and leaks."""
        return replace(self, findings=tuple(findings), leakage=tuple(leakage))

    def _part(self, rows: "Rows") -> Subset:
        labels = self.classes if self.task == "multilabel" else ()
        return Subset(rows, self.target, tuple(self.schema.names), lambda: self.table, labels)

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
            "train_rows": self.train_rows,
            "validation_rows": self.validation_rows,
            "test_rows": self.test_rows,
            "table": self.table,
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
        rows = {name: parts[name] for name in ("train_rows", "validation_rows", "test_rows")}
        return cls(**rows, **facts, _load_table=lambda: parts["table"])
