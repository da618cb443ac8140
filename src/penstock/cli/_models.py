"""The registry's commands: models, promote, approve, reject, archive, rollback, history."""

import sys
from typing import Any

import click

from penstock.cli._output import ago, current_store, emit, json_option, plain, say, show_table
from penstock.core import (
    GateState,
    ModelVersionRecord,
    ParameterError,
    Stage,
    StageEvent,
    short,
)
from penstock.registry import Registry, parse_ref, verify_events
from penstock.release import promote as promote_version
from penstock.stores import STORE_HISTORY

_MARKS = {
    GateState.PASSED: "[green]✓[/]",
    GateState.FAILED: "[red]✗[/]",
    GateState.PENDING: "[yellow]…[/]",
}
_STAGES = click.Choice([Stage.STAGING.value, Stage.PRODUCTION.value])


@click.command()
@click.argument("model", required=False)
@click.option("--search", metavar="FILTER", help="Versions such as: stage = 'production'.")
@click.option("--card", is_flag=True, help="Print the model card (Markdown) of MODEL@VERSION.")
@json_option
@click.pass_context
def models(
    ctx: click.Context, model: str | None, search: str | None, card: bool, as_json: bool
) -> None:
    """List models; with MODEL (or MODEL@VERSION) its versions, gates and reasons."""
    store = current_store(ctx)
    registry = Registry(store=store)
    if search is not None:
        also = f" and model = '{model}'" if model else ""
        versions = store.metadata.models.search_versions(f"({search}){also}", limit=1000)
    else:
        versions = _chosen(registry, model)
    if card and versions:
        newest = max(versions, key=lambda version: version.version)
        text = registry.card(newest.model, newest.version)
        if as_json:
            emit({"model": newest.model, "version": newest.version, "card": text})
        else:
            click.echo(text, nl=False)
        return
    if as_json:
        emit(versions)
        return
    if not versions:
        say(
            f"No version matches {plain(repr(search))}."
            if search
            else "No models are registered. A pipeline registers one with ps.steps.register."
        )
        return
    show_table(
        ["model", "version", "stage", "metrics", "run", "trained by", "registered"],
        [
            [
                version.model,
                version.version,
                version.stage.value,
                "  ".join(
                    f"{name} {value:.4g}" for name, value in list(version.metrics.items())[:3]
                ),
                version.run_id,
                version.trained_by,
                ago(version.created_at),
            ]
            for version in versions
        ],
    )
    if model:
        for version in versions:
            _show_gates(version)


@click.command()
@click.argument("model")
@click.argument("version", required=False)
@click.option("--to", type=_STAGES, default="production", show_default=True)
@click.option("--reason", default="", help="Why; kept in the history.")
@click.option("--accept-changes", metavar="WHY", help="Promote although callers would break.")
@click.option("--actor", metavar="NAME", help="Who promotes; default: you.")
@json_option
@click.pass_context
def promote(
    ctx: click.Context,
    model: str,
    version: str | None,
    to: str,
    reason: str,
    accept_changes: str | None,
    actor: str | None,
    as_json: bool,
) -> None:
    """Move a version of MODEL to production if its gates pass; proofs that are pending are run.

    Without VERSION the newest one that is not rejected. MODEL@VERSION works too.
    """
    name, number = _ref(model, version)
    store = current_store(ctx)
    changes = Registry(store=store).compare_signatures(name, number) if not as_json else None
    record = promote_version(
        name,
        number,
        to=Stage(to),
        actor=actor,
        reason=reason,
        accept_changes=accept_changes,
        store=store,
        tell=None if as_json else lambda text: click.echo(text, err=True),
    )
    for note in changes.notes if changes and record.stage is Stage.PRODUCTION else ():
        say(f"  [yellow]![/] {plain(note)}")
    _tell(record, as_json, f"{record.ref} is in {record.stage.value}.")
    if not as_json and record.stage is Stage.PRODUCTION:
        say(f"Next:  penstock serve {plain(record.model)}")


@click.command()
@click.argument("model")
@click.argument("version", required=False)
@click.option("--reason", required=True, help="Why; kept with the approval.")
@click.option("--actor", metavar="NAME", help="Who approves; default: you.")
@json_option
@click.pass_context
def approve(
    ctx: click.Context,
    model: str,
    version: str | None,
    reason: str,
    actor: str | None,
    as_json: bool,
) -> None:
    """Say yes to a version of MODEL."""
    registry = Registry(store=current_store(ctx))
    name, number = _ref(model, version)
    record = registry.get(name, number)
    approval = registry.approve(name, record.version, actor=actor, reason=reason)
    if as_json:
        emit(approval)
    else:
        say(f"[green]✓[/] {plain(f'{approval.approver} approved {record.ref}: {reason}')}")


@click.command()
@click.argument("model")
@click.argument("version", required=False)
@click.option("--reason", required=True, help="Why; kept in the history.")
@click.option("--actor", metavar="NAME", help="Who rejects; default: you.")
@json_option
@click.pass_context
def reject(
    ctx: click.Context,
    model: str,
    version: str | None,
    reason: str,
    actor: str | None,
    as_json: bool,
) -> None:
    """Say no to a version of MODEL, for good.

    A rollout of it ends at once. A version that was in production is in quarantine then: no
    rollback brings it back.
    """
    registry = Registry(store=current_store(ctx))
    name, number = _ref(model, version)
    record = registry.get(name, number)
    rejected = registry.reject(name, record.version, actor=actor, reason=reason)
    _tell(rejected, as_json, f"{rejected.ref} is rejected.")


