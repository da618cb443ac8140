"""The root command: global options, exit codes, and the module of each command."""

import importlib
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import click

import penstock
from penstock.cli._output import fail
from penstock.core import PenstockError, did_you_mean

# Imported when used, so that `penstock --help` and each command remain quick.
_COMMANDS = {
    "new": ("_new", "Write a readable pipeline for your own table."),
    "run": ("_run", "Run a pipeline, or resume a run."),
    "runs": ("_runs", "Search runs."),
    "show": ("_runs", "Show one run: steps, metrics, what it was made from."),
    "compare": ("_runs", "Show what differs between two runs."),
    "experiments": ("_runs", "Search experiments."),
    "edit": ("_run_life", "Change a run's name, note, group or tags, or put it aside."),
    "delete": ("_run_life", "Delete runs."),
    "fork": ("_run_life", "Make a run that begins with what another had at a step."),
    "restore": ("_run_life", "Bring back deleted runs."),
    "artifacts": ("_artifacts", "List what a run kept, or write it to files."),
    "why": ("_why", "Say why a step was executed: which part of its key changed."),
    "partitions": ("_partitions", "List a pipeline's partitions and which are missing."),
    "backfill": ("_partitions", "Run a pipeline for the partitions that are missing."),
    "schedule": ("_schedule", "Say when pipelines run without being asked; see what came of it."),
    "scheduler": ("_schedule", "Run what schedules say, until it is stopped."),
    "hooks": ("_hooks", "Say who is told when runs and steps begin and end."),
    "approve-step": ("_approval", "Approve a step of a run that waits for approval."),
    "reject-step": ("_approval", "Reject a step of a run that waits for approval."),
    "step": ("_step", "Execute one step of a run alone; what other orchestrators call."),
    "debug": ("_debug", "Call a step of a run again on its exact inputs, in a debugger."),
    "verify": ("_prove", "Prove a run: execute it again and compare every output."),
    "models": ("_models", "List models and their versions."),
    "promote": ("_models", "Move a version towards production if its gates pass."),
    "approve": ("_models", "Say yes to a version."),
    "reject": ("_models", "Say no to a version, for good."),
    "archive": ("_models", "Take a version out of use."),
    "rollback": ("_models", "Put the previous production version back."),
    "history": ("_models", "Show who moved which version when and why."),
    "lineage": ("_lineage", "Trace a prediction, model, run or artifact."),
    "deploy": ("_deploy", "Send traffic to a version, at once or in canary steps."),
    "deployments": ("_deploy", "List deployments and their traffic."),
    "serve": ("_deploy", "Answer predictions over HTTP."),
    "truth": ("_deploy", "Post the true value of a prediction."),
    "monitor": ("_monitor", "Check a deployment for drift and performance."),
    "alerts": ("_monitor", "List alerts."),
    "store": ("_store", "Check, back up, copy the store; show and set what it knows of itself."),
    "gc": ("_store", "Remove what nobody needs any more."),
    "doctor": ("_doctor", "Say what is wrong with the installation and how to mend it."),
    "ui": ("_ui", "Open the web UI."),
    "demo": ("_demo", "The whole loop on a simulated payments stream."),
}


class _Commands(click.Group):
    """Commands by name, each imported when used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        cmd_name: str,
    ) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"penstock.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        formatter: click.HelpFormatter,
    ) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in _COMMANDS and not name.startswith("-"):
            ctx.fail(f"There is no command {name!r}. {did_you_mean(name, _COMMANDS)}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except PenstockError as error:
            fail(ctx, error)
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            sys.exit(130)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:  # the last handler: a long traceback helps no user
            if os.environ.get("PENSTOCK_DEBUG"):
                raise
            fail(ctx, _unexpected(error))


def _unexpected(error: Exception) -> PenstockError:
    """Convert an unexpected exception to an error, with the place of the traceback."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return PenstockError(
        what=f"Something unexpected happened: {type(error).__name__}: {error}",
        why=f"This is a defect of penstock, at {Path(frame.filename).name}:{frame.lineno}.",
        fix="Set PENSTOCK_DEBUG=1 and repeat the command to see the whole traceback; report it.",
    )


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 good; 1 the answer is no; 2 wrong use; 3 a step failed; 130 interrupted.",
)
@click.option(
    "--store",
    metavar="URL",
    help="Where runs and models are kept, e.g. sqlite:///penstock.db; default: the project's.",
)
@click.version_option(penstock.__version__, prog_name="penstock")
@click.pass_context
def cli(ctx: click.Context, store: str | None) -> None:
    """Carry a model from raw data to monitored production; open a gate only when there is proof."""
    ctx.obj = store
