"""TableTarget: the table of a database that a batch is written to in one transaction."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from penstock.core import (
    ConflictError,
    DataError,
    ParameterError,
    did_you_mean,
    find_project,
)
from penstock.data.sources import SqlAddress, is_database
from penstock.serving.batch._staging import BatchStaging
from penstock.serving.batch._tables import PredictionTable, open_table

if TYPE_CHECKING:
    import polars as pl

_MODES = ("create", "append")
_EXAMPLE = "postgresql://host/shop?table=scores"


@dataclass(frozen=True, slots=True)
class TableTarget:
    """The table that predictions go to: all of a batch in one transaction, or none.

    Args:
        url: URL of the database with ``table``, ``schema`` and ``mode``, as given.
        address: The database.
        table: Name of the table.
        schema: Its schema; None for the database's default.
        appends: Whether rows are added to a table that may exist; else it must not.
    """

    url: str
    address: SqlAddress
    table: str
    schema: str | None = None
    appends: bool = False
    format: str = "table"

    @classmethod
    def of(cls, out: str, file_format: str | None = None) -> "TableTarget":
        """Read the URL of a table.

        >>> TableTarget.of("sqlite:///scores.db?table=scores&mode=append").appends
        True

        Raises:
            ParameterError: If the URL names no table, or a kind of database that is only read.
        """
        if file_format is not None:
            raise ParameterError(
                what=f"format={file_format!r} is for files, and out is a table.",
                fix="Leave format= out.",
            )
        plain, _, query = out.partition("?")
        options = dict(parse_qsl(query))
        table, schema = options.pop("table", ""), options.pop("schema", None)
        mode = options.pop("mode", "create")
        if not table:
            raise ParameterError(
                what="out names a database, and no table.", fix=f"Write {_EXAMPLE}."
            )
        if mode not in _MODES:
            raise ParameterError(
                what=f"mode={mode!r} of out is not known.", fix=did_you_mean(mode, _MODES)
            )
        rest = urlencode(options, safe="${}/")
        address = SqlAddress.of(plain + (f"?{rest}" if rest else ""))
        if address.kind.is_file:
            address = replace(address, database=str(Path(address.database).absolute()))
        target = cls(out, address, table, schema, mode == "append")
        open_table(target.address, table, schema)  # refuses what cannot be written
        return target

    is_folder = False
    is_remote = True

    @property
    def path(self) -> Path:
        """Where a relative path to the target would lie: it has none."""
        return Path(self.url)

    @property
    def place(self) -> str:
        """The table for people."""
        return f"{self.table} of {self.address.place}"

    def refused_place(self, batch_id: str) -> str:
        """Return the path of the file with the refused rows."""
        return f"{self.table}-{batch_id}.refused.jsonl"

    def staging(self, digest: str) -> Path:
        """Return the folder in which parts wait."""
        return find_project() / ".penstock" / "batches" / digest

    def require_absent(self) -> None:
        """Check that rows of others would not be overwritten, or mixed up with these.

        Raises:
            ConflictError: If the table exists, and nothing is to be appended.
            DataError: If the database cannot be reached.
        """
        with self._open() as table:
            if table.exists() and not self.appends:
                raise self.conflict()

    def conflict(self) -> ConflictError:
        """Return the error for a table that exists."""
        return ConflictError(
            what=f"The table {self.place} exists.",
            why="A batch overwrites no table.",
            fix="Choose another table, add &mode=append to out, or drop it first.",
            table=self.table,
        )

    def is_published(self, batch_id: str) -> bool:
        """Return whether the rows of a batch are in the table: all are, or none."""
        with self._open() as table:
            return table.exists() and table.has(batch_id)

    def make(self, parts: Sequence[Path], work: Path) -> Path:  # noqa: ARG002 - the parts are its files
        """Return the folder of the staged parts, which are written as they are."""
        return work

    def publish(self, made: Path, refused: Path | None) -> None:
        """Write the rows in one transaction, after the file of refused rows.

        Raises:
            ConflictError: If the table came into being meanwhile.
            DataError: If the database does not take the rows; then it has none of them.
        """
        batch_id = BatchStaging(made).batch_id
        if refused is not None and batch_id is not None:
            refused.replace(self.refused_place(batch_id))
        files = sorted(made.glob("part-*.arrow"))
        with self._open() as table:
            is_there = table.exists()
            if is_there and not self.appends:
                raise self.conflict()
            first = next(_frames(files))
            if is_there:
                self._require_columns(first, table.columns())
            table.write(_frames(files), first, create=not is_there)

    def _require_columns(self, frame: "pl.DataFrame", there: Sequence[str]) -> None:
        if set(there) == set(frame.columns):
            return
        lacking = [name for name in frame.columns if name not in there]
        others = [name for name in there if name not in frame.columns]
        raise DataError(
            what=f"The table {self.place} has other columns than the predictions: it lacks"
            f" {', '.join(lacking) or 'none'}, and has {', '.join(others) or 'none'} beside them.",
            why="Nothing was written.",
            fix="Choose columns with keep=, or another table.",
        )

    def _open(self) -> PredictionTable:
        return open_table(self.address, self.table, self.schema)


def table_target(out: object, file_format: str | None) -> TableTarget | None:
    """Return the table that a text names; None for a file or folder."""
    text = os.fspath(out) if isinstance(out, str | os.PathLike) else ""
    return TableTarget.of(text, file_format) if "://" in text and is_database(text) else None


def _frames(files: Sequence[Path]) -> "Iterator[pl.DataFrame]":
    import polars as pl

    for file in files:
        yield _as_columns(pl.read_ipc(file))


def _as_columns(frame: "pl.DataFrame") -> "pl.DataFrame":
    """Return a frame with types that every database has.

    Raises:
        DataError: If a column has a type that no table holds.
    """
    import polars as pl

    columns = []
    for name, dtype in frame.schema.items():
        column = pl.col(name)
        if name == "warnings":
            columns.append(column.list.join(" "))
        elif dtype.is_nested() or dtype == pl.Binary:
            raise DataError(
                what=f"Column {name!r} is {dtype}, which is no type of a table's column.",
                why="Nothing was written.",
                fix="Name the columns to keep with keep=.",
                column=name,
            )
        elif dtype.is_integer():
            _require_64_bits(frame[name])
            columns.append(column.cast(pl.Int64))
        elif dtype.is_float():
            columns.append(column.cast(pl.Float64))
        elif isinstance(dtype, pl.Datetime):
            zone = dtype.time_zone
            moment = column.dt.convert_time_zone("UTC") if zone else column
            columns.append(moment.dt.replace_time_zone(None).dt.cast_time_unit("us"))
        elif dtype in {pl.Boolean, pl.Date, pl.String}:
            columns.append(column)
        else:  # decimals, times of day, durations, levels: as text, which loses nothing
            columns.append(column.cast(pl.String))
    return frame.select(columns)


def _require_64_bits(column: "pl.Series") -> None:
    import polars as pl

    fits = column.cast(pl.Int64, strict=False).null_count() == column.null_count()
    if not fits:
        raise DataError(
            what=f"Column {column.name!r} has integers beyond 64 bits, such as {column.max()!r}.",
            why="No table's integers are as long. Nothing was written.",
            fix="Leave the column out with keep=, or have it as text in the source.",
            column=column.name,
        )
