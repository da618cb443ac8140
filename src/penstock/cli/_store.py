"""``penstock store``: what the store knows of itself."""

import click

from penstock.cli._output import current_store, emit, json_option, plain, say
from penstock.core import settings


@click.group()
def store() -> None:
    """Show and set what the store knows of itself."""


@store.command()
@json_option
@click.pass_context
def info(ctx: click.Context, as_json: bool) -> None:
    """Say where the store is, who chose that, and what is in it."""
    opened = current_store(ctx)
    chosen = settings(ctx.find_root().obj)
    document = {
        "store": opened.url,
        "origin": chosen.store.origin,
        "artifacts": opened.artifacts.url,
        "single_user": opened.single_user,
        "runs": opened.metadata.count_runs(),
        "models": len(opened.metadata.list_models()),
        "deployments": len(opened.metadata.list_deployments()),
    }
    if as_json:
        emit(document)
        return
    for name, value in document.items():
        say(f"{name:<12} {plain(value)}")


@store.command()
@click.argument("kind", type=click.Choice(["single", "team"]))
@json_option
@click.pass_context
def users(ctx: click.Context, kind: str, as_json: bool) -> None:
    """Say whether the store is used by a `single` person or a `team`.

    In a team's store the trainer of a version may not be its only approver.
    """
    current_store(ctx).metadata.set_setting("single_user", "true" if kind == "single" else "false")
    if as_json:
        emit({"single_user": kind == "single"})
        return
    say(f"[green]✓[/] The store belongs to a {kind if kind == 'team' else 'single person'}.")
