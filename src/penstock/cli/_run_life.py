"""``penstock edit``, ``fork``, ``delete``, ``restore``: descriptions of runs, and their removal."""

from pathlib import Path

import click

from penstock.cli._output import current_store, emit, json_option, plain, say
from penstock.core import ParameterError
from penstock.tracking import get_run, start_run


@click.command()
@click.argument("run")
@click.option("--name", help="What it is called.")
@click.option("--note", help="Markdown; @FILE reads it from a file.")
@click.option("--group", help="Runs with the same group belong together; '' for none.")
@click.option("--tag", "tags", multiple=True, metavar="NAME=VALUE", help="Set a tag.")
@click.option("--untag", "gone", multiple=True, metavar="NAME", help="Remove a tag.")
@click.option("--archived/--not-archived", default=None, help="Put it aside, or back.")
@json_option
@click.pass_context
def edit(
    ctx: click.Context,
    run: str,
    name: str | None,
    note: str | None,
    group: str | None,
    tags: tuple[str, ...],
    gone: tuple[str, ...],
    archived: bool | None,
    as_json: bool,
) -> None:
    """Change what is said of RUN: its name, note, group and tags; or put it aside."""
    found = get_run(run, store=current_store(ctx))
    if note is not None and note.startswith("@"):
        note = _read(Path(note[1:]))
    pairs = dict(map(_pair, tags))
    found.edit(name=name, note=note, group=group, archived=archived)
    if pairs:
        found.set_tags(pairs)
    if gone:
        found.delete_tags(gone)
    record = found.store.metadata.runs.get(found.run_id)
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
    say(f"[green]✓[/] {record.run_id} {plain(record.name)} is changed.")


@click.command()
@click.argument("run")
@click.option("--at", type=float, metavar="STEP", help="The last step to take over; else all.")
@click.option("--name", help="What it is called; by default as the other.")
@json_option
@click.pass_context
def fork(ctx: click.Context, run: str, at: float | None, name: str | None, as_json: bool) -> None:
    """Make a run that begins with what RUN had at a step: parameters, tags and points."""
    store = current_store(ctx)
    source = get_run(run, store=store)
    with start_run(
        name or source.name,
        store=store,
        fork=source.run_id,
        at_step=at,
        console=False,
        system_metrics=False,
    ) as made:
        pass
    if as_json:
        emit({"run_id": made.run_id, "forked_from": source.run_id, "forked_at": at})
        return
    say(f"[green]✓[/] {made.run_id} begins where {source.run_id} was; a script goes on with it:")
    say(f'  with ps.start_run(resume="{made.run_id}") as run: …')


@click.command()
@click.argument("runs", nargs=-1, required=True)
@json_option
@click.pass_context
def delete(ctx: click.Context, runs: tuple[str, ...], as_json: bool) -> None:
    """Delete RUNS and what is nested in them; `penstock restore` brings them back until gc."""
    store = current_store(ctx)
    gone = [run_id for run in runs for run_id in get_run(run, store=store).delete()]
    if as_json:
        emit({"deleted": gone})
        return
    for run_id in gone:
        say(f"[green]✓[/] {run_id} is deleted; back with: penstock restore {run_id}")
    if not gone:
        say("They were deleted already.")


@click.command()
@click.argument("runs", nargs=-1, required=True)
@json_option
@click.pass_context
def restore(ctx: click.Context, runs: tuple[str, ...], as_json: bool) -> None:
    """Bring back deleted RUNS."""
    store = current_store(ctx)
    back = [run_id for run in runs for run_id in get_run(run, store=store).restore()]
    if as_json:
        emit({"restored": back})
        return
    for run_id in back:
        say(f"[green]✓[/] {run_id} is back.")
    if not back:
        say("None of them was deleted.")


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise ParameterError(what=f"{text!r} is no tag.", fix="Write --tag team=risk")
    return name, value


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(
            what=f"The note {path} cannot be read ({error}).", fix="Name a text file: --note @FILE"
        ) from error
