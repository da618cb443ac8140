"""``penstock export openlineage``: the events of a run as a file."""

from pathlib import Path

import click

from penstock.cli._export import write_file
from penstock.cli._help import examples
from penstock.cli._output import current_store, emit, json_option, plain, say
from penstock.exporters import export_openlineage


@click.command(
    "openlineage",
    epilog=examples(
        "penstock export openlineage last -o events.ndjson",
        "penstock export last --to openlineage",
    ),
)
@click.argument("run")
@click.option("--to", hidden=True, type=click.Choice(["openlineage"]), expose_value=False)
@click.option("-o", "--output", metavar="FILE", help="Write to FILE; default: standard output.")
@json_option
@click.pass_context
def export_events(ctx: click.Context, run: str, output: str | None, as_json: bool) -> None:
    """Write the OpenLineage events of RUN and its steps, one JSON object per line.

    The events have the ids of those that a webhook of the form openlineage posts.
    """
    exported = export_openlineage(run, store=current_store(ctx))
    if output is not None:
        write_file(Path(output), exported.text)
    if as_json:
        emit({"file": output, "text": exported.text, "events": exported.text.count("\n")})
    elif output is None:
        click.echo(exported.text, nl=False)
    else:
        say(f"wrote {plain(output)}: {exported.text.count(chr(10))} events", stderr=True)
