"""References: values of a column that must exist in a second data set, as a foreign key of a database.

The second data set is passed as rows, not by name: as an argument of the step its version is part
of the step's key, so that rows are checked again when the data change.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.core import DataError, ParameterError, require_choice, require_type
from penstock.data._expectations import LEVELS_OF, RULE, OnFailure
from penstock.data._finding import Finding
from penstock.data._schema import check_columns
from penstock.data._snapshot import Snapshot
from penstock.stores import ChunkedTable
from penstock.tables import broad_family

if TYPE_CHECKING:
    import polars as pl

_EXAMPLES = 3
_FIX = (
    'Give the rows of the other data set: references={"customer": customers}, or (customers, "id").'
)


@dataclass(frozen=True)
class Reference:
    """A check that the values of columns exist in columns of a second data set.

    Rows without a value refer to nothing and pass, as in a database.

    >>> import polars as pl
    >>> shops = Snapshot.of(pl.DataFrame({"id": ["a", "b"]}))
    >>> rows = Snapshot.of(pl.DataFrame({"shop": ["a", "z", None]}))
    >>> [found.message for found in Reference(("shop",), shops.chunks, ("id",)).check(rows)]
    ["1 of 3 rows have a 'shop' that is not in 'id' of the other data set, such as z."]

    Args:
        columns: The referring columns.
        rows: The second data set.
        keys: Columns of these rows, in the same order.
        name: Name of the second data set.
        on_failure: ``stop`` or ``warn``.
    """

    columns: tuple[str, ...]
    rows: ChunkedTable
    keys: tuple[str, ...]
    name: str = ""
    on_failure: OnFailure = "stop"

    def check(self, snapshot: Snapshot) -> list[Finding]:
        """Return a finding if values do not exist in the second data set.

        Raises:
            NotFoundError: If a column does not exist, with did-you-mean.
            DataError: If the columns have types that cannot be compared.
        """
        check_columns(snapshot.chunks.empty(), list(self.columns), owner="the rows")
        check_columns(self.rows.empty(), list(self.keys), owner=f"the rows of {self._owner}")
        types = self._types(snapshot)
        known = self._known(types)
        missing = 0
        examples: dict[str, None] = {}
        for batch in snapshot.batches(self.columns):
            lost = (
                _cast(batch, self.columns, types)
                .drop_nulls()
                .join(known, on=known.columns, how="anti")
            )
            missing += lost.height
            if lost.height and len(examples) < _EXAMPLES:
                examples |= dict.fromkeys(
                    map(_shown, lost.unique(maintain_order=True).head(_EXAMPLES).rows())
                )
        return list(self._findings(missing, snapshot.rows, list(examples)[:_EXAMPLES]))

    @property
    def _owner(self) -> str:
        return f"'{self.name}'" if self.name else "the other data set"

    def _findings(self, missing: int, total: int, examples: Sequence[str]) -> Iterator[Finding]:
        if missing:
            columns, keys = (
                " and ".join(f"'{name}'" for name in names) for names in (self.columns, self.keys)
            )
            text = (
                f"{missing:,} of {total:,} rows have a {columns} that is not in {keys} of {self._owner}, "
                f"such as {'; '.join(examples)}."
            )
            yield Finding(LEVELS_OF[self.on_failure], RULE, self.columns[0], text)

    def _types(self, snapshot: Snapshot) -> "list[pl.DataType]":
        """Return the common type of each pair of columns."""
        import polars as pl

        ours, others = snapshot.chunks.empty(), self.rows.empty()
        types: list[pl.DataType] = []
        for name, key in zip(self.columns, self.keys, strict=True):
            pair = [ours.schema[name], others.schema[key]]
            families = {broad_family(str(dtype)) for dtype in pair}
            if families == {"text"}:
                types.append(pl.String())
                continue
            if len(families) > 1:
                raise self._other_type(name, key, pair)
            try:
                both = pl.concat(
                    [pl.DataFrame(schema={"key": dtype}) for dtype in pair], how="vertical_relaxed"
                )
            except pl.exceptions.PolarsError as error:
                raise self._other_type(name, key, pair) from error
            types.append(both.schema["key"])
        return types

    def _other_type(self, name: str, key: str, pair: "Sequence[pl.DataType]") -> DataError:
        return DataError(
            what=f"'{name}' is {pair[0]}, and '{key}' of {self._owner} is {pair[1]}.",
            why="Values of different types cannot refer to each other.",
            fix="Read both as the same type, for example by types= of the source.",
            columns=[name],
        )

    def _known(self, types: "Sequence[pl.DataType]") -> "pl.DataFrame":
        import polars as pl

        parts = [
            _cast(batch, self.keys, types).drop_nulls().unique(maintain_order=True)
            for batch in self.rows.batches(self.keys)
        ]
        return pl.concat(parts).unique(maintain_order=True)


def as_references(value: object) -> list[Reference]:
    """Return the meaning of ``references=`` of ingest.

    Args:
        value: By column (or tuple of columns) the rows that the column refers to; or these rows,
            the column there, and ``stop`` or ``warn``.

    Raises:
        ParameterError: If a reference cannot be understood.
    """
    if value is None:
        return []
    if not isinstance(value, Mapping):
        raise ParameterError(what=f"references is {value!r:.80}, no dict by column.", fix=_FIX)
    return [_reference(columns, referred) for columns, referred in value.items()]


def _reference(columns: Any, referred: Any) -> Reference:
    names = _names(columns, "A column in references=")
    rows, *rest = referred if isinstance(referred, list | tuple) and referred else [referred]
    if len(rest) > 2:  # noqa: PLR2004 - column and level
        raise ParameterError(
            what=f"references= of {columns!r} has {len(rest) + 1} parts.", fix=_FIX
        )
    keys = _names(rest[0], f"The column in references= of {columns!r}") if rest else names
    if len(keys) != len(names):
        raise ParameterError(
            what=f"references= of {columns!r} compares {len(names)} columns with {len(keys)}.",
            fix=_FIX,
        )
    level: Any = rest[1] if len(rest) > 1 else "stop"
    require_choice(f"The level in references= of {columns!r}", level, LEVELS_OF)
    table, name = _rows_of(rows, columns)
    return Reference(names, table, keys, name, level)


def _rows_of(rows: Any, columns: Any) -> tuple[ChunkedTable, str]:
    import polars as pl

    if isinstance(rows, Snapshot):
        return rows.chunks, str(rows.source.get("name", ""))
    require_type(f"references= of {columns!r}", rows, pl.DataFrame, _FIX)
    return ChunkedTable.of(rows), ""


def _names(value: Any, owner: str) -> tuple[str, ...]:
    names = (value,) if isinstance(value, str) else value
    require_type(owner, names, (tuple, list), _FIX)
    for name in names:
        require_type(owner, name, str, _FIX)
    if not names:
        raise ParameterError(what=f"{owner} is empty.", fix=_FIX)
    return tuple(names)


def _cast(
    batch: "pl.DataFrame", names: Sequence[str], types: "Sequence[pl.DataType]"
) -> "pl.DataFrame":
    import polars as pl

    return batch.select(
        pl.col(name).cast(dtype).alias(f"key_{index}")
        for index, (name, dtype) in enumerate(zip(names, types, strict=True))
    )


def _shown(row: tuple[Any, ...]) -> str:
    return ", ".join(map(str, row))