@click.command()
@click.argument("model")
@click.argument("version", required=False)
@click.option("--reason", default="", help="Why; kept in the history.")
@click.option("--actor", metavar="NAME", help="Who archives; default: you.")
@json_option
@click.pass_context
def archive(
    ctx: click.Context,
    model: str,
    version: str | None,
    reason: str,
    actor: str | None,
    as_json: bool,
) -> None:
    """Take a version of MODEL out of use. It must be named: VERSION, or MODEL@VERSION.

    The production version can only be archived while no deployment answers with it.
    """
    registry = Registry(store=current_store(ctx))
    name, number = _ref(model, version)
    if number is None:
        raise ParameterError(
            what=f"Which version of {name!r} is to be archived?",
            why="What is taken out of use is named, never guessed.",
            fix=f"Write: penstock archive {name}@VERSION",
        )
    record = registry.get(name, number)
    archived = registry.archive(name, record.version, actor=actor, reason=reason)
    _tell(archived, as_json, f"{archived.ref} is archived.")


@click.command()
@click.argument("model")
@click.option("--to", type=int, help="Version to go back to; default: the previous production.")
@click.option(
    "--expected",
    type=int,
    help="The version that is to go: nothing happens if another one is in production by now.",
)
@click.option("--reason", default="", help="Why; kept in the history.")
@click.option("--actor", metavar="NAME", help="Who rolls back; default: you.")
@json_option
@click.pass_context
def rollback(
    ctx: click.Context,
    model: str,
    to: int | None,
    expected: int | None,
    reason: str,
    actor: str | None,
    as_json: bool,
) -> None:
    """Put the previous production version of MODEL back; running servers follow at once.

    Whoever may not be alone (a monitor, a second on-call person) names with --expected the version
    that is to go, so that two do not roll back twice; without it a rollback within a minute of
    another is refused. Rejected versions are passed over.
    """
    registry = Registry(store=current_store(ctx))
    name, number = _ref(model, str(to) if to else None)
    target = None if number is None else registry.get(name, number).version
    record = registry.rollback(name, to=target, actor=actor, reason=reason, expected=expected)
    _tell(record, as_json, f"{record.ref} is in production again.")


@click.command()
@click.argument("model")
@click.option("--at", metavar="TIME", help="Which version was in production then (ISO time)?")
@json_option
@click.pass_context
def history(ctx: click.Context, model: str, at: str | None, as_json: bool) -> None:
    """Show who moved, judged or approved which version of MODEL; with --at what was live then.

    Changes of the store's users stand between them. MODEL@VERSION tells of that version only.
    Leaves with 1 if the history was tampered with.
    """
    registry = Registry(store=current_store(ctx))
    model, version = parse_ref(model)
    if at is not None:
        answer = registry.production_at(model, at)
        document = answer.to_json()
        if as_json:
            emit(document)
        else:
            say(plain(answer.sentence))
        return
    settings = registry.store_history()
    events = sorted([*registry.history(model), *settings], key=lambda event: event.at)
    if version is not None:
        number = registry.get(model, version).version
        events = [event for event in events if event.version == number]
    if as_json:
        emit(events)
    else:
        show_table(
            ["when", "version", "from", "to", "who", "why"],
            [[e.at, *_event_cells(e), e.actor, e.reason] for e in events],
        )
    # Checked after printing: a damaged history is still worth reading.
    damaged = registry.verify_history(model)
    if damaged is None:
        damaged = verify_events(settings)
    if damaged is not None:
        sentence = (
            f"The history is damaged at event {damaged + 1}: it was changed after it was written."
        )
        say(f"[red]{sentence}[/]", stderr=True)
        sys.exit(1)


def _chosen(registry: Registry, model: str | None) -> list[ModelVersionRecord]:
    """List all versions, those of MODEL, or MODEL@VERSION alone."""
    if model is None:
        return registry.list()
    name, number = parse_ref(model)
    return registry.list(name) if number is None else [registry.get(name, number)]


def _ref(model: str, version: str | None) -> tuple[str, int | str | None]:
    """Parse MODEL and VERSION, or MODEL@VERSION."""
    name, number = parse_ref(model)
    if version is None:
        return name, number
    if number is not None:
        raise ParameterError(
            what=f"Two versions are named: {model} and {version}.",
            fix=f"Write {name}@VERSION or {name} VERSION.",
        )
    return parse_ref(f"{name}@{version}")


def _tell(record: ModelVersionRecord, as_json: bool, sentence: str) -> None:
    if as_json:
        emit(record)
        return
    _show_gates(record)
    say(f"[green]✓[/] {sentence}")


def _show_gates(version: ModelVersionRecord) -> None:
    if not version.gates:
        return
    say(f"[bold]{version.ref}[/] {short(version.content_digest)}")
    for gate in version.gates:
        say(f"  {_MARKS[gate.state]} {plain(gate.gate)}  [dim]{plain(gate.reason)}[/]")


def _event_cells(event: StageEvent) -> list[Any]:
    """Format version, from and to; an event without a move has no "to"."""
    if event.model == STORE_HISTORY:
        return ["store", "", ""]
    moved = event.from_stage is not event.to_stage
    return [event.version, event.from_stage, event.to_stage if moved else ""]
