"""TrainedOn: a model's training rows, by number and content, so that no holdout includes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from penstock.data import Split, column_hashes, combine_hashes

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

_TELLS_APART = 0.9
"""Share of distinct rows from which on a row's content identifies the row."""


@dataclass(frozen=True)
class TrainedOn:
    """The rows that a model was trained or selected on.

    Args:
        columns: The table's columns, from whose values the digests are computed.
        table_digest: Ordered digest of the table.
        distinct: Share of the table's rows that are unique, 0 to 1.
        rows: ``row`` (position in the table) and ``digest`` (of the content), n rows.
    """

    bundle_type: ClassVar[str] = "penstock.evaluation:TrainedOn"

    columns: tuple[str, ...]
    table_digest: str
    distinct: float
    rows: "pl.DataFrame"

    @classmethod
    def of(cls, split: Split, subset: str) -> Self:
        """Return the training rows of a split, and the validation rows if not used for evaluation.

        Args:
            split: The split.
            subset: The subset used for evaluation.
        """
        import numpy as np
        import polars as pl

        digests = np.concatenate([row_digests(batch) for batch in split.chunks.batches()])
        seen = [split.train_rows, *([split.validation_rows] if subset == "test" else [])]
        positions = np.sort(np.concatenate(seen))
        return cls(
            columns=tuple(sorted(split.chunks.columns)),
            table_digest=split.table_digest,
            distinct=len(np.unique(digests)) / max(len(digests), 1),
            rows=pl.DataFrame({"row": positions, "digest": digests[positions]}),
        )

    def find(
        self, table: "pl.DataFrame", positions: "NDArray[np.int64]", table_digest: str
    ) -> "NDArray[np.bool_] | str":
        """Return which rows of a different holdout are among the training rows.

        Args:
            table: The holdout's rows with all columns of their table, n rows.
            positions: Positions of the rows in that table.
            table_digest: Ordered digest of that table.

        Returns:
            A mask of n rows; or the reason why this cannot be decided.
        """
        import numpy as np

        if table_digest == self.table_digest:
            return np.isin(positions, self.rows["row"].to_numpy())
        missing = [name for name in self.columns if name not in table.columns]
        if missing:
            return f"its table had the column {missing[0]!r}, which this one has not"
        if self.distinct < _TELLS_APART:
            return f"only {self.distinct:.0%} of the rows of its table differ from all others"
        return np.isin(row_digests(table.select(self.columns)), self.rows["digest"].to_numpy())

    def to_bundle(self) -> dict[str, Any]:
        """Return the parts to store."""
        facts = {
            "columns": list(self.columns),
            "table_digest": self.table_digest,
            "distinct": self.distinct,
        }
        return {"facts": facts, "rows": self.rows}

    @classmethod
    def from_bundle(cls, parts: Mapping[str, Any]) -> Self:
        """Return the rows of parts that ``to_bundle`` returned."""
        facts = dict(parts["facts"])
        return cls(columns=tuple(facts.pop("columns")), rows=parts["rows"], **facts)


def row_digests(table: "pl.DataFrame") -> "NDArray[np.uint64]":
    """Hash each row by values: whole numbers as their decimals, categories as their text.

    Args:
        table: Rows, shape (n, columns); the columns' order does not count.
    """
    import numpy as np

    plain = table.select([_plain(table[name]) for name in sorted(table.columns)])
    return np.asarray(combine_hashes(column_hashes(plain)), dtype=np.uint64)


def _plain(series: "pl.Series") -> "pl.Series":
    import polars as pl

    if series.dtype.is_numeric():
        return series.cast(pl.Float64)
    if series.dtype in (pl.Categorical, pl.Enum):
        return series.cast(pl.String)
    if series.dtype in (pl.Date, pl.Datetime):
        return series.cast(pl.Datetime("us")).to_physical()
    return series
