"""``penstock verify``: the proof, told step by step."""

import sys
from collections import Counter

import click

from penstock.cli._output import current_store, duration, emit, json_option, plain, say
from penstock.core import Verdict
from penstock.proofs import Verification
from penstock.proofs import verify as verify_run

_MARKS = {
    Verdict.BITWISE: "[green]=[/]",
    Verdict.WITHIN_TOLERANCE: "[green]≈[/]",
    Verdict.DIFFERS: "[red]≠[/]",
    Verdict.CANNOT_VERIFY: "[yellow]?[/]",
}
_SENTENCES = {
    Verdict.BITWISE: "[bold green]bitwise[/]: every output came out bit for bit",
    Verdict.WITHIN_TOLERANCE: "[bold green]within tolerance[/]: equal as far as the steps declare",
    Verdict.DIFFERS: "[bold red]differs[/]: the run does not give the same result again",
    Verdict.CANNOT_VERIFY: "[bold yellow]cannot verify[/]: something needed is missing",
}
_FEW_ITEMS = 12
_EXIT = {Verdict.DIFFERS: 1, Verdict.CANNOT_VERIFY: 2}


@click.command()
@click.argument("run")
@click.option("--reread", is_flag=True, help="Read sources again instead of the stored snapshot.")
@json_option
@click.pass_context
def verify(ctx: click.Context, run: str, reread: bool, as_json: bool) -> None:
    """Execute RUN again in a fresh process, from its recorded sources, and compare every output.

    RUN is a run id, a unique beginning of one, or `last`.
    """
    if not as_json:
        click.echo("Executing the recorded run again …", err=True)
    answer = verify_run(run, store=current_store(ctx), reread=reread)
    if as_json:
        emit(answer.to_json())
    else:
        _tell(answer)
    sys.exit(_EXIT.get(answer.verdict, 0))


def _tell(answer: Verification) -> None:
    items = Counter(step.step.partition("[")[0] for step in answer.steps if "[" in step.step)
    for step in answer.steps:
        whole, bracket, _ = step.step.partition("[")
        if bracket and items[whole] > _FEW_ITEMS and step.verdict not in _EXIT:
            continue  # thousands that are equal are told in the line of their map
        name, took = plain(f"{step.step:<24}"), duration(step.seconds)
        told = f"  {items[step.step]:,} items" if step.step in items else ""
        say(f" {_MARKS[step.verdict]} {name} {step.how:<9} {took}{told}")
        if step.verdict in _EXIT:
            say(f"     {plain(step.reason)}")
            for place in step.differences:
                say(f"     {plain(place)}")
            if step.cause:
                say(f"     Likely cause: {plain(step.cause)}")
    for note in answer.notes:
        say(f" note: {plain(note)}")
    say(f"Run {answer.run_id} {_SENTENCES[answer.verdict]} ({duration(answer.seconds)}).")
