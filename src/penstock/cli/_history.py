"""``penstock history``: the audit trail of a model, or of the whole store."""

import sys
from typing import TYPE_CHECKING, Any

import click

from penstock.cli._help import examples
from penstock.cli._output import current_store, emit, json_option, plain, say, show_table
from penstock.core import ParameterError, StageEvent
from penstock.registry import Registry, parse_ref, verify_events
from penstock.stores import STORE_HISTORY

if TYPE_CHECKING:
    from penstock.stores import Store


@click.command(
    epilog=examples(
        "penstock history churn",
        "penstock history churn --at 2026-01-31",
        "penstock history --actor ada",
    )
)
@click.argument("model", required=False)
@click.option("--at", metavar="TIME", help="Show the version in production at this ISO time.")
@click.option("--actor", metavar="NAME", help="Only what NAME did in the store; without MODEL.")
@click.option("--about", metavar="NAME", help="Only changes of this user, token, …; without MODEL.")
@click.option("--limit", default=100, show_default=True, help="Most rows; without MODEL.")
@json_option
@click.pass_context
def history(
    ctx: click.Context,
    model: str | None,
    at: str | None,
    actor: str | None,
    about: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Show the audit trail of MODEL, or of MODEL@VERSION: stage changes, gates, approvals.

    Without MODEL: that of the store, of users, roles, tokens and of changes through a server.
    Exits with 1 if the history was tampered with.
    """
    store = current_store(ctx)
    if model is None:
        if at is not None:
            raise ParameterError(what="--at is about a model.", fix="Name the model.")
        _show_trail(store, actor, about, limit, as_json=as_json)
    elif at is not None:
        _show_moment(store, model, at, as_json=as_json)
    else:
        _show_model(store, model, as_json=as_json)


def _show_trail(
    store: "Store", actor: str | None, about: str | None, limit: int, *, as_json: bool
) -> None:
    trail = store.metadata.audit
    records = list(trail.list(actor=actor, subject=about, limit=limit))[::-1]
    if as_json:
        emit(records)
    else:
        show_table(
            ["at", "actor", "known by", "action", "about", "facts"],
            [[r.at, r.actor, r.attested, r.action, r.subject, _facts(r.facts)] for r in records],
        )
    _exit_if_damaged(trail.verify())


def _show_moment(store: "Store", model: str, at: str, *, as_json: bool) -> None:
    answer = Registry(store=store).production_at(model, at)
    if as_json:
        emit(answer.to_json())
    else:
        say(plain(answer.sentence))


def _show_model(store: "Store", ref: str, *, as_json: bool) -> None:
    registry = Registry(store=store)
    model, version = parse_ref(ref)
    settings = registry.store_history()
    events = sorted([*registry.history(model), *settings], key=lambda event: event.at)
    if version is not None:
        number = registry.get(model, version).version
        events = [event for event in events if event.version == number]
    if as_json:
        emit(events)
    else:
        show_table(
            ["at", "version", "from", "to", "actor", "reason"],
            [[e.at, *_event_cells(e), e.actor, e.reason] for e in events],
        )
    # Checked after printing: a damaged history is still worth reading.
    damaged = registry.verify_history(model)
    _exit_if_damaged(verify_events(settings) if damaged is None else damaged)


def _exit_if_damaged(position: int | None) -> None:
    if position is None:
        return
    sentence = (
        f"The history is damaged at event {position + 1}: it was changed after it was written."
    )
    say(f"[red]{sentence}[/]", stderr=True)
    sys.exit(1)


def _event_cells(event: StageEvent) -> list[Any]:
    """Format version, from and to; an event without a move has no "to"."""
    if event.model == STORE_HISTORY:
        return ["store", "", ""]
    moved = event.from_stage is not event.to_stage
    return [event.version, event.from_stage, event.to_stage if moved else ""]


def _facts(facts: Any) -> str:
    """Format facts; those without a value are left out."""
    shown = {
        name: " ".join(map(str, value)) if isinstance(value, list) else value
        for name, value in facts.items()
    }
    return ", ".join(f"{name}: {text}" for name, text in shown.items() if str(text or ""))
