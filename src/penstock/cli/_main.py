"""The root command: global options, exit codes, and the module of each command."""

import importlib
import keyword
import os
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

import penstock
from penstock.cli._output import fail, note_json
from penstock.cli._usage import unknown_command, usage_error
from penstock.core import PenstockError


@dataclass(frozen=True, slots=True)
class _Section:
    """A section of ``penstock --help``.

    Args:
        title: Heading.
        example: A typical call.
        commands: Module and help line by command name.
    """

    title: str
    example: str
    commands: dict[str, tuple[str, str]]


# Modules are imported when used, so that `penstock --help` and each command remain quick.
_SECTIONS = (
    _Section(
        "Build and run",
        "penstock run churn.py --cutoff 2026-01-31",
        {
            "new": ("_new", "Create a pipeline file for a table."),
            "run": ("_run", "Run a pipeline, or resume a run."),
            "tune": ("_tune", "Search a pipeline's parameters."),
            "export": (
                "_export",
                "Write a pipeline for Airflow and others, runs to MLflow and W&B.",
            ),
            "image": ("_image", "Write a Containerfile of the project, and build the image."),
            "step": ("_step", "Execute one step of a run; for other orchestrators."),
            "approve-step": ("_approval", "Approve a step that waits for approval."),
            "reject-step": ("_approval", "Reject a step that waits for approval."),
            "partitions": ("_partitions", "List a pipeline's partitions and their runs."),
            "backfill": ("_partitions", "Run a pipeline for its missing partitions."),
            "schedule": ("_schedule", "Create and manage schedules."),
            "scheduler": ("_schedule", "Start the scheduler, which runs schedules."),
            "demo": ("_demo", "Run the whole loop on simulated payments."),
        },
    ),
    _Section(
        "Track",
        'penstock runs "metrics.roc_auc > 0.7" --order-by "metrics.roc_auc desc"',
        {
            "runs": ("_runs", "Search runs."),
            "show": ("_runs", "Show a run: steps, metrics, logs, provenance."),
            "compare": ("_runs", "Compare two runs."),
            "experiments": ("_runs", "Search experiments."),
            "studies": ("_studies", "List and show hyperparameter searches."),
            "traces": ("_traces", "List traces of applications and show their spans."),
            "edit": ("_run_life", "Change a run's name, note, group or tags; archive it."),
            "data": ("_data", "List data sets and compare their versions."),
            "features": ("_features", "List feature views, read values, bring them online."),
            "artifacts": ("_artifacts", "List or download the artifacts of a run."),
            "fork": ("_run_life", "Create a run that starts from another run's state."),
            "delete": ("_run_life", "Delete runs."),
            "restore": ("_run_life", "Restore deleted runs."),
        },
    ),
    _Section(
        "Leave notebooks",
        "penstock notebook check analysis.ipynb",
        {
            "notebook": ("_notebook", "Check, run, promote and sync notebooks."),
        },
    ),
    _Section(
        "Prove",
        "penstock verify last",
        {
            "verify": ("_prove", "Execute a run again and compare every output."),
            "why": ("_why", "Explain why a step was executed or cached."),
            "debug": ("_debug", "Call a step again on its recorded inputs, in a debugger."),
            "lineage": ("_lineage", "Trace a prediction, model, run or artifact."),
        },
    ),
    _Section(
        "Register",
        'penstock promote churn@3 --reason "better on every slice"',
        {
            "models": ("_models", "List models, versions, gates and model cards."),
            "explain": ("_explain", "Show what each input contributes to a prediction."),
            "promote": ("_models", "Promote a model version whose gates pass."),
            "approve": ("_models", "Approve a model version."),
            "reject": ("_models", "Reject a model version permanently."),
            "archive": ("_models", "Archive a model version."),
            "rollback": ("_models", "Roll back to the previous production version."),
            "history": ("_history", "Show the audit trail of a model or the store."),
        },
    ),
    _Section(
        "Serve and monitor",
        "penstock deploy churn@3 --canary 5,25,100",
        {
            "deploy": ("_deploy", "Send traffic to a version, at once or as a canary."),
            "deployments": ("_deploy", "List deployments, their traffic and events."),
            "serve": ("_deploy", "Serve predictions over HTTP."),
            "predict": ("_predict", "Predict all rows of a source into a file."),
            "batches": ("_batches", "List and show batches of predictions."),
            "truth": ("_deploy", "Record the ground truth of a prediction."),
            "monitor": ("_monitor", "Check a deployment for drift and performance."),
            "alerts": ("_monitor", "List alerts."),
        },
    ),
    _Section(
        "Store and settings",
        "penstock store backup /backups/penstock-2026-01-31",
        {
            "store": ("_store", "Check, back up, copy and configure the store."),
            "gc": ("_store", "Delete what the retention settings no longer keep."),
            "users": ("_people", "Add and manage users and their roles."),
            "tokens": ("_people", "Create, list and revoke tokens."),
            "projects": ("_people", "Separate teams in a store."),
            "import": ("_moving", "Import runs of MLflow, W&B and Neptune."),
            "webhooks": ("_webhooks", "Send notifications: webhooks, chats, mail."),
            "doctor": ("_doctor", "Check the installation, the project and the store."),
            "server": ("_server", "Serve the store over HTTP: API and web UI."),
            "ui": ("_ui", "Start the web UI."),
        },
    ),
)
_MODULES = {name: module for section in _SECTIONS for name, (module, _) in section.commands.items()}


class _Commands(click.Group):
    """Commands by name, each imported when used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_MODULES)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        cmd_name: str,
    ) -> click.Command | None:
        if cmd_name not in _MODULES:
            return None
        module = importlib.import_module(f"penstock.cli.{_MODULES[cmd_name]}")
        attribute = cmd_name.replace("-", "_")
        if keyword.iskeyword(attribute):
            attribute += "_"
        command: click.Command = getattr(module, attribute)
        return command

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        formatter: click.HelpFormatter,
    ) -> None:
        width = max(map(len, _MODULES))  # the same in all sections
        for section in _SECTIONS:
            with formatter.section(section.title):
                for name, (_, text) in section.commands.items():
                    formatter.write(f"{'':>{formatter.current_indent}}{name:<{width}}  {text}\n")
                formatter.write(f"{'':>{formatter.current_indent}}$ {section.example}\n")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            fail(ctx, usage_error(error, ctx))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in _MODULES and not name.startswith("-"):
            raise unknown_command(ctx, name, _MODULES)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        words = list(ctx.args)
        try:
            return super().invoke(ctx)
        except PenstockError as error:
            fail(ctx, error)
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            note_json(ctx, "--json" in words)  # options after a wrong one were not read
            fail(ctx, usage_error(error, ctx, words))
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
        what=f"Unexpected error: {type(error).__name__}: {error}",
        why=f"This is a bug in penstock, at {Path(frame.filename).name}:{frame.lineno}.",
        fix="Set PENSTOCK_DEBUG=1 and repeat the command to see the traceback; please report it.",
    )


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 success; 1 negative result (a gate, a drift, a proof); 2 wrong use; 3 a"
    " step failed; 130 interrupted.",
)
@click.option(
    "--store",
    metavar="URL",
    help="Store of runs and models, e.g. sqlite:///penstock.db; default: the project's.",
)
@click.version_option(penstock.__version__, prog_name="penstock")
@click.pass_context
def cli(ctx: click.Context, store: str | None) -> None:
    """Carry a model from raw data to monitored production, with proof at every gate."""
    ctx.obj = store
