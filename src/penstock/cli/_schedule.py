"""``penstock schedule`` and ``scheduler``: create, manage and run schedules."""

import signal
import sys
from collections.abc import Callable
from typing import Any

import click

from penstock.cli._output import (
    ago,
    current_store,
    emit,
    json_option,
    plain,
    say,
    show_table,
)
from penstock.cli._run import pairs
from penstock.core import (
    ScheduleRecord,
    TickRecord,
    TickState,
    find_project,
    now,
    to_json,
)
from penstock.scheduling import (
    Schedule,
    Scheduler,
    Schedules,
    check_watched,
    next_due_of,
    tell,
)

_WHEN = (
    click.option("--cron", metavar="FIELDS", help="Minute, hour, day of month, month, weekday."),
    click.option("--every", metavar="DURATION", help="For example 6h."),
    click.option("--new-data", metavar="PATH", help="A file, folder or glob whose data changes."),
    click.option("--new-version", metavar="MODEL", help="A model, or MODEL@STAGE."),
    click.option("--alert", metavar="DEPLOYMENT", help="An alert of it, or DEPLOYMENT/KIND."),
)
_HOW = (
    click.option("--name", help="A unique name; by default the pipeline's."),
    click.option("--timezone", default="UTC", show_default=True, help="Where --cron is meant."),
    click.option("--window", metavar="DURATION", help="How far since lies before cutoff."),
    click.option("--delay", default="0s", help="How long after a partition's end."),
    click.option(
        "--missed",
        metavar="last|all|skip",
        help="What to make up for; by default the last, of partitions all.",
    ),
    click.option("--at-most", type=int, default=1, show_default=True, help="Runs at once."),
    click.option("--cool-down", metavar="DURATION", help="Least time between two runs."),
    click.option("--look-every", default="30s", show_default=True, help="How often to look."),
    click.option("--on", "runner", default="local", show_default=True, help="Where steps run."),
    click.option("--workers", type=int, metavar="N", help="How many steps at once."),
    click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A parameter."),
)


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_WHEN + _HOW):
        command = option(command)
    return command


@click.group()
def schedule() -> None:
    """Say when pipelines run without being asked; `penstock scheduler` runs them."""


@schedule.command()
@click.argument("target")
@_options
@json_option
@click.pass_context
def add(
    ctx: click.Context,
    /,
    target: str,
    settings: tuple[str, ...],
    as_json: bool,
    **options: Any,
) -> None:
    """Add a schedule for the pipeline in TARGET, or those that stand in the file.

    Without --cron, --every, --new-data, --new-version or --alert every Schedule that FILE.py
    defines is added; if it defines none, the pipeline's partitions are what it is due for.
    """
    schedules = Schedules(store=current_store(ctx, create=True))
    asked = any(
        ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE for name in options
    )
    if asked or settings or ":" in target.rsplit("/", 1)[-1]:
        given = {**options, "params": pairs(settings, "--set")}
        added = [schedules.add(Schedule(pipeline=target, **given))]
    else:
        added = schedules.add_all(target)
    if as_json:
        emit([_json(record) for record in added])
        return
    for record in added:
        due = next_due_of(record)
        when = f"; next at {due:%Y-%m-%d %H:%M} UTC" if due else ""
        say(f"[green]✓[/] {plain(record.name)}: {plain(tell(record.trigger))}{when}.")
        for finding in check_watched(record, find_project(), store=schedules.store):
            say(f"  [yellow]![/] {plain(finding)}", stderr=True)
    _warn_if_nobody_is_up(schedules)


@schedule.command(name="list")
@json_option
@click.pass_context
def list_schedules(ctx: click.Context, as_json: bool) -> None:
    """List schedules: when each is due next, and what came of the last time."""
    schedules = Schedules(store=current_store(ctx))
    records = schedules.all()
    last = {
        record.name: next(iter(schedules.ticks(record.name, limit=1)), None) for record in records
    }
    if as_json:
        emit([{**_json(record), "last": last[record.name]} for record in records])
        return
    if not records:
        say('There is no schedule. Add one: penstock schedule add FILE.py --cron "0 3 * * *"')
        return
    show_table(
        ["schedule", "pipeline", "due", "next", "last", "run"],
        [
            (
                record.name,
                record.pipeline,
                tell(record.trigger),
                _next(record),
                _last(last[record.name]),
                (tick := last[record.name]) and tick.run_id,
            )
            for record in records
        ],
    )
    for record in records:
        if record.error:
            say(f"[red]✗[/] {plain(record.name)} cannot look: {plain(record.error)}")
    _warn_if_nobody_is_up(schedules)


