"""The registry's commands: models, promote, approve, reject, archive, rollback."""

from typing import TYPE_CHECKING, Any

import click

from penstock.cli._help import actor_option, examples
from penstock.cli._output import ago, current_store, emit, json_option, plain, say, show_table
from penstock.core import (
    GateState,
    ModelVersionRecord,
    ParameterError,
    Stage,
    short,
    to_json,
)
from penstock.models import describe_form, read_onnx_form
from penstock.registry import CHOSEN_TAG, Registry, parse_ref
from penstock.release import promote as promote_version

if TYPE_CHECKING:
    from penstock.stores import Store

_MARKS = {
    GateState.PASSED: "[green]✓[/]",
    GateState.FAILED: "[red]✗[/]",
    GateState.PENDING: "[yellow]…[/]",
}
_STAGES = click.Choice([Stage.STAGING.value, Stage.PRODUCTION.value])


@click.command(
    epilog=examples(
        "penstock models",
        "penstock models churn@3 --card",
        "penstock models churn@3 --hub-card > README.md",
        "penstock models --search \"stage = 'production'\"",
    )
)
@click.argument("model", required=False)
@click.option("--search", metavar="FILTER", help="Only versions that match.")
@click.option("--card", is_flag=True, help="Print the model card of MODEL@VERSION as Markdown.")
@click.option("--hub-card", is_flag=True, help="Print it as a README for Hugging Face's Hub.")
@json_option
@click.pass_context
def models(
    ctx: click.Context,
    model: str | None,
    search: str | None,
    card: bool,
    hub_card: bool,
    as_json: bool,
) -> None:
    """List models; with MODEL or MODEL@VERSION, versions and gate results."""
    store = current_store(ctx)
    registry = Registry(store=store)
    if search is not None:
        also = f" and model = '{model}'" if model else ""
        versions = store.metadata.models.search_versions(f"({search}){also}", limit=1000)
    else:
        versions = _chosen(registry, model)
    if (card or hub_card) and versions:
        newest = max(versions, key=lambda version: version.version)
        write = registry.hub_card if hub_card else registry.card
        text = write(newest.model, newest.version)
        if as_json:
            emit({"model": newest.model, "version": newest.version, "card": text})
        else:
            click.echo(text, nl=False)
        return
    if as_json:
        emit([_document(store, version) for version in versions])
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
                version.stage.value + (", unsafe" if version.unsafe else ""),
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
        if "@" in model:
            for version in versions:
                say(f"{version.ref} {plain(describe_form(version, store=store))}")


