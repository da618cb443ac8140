"""``penstock ui``: the web UI."""

import click

from penstock.cli._help import address_options, allowed_host_option, examples, url_option
from penstock.cli._output import current_store
from penstock.server import serve_ui


@click.command(epilog=examples("penstock ui", "penstock --store postgresql://ml@db/penstock ui"))
@address_options(4270)
@allowed_host_option("readers reach the UI")
@url_option("readers reach the UI")
@click.pass_context
def ui(ctx: click.Context, host: str, port: int, allowed_hosts: tuple[str, ...], url: str) -> None:
    """Start the web UI: runs, models, deployments, schedules and lineage.

    In a store with users readers sign in, and have buttons for what their roles permit; only such a
    store may be served on an address beyond this machine.
    """
    serve_ui(
        host=host,
        port=port,
        allowed_hosts=allowed_hosts,
        url=url,
        ready=lambda at: click.echo(f"UI at {at}  (stop with Ctrl-C)", err=True),
        store=current_store(ctx, create=True),
    )
