"""``penstock export model``: a deployed model as a file for a serving platform."""

from pathlib import Path

import click

from penstock.cli._export import show_exported
from penstock.cli._help import examples
from penstock.cli._output import current_store, json_option
from penstock.exporters import SERVING_PLATFORMS, export_model


@click.command(
    "model",
    epilog=examples(
        "penstock export fraud --to kserve --image registry/fraud:1 -o fraud.kserve.yaml",
        "penstock export fraud --to ray-serve -o fraud_ray_serve.py",
        "penstock export model fraud --to bentoml --anonymous",
    ),
)
@click.argument("name")
@click.option("--to", required=True, type=click.Choice(SERVING_PLATFORMS), help="The platform.")
@click.option("-o", "--output", metavar="FILE", help="Write to FILE; default: standard output.")
@click.option("--image", metavar="IMAGE", help="Container image with the project, for KServe.")
@click.option(
    "--anonymous", is_flag=True, help="Ask nobody for a token: a gateway knows the callers."
)
@json_option
@click.pass_context
def export_served(
    ctx: click.Context,
    name: str,
    to: str,
    output: str | None,
    image: str | None,
    anonymous: bool,
    as_json: bool,
) -> None:
    """Write deployment or model NAME as a file for a serving platform.

    Versions and traffic policy are in the store, where each server reads them. What the file does
    not have is listed in its head and on standard error.
    """
    exported = export_model(
        name,
        to=to,  # type: ignore[arg-type]  # click has checked the choice
        image=image,
        anonymous=anonymous,
        store=current_store(ctx),
    )
    show_exported(exported, Path(output) if output is not None else None, as_json=as_json)