@click.command(
    epilog=examples(
        "penstock promote churn",
        'penstock promote churn@3 --to staging --reason "for the load test"',
    )
)
@click.argument("model")
@click.argument("version", required=False)
@click.option(
    "--to", type=_STAGES, default="production", show_default=True, help="Stage to promote to."
)
@click.option("--reason", default="", help="Reason; recorded in the history.")
@click.option(
    "--accept-changes", metavar="REASON", help="Promote in spite of breaking signature changes."
)
@actor_option("promotes")
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
    """Promote a version of MODEL if all gates pass; pending proofs are executed first.

    Default VERSION: the newest that is not rejected. MODEL@VERSION is accepted too.
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
        progress=None if as_json else lambda text: click.echo(text, err=True),
    )
    for note in changes.notes if changes and record.stage is Stage.PRODUCTION else ():
        say(f"  [yellow]![/] {plain(note)}")
    _report(record, as_json, f"{record.ref} is in {record.stage.value}.")
    if not as_json and record.stage is Stage.PRODUCTION:
        say(f"Next:  penstock serve {plain(record.model)}")


@click.command(epilog=examples('penstock approve churn@3 --reason "slices checked" --actor ana'))
@click.argument("model")
@click.argument("version", required=False)
@click.option("--reason", required=True, help="Reason; recorded with the approval.")
@actor_option("approves")
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
    """Approve a version of MODEL; in a team's store, not the version's own trainer."""
    registry = Registry(store=current_store(ctx))
    name, number = _ref(model, version)
    record = registry.get(name, number)
    approval = registry.approve(name, record.version, actor=actor, reason=reason)
    if as_json:
        emit(approval)
    else:
        say(f"[green]✓[/] {plain(f'{approval.actor} approved {record.ref}: {reason}')}")


@click.command(epilog=examples('penstock reject churn@3 --reason "the target leaks"'))
@click.argument("model")
@click.argument("version", required=False)
@click.option("--reason", required=True, help="Reason; recorded in the history.")
@actor_option("rejects")
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
    """Reject a version of MODEL permanently.

    A running rollout of the version ends at once, and no rollback returns to a rejected version.
    """
    registry = Registry(store=current_store(ctx))
    name, number = _ref(model, version)
    record = registry.get(name, number)
    rejected = registry.reject(name, record.version, actor=actor, reason=reason)
    _report(rejected, as_json, f"{rejected.ref} is rejected.")


@click.command(epilog=examples("penstock archive churn@1"))
@click.argument("model")
@click.argument("version", required=False)
@click.option("--reason", default="", help="Reason; recorded in the history.")
@actor_option("archives")
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
    """Archive a version of MODEL; the version must be named.

    The production version can be archived only while no deployment serves that version.
    """
    registry = Registry(store=current_store(ctx))
    name, number = _ref(model, version)
    if number is None:
        raise ParameterError(
            what=f"No version of {name!r} is named.",
            why="penstock does not guess which version to archive.",
            fix=f"Write: penstock archive {name}@VERSION",
        )
    record = registry.get(name, number)
    archived = registry.archive(name, record.version, actor=actor, reason=reason)
    _report(archived, as_json, f"{archived.ref} is archived.")


@click.command(
    epilog=examples("penstock rollback churn", "penstock rollback churn --to 2 --expected 4")
)
@click.argument("model")
@click.option("--to", type=int, help="Target version; default: the previous production version.")
@click.option(
    "--expected",
    type=int,
    help="Version to replace; refused if a different version is in production by now.",
)
@click.option("--reason", default="", help="Reason; recorded in the history.")
@actor_option("rolls back")
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
    """Roll MODEL back to the previous production version; running servers follow at once.

    Automation and on-call teams pass --expected, so that two rollbacks at the same time do not go
    back two versions; without it, a second rollback within a minute is refused. Rejected versions
    are skipped.
    """
    registry = Registry(store=current_store(ctx))
    name, number = _ref(model, str(to) if to else None)
    target = None if number is None else registry.get(name, number).version
    record = registry.rollback(name, to=target, actor=actor, reason=reason, expected=expected)
    _report(record, as_json, f"{record.ref} is in production again.")


def _document(store: "Store", version: ModelVersionRecord) -> dict[str, Any]:
    form = read_onnx_form(version, store=store)
    return {
        **to_json(version),
        "unsafe": version.unsafe or None,
        "form": form.form if form else "native",
        "onnx_form": form.to_json() if form else None,
    }


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


def _report(record: ModelVersionRecord, as_json: bool, sentence: str) -> None:
    if as_json:
        emit(record)
        return
    _show_gates(record)
    say(f"[green]✓[/] {sentence}")


def _show_gates(version: ModelVersionRecord) -> None:
    if version.unsafe:
        say(
            f"[yellow]![/] [bold]{version.ref}[/] is an UnsafeModel: a pickle, loaded in an isolated"
            f" process only. {plain(version.unsafe)}"
        )
    if CHOSEN_TAG in version.tags:
        say(
            f"[yellow]![/] [bold]{version.ref}[/] was chosen as {plain(version.tags[CHOSEN_TAG])}: its"
            " figures are too good."
        )
    if not version.gates:
        return
    say(f"[bold]{version.ref}[/] {short(version.content_digest)}")
    for gate in version.gates:
        say(f"  {_MARKS[gate.state]} {plain(gate.gate)}  [dim]{plain(gate.reason)}[/]")
