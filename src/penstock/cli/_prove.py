"""``penstock verify``: the proof, reported step by step."""

import sys
from collections import Counter

import click

from penstock.cli._help import examples
from penstock.cli._output import current_store, duration, emit, json_option, plain, say
from penstock.core import Verdict
from penstock.proofs import Verification
from penstock.proofs import verify as verify_run

_MARKS = {
    Verdict.BITWISE: "[green]=[/]",
    Verdict.WITHIN_TOLERANCE: "[green]≈[/]",
    Verdict.DIFFERS: "[red]≠[/]",
    Verdict.CANNOT_VERIFY: "[yellow]?[/]",
    Verdict.NOT_EXECUTED: "[dim]·[/]",
}
_SENTENCES = {
    Verdict.BITWISE: "[bold green]bitwise[/]: every output of {} is equal bit for bit",
    Verdict.WITHIN_TOLERANCE: "[bold green]within tolerance[/]: {} equal within their declared tolerance",
    Verdict.DIFFERS: "[bold red]differs[/]: the run did not return the same result",
    Verdict.CANNOT_VERIFY: "[bold yellow]cannot verify[/]: something it needs is missing",
}
_FEW_ITEMS = 12
_EXIT = {Verdict.DIFFERS: 1, Verdict.CANNOT_VERIFY: 2}


@click.command(epilog=examples("penstock verify last", "penstock verify 06h2cc --reread"))
@click.argument("run")
@click.option(
    "--reread", is_flag=True, help="Read the sources again instead of the stored snapshots."
)
@click.option(
    "--hash-seeds",
    type=int,
    metavar="N",
    help="Number of hash seeds to execute each step under, 1 to 12; default: more for quick steps.",
)
@json_option
@click.pass_context
def verify(
    ctx: click.Context, run: str, reread: bool, hash_seeds: int | None, as_json: bool
) -> None:
    """Execute RUN again, each step in a fresh process on the recorded inputs; compare all outputs.

    RUN is a run id, a unique prefix of an id, or `last`.
    """
    store = current_store(ctx)
    run_id = store.metadata.runs.get(run).run_id
    if not as_json:
        click.echo("Executing the recorded run again …", err=True)
    answer = verify_run(run_id, store=store, reread=reread, hash_seeds=hash_seeds)
    if as_json:
        emit(answer.to_json())
    else:
        _report(answer)
    sys.exit(_EXIT.get(answer.verdict, 0))


def _report(answer: Verification) -> None:
    items = Counter(step.step.partition("[")[0] for step in answer.steps if "[" in step.step)
    for step in answer.steps:
        whole, bracket, _ = step.step.partition("[")
        if bracket and items[whole] > _FEW_ITEMS and step.verdict not in _EXIT:
            continue  # equal items of a large map are summarized in the line of the map
        name, took = plain(f"{step.step:<24}"), duration(step.seconds)
        note = f"  {items[step.step]:,} items" if step.step in items else ""
        if step.made_in:
            note += f"  cached from run {step.made_in}"
        say(f" {_MARKS[step.verdict]} {name} {step.how:<9} {took}{note}")
        if step.verdict in _EXIT:
            say(f"     {plain(step.reason)}")
            for place in step.differences:
                say(f"     {plain(place)}")
            if step.cause:
                say(f"     Likely cause: {plain(step.cause)}")
    for note in answer.notes:
        say(f" note: {plain(note)}")
    sentence = _SENTENCES[answer.verdict].format(_executed(answer))
    say(f"Run {answer.run_id} {sentence}{_not_executed(answer)} ({duration(answer.seconds)}).")


def _executed(answer: Verification) -> str:
    """Format the number of verified steps, and of hash seeds."""
    least, most = answer.hash_seeds
    seeds = f"{least}" if least == most else f"{least} to {most}"
    noun = "seed" if most == 1 else "seeds"
    return f"{_count(len(answer.executed), 'executed step')} (under {seeds} hash {noun})"


def _not_executed(answer: Verification) -> str:
    """Format the steps that were not executed."""
    replayed, effects = answer.count("replayed"), answer.count("side effect")
    parts = [
        f"{_count(replayed, 'source')} replayed" if replayed else "",
        f"{_count(effects, 'side effect')} not repeated" if effects else "",
    ]
    return "".join(f"; {each}" for each in parts if each)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
