"""diff_tables: the rows that were added, deleted and changed between two tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.core import ParameterError, require_type, to_json, with_article
from penstock.data._finding import Finding, findings_to_json
from penstock.data._row_hashes import hash_rows
from penstock.data._schema import check_columns, check_schema, infer_schema
from penstock.data._snapshot import Snapshot
from penstock.tables import read_frame

if TYPE_CHECKING:
    import polars as pl

_EXAMPLES = 5
_HASH = ("__penstock_first__", "__penstock_second__")


@dataclass(frozen=True, slots=True)
class TableDiff:
    """The difference of two tables.

    Args:
        key: Columns that identify a row; empty if rows were compared as a whole, and a changed row
            counts as deleted and added.
        before: Number of rows before.
        after: Number of rows after.
        added: Rows that only the second table has.
        deleted: Rows that only the first table has.
        changed: Rows with a known key and changed values.
        columns_changed: Number of changed rows by column, the most first.
        findings: Changes of the columns.
        examples: A few rows by kind of change: ``added``, ``deleted``, ``changed``.
    """

    key: tuple[str, ...]
    before: int
    after: int
    added: int
    deleted: int
    changed: int
    columns_changed: dict[str, int]
    findings: tuple[Finding, ...]
    examples: "dict[str, pl.DataFrame]"

    @property
    def is_equal(self) -> bool:
        """Whether both tables have the same columns and the same rows, in any order."""
        return not (self.added or self.deleted or self.changed or self.findings)

    def to_json(self) -> dict[str, Any]:
        """Return counts, findings and examples as plain JSON."""
        return {
            "key": list(self.key),
            "before": self.before,
            "after": self.after,
            "added": self.added,
            "deleted": self.deleted,
            "changed": self.changed,
            "columns_changed": self.columns_changed,
            "findings": findings_to_json(self.findings),
            "examples": {kind: to_json(rows.to_dicts()) for kind, rows in self.examples.items()},
        }


def diff_tables(
    before: "pl.DataFrame | Snapshot",
    after: "pl.DataFrame | Snapshot",
    key: str | Sequence[str] | None = None,
) -> TableDiff:
    """Compare two tables by row; their order does not count.

    >>> import polars as pl
    >>> old = pl.DataFrame({"id": [1, 2, 3], "tip": [1.0, 2.0, 3.0]})
    >>> new = pl.DataFrame({"id": [2, 3, 4], "tip": [2.0, 9.0, 4.0]})
    >>> found = diff_tables(old, new, key="id")
    >>> found.added, found.deleted, found.changed, found.columns_changed
    (1, 1, 1, {'tip': 1})
    >>> found = diff_tables(old, new)
    >>> found.added, found.deleted
    (2, 2)

    Args:
        before: The earlier table, or a snapshot.
        after: The later table, or a snapshot.
        key: Column or columns that identify a row; without, equal rows are matched in pairs.

    Raises:
        NotFoundError: If a table lacks a key column.
        ParameterError: If rows of a table have equal keys, or a value is no table.
    """
    if key is not None:
        require_type("key", key, (str, list, tuple), 'Give columns: key=["id"].')
    names = (key,) if isinstance(key, str) else tuple(key or ())
    before, after = _as_table(before, "before"), _as_table(after, "after")
    findings = tuple(check_schema(infer_schema(before), infer_schema(after)))
    before, after, more = _aligned(before, after, {finding.column for finding in findings})
    findings += more
    shared = [
        name
        for name in before.columns
        if name in after.columns and before[name].dtype == after[name].dtype
    ]
    if names:
        return _by_key(before, after, names, shared, findings)
    added = _without(after, before, shared)
    deleted = _without(before, after, shared)
    return TableDiff(
        (), before.height, after.height, added.height, deleted.height, 0, {}, findings,
        _examples(added=added, deleted=deleted),
    )  # fmt: skip


def _as_table(value: Any, name: str) -> "pl.DataFrame":
    table = read_frame(value.table if isinstance(value, Snapshot) else value)
    if table is not None:
        return table
    raise ParameterError(
        what=f"{name} is {with_article(type(value).__name__)}, which is no table.",
        fix='Give snapshots or frames; load_snapshot("name@2") has the rows of a version.',
    )


def _aligned(
    before: "pl.DataFrame", after: "pl.DataFrame", reported: set[str]
) -> "tuple[pl.DataFrame, pl.DataFrame, tuple[Finding, ...]]":
    """Give columns of both tables a common type; columns without a common type are a finding, never equal."""
    import polars as pl

    findings = []
    for name, dtype in before.schema.items():
        if name not in after.columns or after[name].dtype == dtype:
            continue
        parts = [table.select(name) for table in (before, after)]
        try:
            common = pl.concat(parts, how="vertical_relaxed").schema[name]
            before = before.with_columns(pl.col(name).cast(common))
            after = after.with_columns(pl.col(name).cast(common))
        except pl.exceptions.PolarsError:
            if name not in reported:
                message = f"Column '{name}' was {dtype} and is {after[name].dtype} now."
                findings.append(Finding("warn", "retyped", name, message))
    return before, after, tuple(findings)


def _by_key(
    before: "pl.DataFrame",
    after: "pl.DataFrame",
    key: tuple[str, ...],
    shared: Sequence[str],
    findings: tuple[Finding, ...],
) -> TableDiff:
    import polars as pl

    for table, owner in ((before, "the earlier rows"), (after, "the later rows")):
        check_columns(table, key, owner=owner)
        if table.select(key).is_duplicated().any():
            raise ParameterError(
                what=f"{', '.join(key)} is equal in several of {owner}.",
                why="A key names one row.",
                fix="Name more columns, or compare without a key.",
                key=list(key),
            )
    added = after.join(before, on=key, how="anti", nulls_equal=True, maintain_order="left")
    deleted = before.join(after, on=key, how="anti", nulls_equal=True, maintain_order="left")
    values = [name for name in shared if name not in key]
    both = before.select(*key, *values).join(
        after.select(*key, *values),
        on=key, how="inner", suffix="__after", nulls_equal=True, maintain_order="left",
    )  # fmt: skip
    differs = {name: both[name].ne_missing(both[f"{name}__after"]) for name in values}
    counts = {name: int(rows.sum()) for name, rows in differs.items()}
    any_differs = (
        pl.DataFrame(differs).select(pl.any_horizontal(pl.all())).to_series()
        if differs
        else pl.Series([False] * both.height, dtype=pl.Boolean)
    )
    changed = both.filter(any_differs)
    return TableDiff(
        key, before.height, after.height, added.height, deleted.height, changed.height,
        dict(sorted(((n, c) for n, c in counts.items() if c), key=lambda item: -item[1])),
        findings,
        _examples(added=added, deleted=deleted, changed=_readable(changed, key, values)),
    )  # fmt: skip


def _without(table: "pl.DataFrame", other: "pl.DataFrame", shared: Sequence[str]) -> "pl.DataFrame":
    """Return the rows of a table beyond those of a second table, counting equal rows."""
    import polars as pl

    def numbered(frame: "pl.DataFrame") -> "pl.DataFrame":
        hashes = hash_rows(frame.select(shared))
        keys = pl.DataFrame(
            {
                name: pl.Series(lane.astype("uint64"))
                for name, lane in zip(_HASH, hashes, strict=True)
            }
        )
        return keys.with_columns(place=pl.int_range(pl.len()).over(*_HASH))

    mine, theirs = numbered(table), numbered(other)
    keep = mine.with_row_index("row").join(theirs, on=[*_HASH, "place"], how="anti")
    return table[keep["row"].sort()]


def _readable(changed: "pl.DataFrame", key: Sequence[str], values: Sequence[str]) -> "pl.DataFrame":
    """Return changed rows as key, column, before and after: a line per value."""
    import polars as pl

    lines = [
        {**{name: row[name] for name in key}, "column": name,
         "before": _text(row[name]), "after": _text(row[f"{name}__after"])}
        for row in changed.head(_EXAMPLES).iter_rows(named=True)
        for name in values
        if _text(row[name]) != _text(row[f"{name}__after"])
    ]  # fmt: skip
    return pl.DataFrame(lines, infer_schema_length=None)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _examples(**tables: "pl.DataFrame") -> "dict[str, pl.DataFrame]":
    return {kind: rows.head(_EXAMPLES) for kind, rows in tables.items() if rows.height}
