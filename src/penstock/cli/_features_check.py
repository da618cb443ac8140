"""``penstock features check``: served values compared with the history."""

import click

from penstock.cli._help import examples
from penstock.cli._output import current_store, emit, json_option, plain, say, show_table
from penstock.monitoring import check_skew


@click.command(
    epilog=examples("penstock features check fraud", "penstock features check fraud --json")
)
@click.argument("deployment")
@click.option(
    "--limit", default=10_000, show_default=True, metavar="N", help="Number of newest predictions."
)
@json_option
@click.pass_context
def check(ctx: click.Context, deployment: str, limit: int, as_json: bool) -> None:
    """Compare the features that DEPLOYMENT has looked up with their histories.

    Exit code 1 if a feature differs on more than 0.1 % of the rows.
    """
    skews = check_skew(deployment, limit=limit, store=current_store(ctx))
    if as_json:
        emit([each.to_json() for each in skews])
    elif not skews:
        say(f"{plain(deployment)} has looked up no features.")
    else:
        show_table(
            ["feature", "rows", "mismatches", "share", "95 % interval", "cause"],
            [
                [
                    f"{each.view}:{each.feature}",
                    each.rows,
                    each.mismatches,
                    f"{each.share:.3%}",
                    f"{each.low:.3%} to {each.high:.3%}",
                    each.cause,
                ]
                for each in skews
            ],
        )
        for each in skews:
            if each.is_alarm:
                say(f"[bold red]✗[/] {plain(each.describe())}")
    if any(each.is_alarm for each in skews):
        ctx.exit(1)
