"""``penstock ui``: the web UI."""

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
@click.option(
    "--allowed-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME",
    help="Name under which readers reach the UI, e.g. ml.example.org; repeatable.",
)
@click.pass_context
def ui(ctx: click.Context, host: str, port: int, allowed_hosts: tuple[str, ...]) -> None:
    """Start the web UI: runs, models, deployments, schedules and lineage.

    In a store with users readers sign in, and have buttons for what their roles permit; only such a
    store may be served on an address beyond this machine.
    """
    serve_ui(
        host=host,
        port=port,
        allowed_hosts=allowed_hosts,
        ready=lambda url: click.echo(f"UI at {url}  (stop with Ctrl-C)", err=True),
        store=current_store(ctx, create=True),
    )
