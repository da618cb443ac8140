"""Files of one version of a Delta table: which can have rows of a window, and their rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from penstock.core import DataError, digest_bytes, digest_json
from penstock.data.sources._pushdown import overlaps, row_filter
from penstock.data.sources._window import Window
from penstock.data.sources.lakes._delta_table import cannot_read, file_options

if TYPE_CHECKING:
    import polars as pl

# Statistics of a log have milliseconds: the true end lies up to one later.
_COARSE = timedelta(milliseconds=1)


class DeltaFile(NamedTuple):
    """A file of a table: where it lies, its path in the table, the values of partition columns."""

    uri: str
    path: str
    partition: Mapping[str, Any]


@dataclass(frozen=True)
class DeltaFiles:
    """Files of a version, in the order in which they are read.

    Args:
        path: The table, for messages.
        version: The version.
        read: Files that can have rows of the window.
        left_out: Number of the others.
        schema: The table's columns.
        deleted: Rows of a file that were deleted, by its path: False stands for a deleted row.
    """

    path: str
    version: int
    read: list[DeltaFile]
    left_out: int
    schema: "pl.Schema"
    deleted: Mapping[str, "pl.Series"]


def files_in(table: Any, window: Window, path: str = "") -> DeltaFiles:
    """Return the files of an opened table that can have rows of a window.

    The order is that of the files' times and names, whatever the log looks like: a checkpoint
    must not change the order of rows.

    Args:
        table: The table, opened in a version.
        window: The window.
        path: The table as the user named it, for messages.

    Raises:
        DataError: If the table has files that cannot be told apart, or partitions of bytes.
    """
    import polars as pl

    schema = pl.Schema(table.schema())
    _require_partitions(table, schema, path)
    actions = pl.DataFrame(table.get_add_actions()).sort("modification_time", "path")
    deleted = _deleted(table, set(map(unquote, actions["path"])), path)
    every = actions.height
    if actions.height:
        actions = actions.filter(_may_contain(actions, schema, window))
    read = [
        DeltaFile(
            _uri(table, unquote(row["path"])), unquote(row["path"]), row.get("partition") or {}
        )
        for row in actions.iter_rows(named=True)
    ]
    known = path or table.table_uri
    return DeltaFiles(known, table.version(), read, every - len(read), schema, deleted)


def state_of(table: Any) -> str:
    """Return a digest of the files of an opened table, and of what is deleted in them.

    Id and number of a version are not enough: a table that was restored from a copy and written
    again has both, with other rows.
    """
    import polars as pl

    actions = pl.DataFrame(table.get_add_actions())
    files = actions.select("path", "size_bytes", "modification_time").sort("path").rows()
    deleted = _deleted(table, set(map(unquote, actions["path"])), table.table_uri)
    gone = {
        path: digest_bytes(kept.cast(pl.UInt8).to_numpy().tobytes())
        for path, kept in deleted.items()
    }
    return digest_json([list(map(list, files)), gone])


def read_file(
    file: DeltaFile, files: DeltaFiles, window: Window, options: Mapping[str, str]
) -> "pl.DataFrame":
    """Read the rows of a file, without deleted ones and, where the types tell, outside ones.

    Raises:
        NotFoundError: If the file was removed.
        DataError: If the file cannot be read.
    """
    import polars as pl

    own = {name: kind for name, kind in files.schema.items() if name not in file.partition}
    lazy = pl.scan_parquet(
        file.uri,
        schema=own or None,
        glob=False,
        hive_partitioning=False,
        missing_columns="insert",
        extra_columns="ignore",
        cast_options=pl.ScanCastOptions(
            integer_cast="upcast",
            float_cast="upcast",
            datetime_cast=["nanosecond-downcast", "convert-timezone"],
            missing_struct_fields="insert",
            extra_struct_fields="ignore",
        ),
        storage_options=file_options(options) or None,
    )
    kept = files.deleted.get(file.path)
    if kept is not None:
        gone = kept.not_().arg_true()
        lazy = lazy.with_row_index("__row").filter(~pl.col("__row").is_in(gone.implode()))
    lazy = lazy.with_columns(
        pl.lit(value, dtype=files.schema[name]).alias(name)
        for name, value in file.partition.items()
    ).select(files.schema.names())
    wanted = row_filter(window, files.schema)
    try:
        return (lazy if wanted is None else lazy.filter(wanted)).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise cannot_read(files.path, files.version, options, error) from None


def _uri(table: Any, path: str) -> str:
    """Return where a file lies; the log has paths within the table, or whole URIs."""
    if "://" in path or path.startswith("/"):
        return path.removeprefix("file://")
    # The client quotes the folder of the table; the reader of Parquet takes it as it is.
    return f"{unquote(table.table_uri.rstrip('/')).removeprefix('file://')}/{path}"


def _deleted(table: Any, paths: set[str], name: str) -> "dict[str, pl.Series]":
    import polars as pl

    if "deletionVectors" not in (table.protocol().reader_features or []):
        return {}
    root = table.table_uri.rstrip("/") + "/"
    vectors = pl.DataFrame(table.deletion_vectors())
    found = {unquote(uri.removeprefix(root)): pl.Series(kept) for uri, kept in vectors.iter_rows()}
    if not found.keys() <= paths:
        raise DataError(
            what=f"Deletion vectors of the Delta table {name} belong to none of its files.",
            why="Deleted rows would be there again.",
            fix="Compact the table with its writer (OPTIMIZE, REORG), then read it.",
        )
    return found


def _require_partitions(table: Any, schema: "pl.Schema", name: str) -> None:
    import polars as pl

    for column in table.metadata().partition_columns:
        if schema.get(column) == pl.Binary:
            raise DataError(
                what=f"The Delta table {name} is partitioned by the bytes of {column!r}.",
                why="Writers of Delta tables do not agree on how to write them into paths.",
                fix="Write a copy that is partitioned by another column.",
            )


def _may_contain(actions: "pl.DataFrame", schema: "pl.Schema", window: Window) -> "pl.Series":
    """Return for each file whether its statistics allow a row of the window."""
    import polars as pl

    every = pl.Series([True] * actions.height)
    name = window.time
    if not isinstance(name, str) or name not in schema or not window.is_limited:
        return every
    partition = actions.schema.get("partition")
    if isinstance(partition, pl.Struct) and name in partition.to_schema():
        value = actions["partition"].struct.field(name)
        return overlaps(window, value, value, schema[name])
    stats = actions.schema.get("max")
    if not isinstance(stats, pl.Struct) or name not in stats.to_schema():
        return every
    return overlaps(
        window,
        actions["min"].struct.field(name),
        actions["max"].struct.field(name),
        schema[name],
        coarse=_COARSE,
    ) | _has_missing(actions, name)


def _has_missing(actions: "pl.DataFrame", name: str) -> "pl.Series":
    """Return for each file whether a row may have no time: those are counted."""
    import polars as pl

    counts = actions.schema.get("null_count")
    if not isinstance(counts, pl.Struct) or name not in counts.to_schema():
        return pl.Series([True] * actions.height)
    return actions["null_count"].struct.field(name).fill_null(1) > 0
