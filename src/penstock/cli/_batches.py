"""``penstock batches``: list and show batches of predictions."""

import click

from penstock.cli._help import examples
from penstock.cli._output import (
    ago,
    current_store,
    duration,
    emit,
    json_option,
    plain,
    say,
    show_table,
)
from penstock.serving import get_batch, list_batches


@click.group()
def batches() -> None:
    """List and show batches of predictions."""


@batches.command(
    "list", epilog=examples("penstock batches list", "penstock batches list churn@3 --json")
)
@click.argument("model", required=False, metavar="[MODEL[@VERSION]]")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@json_option
@click.pass_context
def list_(ctx: click.Context, model: str | None, limit: int, as_json: bool) -> None:
    """List batches of predictions, newest first."""
    batches = list_batches(model, limit=limit, store=current_store(ctx))
    if as_json:
        emit([batch.to_json() for batch in batches])
        return
    if not batches:
        say("No batches. Predict one with: penstock predict MODEL --data SOURCE --out TARGET")
        return
    show_table(
        ["batch", "version", "state", "started", "predicted", "refused", "data", "out"],
        [
            [
                batch.batch_id,
                batch.version,
                batch.state,
                ago(batch.started_at),
                batch.counts["predicted"],
                batch.counts["refused"],
                batch.data,
                batch.out,
            ]
            for batch in batches
        ],
    )


@batches.command(
    epilog=examples("penstock batches show last", "penstock batches show 01JD… --json")
)
@click.argument("batch")
@json_option
@click.pass_context
def show(ctx: click.Context, batch: str, as_json: bool) -> None:
    """Show BATCH (an id, the id of a prediction in the batch, or `last`)."""
    details = get_batch(batch, store=current_store(ctx))
    if as_json:
        emit(details.to_json())
        return
    counts, manifest = details.counts, details.manifest
    say(f"[bold]{plain(details.version)}[/]  {details.batch_id}  {details.state}")
    say(f"[dim]Data:[/] {plain(details.data)}  [dim]Out:[/] {plain(details.out)}")
    say(f"[dim]Started:[/] {ago(details.started_at)}  [dim]Took:[/] {duration(details.seconds)}")
    if manifest:
        say(
            f"{counts['predicted'] or 0:,} rows predicted, {counts['refused'] or 0:,} refused, "
            f"{counts['warned'] or 0:,} with warnings; {len(manifest['parts']):,} parts."
        )
        say(f"[dim]Answers are those of single requests:[/] {plain(manifest['answers'])}")
        if manifest["refused_out"]:
            say(f"[dim]Refused rows:[/] {plain(manifest['refused_out'])}")
        for note in manifest["notes"]:
            say(f"  [yellow]![/] {plain(note)}")
    elif details.run.error:
        say(f"[red]✗[/] {plain(details.run.error)}")
