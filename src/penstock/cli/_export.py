"""``penstock export``: a pipeline as a file for an orchestrator; models to serving platforms; runs to MLflow, W&B and SageMaker."""

import itertools
from importlib import import_module
from pathlib import Path

import click

from penstock.cli._help import examples, set_option
from penstock.cli._output import emit, json_option, plain, say
from penstock.cli._run import pairs
from penstock.core import ParameterError
from penstock.exporters import ENGINES, SERVING_PLATFORMS, Exported, export_pipeline

# Module and function of the other commands, imported when used.
_OTHERS = {
    "helm": ("_export_chart", "export_chart"),
    "model": ("_export_model", "export_served"),
    "openlineage": ("_export_events", "export_events"),
    "mlflow": ("_moving", "export_to_mlflow"),
    "mlflow-model": ("_moving", "export_model_folder"),
    "sagemaker": ("_export_clouds", "export_to_sagemaker"),
    "sagemaker-model": ("_export_clouds", "export_package"),
    "vertex-model": ("_export_clouds", "export_upload"),
    "wandb": ("_moving", "export_to_wandb"),
}


class _Export(click.Group):
    """A group whose command ``pipeline`` needs not be named: ``penstock export FILE.py``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *_OTHERS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _OTHERS:
            module, function = _OTHERS[cmd_name]
            command: click.Command = getattr(import_module(f"penstock.cli.{module}"), function)
            return command
        return super().get_command(ctx, cmd_name)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if self._is_short(ctx, args):
            args = [_kind_of(args), *args]
        return super().parse_args(ctx, args)

    def _is_short(self, ctx: click.Context, args: list[str]) -> bool:
        """Return whether ``pipeline`` was left out: before a file, or an option of it."""
        first = args[0].partition("=")[0] if args else ""
        if not first.startswith("-"):
            return bool(first) and first not in self.list_commands(ctx)
        options = {name for each in pipeline.params for name in each.opts} - {"--help"}
        return first in options


def _kind_of(args: list[str]) -> str:
    """Return the command that was left out: `--to openlineage` is of a run, `--to kserve` and the like of a model."""
    joined = " ".join(args).replace("=", " ").split()
    targets = [after for word, after in itertools.pairwise(joined) if word == "--to"]
    if targets == ["openlineage"]:
        return "openlineage"
    return "model" if set(targets) & set(SERVING_PLATFORMS) else "pipeline"


@click.group(
    cls=_Export,
    epilog=examples(
        "penstock export churn.py --to airflow -o dags/churn.py",
        "penstock export fraud --to kserve -o fraud.kserve.yaml",
        "penstock export mlflow last --to http://127.0.0.1:5000",
        "penstock export wandb last --to wandb",
    ),
)
def export() -> None:
    """Export pipelines to orchestrators, models to serving platforms and registries, runs to MLflow, W&B and SageMaker, and a Helm chart.

    `penstock export FILE.py` is short for `penstock export pipeline FILE.py`, and
    `penstock export NAME --to kserve`, `ray-serve` or `bentoml` for `penstock export model NAME …`.
    """


@export.command(
    epilog=examples(
        "penstock export churn.py --to airflow -o dags/churn.py",
        'penstock export churn.py:churn --to github-actions --cron "0 3 * * *"',
    )
)
@click.argument("target", metavar="FILE.py[:NAME]")
@click.option("--to", required=True, type=click.Choice(ENGINES), help="The engine.")
@click.option("-o", "--output", metavar="FILE", help="Write to FILE; default: standard output.")
@click.option("--cron", metavar="CRON", help="When the engine starts the pipeline.")
@click.option(
    "--timezone", default="UTC", show_default=True, metavar="ZONE", help="Time zone of --cron."
)
@click.option("--image", metavar="IMAGE", help="Container image with the project.")
@set_option
@json_option
def pipeline(
    target: str,
    to: str,
    output: str | None,
    cron: str | None,
    timezone: str,
    image: str | None,
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write a pipeline as a file for an orchestrator, with a task for each step.

    Parameters set here are the defaults in the file. Options that the engine lacks are listed
    in the file's head and on standard error.
    """
    params = {name.replace("-", "_"): value for name, value in pairs(settings, "--set").items()}
    exported = export_pipeline(
        target,
        to=to,  # type: ignore[arg-type]  # click has checked the choice
        cron=cron,
        timezone=timezone,
        image=image,
        params=params,
    )
    show_exported(exported, Path(output) if output is not None else None, as_json=as_json)


def show_exported(exported: Exported, output: Path | None, *, as_json: bool) -> None:
    """Write an exported file, or print it, and say what is not carried over."""
    if output is not None:
        write_file(output, exported.text)
    if as_json:
        file = None if output is None else str(output)
        notes = list(exported.notes)
        emit({"to": exported.to, "file": file, "text": exported.text, "notes": notes})
        return
    if output is None:
        click.echo(exported.text, nl=False)
    else:
        say(f"wrote {plain(str(output))}", stderr=True)
    for note in exported.notes:
        say(f"  not carried over: {plain(note)}", stderr=True)


def write_file(path: Path, text: str) -> None:
    """Write a file of text, with its folder."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ParameterError(
            what=f"{path} cannot be written: {error.strerror}.", fix="Name another file: -o FILE"
        ) from error
