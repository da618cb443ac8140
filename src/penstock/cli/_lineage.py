"""``penstock lineage``: from a prediction back to the rows, or from rows forward to predictions."""

import click

from penstock.cli._help import examples
from penstock.cli._output import current_store, emit, json_option, plain, say
from penstock.lineage import get_lineage


@click.command(
    epilog=examples("penstock lineage churn@3", "penstock lineage source:payments --down")
)
@click.argument("subject")
@click.option("--down", is_flag=True, help="Downstream instead of upstream.")
@json_option
@click.pass_context
def lineage(ctx: click.Context, subject: str, down: bool, as_json: bool) -> None:
    """Trace SUBJECT: a prediction id, MODEL@VERSION, a run, a digest, or KIND:ID."""
    answer = get_lineage(subject, "down" if down else "up", store=current_store(ctx))
    if as_json:
        emit(answer.to_json())
        return
    for line in answer.lines():
        say(plain(line))
