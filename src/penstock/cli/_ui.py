"""``penstock ui``: the web UI, on this machine only."""

import click

from penstock.cli._help import examples
from penstock.cli._output import current_store
from penstock.server import serve_ui


@click.command(epilog=examples("penstock ui", "penstock --store postgresql://ml@db/penstock ui"))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=4270,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="TCP port; 0 for any free port.",
)
@click.pass_context
def ui(ctx: click.Context, host: str, port: int) -> None:
    """Start the web UI: runs, models, deployments, schedules and lineage."""
    serve_ui(
        host=host,
        port=port,
        ready=lambda url: click.echo(f"UI at {url}  (stop with Ctrl-C)", err=True),
        store=current_store(ctx, create=True),
    )
