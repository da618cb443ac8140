"""Hive partitions: ``day=2026-01-03/part.parquet`` gives each of its rows a column ``day``."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from penstock.data._moments import ends_of, moments_of, time_columns
from penstock.data.sources._located import SourceFile
from penstock.tables.reading import read_iso

if TYPE_CHECKING:
    import polars as pl

    from penstock.data.sources._window import Window

_NULL = "__HIVE_DEFAULT_PARTITION__"
_INTEGER = re.compile(r"-?(0|[1-9]\d{0,17})")


def partitions_of(files: Sequence[SourceFile]) -> list[dict[str, str | None]]:
    """Return each file's partition values as texts; empty unless all files have the same columns.

    >>> partitions_of([SourceFile("k", "day=2026-01-03/city=K%C3%B6ln/part.csv", {})])
    [{'day': '2026-01-03', 'city': 'Köln'}]
    """
    values = [_values(file.name) for file in files]
    if values and all(list(one) == list(values[0]) for one in values):
        return values
    return [{} for _ in files]


def prune(
    files: Sequence[SourceFile], window: "Window", partitions: Sequence[Mapping[str, str | None]]
) -> list[SourceFile]:
    """Leave out files whose partition alone says that all rows lie outside the window.

    Args:
        files: All files.
        window: The requested rows.
        partitions: Values of each file.

    Raises:
        DataError: If no file is left.
    """
    columns = time_columns(window.time)
    if not window.is_limited or not columns or not all(name in partitions[0] for name in columns):
        return list(files)
    import polars as pl

    frame = pl.DataFrame(
        {name: pl.Series([one[name] for one in partitions], dtype=pl.String) for name in columns}
    )
    moments = moments_of(frame, window.time or "", window.time_format)
    inside = window.contains(moments)
    kept = [file for file, keep in zip(files, inside, strict=True) if keep]
    if not kept:
        raise window.none_left(*ends_of(moments))
    return kept


def type_partitions(partitions: Sequence[Mapping[str, str | None]]) -> "pl.DataFrame":
    """Return the values, a row per file: integers, dates or times where all are, else texts.

    >>> type_partitions([{"hour": "3", "code": "03"}, {"hour": "14", "code": "14"}]).rows()
    [(3, '03'), (14, '14')]
    """
    import polars as pl

    return pl.DataFrame(
        [
            _typed(pl.Series(name, [one[name] for one in partitions], dtype=pl.String))
            for name in (partitions[0] if partitions else ())
        ]
    )


def add_partition(
    frame: "pl.DataFrame | pl.LazyFrame", columns: Sequence[str], values: "pl.DataFrame", place: int
) -> Any:
    """Add a file's partition values as columns; a column of the file itself stays.

    Args:
        frame: The file's rows.
        columns: Names of its columns.
        values: Values of all files, a row per file.
        place: Row of the file.
    """
    import polars as pl

    return frame.with_columns(
        pl.lit(series[place], dtype=series.dtype).alias(series.name)
        for series in values.iter_columns()
        if series.name not in columns
    )


def _values(name: str) -> dict[str, str | None]:
    parts = [part.partition("=") for part in name.split("/")[:-1]]
    return {
        unquote(key): None if value == _NULL else unquote(value)
        for key, mark, value in parts
        if mark and key
    }


def _typed(texts: "pl.Series") -> "pl.Series":
    import polars as pl

    present = texts.drop_nulls().to_list()
    if present and all(_INTEGER.fullmatch(text) for text in present):
        return texts.cast(pl.Int64)
    times = read_iso(texts)
    return texts if times is None else times.rename(texts.name)
