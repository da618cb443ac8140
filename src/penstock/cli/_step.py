"""``penstock step``: a single step of a run, executed alone; other orchestrators call it."""

import sys

import click

from penstock.cli._output import current_store, emit, json_option
from penstock.core import StepState
from penstock.execution import LineReporter, QuietReporter, run_step


@click.command()
@click.argument("run")
@click.argument("step")
@click.argument("target", required=False)
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@json_option
@click.pass_context
def step(
    ctx: click.Context, run: str, step: str, target: str | None, quiet: bool, as_json: bool
) -> None:
    """Execute STEP of RUN on what the steps before it gave in that run.

    RUN comes from `penstock run FILE.py --prepare`, or is a run that failed. STEP may be an item of
    a map, as `train[3]`. TARGET is the pipeline's FILE.py or FILE.py:NAME, by default what the run
    was started from.
    """
    reporter = QuietReporter() if quiet or as_json else LineReporter()
    store = current_store(ctx)
    result = run_step(run, step, target=target, store=store, reporter=reporter)
    if as_json:
        run_id = store.metadata.runs.get(run).run_id
        records = {record.step: record for record in store.metadata.steps.list(run_id)}
        emit(result.document(records.get(result.name)))
    sys.exit({StepState.FAILED: 3, StepState.QUEUED: 1}.get(result.state, 0))
