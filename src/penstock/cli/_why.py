"""``penstock why``: the part of a step's key that caused an execution."""

import click

from penstock.cli._help import examples
from penstock.cli._output import current_store, emit, json_option, plain, say
from penstock.core import ParameterError, short
from penstock.execution import KeyChange
from penstock.execution import why as explain

_LINES = 40
_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


@click.command(epilog=examples("penstock why last train", "penstock why train --against 06h2cc"))
@click.argument("words", nargs=-1, required=True, metavar="[RUN] STEP")
@click.option("--last", is_flag=True, help="Use the last run; the default.")
@click.option("--against", metavar="RUN", help="Compare with this run; default: the previous one.")
@json_option
@click.pass_context
def why(
    ctx: click.Context, words: tuple[str, ...], last: bool, against: str | None, as_json: bool
) -> None:
    """Explain why STEP of RUN was executed or cached, and which part of the key changed.

    RUN is a run id, a unique prefix of an id, or `last`.
    """
    if len(words) != (1 if last else min(len(words), 2)) or words == ("last",):
        raise ParameterError(
            what=f"`penstock why` needs a run and a step, not {' '.join(words)!r}.",
            why="The question is about one step of one run.",
            fix="For example: penstock why last train",
        )
    run, step = ("last", words[0]) if len(words) == 1 else words
    answer = explain(run, step, against=against, store=current_store(ctx))
    if as_json:
        emit(answer.to_json())
        return
    say(f"{answer.step} of run {answer.run_id}: {plain(answer.reason)}")
    for change in answer.changes:
        before = "" if change.step == answer.step else f"before it, in {change.step}: "
        say(f"  {plain(before)}[bold]{change.kind}[/] {plain(change.name)}  {_describe(change)}")
        for line in change.diff[:_LINES]:
            colour = _COLOURS.get(line[:1])
            say(f"      [{colour}]{plain(line)}[/]" if colour else f"      {plain(line)}")
        if len(change.diff) > _LINES:
            say(f"      … and {len(change.diff) - _LINES} lines more; --json shows all.")


def _describe(change: KeyChange) -> str:
    if change.diff:
        return ""
    before, after = (_value(value) for value in (change.before, change.after))
    if change.kind == "result":
        return f"{before} → {after}, though its key is the same"
    return f"{before} → {after}"


def _value(value: str | None) -> str:
    if value is None:
        return "nothing"
    return plain(short(value) if value.startswith("sha256:") else value)
