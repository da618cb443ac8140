"""Where a source's files are: beside the pipeline, in a folder, or by a glob, in order of name."""

import os
import re
import sys
from pathlib import Path
from typing import Literal, TypeAlias

from penstock.core import DataError, NotFoundError, did_you_mean, find_project

Format: TypeAlias = Literal["csv", "parquet", "json"]

FORMATS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".data": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
}


def _name_from(path: str) -> str:
    plain = [part for part in path.split("/") if part and not any(mark in part for mark in "*?[")]
    stem = plain[-1].split(".")[0] if plain else "files"
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", stem).strip("-.") or "files"


def _caller_folder() -> Path | None:
    """Find the folder of the file that makes the source: a pipeline's data often lies beside it."""
    frame = sys._getframe(1)  # noqa: SLF001 - the only way to see the caller's file
    while frame.f_back is not None:
        name = frame.f_globals.get("__name__", "")
        if frame.f_code.co_filename != "<string>" and not name.startswith("penstock."):
            file = Path(frame.f_code.co_filename)
            return file.resolve().parent if file.is_file() else None
        frame = frame.f_back
    return None


def _expand(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if path.is_dir():
        files = [f for f in path.rglob("*") if f.is_file() and _format_by_name(f)]
    elif any(mark in path.name or mark in str(path) for mark in "*?["):
        text = path.as_posix()
        cut = min(text.index(mark) for mark in "*?[" if mark in text)
        root = Path(text[:cut].rpartition("/")[0] or "/")
        files = [f for f in root.glob(text[len(root.as_posix()) :].lstrip("/")) if f.is_file()]
    else:
        return []
    hidden = [f for f in files if f.name.startswith((".", "_"))]
    return sorted((f for f in files if f not in hidden), key=lambda f: f.as_posix())


def _format_by_name(file: Path) -> Format | None:
    suffixes = [suffix.lower() for suffix in file.suffixes if suffix.lower() != ".gz"]
    return _FORMATS.get(suffixes[-1]) if suffixes else None


def _no_file(path: str, bases: list[Path]) -> NotFoundError:
    places = list(dict.fromkeys((base / path).parent for base in bases))
    near = sorted({f.name for place in places if place.is_dir() for f in place.iterdir()})
    known = [name for name in near if _format_by_name(Path(name))]
    return NotFoundError(
        what=f"There is no file {path}.",
        why=f"Looked in {', '.join(str(place) for place in places)}.",
        fix=did_you_mean(Path(path).name, known) or "Check the path.",
        path=path,
    )


