"""``new_project``: from a user's own table to a folder with a pipeline that runs as written."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from penstock.core import ConflictError, DataError, NotFoundError, did_you_mean
from penstock.data import FileSource, Snapshot, ingest, split_table
from penstock.scaffolding._describe import describe_table, without_classes
from penstock.scaffolding._names import ProjectNames, choose_names
from penstock.scaffolding._notes import TableNotes
from penstock.scaffolding._pipeline_file import SourceOptions, render_pipeline
from penstock.scaffolding._readme_and_test import render_readme, render_test
from penstock.scaffolding._splits import Task, drop_copies
from penstock.scaffolding._times import TimeForm, recognise_time

_NEAR = 3
_FEW = (50, 200, 1_000, 5_000)
_IGNORED = ".penstock/\n__pycache__/\n.pytest_cache/\n"


@dataclass(frozen=True, slots=True)
class NewProject:
    """The written project.

    Attributes:
        folder: The project's folder.
        file: The file of the pipeline.
        files: All files, the pipeline first.
        notes: The table's notes.
        model: Name of the model in the registry.
        pipeline: Name of the pipeline in the file.
    """

    folder: Path
    file: Path
    files: tuple[Path, ...]
    notes: TableNotes
    model: str
    pipeline: str

    @property
    def task(self) -> Task:
        """The kind of prediction."""
        return self.notes.task


def new_project(
    name: str,
    *,
    data: str | Path,
    target: str,
    time: str | None = None,
    group: str | None = None,
    has_header: bool = True,
    columns: Sequence[str] | None = None,
    folder: str | Path | None = None,
) -> NewProject:
    """Write a short, readable pipeline for a table, with a test and a README.

    >>> import tempfile
    >>> table = Path(tempfile.mkdtemp()) / "visits.csv"
    >>> rows = [f"{age},{'yes' if age % 3 else 'no'}" for age in [*range(20, 80)] * 2]
    >>> _ = table.write_text(os.linesep.join(["age,came", *rows]))
    >>> project = new_project("visits", data=table, target="came", folder=table.parent / "visits")
    >>> project.task, project.file.name
    ('binary', 'visits.py')

    Args:
        name: Name of the project; file, pipeline and model are named after it.
        data: The table: a CSV, Parquet or JSON-lines file, a folder or a glob.
        target: The column to predict.
        time: Column with the time of a row: the newest rows become the test.
        group: Column whose values are kept together: no group appears in train and test.
        has_header: Whether the first line of a CSV file contains names.
        columns: Column names, for a file without a header.
        folder: Folder of the files; by default a new folder of that name in the current folder.

    Raises:
        NotFoundError: If the file or a column does not exist, with did-you-mean.
        ConflictError: If a file to be written exists already.
        DataError: If the table cannot be read, or there is nothing to learn.
    """
    names = choose_names(name, None if folder is None else Path(folder))
    path = _find_data(Path(data))
    paths = _plan_files(names)
    options = SourceOptions(str(path), tuple(columns) if columns else None, has_header)
    form = _recognise_time(options, time)
    snapshot = ingest(_source_of(options, form))
    notes = describe_table(snapshot, target=target, group=group, form=form)
    written = SourceOptions(_path_for(path, names.folder), options.columns, has_header)
    # Rendered before the first write, so that a failure leaves no half-written project.
    texts = (
        render_pipeline(notes, names, written),
        render_test(notes, names, every=_few_enough(notes, snapshot)),
        render_readme(notes, names, path.name, snapshot.table),
        _IGNORED,
    )
    names.folder.mkdir(parents=True, exist_ok=True)
    for place, text in zip(paths, texts, strict=True):
        place.write_text(text, encoding="utf-8")
    return NewProject(names.folder, paths[0], paths, notes, names.model, names.module)


def _find_data(path: Path) -> Path:
    path = path.expanduser().absolute()
    if path.exists() or any(mark in str(path) for mark in "*?["):
        return path
    near = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    hint = did_you_mean(path.name, near)
    raise NotFoundError(
        what=f"There is no file {path}.",
        fix=hint if hint.startswith("Did") else "Check the path.",
        path=str(path),
    )


def _plan_files(names: ProjectNames) -> tuple[Path, ...]:
    files = (f"{names.module}.py", f"test_{names.module}.py", "README.md", ".gitignore")
    paths = tuple(names.folder / file for file in files)
    taken = [path for path in paths if path.exists()]
    if names.folder.exists() and not names.folder.is_dir():
        taken = [names.folder]
    if taken:
        raise ConflictError(
            what=f"{taken[0]} exists already.",
            why="Nothing of yours is overwritten.",
            fix="Choose another name or folder, or move that file away.",
            path=str(taken[0]),
        )
    return paths


def _recognise_time(options: SourceOptions, time: str | None) -> TimeForm | None:
    if time is None:
        return None
    return recognise_time(_source_of(options, None).read(), time)


def _source_of(options: SourceOptions, form: TimeForm | None) -> FileSource:
    if form is None:
        return FileSource(options.path, columns=options.columns, has_header=options.has_header)
    first, *hours = form.columns
    return FileSource(
        options.path,
        time=(first, hours[0]) if hours else first,
        time_format=form.time_format,
        columns=options.columns,
        has_header=options.has_header,
    )


def _path_for(data: Path, folder: Path) -> str:
    """Return a near path relative to the project, so that both can be moved together."""
    relative = Path(os.path.relpath(data, folder))
    near = sum(part == ".." for part in relative.parts) < _NEAR
    return relative.as_posix() if near else data.as_posix()


def _few_enough(notes: TableNotes, snapshot: Snapshot) -> int:
    """Search for a sample size that is sufficient for a test of the pipeline."""
    # The smallest sample first: the test should be quick.
    for count in _FEW:
        every = snapshot.rows // count
        if every > 1 and _can_be_trained(notes, snapshot, every):
            return every
    return 1


def _can_be_trained(notes: TableNotes, snapshot: Snapshot, every: int) -> bool:
    rows = without_classes(snapshot.table.gather_every(every), notes.target, notes.rare)
    choice = notes.split
    if choice.distinct:
        rows = drop_copies(rows)
    try:
        split_table(rows, target=notes.target, drop=choice.drop, seed=choice.seed, task=notes.task)
    except DataError:
        return False
    return True
