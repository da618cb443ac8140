"""FileRows: what a reader of files returns."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from penstock.data._finding import Finding
from penstock.tables.reading import ReadingRule

if TYPE_CHECKING:
    import polars as pl


class FileRows(NamedTuple):
    """The rows of a window, with findings and the reading rules of texts.

    Args:
        batches: The rows; a list, or an iterator over rows that need not fit into memory.
        findings: Complete after the last batch.
        rules: Reading rules of text columns, by name.
    """

    batches: "Iterable[pl.DataFrame]"
    findings: list[Finding]
    rules: Mapping[str, ReadingRule] = {}

    @classmethod
    def of(
        cls,
        table: "pl.DataFrame",
        findings: Iterable[Finding] = (),
        rules: Mapping[str, ReadingRule] | None = None,
    ) -> "FileRows":
        """Return a table as a single batch."""
        return cls([table], list(findings), rules or {})
