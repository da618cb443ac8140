"""Schema: kind and type of each column for a model; inference and checks."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from penstock.core import NotFoundError, did_you_mean
from penstock.data._finding import Finding
from penstock.tables import Column, Kind, broad_family, dtype_name, has_missing, kind_of

if TYPE_CHECKING:
    import polars as pl

    from penstock.stores import ChunkedTable


@dataclass(frozen=True, slots=True)
class Schema:
    """The columns of a table, in order.

    >>> import polars as pl
    >>> schema = infer_schema(pl.DataFrame({"age": [31, 42], "city": ["Bonn", None]}))
    >>> schema.names
    ['age', 'city']
    >>> schema["city"].nullable
    True
    """

    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        """Column names in order."""
        return [column.name for column in self.columns]

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise _no_column(name, self.names)

    def __contains__(self, name: object) -> bool:
        return any(column.name == name for column in self.columns)

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def select(self, names: Iterable[str]) -> "Schema":
        """Return a schema with some columns, in the given order.

        Raises:
            NotFoundError: If there is no such column.
        """
        return Schema(tuple(self[name] for name in names))

    def without(self, names: Iterable[str]) -> "Schema":
        """Return a schema without some columns.

        Raises:
            NotFoundError: If there is no such column.
        """
        gone = {self[name].name for name in names}
        return Schema(tuple(column for column in self.columns if column.name not in gone))

    def of_kind(self, *kinds: Kind) -> list[str]:
        """Return the names of the columns of some kinds, in order."""
        return [column.name for column in self.columns if column.kind in kinds]

    def to_json(self) -> dict[str, Any]:
        """Return plain values for storing."""
        return {"columns": [_to_json(column) for column in self.columns]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Create a schema from the result of to_json."""
        return cls(tuple(_from_json(column) for column in value["columns"]))


def infer_schema(table: "pl.DataFrame") -> Schema:
    """Infer the kind of every column from type and values.

    >>> import polars as pl
    >>> infer_schema(pl.DataFrame({"paid": [True, False], "unit": ["m", "m"]})).columns[1].kind
    'constant'

    Args:
        table: Any polars frame; kinds need no more than the values.
    """
    return Schema(tuple(infer_column(series) for series in table.iter_columns()))


def infer_column(series: "pl.Series") -> Column:
    """Infer the kind of a column from type and values."""
    kind, distinct = kind_of(series)
    return Column(
        series.name,
        kind,
        dtype_name(series.dtype),
        nullable=has_missing(series),
        distinct=distinct,
    )


def check_columns(
    table: "pl.DataFrame | ChunkedTable", names: Sequence[str], *, owner: str = "the table"
) -> None:
    """Check that columns exist.

    Raises:
        NotFoundError: If a column does not exist, with did-you-mean.
    """
    columns = table.columns
    for name in names:
        if name not in columns:
            raise _no_column(name, columns, owner)


def check_schema(recorded: Schema, actual: Schema) -> list[Finding]:
    """Compare a table's columns with the columns recorded before.

    A missing column and a column with a different type are failures; an added column, a wider
    number type and a column that is empty on either side are warnings.

    >>> import polars as pl
    >>> before = infer_schema(pl.DataFrame({"a": [1, 2], "b": ["x", "y"]}))
    >>> now = infer_schema(pl.DataFrame({"a": ["1", "2"], "c": [1, 2]}))
    >>> [(finding.level, finding.rule, finding.column) for finding in check_schema(before, now)]
    [('fail', 'retyped', 'a'), ('fail', 'missing', 'b'), ('warn', 'added', 'c')]
    """
    findings = []
    for column in recorded:
        if column.name not in actual:
            hint = did_you_mean(column.name, [c.name for c in actual if c.name not in recorded])
            hint = hint if hint.startswith("Did") else ""
            message = f"Column '{column.name}' is gone. {hint}".strip()
            findings.append(Finding("fail", "missing", column.name, message))
        else:
            findings += _check_type(column, actual[column.name])
    findings += [
        Finding("warn", "added", column.name, f"Column '{column.name}' is new ({column.dtype}).")
        for column in actual
        if column.name not in recorded
    ]
    return findings


def _to_json(column: Column) -> dict[str, Any]:
    """Return the facts that a schema records; ``levels`` is the number of distinct values."""
    return {
        "name": column.name,
        "kind": column.kind,
        "dtype": column.dtype,
        "nullable": column.nullable,
        "levels": column.distinct,
    }


def _from_json(value: Mapping[str, Any]) -> Column:
    return Column(
        value["name"],
        value["kind"],
        value["dtype"],
        nullable=value.get("nullable", False),
        distinct=value.get("levels"),
    )


def _check_type(before: Column, now: Column) -> list[Finding]:
    old, new = broad_family(before.dtype), broad_family(now.dtype)
    if old == new:
        return []
    change = f"was {before.dtype} and is {now.dtype} now"
    # A CSV column without values is text here: no evidence of the type.
    if "nothing" in {old, new} or before.distinct == 0 or now.distinct == 0:
        message = f"Column '{now.name}' {change}: it is empty on one side."
        return [Finding("warn", "empty", now.name, message)]
    if {old, new} == {"integer", "number"}:
        message = f"Column '{now.name}' {change}."
        return [Finding("warn", "number_type", now.name, message)]
    return [Finding("fail", "retyped", now.name, f"Column '{now.name}' {change}.")]


def _no_column(name: str, known: Sequence[str], owner: str = "the schema") -> NotFoundError:
    return NotFoundError(
        what=f"There is no column {name!r} in {owner}.",
        fix=did_you_mean(name, known),
        column=name,
    )
