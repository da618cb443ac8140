"""``penstock server``: the store over HTTP, for machines and programs."""

import json

import click

from penstock.cli._help import address_options, allowed_host_option, examples, url_option
from penstock.cli._openid_options import openid_options
from penstock.cli._output import current_store, emit
from penstock.core import parse_bytes
from penstock.http import LOCAL_HOSTS, RATE, is_loopback, known_hosts
from penstock.server import OpenIdSettings, describe_api, serve_store


@click.command(
    epilog=examples(
        "penstock server",
        "penstock --store postgresql://ml@db/penstock server --scheduler --courier",
        "PENSTOCK_STORE=http://127.0.0.1:4270 penstock run churn.py",
        "penstock server --oidc-issuer https://sso.example.org --oidc-client-id penstock",
    )
)
@address_options(4270)
@allowed_host_option("clients reach the server")
@url_option("browsers reach the server")
@click.option(
    "--rate",
    default=RATE,
    show_default=True,
    type=click.FloatRange(min=0),
    help="Requests per second of an address or token; 0 for any number.",
)
@click.option(
    "--max-artifact-size",
    default="0",
    metavar="SIZE",
    help="Largest artifact to take, such as 20GB; 0 for any that the disk has room for.",
)
@click.option("--share-port", is_flag=True, help="Let several server processes use the port.")
@click.option("--scheduler", is_flag=True, help="Run the project's schedules as well.")
@click.option("--courier", is_flag=True, help="Deliver notifications to webhooks as well.")
@openid_options
@click.option("--openapi", is_flag=True, help="Print the API's description (OpenAPI 3.1) and exit.")
@click.option("--json", "as_json", is_flag=True, help="Print the URL as JSON once it answers.")
@click.pass_context
def server(
    ctx: click.Context,
    host: str,
    port: int,
    allowed_hosts: tuple[str, ...],
    url: str,
    rate: float,
    max_artifact_size: str,
    share_port: bool,
    scheduler: bool,
    courier: bool,
    openapi: bool,
    as_json: bool,
    openid: OpenIdSettings | None,
) -> None:
    """Serve the store over HTTP: the API at /api/v1, the web UI at /.

    Programs use the server as a store: PENSTOCK_STORE=http://HOST:PORT, with PENSTOCK_TOKEN where
    the store has users; only such a store may be served on an address beyond this machine.

    With --oidc-issuer people sign in to the web UI with an OpenID provider such as Keycloak, Entra
    or Okta: those whom an admin has linked (penstock users link), and those in a group with a role.
    """
    if openapi:
        emit(describe_api())
        return

    def report(at: str) -> None:
        if as_json:
            click.echo(json.dumps({"url": at}))
        else:
            click.echo(f"Server at {at}  (stop with Ctrl-C)", err=True)
            for line in _others(host, at, allowed_hosts):
                click.echo(line, err=True)

    serve_store(
        host,
        port,
        share_port=share_port,
        allowed_hosts=allowed_hosts,
        rate=rate,
        openid=openid,
        url=url,
        max_artifact_size=parse_bytes(max_artifact_size),
        scheduler=scheduler,
        courier=courier,
        ready=report,
        store=current_store(ctx, create=True),
    )


def _others(host: str, url: str, allowed: tuple[str, ...]) -> list[str]:
    """Return the lines that tell how other machines reach the server."""
    if is_loopback(host):
        return []
    port = url.rpartition(":")[2]
    names = [name for name in known_hosts(host, allowed) if name not in {*LOCAL_HOSTS, host}]
    if not names:
        return []
    shown = "  ".join(f"http://{name}:{port}" for name in names)
    return [f"Other machines reach it at {shown}", "  Another name: --allowed-host NAME"]
