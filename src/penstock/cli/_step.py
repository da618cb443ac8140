"""``penstock step``: a single step of a run, executed alone, for orchestrators."""

import sys

import click

from penstock.cli._help import examples
from penstock.cli._output import current_store, emit, json_option
from penstock.core import StepState
from penstock.execution import LineReporter, QuietReporter, run_step, step_to_json


@click.command(epilog=examples("penstock step 06h2ccxck4cxf2s90a40 train[3]"))
@click.argument("run")
@click.argument("step")
@click.argument("target", required=False)
@click.option("-q", "--quiet", is_flag=True, help="Print no progress.")
@json_option
@click.pass_context
def step(
    ctx: click.Context, run: str, step: str, target: str | None, quiet: bool, as_json: bool
) -> None:
    """Execute STEP of RUN on the outputs of the previous steps of RUN.

    RUN is a prepared run (`penstock run FILE.py --prepare`) or a failed run. STEP may be an item of
    a map: `train[3]`. Default TARGET: the FILE.py or FILE.py:NAME that RUN was started from.
    """
    reporter = QuietReporter() if quiet or as_json else LineReporter()
    store = current_store(ctx)
    result = run_step(run, step, target=target, store=store, reporter=reporter)
    if as_json:
        emit(step_to_json(result))
    sys.exit({StepState.FAILED: 3, StepState.QUEUED: 1}.get(result.state, 0))
