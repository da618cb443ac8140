"""``penstock import wandb`` and ``neptune``: runs of Weights & Biases and Neptune, unchanged."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from penstock import importers
from penstock.cli._help import examples
from penstock.cli._output import current_store, emit, json_option, plain, say
from penstock.core import to_json

if TYPE_CHECKING:
    from penstock.importers import Imported, ImportedRun

_PATHS = click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
_EXPERIMENT = click.option("--experiment", help="Experiment of the runs; default: as it was there.")


@click.command(epilog=examples("penstock import wandb wandb/"))
@_PATHS
@_EXPERIMENT
@json_option
@click.pass_context
def wandb(
    ctx: click.Context, paths: tuple[Path, ...], experiment: str | None, as_json: bool
) -> None:
    """Import runs of W&B from their logs: folders with files run-….wandb, logged offline or online."""
    store = current_store(ctx, create=True)
    imported = importers.import_wandb(
        paths, experiment=experiment, progress=_progress(as_json), store=store
    )
    _tell(imported, as_json=as_json)


@click.command(epilog=examples("penstock import neptune exports/data --files exports/files"))
@_PATHS
@click.option(
    "--files",
    type=click.Path(path_type=Path),
    help="The exporter's folder of files; default: the folder files beside the data.",
)
@_EXPERIMENT
@json_option
@click.pass_context
def neptune(
    ctx: click.Context,
    paths: tuple[Path, ...],
    files: Path | None,
    experiment: str | None,
    as_json: bool,
) -> None:
    """Import runs of Neptune from the Parquet files of neptune-exporter."""
    store = current_store(ctx, create=True)
    imported = importers.import_neptune(
        paths, files=files, experiment=experiment, progress=_progress(as_json), store=store
    )
    _tell(imported, as_json=as_json)


def _progress(as_json: bool) -> Callable[["ImportedRun"], None] | None:
    return None if as_json else _tell_run


def _tell_run(run: "ImportedRun") -> None:
    state = "new" if run.new else "known"
    say(
        f"[green]✓[/] {plain(run.run_id)} {plain(run.name)}: {run.points:,} points,"
        f" {run.artifacts} artifacts ({state})"
    )
    for sentence in run.lost:
        say(f"    lost: {plain(sentence)}")


def _tell(imported: "Imported", *, as_json: bool) -> None:
    if as_json:
        emit(to_json(imported))
    else:
        for place, why in imported.failed.items():
            say(f"[red]✗[/] {plain(place)}: {plain(why)}")
        if not imported.runs and not imported.failed:
            say("There are no runs there.")
    # Nothing found is most likely a wrong path.
    sys.exit(2 if not imported.runs else 1 if imported.failed else 0)
