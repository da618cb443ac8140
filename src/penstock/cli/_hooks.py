"""``penstock hooks``: webhooks and OpenLineage for the start and end of runs and steps."""

import sys

import click

from penstock.cli._output import ago, current_store, emit, json_option, plain, say, show_table
from penstock.core import (
    HookRecord,
    to_json,
)
from penstock.hooks import KINDS, Hooks


@click.group()
def hooks() -> None:
    """Say who is told when runs and steps begin and end: webhooks and OpenLineage."""


@hooks.command(epilog=f"Events: {', '.join(KINDS)}.")
@click.argument("url")
@click.option("--name", help="A unique name; by default the form.")
@click.option("--form", default="webhook", show_default=True, help="webhook or openlineage.")
@click.option("--event", "events", multiple=True, metavar="PATTERN", help="e.g. run.failed, step.*")
@click.option("--secret", help="Signs webhooks (made by default), or OpenLineage's API key.")
@json_option
@click.pass_context
def add(
    ctx: click.Context,
    url: str,
    name: str | None,
    form: str,
    events: tuple[str, ...],
    secret: str | None,
    as_json: bool,
) -> None:
    """Post what happens from now on to URL.

    A webhook is told of runs, OpenLineage also of steps, unless --event says otherwise.
    """
    hook = Hooks(store=current_store(ctx, create=True)).add(
        url, name=name, form=form, events=events, secret=secret
    )
    if as_json:
        emit({**to_json(hook), "secret": hook.secret})
        return
    say(f"[green]✓[/] {plain(hook.name)}: {plain(' '.join(hook.events))} to {plain(hook.url)}")
    # Only a generated secret is shown: the user knows a chosen one.
    if hook.form == "webhook" and secret is None:
        say(f"  Its secret, shown only now: {plain(hook.secret)}")
        say("  The receiver checks signatures with it, with any library of Standard Webhooks.")
    say(f"  Try it:  penstock hooks try {plain(hook.name)}")


@hooks.command(name="list")
@json_option
@click.pass_context
def list_hooks(ctx: click.Context, as_json: bool) -> None:
    """List hooks: what was delivered, what waits, what was given up."""
    store = current_store(ctx)
    found, counts = Hooks(store=store).all(), store.metadata.hooks.count_events()
    if as_json:
        emit([{**to_json(hook), **_counts(counts, hook)} for hook in found])
        return
    if not found:
        say("There is no hook. Add one: penstock hooks add https://…")
        return
    show_table(
        ["hook", "form", "events", "to", "delivered", "last", "waiting", "given up"],
        [
            (
                hook.name + (" (paused)" if hook.paused_at else ""),
                hook.form,
                " ".join(hook.events),
                hook.url,
                hook.delivered,
                ago(hook.delivered_at),
                *_counts(counts, hook).values(),
            )
            for hook in found
        ],
    )
    for hook in found:
        if hook.error:
            say(f"[red]✗[/] {plain(hook.name)}: {plain(hook.error)}")


@hooks.command(name="try")
@click.argument("name")
@json_option
@click.pass_context
def try_out(ctx: click.Context, name: str, as_json: bool) -> None:
    """Post an event about the newest run, and say what came of it."""
    attempt = Hooks(store=current_store(ctx)).try_out(name)
    if as_json:
        emit({"ok": attempt.ok, "error": attempt.error})
    elif attempt.ok:
        say(f"[green]✓[/] {plain(name)} took it.")
    else:
        say(f"[red]✗[/] {plain(attempt.error)}")
    sys.exit(0 if attempt.ok else 1)


@hooks.command()
@json_option
@click.pass_context
def deliver(ctx: click.Context, as_json: bool) -> None:
    """Post what is waiting now: for who runs neither a scheduler nor pipelines here."""
    number = Hooks(store=current_store(ctx)).deliver()
    if as_json:
        emit({"delivered": number})
        return
    say(f"{number} event{'' if number == 1 else 's'} delivered.")


@hooks.command()
@click.argument("name")
@json_option
@click.pass_context
def retry(ctx: click.Context, name: str, as_json: bool) -> None:
    """Try again what was given up, and what waits, at once."""
    found = Hooks(store=current_store(ctx))
    number, delivered = found.retry(name), found.deliver()
    if as_json:
        emit({"tried": number, "delivered": delivered})
        return
    say(f"{number} event{'' if number == 1 else 's'} tried again, {delivered} delivered.")


@hooks.command()
@click.argument("name")
@json_option
@click.pass_context
def pause(ctx: click.Context, name: str, as_json: bool) -> None:
    """Post nothing to a hook for now; what happens waits."""
    _told(
        Hooks(store=current_store(ctx)).pause(name), "rests; what happens waits.", as_json=as_json
    )


@hooks.command()
@click.argument("name")
@json_option
@click.pass_context
def resume(ctx: click.Context, name: str, as_json: bool) -> None:
    """Post to a hook again, what waits first."""
    _told(Hooks(store=current_store(ctx)).resume(name), "is awake.", as_json=as_json)


@hooks.command()
@click.argument("name")
@json_option
@click.pass_context
def remove(ctx: click.Context, name: str, as_json: bool) -> None:
    """Remove a hook, with what it has not been told."""
    Hooks(store=current_store(ctx)).remove(name)
    if as_json:
        emit({"removed": name})
        return
    say(f"[green]✓[/] {plain(name)} is gone.")


def _told(hook: HookRecord, text: str, *, as_json: bool) -> None:
    if as_json:
        emit(hook)
    else:
        say(f"[green]✓[/] {plain(hook.name)} {text}")


def _counts(counts: dict[str, dict[str, int]], hook: HookRecord) -> dict[str, int]:
    own = counts.get(hook.name, {})
    return {"pending": own.get("pending", 0), "dead": own.get("dead", 0)}
