"""Checks that files of a table have the same columns; the message names file and column."""

from pathlib import Path
from typing import TYPE_CHECKING

from penstock.core import SchemaError, did_you_mean

if TYPE_CHECKING:
    import polars as pl


def require_same_columns(files: list[tuple[Path, list[str]]]) -> None:
    first, names = files[0]
    for file, columns in files[1:]:
        if columns == names:
            continue
        for name in names:
            if name not in columns:
                what = f"{file.name} has no column {name!r} that {first.name} has."
                raise _other_columns(what, name, columns, [file, first])
        for name in columns:
            if name not in names:
                what = f"{file.name} has a column {name!r} that {first.name} has not."
                raise _other_columns(what, name, names, [file, first])
        what = f"{file.name} has the columns of {first.name} in another order."
        raise _other_columns(what, "", [], [file, first])


def require_same_types(files: list[Path], schemas: "list[pl.Schema]") -> None:
    for file, schema in zip(files[1:], schemas[1:], strict=True):
        for name, dtype in schema.items():
            if dtype != schemas[0][name]:
                raise SchemaError(
                    what=f"Column {name!r} is {dtype} in {file.name} and {schemas[0][name]} in {files[0].name}.",
                    why="The files of a source are read as one table.",
                    fix="Write them with the same types.",
                    column=name,
                    files=[file, files[0]],
                )


def _other_columns(what: str, name: str, known: list[str], files: list[Path]) -> SchemaError:
    hint = did_you_mean(name, known) if name else ""
    return SchemaError(
        what=what,
        why="The files of a source are read as one table.",
        fix=(hint if hint.startswith("Did") else "")
        or "Give a glob that names only files of one form.",
        column=name,
        files=files,
    )
