"""``penstock decide``: approve or reject a step of a run that waits for a decision."""

import click

from penstock.cli._output import current_store, emit, json_option, plain, say
from penstock.execution import decide as decide_step


@click.command()
@click.argument("run")
@click.argument("step", default="approval")
@click.option("--approve/--refuse", "approved", default=None, help="Let it go on, or not.")
@click.option("--reason", required=True, help="Why; kept with the run.")
@click.option("--as", "actor", metavar="USER", help="Who decides; default: you.")
@json_option
@click.pass_context
def decide(
    ctx: click.Context,
    run: str,
    step: str,
    approved: bool | None,
    reason: str,
    actor: str | None,
    as_json: bool,
) -> None:
    """Say yes or no to STEP of RUN, which waits for it; without STEP to `approval`.

    The run goes on with `penstock run --resume RUN`.
    """
    if approved is None:
        raise click.UsageError("Say --approve or --refuse.")
    decision = decide_step(
        run, step, approved=approved, reason=reason, by=actor, store=current_store(ctx)
    )
    if as_json:
        emit(
            {
                "run_id": decision.run_id,
                "step": decision.step,
                "approved": decision.approved,
                "decided_by": decision.decided_by,
                "reason": decision.reason,
                "at": decision.at,
            }
        )
        return
    told = "approved" if decision.approved else "refused"
    say(f"[green]✓[/] {plain(f'{decision.decided_by} {told} {decision.step}: {decision.reason}')}")
    say(f"  Go on with:  penstock run --resume {decision.run_id}")
