"""JSON lines too large for memory: the fields' types of all lines first, then rows in blocks."""

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.core import DataError
from penstock.data.sources._blocks import NotInBlocksError, TextBlocks
from penstock.data.sources._file_rows import FileRows
from penstock.data.sources._json_lines import (
    has_lone_surrogates,
    no_json,
    require_distinct,
    require_exact,
    unreadable,
    with_stored_types,
)
from penstock.data.sources._json_mixed import may_be_mixed, mixed_fields, objects_of
from penstock.data.sources._text_blocks import keep_blocks
from penstock.data.sources._text_rows import TextRows
from penstock.tables.reading import iso_reader

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

    from penstock.data.sources._formats import ReadOptions
    from penstock.tables.reading import Texts


def read_json_blocks(files: Sequence[Path], options: "ReadOptions", spill: Path) -> FileRows:
    """Read JSON lines block by block; see ``read_json``.

    Args:
        files: The files.
        options: How they are read.
        spill: Folder for the rows, until they have been read.

    Raises:
        DataError: If a file is no JSON, with the line.
        NotInBlocksError: If a file is one array, only polars' view of all lines tells its types, or
            a field of ``as_written`` has values of several types.
    """
    import polars as pl

    parts = [JsonFile(file, options.as_written) for file in files]
    require_same_kinds([pl.DataFrame(schema=part.schema) for part in parts], options.as_written)
    empty = [
        options.add_partition(pl.DataFrame(schema=part.schema), list(part.schema), place)
        for place, part in enumerate(parts)
        if part.schema
    ]
    if not empty:
        return FileRows.of(pl.DataFrame())
    # Objects may lack a field, and files differ in which fields their objects have.
    whole = pl.concat(empty, how="diagonal_relaxed")

    def frames() -> "Iterator[pl.DataFrame]":
        for place, part in enumerate(parts):
            for block in part.blocks():
                added = options.add_partition(block, block.columns, place)
                yield pl.concat([whole, added], how="diagonal_relaxed")

    rows = keep_blocks(TextRows.stored(frames(), spill), options.window)
    texts = [name for name in rows.rows.names if whole.schema[name] == pl.String]
    found = {name: _times_of(rows.rows.column(name)) for name in texts if name not in rows.times}
    readers = {name: read for name, read in found.items() if read is not None}

    def batches() -> "Iterator[pl.DataFrame]":
        for block in rows.rows.blocks():
            columns = [read(block[name]).rename(name) for name, read in readers.items()]
            yield rows.read_times(block).with_columns(columns)

    notes = dict.fromkeys(finding for part in parts for finding in part.findings)
    return FileRows(batches(), [*notes, *rows.findings], rows.rules)


class JsonFile:
    """A file of JSON lines in blocks.

    Args:
        path: The file.
        as_written: Fields of which no values are of several types; see ``FileSource.as_written``.

    Raises:
        DataError: If the file is no JSON, with the line.
        NotInBlocksError: See ``read_json_blocks``.
    """

    def __init__(self, path: Path, as_written: frozenset[str] = frozenset()) -> None:
        self._path, self._as_written = path, as_written
        self._blocks = TextBlocks(path, quoted=False)
        self._read: pl.Schema | None = None
        for line, content in self._contents():
            self._widen(content, line)
        self.findings = self._blocks.findings[:1]

    @property
    def schema(self) -> "pl.Schema":
        """The fields; without any for an empty file."""
        import polars as pl

        if self._read is None:
            return pl.Schema()
        return with_stored_types(pl.DataFrame(schema=self._read)).schema

    def blocks(self) -> "Iterator[pl.DataFrame]":
        """Read the rows."""
        import polars as pl

        for lines, content in self._contents():
            table = pl.read_ndjson(io.BytesIO(content), schema=self._read)
            require_exact(self._path, content, table)
            require_distinct(self._path, content, table, lines)
            yield with_stored_types(table)

    def _contents(self) -> Iterator[tuple[int, bytes]]:
        """Yield the blocks that have objects, and the number of lines before each."""
        lines = 0
        for content in self._blocks:
            is_old = b"\n" not in content and b"\r" in content.strip()  # lines end in \r alone
            if not lines and (is_old or content.lstrip().startswith(b"[")):
                raise NotInBlocksError
            if content.strip():
                yield lines, content
            lines += content.count(b"\n")

    def _widen(self, content: bytes, lines: int) -> None:
        """Add what a block tells of the fields, as if it came after all before it."""
        import polars as pl

        if fault := has_lone_surrogates(content, lines):
            raise no_json(self._path, fault)
        # polars derives types line by line: one line stands for all before this block.
        before = b"" if self._read is None else _example(self._read) + b"\n"
        try:
            table = pl.read_ndjson(io.BytesIO(before + content), infer_schema_length=None)
        except pl.exceptions.PolarsError as error:
            raise unreadable(self._path, content, lines) or NotInBlocksError() from error
        before_it = pl.DataFrame(schema=self._read or {})
        rows = table if self._read is None else table[1:]
        if may_be_mixed([rows], self._as_written) and mixed_fields(
            objects_of(content), self._as_written
        ):
            raise NotInBlocksError
        require_same_kinds([before_it, rows.head(0)], self._as_written)
        self._read = table.schema


def require_same_kinds(frames: "Sequence[pl.DataFrame]", names: frozenset[str]) -> None:
    """Refuse fields whose values are of several types in frames without rows.

    Raises:
        NotInBlocksError: If there is one.
    """
    if may_be_mixed(frames, names):
        raise NotInBlocksError


def _example(schema: "pl.Schema") -> bytes:
    return json.dumps({name: _value(dtype) for name, dtype in schema.items()}).encode()


def _value(dtype: Any) -> Any:
    """Return a value from which polars derives a type.

    Raises:
        NotInBlocksError: If there is none.
    """
    import polars as pl

    if isinstance(dtype, pl.List):
        return [_value(dtype.inner)]
    if isinstance(dtype, pl.Struct):
        return {field.name: _value(field.dtype) for field in dtype.fields}
    known = {
        pl.Null(): None,
        pl.Boolean(): True,
        pl.Int64(): 1,
        pl.Float64(): 0.5,
        pl.String(): "",
    }
    if dtype not in known:
        raise NotInBlocksError
    return known[dtype]


def _times_of(column: "Texts") -> "Callable[[pl.Series], pl.Series] | None":
    """Return how a column of ISO times is read; None if any of its texts is no time."""
    found = iso_reader(column)
    if found is None:
        return None
    try:
        column.total(lambda block: len(found[0](block)))
    except DataError:
        return None
    return found[0]