@schedule.command()
@click.argument("name")
@click.option("--limit", default=20, show_default=True, help="How many times it was due.")
@json_option
@click.pass_context
def show(ctx: click.Context, name: str, limit: int, as_json: bool) -> None:
    """Show what a schedule was due for, and what came of it."""
    schedules = Schedules(store=current_store(ctx))
    record, ticks = schedules.get(name), schedules.ticks(name, limit=limit)
    if as_json:
        emit({**_json(record), "ticks": ticks})
        return
    say(f"[bold]{plain(name)}[/]  {plain(record.entry)}  {plain(tell(record.trigger))}")
    say(f"  next: {_next(record)}   missed: {record.options['missed']}")
    if record.error:
        say(f"  [red]cannot look:[/] {plain(record.error)}")
    show_table(
        ["due", "state", "run", "why"],
        [
            (f"{tick.due_at:%Y-%m-%d %H:%M:%S}", tick.state.value, tick.run_id, _why(tick))
            for tick in ticks
        ],
    )


@schedule.command()
@click.argument("name")
@json_option
@click.pass_context
def pause(ctx: click.Context, name: str, as_json: bool) -> None:
    """Let a schedule rest; what is running goes on."""
    record = Schedules(store=current_store(ctx)).pause(name)
    _told(record, f"{name} rests; wake it with: penstock schedule resume {name}", as_json=as_json)


@schedule.command()
@click.argument("name")
@json_option
@click.pass_context
def resume(ctx: click.Context, name: str, as_json: bool) -> None:
    """Wake a schedule; the times of its rest count as missed."""
    record = Schedules(store=current_store(ctx)).resume(name)
    _told(record, f"{name} is awake; next: {_next(record)}", as_json=as_json)


@schedule.command()
@click.argument("name")
@json_option
@click.pass_context
def trigger(ctx: click.Context, name: str, as_json: bool) -> None:
    """Make a schedule due now; a scheduler runs it."""
    schedules = Schedules(store=current_store(ctx))
    tick = schedules.trigger(name)
    if as_json:
        emit(tick)
        return
    say(f"[green]✓[/] {plain(name)} is due.")
    _warn_if_nobody_is_up(schedules)


@schedule.command()
@click.argument("name")
@json_option
@click.pass_context
def remove(ctx: click.Context, name: str, as_json: bool) -> None:
    """Remove a schedule; the runs that it led to stay."""
    Schedules(store=current_store(ctx)).remove(name)
    if as_json:
        emit({"removed": name})
        return
    say(f"[green]✓[/] {plain(name)} is gone; its runs stay.")


@click.command()
@click.option("--once", is_flag=True, help="Run what is due now, wait for its end, and stop.")
@click.option("--at-once", type=int, metavar="N", help="Runs at once; default: one a core.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing.")
@click.pass_context
def scheduler(ctx: click.Context, once: bool, at_once: int | None, quiet: bool) -> None:
    """Run what the project's schedules say, until it is stopped.

    Any number of schedulers may be up: nothing runs twice. Ctrl-C waits for the runs that go on, a
    second one leaves them to the next scheduler, as SIGTERM does.
    """

    def told(line: str) -> None:
        if not quiet:
            say(f"[dim]{now():%Y-%m-%d %H:%M:%S}[/] {plain(line)}")

    worker = Scheduler(at_once=at_once, tell=told, store=current_store(ctx, create=True))

    def stop(number: int, _: object) -> None:
        # The first Ctrl-C waits for the runs; SIGTERM and a second Ctrl-C leave them.
        again = number == signal.SIGTERM or stopping
        stopping.append(number)
        worker.stop(leave=bool(again))
        if worker.running and not again:
            told(f"Stopping when {', '.join(worker.running)} has ended; again to leave it.")

    stopping: list[int] = []
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        if once:
            worker.once()
        else:
            names = ", ".join(record.name for record in worker.schedules())
            told(f"Up for {worker.project}: {names or 'no schedule yet'}.")
            worker.run()
            if worker.running:
                told(f"Left {', '.join(worker.running)} to go on; another scheduler takes over.")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    sys.exit(0)


def _told(record: ScheduleRecord, text: str, *, as_json: bool) -> None:
    if as_json:
        emit(_json(record))
    else:
        say(f"[green]✓[/] {plain(text)}")


def _warn_if_nobody_is_up(schedules: Schedules) -> None:
    if not schedules.schedulers():
        say("[yellow]![/] No scheduler is up. Start one: penstock scheduler", stderr=True)


def _next(record: ScheduleRecord) -> str:
    if record.paused_at is not None:
        return "paused"
    due = next_due_of(record)
    return f"{due:%Y-%m-%d %H:%M}" if due else "when it happens"


def _last(tick: TickRecord | None) -> str:
    return "" if tick is None else f"{tick.state.value} {ago(tick.ended_at or tick.due_at)}"


def _why(tick: TickRecord) -> str:
    if tick.error and tick.state in {TickState.FAILED, TickState.MISSED, TickState.WAITING}:
        return tick.error.splitlines()[-1]
    return tick.reason


def _json(record: ScheduleRecord) -> dict[str, Any]:
    return {**to_json(record), "next_due_at": next_due_of(record)}
