"""``penstock server``: the store over HTTP, for machines and programs."""

import json

import click

from penstock.cli._help import address_options, allowed_host_option, examples
from penstock.cli._output import current_store, emit
from penstock.server import describe_api, serve_store


@click.command(
    epilog=examples(
        "penstock server",
        "penstock --store postgresql://ml@db/penstock server --scheduler --courier",
        "PENSTOCK_STORE=http://127.0.0.1:4270 penstock run churn.py",
    )
)
@address_options(4270)
@allowed_host_option("clients reach the server")
@click.option("--share-port", is_flag=True, help="Let several server processes use the port.")
@click.option("--scheduler", is_flag=True, help="Run the project's schedules as well.")
@click.option("--courier", is_flag=True, help="Deliver notifications to webhooks as well.")
@click.option("--openapi", is_flag=True, help="Print the API's description (OpenAPI 3.1) and exit.")
@click.option("--json", "as_json", is_flag=True, help="Print the URL as JSON once it answers.")
@click.pass_context
def server(
    ctx: click.Context,
    host: str,
    port: int,
    allowed_hosts: tuple[str, ...],
    share_port: bool,
    scheduler: bool,
    courier: bool,
    openapi: bool,
    as_json: bool,
) -> None:
    """Serve the store over HTTP: the API at /api/v1, the web UI at /.

    Programs use the server as a store: PENSTOCK_STORE=http://HOST:PORT, with PENSTOCK_TOKEN where
    the store has users; only such a store may be served on an address beyond this machine.
    """
    if openapi:
        emit(describe_api())
        return

    def report(url: str) -> None:
        if as_json:
            click.echo(json.dumps({"url": url}))
        else:
            click.echo(f"Server at {url}  (stop with Ctrl-C)", err=True)

    serve_store(
        host,
        port,
        share_port=share_port,
        allowed_hosts=allowed_hosts,
        scheduler=scheduler,
        courier=courier,
        ready=report,
        store=current_store(ctx, create=True),
    )
