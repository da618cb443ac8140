"""``penstock edit``, ``fork``, ``delete``, ``restore``: descriptions of runs, and their removal."""

from pathlib import Path

import click

from penstock.cli._help import examples
from penstock.cli._output import current_store, emit, json_option, plain, say
from penstock.core import ParameterError
from penstock.tracking import get_run, start_run


@click.command(
    epilog=examples(
        "penstock edit last --tag team=risk --note @notes.md",
        "penstock edit 06h2cc --archive",
    )
)
@click.argument("run")
@click.option("--name", help="Name of the run.")
@click.option("--note", help="Note in Markdown; @FILE reads a file.")
@click.option("--group", help="Group of the run; '' for none.")
@click.option("--tag", "tags", multiple=True, metavar="NAME=VALUE", help="Set a tag; repeatable.")
@click.option(
    "--delete-tag", "old_tags", multiple=True, metavar="NAME", help="Delete a tag; repeatable."
)
@click.option("--archive/--unarchive", "archived", default=None, help="Archive or unarchive.")
@json_option
@click.pass_context
def edit(
    ctx: click.Context,
    run: str,
    name: str | None,
    note: str | None,
    group: str | None,
    tags: tuple[str, ...],
    old_tags: tuple[str, ...],
    archived: bool | None,
    as_json: bool,
) -> None:
    """Change the name, note, group or tags of RUN; archive or unarchive RUN."""
    if archived is None and not tags and not old_tags and {name, note, group} == {None}:
        raise click.UsageError("Name what to change, for example: --note TEXT or --tag NAME=VALUE")
    tracked = get_run(run, store=current_store(ctx))
    if note is not None and note.startswith("@"):
        note = _read(Path(note[1:]))
    pairs = dict(map(_pair, tags))
    tracked.edit(name=name, note=note, group=group, archived=archived)
    if pairs:
        tracked.set_tags(pairs)
    if old_tags:
        tracked.delete_tags(old_tags)
    record = tracked.store.metadata.runs.get(tracked.run_id)
    if as_json:
        emit(
            {
                "run_id": record.run_id,
                "name": record.name,
                "note": record.note,
                "group": record.group,
                "tags": dict(record.tags),
                "archived_at": record.archived_at,
            }
        )
        return
    say(f"[green]✓[/] {record.run_id} {plain(record.name)}: updated.")


@click.command(epilog=examples("penstock fork 06h2cc --at-step 1000 --name lower-lr"))
@click.argument("run")
@click.option("--at-step", type=float, metavar="STEP", help="Last step to copy; default: all.")
@click.option("--name", help="Name of the new run; default: that of RUN.")
@json_option
@click.pass_context
def fork(
    ctx: click.Context, run: str, at_step: float | None, name: str | None, as_json: bool
) -> None:
    """Create a run that starts from the state of RUN: parameters, tags and metrics."""
    store = current_store(ctx)
    source = get_run(run, store=store)
    with start_run(
        name or source.name,
        store=store,
        fork=source.run_id,
        at_step=at_step,
        console=False,
        system_metrics=False,
    ) as made:
        pass
    if as_json:
        emit({"run_id": made.run_id, "forked_from": source.run_id, "forked_at": at_step})
        return
    say(f"[green]✓[/] {made.run_id} is a fork of {source.run_id}. Continue it in a script:")
    say(f'  with ps.start_run(resume="{made.run_id}") as run: …')


@click.command(epilog=examples("penstock delete 06h2cc 06h2cd"))
@click.argument("runs", nargs=-1, required=True)
@json_option
@click.pass_context
def delete(ctx: click.Context, runs: tuple[str, ...], as_json: bool) -> None:
    """Delete RUNS and their child runs; `penstock restore` restores them until gc."""
    store = current_store(ctx)
    deleted = [run_id for run in runs for run_id in get_run(run, store=store).delete()]
    if as_json:
        emit({"deleted": deleted})
        return
    for run_id in deleted:
        say(f"[green]✓[/] {run_id} deleted; restore with: penstock restore {run_id}")
    if not deleted:
        say("All of them were deleted already.")


@click.command(epilog=examples("penstock restore 06h2cc"))
@click.argument("runs", nargs=-1, required=True)
@json_option
@click.pass_context
def restore(ctx: click.Context, runs: tuple[str, ...], as_json: bool) -> None:
    """Restore deleted RUNS."""
    store = current_store(ctx)
    restored = [run_id for run in runs for run_id in get_run(run, store=store).restore()]
    if as_json:
        emit({"restored": restored})
        return
    for run_id in restored:
        say(f"[green]✓[/] {run_id} restored.")
    if not restored:
        say("None of these runs is deleted.")


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise ParameterError(what=f"{text!r} is not a tag.", fix="Write --tag team=risk")
    return name, value


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(
            what=f"The note {path} cannot be read ({error}).", fix="Name a text file: --note @FILE"
        ) from error
