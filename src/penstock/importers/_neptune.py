"""Runs of Neptune from the Parquet files of its exporter, with decimal steps and forks.

Source: neptune-exporter, ``model.SCHEMA``: a row per attribute, or per point of a series; a run's
rows are in ``…_part_0.parquet``, ``…_part_1.parquet`` and so on.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.core import DataError, RunState, now
from penstock.importers._foreign_run import ForeignRun
from penstock.importers._imports import Imported, Progress, existing, write_runs
from penstock.stores import Store

if TYPE_CHECKING:
    import polars as pl

_PART = re.compile(r"(.+)_part_(\d+)\.parquet")
_COLUMNS = ("project_id", "run_id", "attribute_path", "attribute_type")
_VALUES = {
    "float": "float_value",
    "int": "int_value",
    "string": "string_value",
    "bool": "bool_value",
    "datetime": "datetime_value",
    "string_set": "string_set_value",
}
_SERIES = {"string_series": "string_value", "histogram_series": "histogram_value"}
_FILES = ("file", "file_series")
_READ = frozenset({*_VALUES, *_SERIES, "float_series", *_FILES})
_SYSTEM = "sys/"
# What of Neptune's own attributes has a place of its own in a run.
_PLACED = frozenset(
    f"sys/{name}"
    for name in (
        "name",
        "custom_run_id",
        "creation_time",
        "experiment/name",
        "owner",
        "description",
        "tags",
        "group_tags",
        "hostname",
        "forking/parent",
        "forking/step",
    )
)


def import_neptune(
    paths: Sequence[str | Path],
    *,
    files: str | Path | None = None,
    experiment: str | None = None,
    progress: Progress | None = None,
    store: Store | str | None = None,
) -> Imported:
    """Import runs that ``neptune-exporter`` has written as Parquet files.

    Parameters, metrics with decimal steps and their times, tags, owners, forks and files are taken
    over; series of texts and of histograms become artifacts. The same run gets the same id at every
    import.

    Args:
        paths: The exporter's data folder, or files in it.
        files: The exporter's folder of files; by default the folder ``files`` beside a data folder.
        experiment: Experiment of the runs; by default Neptune's, else its project.
        progress: Called with each run that was written.
        store: Target; by default the project's store.

    Raises:
        NotFoundError: If a path does not exist.
    """
    failed: dict[str, str] = {}
    room = existing(files) if files is not None else None
    found = _read_all(_parts(paths), room, experiment, failed)
    runs = write_runs(found, store, progress, failed)
    return Imported(runs, failed)


def _parts(paths: Iterable[str | Path]) -> dict[tuple[Path, str], list[Path]]:
    """Return the files of each run, in order, by folder and by the run's name in file names."""
    found: dict[tuple[Path, str], list[tuple[int, Path]]] = {}
    for given in paths:
        path = existing(given)
        for file in [path] if path.is_file() else sorted(path.rglob("*.parquet")):
            match = _PART.fullmatch(file.name)
            name, number = (match[1], int(match[2])) if match else (file.stem, 0)
            found.setdefault((file.parent.resolve(), name), []).append((number, file.resolve()))
    return {run: [file for _, file in sorted(set(files))] for run, files in found.items()}


def _read_all(
    parts: Mapping[tuple[Path, str], Sequence[Path]],
    files: Path | None,
    experiment: str | None,
    failed: dict[str, str],
) -> Iterator[ForeignRun]:
    import polars as pl

    for (folder, name), paths in parts.items():
        try:
            rows = pl.concat([pl.read_parquet(path) for path in paths], how="diagonal_relaxed")
            _require_schema(rows, paths[0])
        except (DataError, OSError, pl.exceptions.PolarsError) as error:
            failed[str(folder / name)] = " ".join(str(error).split())
            continue
        room = files or _files_beside(folder)
        for (project, run_id), own in rows.group_by("project_id", "run_id", maintain_order=True):
            try:
                yield _read_run(str(project), str(run_id), own, room, experiment)
            except (ValueError, OverflowError, TypeError, pl.exceptions.PolarsError) as error:
                failed[f"{project}/{run_id}"] = " ".join(str(error).split())


def _require_schema(rows: "pl.DataFrame", path: Path) -> None:
    missing = [name for name in _COLUMNS if name not in rows.columns]
    if missing:
        raise DataError(
            what=f"{path} is no file of neptune-exporter.",
            why=f"It has no column {missing[0]!r}.",
            fix="Give the exporter's data folder: penstock import neptune exports/data",
        )


def _files_beside(folder: Path) -> Path | None:
    """Return ``exports/files`` of ``exports/data/PROJECT``; None if it is not there."""
    places = (folder.parent / "files", folder.parent.parent / "files")
    return next((place for place in places if place.is_dir()), None)


