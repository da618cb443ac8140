"""``penstock approve-step`` and ``reject-step``: decisions about a step that waits for approval."""

from collections.abc import Callable
from typing import TypeVar

import click

from penstock.cli._help import actor_option, examples
from penstock.cli._output import current_store, emit, json_option, plain, say
from penstock.core import DecisionRecord
from penstock.execution import approve_step as approve
from penstock.execution import reject_step as reject

Command = TypeVar("Command", bound=Callable[..., None])


def _decision_options(command: Command) -> Command:
    for option in (
        click.argument("run"),
        click.argument("step", default="approval"),
        click.option("--reason", required=True, help="Reason; recorded with the run."),
        actor_option("decides"),
        json_option,
    )[::-1]:
        command = option(command)
    return command


@click.command(epilog=examples('penstock approve-step last --reason "figures checked" --actor ana'))
@_decision_options
@click.pass_context
def approve_step(
    ctx: click.Context, run: str, step: str, reason: str, actor: str | None, as_json: bool
) -> None:
    """Approve STEP of RUN, which waits for approval; default STEP: `approval`.

    The run continues with `penstock run --resume RUN`, or automatically if a scheduler started the run.
    """
    decision = approve(run, step, reason=reason, actor=actor, store=current_store(ctx))
    _show(decision, as_json=as_json)


@click.command(epilog=examples('penstock reject-step last --reason "the target leaks"'))
@_decision_options
@click.pass_context
def reject_step(
    ctx: click.Context, run: str, step: str, reason: str, actor: str | None, as_json: bool
) -> None:
    """Reject STEP of RUN, which waits for approval; default STEP: `approval`.

    The step fails with the reason when the run is resumed: `penstock run --resume RUN`.
    """
    decision = reject(run, step, reason=reason, actor=actor, store=current_store(ctx))
    _show(decision, as_json=as_json)


def _show(decision: DecisionRecord, *, as_json: bool) -> None:
    if as_json:
        emit(
            {
                "run_id": decision.run_id,
                "step": decision.step,
                "approved": decision.approved,
                "actor": decision.actor,
                "reason": decision.reason,
                "at": decision.at,
            }
        )
        return
    verb = "approved" if decision.approved else "rejected"
    say(f"[green]✓[/] {plain(f'{decision.actor} {verb} {decision.step}: {decision.reason}')}")
    say(f"  Resume with:  penstock run --resume {decision.run_id}")
