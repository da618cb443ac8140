"""``penstock step``: a single step of a run, executed alone, for orchestrators."""

import sys

import click

from penstock.cli._help import examples
from penstock.cli._output import current_store, emit, json_option
from penstock.core import StepState
from penstock.execution import LineReporter, QuietReporter, list_items, run_step, step_to_json


@click.command(
    epilog=examples(
        "penstock step 06h2ccxck4cxf2s90a40 train[3]",
        "penstock step 06h2ccxck4cxf2s90a40 train --items",
    )
)
@click.argument("run")
@click.argument("step")
@click.argument("target", required=False)
@click.option("--items", is_flag=True, help="List the items of a map; execute nothing.")
@click.option("--no-retries", is_flag=True, help="Leave retries to the orchestrator.")
@click.option(
    "--skip-code",
    type=click.IntRange(0, 255),
    default=0,
    show_default=True,
    metavar="N",
    help="Exit code of a step that is skipped.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print no progress.")
@json_option
@click.pass_context
def step(
    ctx: click.Context,
    run: str,
    step: str,
    target: str | None,
    items: bool,
    no_retries: bool,
    skip_code: int,
    quiet: bool,
    as_json: bool,
) -> None:
    """Execute STEP of RUN on the outputs of the previous steps of RUN.

    RUN is a prepared run (`penstock run FILE.py --prepare`) or a failed run. STEP may be an item of
    a map: `train[3]`. Default TARGET: the FILE.py or FILE.py:NAME that RUN was started from.
    Different steps of RUN may be executed at the same time.
    """
    store = current_store(ctx)
    if items:
        names = list_items(run, step, target=target, store=store)
        emit(names) if as_json else click.echo("\n".join(names))
        return
    reporter = QuietReporter() if quiet or as_json else LineReporter()
    result = run_step(
        run, step, target=target, retries=not no_retries, store=store, reporter=reporter
    )
    if as_json:
        emit(step_to_json(result))
    codes = {StepState.FAILED: 3, StepState.QUEUED: 1, StepState.SKIPPED: skip_code}
    sys.exit(codes.get(result.state, 0))