def _read_run(
    project: str, run_id: str, rows: "pl.DataFrame", files: Path | None, experiment: str | None
) -> ForeignRun:
    facts = _facts(rows)
    run = ForeignRun(
        system="neptune",
        key=f"{project}/{run_id}",
        name=str(facts.get("sys/name") or facts.get("sys/custom_run_id") or run_id),
        experiment=experiment or str(facts.get("sys/experiment/name") or project.replace("/", ".")),
        created_at=_time(facts.get("sys/creation_time")) or _first_time(rows),
        state=RunState.FAILED if facts.get("sys/failed") else RunState.FINISHED,
        user=str(facts.get("sys/owner") or ""),
        host=str(facts.get("sys/hostname") or ""),
        note=str(facts.get("sys/description") or ""),
    )
    run.error = "Neptune marked it as failed." if run.state is RunState.FAILED else None
    if parent := facts.get("sys/forking/parent"):
        run.forked_from, run.forked_at = f"{project}/{parent}", facts.get("sys/forking/step")
    for name in (*(facts.get("sys/tags") or ()), *(facts.get("sys/group_tags") or ())):
        run.tags[str(name)] = "true"
    for path, value in facts.items():
        if not path.startswith(_SYSTEM):
            run.params[path] = value
        elif path not in _PLACED:
            run.tags[f"neptune.{path.removeprefix(_SYSTEM)}"] = str(value)
    _note_unread(run, rows)
    _take_metrics(run, rows)
    _take_series(run, rows)
    _take_files(run, rows, files)
    return run


def _facts(rows: "pl.DataFrame") -> dict[str, Any]:
    """Return the single values by their path; times as ISO text, sets as sorted lists."""
    facts: dict[str, Any] = {}
    for row in rows.iter_rows(named=True):
        column = _VALUES.get(row["attribute_type"])
        if column is None or (value := row.get(column)) is None:
            continue
        if isinstance(value, datetime):
            value = value.isoformat()
        facts[row["attribute_path"]] = sorted(value) if isinstance(value, list) else value
    return facts


def _note_unread(run: ForeignRun, rows: "pl.DataFrame") -> None:
    """List the attributes that are not read: of another kind, without a value, or there twice."""
    seen = set[str]()
    for path, kind, *values in rows.select(
        "attribute_path", "attribute_type", *(c for c in _VALUES.values() if c in rows.columns)
    ).iter_rows():
        if kind not in _READ:
            run.lost.append(f"{path}: an attribute of the kind {kind}")
        elif kind in _VALUES:
            if all(value is None for value in values):
                run.lost.append(f"{path}: it has no value")
            elif path in seen:
                run.lost.append(f"{path}: it is there several times, and the last value is here")
            seen.add(path)


def _take_metrics(run: ForeignRun, rows: "pl.DataFrame") -> None:
    import polars as pl

    points = rows.filter(attribute_type="float_series")
    if points.is_empty():
        return
    plain = points.select(
        "attribute_path",
        pl.col("step").cast(pl.Float64),
        pl.col("float_value").cast(pl.Float64),
        _micros().fill_null(round(run.created_at.timestamp() * 1e6)),
    )
    for path, step, value, time in plain.iter_rows():
        if step is None or value is None:
            run.lost.append(f"metric {path}: points without a step or value")
        else:
            run.add_point(path, step, value, time)


def _take_series(run: ForeignRun, rows: "pl.DataFrame") -> None:
    for kind, column in _SERIES.items():
        points = rows.filter(attribute_type=kind)
        for (path,), own in points.group_by("attribute_path", maintain_order=True):
            run.values[f"neptune/{path}.json"] = [
                {
                    "step": None if row["step"] is None else float(row["step"]),
                    "time": None if row["timestamp"] is None else row["timestamp"].isoformat(),
                    "value": row[column],
                }
                for row in own.iter_rows(named=True)
            ]


def _take_files(run: ForeignRun, rows: "pl.DataFrame", files: Path | None) -> None:
    import polars as pl

    wanted = rows.filter(pl.col("attribute_type").is_in(_FILES))
    for row in wanted.iter_rows(named=True):
        name, place = row["attribute_path"], (row["file_value"] or {}).get("path") or ""
        if row["attribute_type"] == "file_series" and row["step"] is not None:
            name = f"{name}/step-{_step_text(row['step'])}"
        found = _inside(files, place)
        if found is None:
            run.lost.append(f"file {name}: {place or 'no path'} is not in the folder of files")
            continue
        whole = f"{name}{found.suffix if not Path(name).suffix else ''}"
        if whole in run.files and run.files[whole] != found:
            run.lost.append(f"file {name}: another file is called {whole} too")
        else:
            run.files[whole] = found


def _step_text(step: Any) -> str:
    """Return a step with all its digits: two steps that differ are two names.

    >>> _step_text(1234567.5), _step_text(3.0)
    ('1234567.5', '3')
    """
    text = f"{step:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _inside(files: Path | None, place: str) -> Path | None:
    """Return a file below the folder; a path that leads out of it names nothing."""
    if files is None or not place:
        return None
    found = (files / place).resolve()
    return found if found.is_file() and found.is_relative_to(files.resolve()) else None


def _micros() -> "pl.Expr":
    import polars as pl

    return pl.col("timestamp").dt.epoch("us")


def _first_time(rows: "pl.DataFrame") -> datetime:
    first = rows.select(_micros().min()).item()
    return now() if first is None else datetime.fromtimestamp(first / 1e6, UTC)


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
