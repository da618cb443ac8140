"""``new_project``: from a user's own table to a folder with a pipeline that runs as written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.core import ConflictError, DataError
from penstock.data import Snapshot, ingest, split_table
from penstock.scaffolding._describe import describe_table, without_classes
from penstock.scaffolding._expected import ExpectedRows, expect_rows
from penstock.scaffolding._model_choice import ModelChoice, require_model
from penstock.scaffolding._names import ProjectNames, choose_names
from penstock.scaffolding._notes import TableNotes
from penstock.scaffolding._pipeline_file import render_pipeline
from penstock.scaffolding._readme_and_test import render_readme, render_test
from penstock.scaffolding._source import ProjectSource, SourceOptions, find_source
from penstock.scaffolding._splits import Task, drop_copies
from penstock.scaffolding._times import TimeForm, recognise_time

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
        expected: The expectations in the file, which the rows meet.
        checks: For each expectation the columns, and findings where the rows do not meet it.
    """

    folder: Path
    file: Path
    files: tuple[Path, ...]
    notes: TableNotes
    model: str
    pipeline: str
    expected: ExpectedRows
    checks: tuple[Mapping[str, Any], ...]

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
    table: str | None = None,
    query: str | None = None,
    has_header: bool = True,
    columns: Sequence[str] | None = None,
    folder: str | Path | None = None,
    model: ModelChoice = "auto",
) -> NewProject:
    r"""Write a short, readable pipeline for a table, with a test and a README.

    >>> import tempfile
    >>> from pathlib import Path
    >>> table = Path(tempfile.mkdtemp()) / "visits.csv"
    >>> rows = [f"{age},{'yes' if age % 3 else 'no'}" for age in [*range(20, 80)] * 2]
    >>> _ = table.write_text("\n".join(["age,came", *rows]))
    >>> project = new_project("visits", data=table, target="came", folder=table.parent / "visits")
    >>> project.task, project.file.name
    ('binary', 'visits.py')

    Args:
        name: Name of the project; file, pipeline and model are named so.
        data: The table: a file, folder or glob; a Delta table; a database; or a URL
            (``s3://``, ``postgresql://``, ``kafka://`` …). The table is read into memory as a
            whole.
        target: The column to predict.
        time: Column with the time of a row: the newest rows become the test.
        group: Column whose values are kept together: no group appears in train and test.
        table: Table of a database, ``schema.table`` within a schema.
        query: A SELECT, in the place of a table.
        has_header: Whether the first line of a CSV file contains names.
        columns: Column names, for a file without a header.
        folder: Folder of the files; by default a new folder of that name in the current folder.
        model: ``linear``, ``trees``, ``xgboost``, ``lightgbm`` or ``torch``, a network; ``auto``
            chooses by task and size.

    Raises:
        NotFoundError: If the file or a column does not exist, with did-you-mean.
        ParameterError: If an option does not fit the source, or there is no such kind of model.
        ConflictError: If a file to be written exists already.
        DataError: If the table cannot be read, or there is nothing to learn.
    """
    require_model(model)
    names = choose_names(name, None if folder is None else Path(folder))
    paths = _plan_files(names)
    options = SourceOptions(table, query, tuple(columns) if columns else None, has_header)
    source, form = _recognise_time(find_source(data, options), time)
    snapshot = ingest(source.source)
    notes = describe_table(snapshot, target=target, group=group, form=form)
    expected = expect_rows(snapshot, notes)
    every = _few_enough(notes, snapshot)
    # Rendered before the first write, so that a failure leaves no half-written project.
    texts = (
        render_pipeline(notes, names, source, expected, model=model),
        render_test(notes, names, every=every, can_read=source.can_read, model=model),
        render_readme(notes, names, source.label, snapshot.table),
        _IGNORED,
    )
    checks = tuple(expected.check(snapshot))
    names.folder.mkdir(parents=True, exist_ok=True)
    for place, text in zip(paths, texts, strict=True):
        place.write_text(text, encoding="utf-8")
    return NewProject(
        names.folder, paths[0], paths, notes, names.model, names.module, expected, checks
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


def _recognise_time(
    source: ProjectSource, time: str | None
) -> tuple[ProjectSource, TimeForm | None]:
    """Return the source with the time column, which may be named by the source's URL too."""
    known = source.source.time
    if time is None and known is not None:
        time = known if isinstance(known, str) else ",".join(known)
    if time is None:
        return source, None
    plain = source.with_time(None)
    form = recognise_time(ingest(plain.source).table, time)
    return source.with_time(form), form


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
