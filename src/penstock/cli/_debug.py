"""``penstock debug``: a recorded step on the exact inputs, in this process and in a debugger."""

import pdb  # noqa: T100 - it is what the command is for
import sys
import traceback
from typing import Any

import click

from penstock.cli._help import examples
from penstock.cli._output import current_store, plain, say
from penstock.execution import StepCall, get_step_call

_MAX_CHARACTERS = 200


@click.command(epilog=examples("penstock debug last train"))
@click.argument("run")
@click.argument("step")
@click.argument("target", required=False)
@click.option("--no-pdb", is_flag=True, help="Print the traceback; start no debugger.")
@click.pass_context
def debug(ctx: click.Context, run: str, step: str, target: str | None, no_pdb: bool) -> None:
    """Call STEP of RUN again, with the recorded inputs and the current code.

    The debugger opens at the line that raises. Nothing is recorded. Default TARGET: the FILE.py or
    FILE.py:NAME that RUN was started from.
    """
    store = current_store(ctx)
    call = get_step_call(run, step, target=target, store=store)
    say(f"[bold]{plain(call.name)}[/] at {plain(call.step.position)}")
    for name, value in call.arguments.items():
        say(f"  {plain(name)} = {plain(_brief(value))}")
    for missing in call.missing:
        say(f"  [yellow]![/] not here, but in the run's notebook: {plain(missing)}")
    call.use_settings()  # what is typed at the debugger computes as in the step
    try:
        value = call()
    except Exception as error:  # noqa: BLE001 - a user's step may raise anything
        _explore(error, call, start=not no_pdb and sys.stdin.isatty())
        sys.exit(3)  # the exit code of a run with a failed step
    say(f"  returned {plain(_brief(value))}")
    if not call.recorded:
        run_id = store.metadata.runs.get(run).run_id
        say("[green]✓[/] It failed in the run, and succeeds now.")
        say(f"  Continue with:  penstock run --resume {run_id}")
    elif call.same_as_recorded(value, store=store):
        say("[green]✓[/] Equal to the recorded output, bit for bit.")
    else:
        say("[yellow]≠[/] Different from the recorded output.")


def _explore(error: Exception, call: StepCall, *, start: bool) -> None:
    """Show where the error was raised; open the debugger there, below penstock's own frames."""
    place = error.__traceback__
    code = getattr(call.step.function, "__code__", None)
    while place is not None and place.tb_frame.f_code is not code and place.tb_next is not None:
        place = place.tb_next
    click.echo("".join(traceback.format_exception(type(error), error, place)), err=True)
    if start:
        pdb.post_mortem(place)


def _brief(value: Any) -> str:
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape:
        return f"{type(value).__name__} of shape {shape}"
    text = " ".join(repr(value).split())
    return text if len(text) <= _MAX_CHARACTERS else text[: _MAX_CHARACTERS - 1] + "…"
