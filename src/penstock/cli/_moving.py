"""``penstock import`` and ``export``: runs and models from trackers, to MLflow and back."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from penstock import exporters, registry
from penstock.cli._help import examples
from penstock.cli._import_trackers import neptune, wandb
from penstock.cli._output import current_store, emit, json_option, plain, say
from penstock.server.mlflow import moving

if TYPE_CHECKING:
    from penstock.server.mlflow.moving import ImportSummary

_EVERY = 100  # runs between two lines of progress
_SHOWN = 20


@click.group(name="import")
def import_() -> None:
    """Import runs and models from trackers."""


import_.add_command(wandb)
import_.add_command(neptune)


@import_.command(
    name="mlflow",
    epilog=examples(
        "penstock import mlflow sqlite:///mlflow.db",
        "penstock import mlflow sqlite:///mlflow.db --artifacts mlartifacts",
        "penstock import mlflow mlruns",
        "penstock import mlflow http://127.0.0.1:5000",
    ),
)
@click.argument("source")
@click.option(
    "--artifacts",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of the server's artifacts (--artifacts-destination), when a database is read.",
)
@json_option
@click.pass_context
def import_from_mlflow(
    ctx: click.Context, source: str, artifacts: Path | None, as_json: bool
) -> None:
    """Import everything from SOURCE: MLflow's SQLite database, an mlruns folder, or a server's URL.

    Ids, names, numbers and times stay. A repeated import reads only what is new or has changed, so
    start a killed import again. Facts that penstock has no place for are listed.
    """
    done = moving.import_mlflow(
        source,
        artifacts=artifacts,
        store=current_store(ctx, create=True),
        progress=None if as_json else _report,
    )
    if as_json:
        emit(asdict(done))
        return
    say(
        f"[green]✓[/] {done.runs} runs ({done.unchanged} unchanged) of {done.experiments}"
        f" experiments, {done.points:,} metric points, {done.files} files,"
        f" {done.logged_models} logged models, {done.versions} versions of {done.models} models."
    )
    show_lost(done.lost)


@click.command(
    name="mlflow",
    epilog=examples(
        "penstock export mlflow last --to http://127.0.0.1:5000",
        "penstock export mlflow 06a 06b --to http://127.0.0.1:5000 --json",
    ),
)
@click.argument("runs", nargs=-1, required=True)
@click.option("--to", "target", required=True, metavar="URL", help="A running MLflow server.")
@json_option
@click.pass_context
def export_to_mlflow(ctx: click.Context, runs: tuple[str, ...], target: str, as_json: bool) -> None:
    """Write RUNS to a running MLflow server, with parameters, metrics, tags and artifacts.

    A run that exists there is not written again. Facts without a place there are listed.
    """
    done = moving.export_runs(runs, to=target, store=current_store(ctx))
    if as_json:
        emit(asdict(done))
        return
    show_written(done, "{} is {} there.")


@click.command(
    name="wandb",
    epilog=examples(
        "penstock export wandb last --to wandb",
        "penstock export wandb 06a 06b --to wandb && wandb sync wandb/offline-run-*",
    ),
)
@click.argument("runs", nargs=-1, required=True)
@click.option(
    "--to",
    "folder",
    default="wandb",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the runs' folders.",
)
@json_option
@click.pass_context
def export_to_wandb(ctx: click.Context, runs: tuple[str, ...], folder: Path, as_json: bool) -> None:
    """Write RUNS as offline runs of W&B: `wandb leet` shows them, `wandb sync` uploads them.

    A run that is there already is not written again; one that has changed is written anew. What has
    no place there is listed.
    """
    done = exporters.export_wandb(runs, to=folder, store=current_store(ctx))
    if as_json:
        emit(asdict(done))
        return
    show_written(done, "{}: {}")


@click.command(
    name="mlflow-model",
    epilog=examples("penstock export mlflow-model churn@champion --to churn-model"),
)
@click.argument("ref")
@click.option(
    "--to",
    "folder",
    required=True,
    type=click.Path(path_type=Path),
    help="A new folder.",
)
@json_option
@click.pass_context
def export_model_folder(ctx: click.Context, ref: str, folder: Path, as_json: bool) -> None:
    """Write model version REF as a folder that `mlflow.pyfunc.load_model` reads.

    The folder needs no store: `mlflow models serve -m FOLDER` answers wherever penstock is
    installed beside MLflow.
    """
    store = current_store(ctx)
    version = registry.Registry(store=store).get(*registry.parse_ref(ref))
    moving.write_model_folder(version, folder, store=store)
    if as_json:
        emit({"ref": version.ref, "folder": str(folder)})
        return
    say(f"[green]✓[/] {plain(version.ref)} is in {plain(folder)}.")


def _report(done: "ImportSummary") -> None:
    if done.runs and done.runs % _EVERY == 0:
        say(f"  {done.runs} runs, {done.points:,} metric points, {done.files} files", stderr=True)


def show_written(done: "exporters.RunsExport", form: str) -> None:
    """Say what an export of runs has written."""
    say(
        f"[green]✓[/] {len(done.runs) - done.unchanged} runs written ({done.unchanged} were there),"
        f" {done.points:,} metric points, {done.files} files."
    )
    for run, there in done.runs.items():
        say("  " + form.format(plain(run), plain(there)))
    show_lost(done.lost)


def show_lost(lost: list[str]) -> None:
    """List what was not taken along."""
    if not lost:
        return
    say(f"[yellow]Not taken along[/] ({len(lost)}):")
    for sentence in lost[:_SHOWN]:
        say(f"  - {plain(sentence)}")
    if len(lost) > _SHOWN:
        say(f"  … and {len(lost) - _SHOWN} more: --json has all.")
