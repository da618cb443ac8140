"""``penstock schedule`` and ``scheduler``: create, manage and run schedules."""

import signal
import sys
from collections.abc import Callable
from typing import Any, get_args

import click

from penstock.cli._help import examples, runner_options, set_option
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
    CatchUp,
    Schedule,
    Scheduler,
    Schedules,
    check_watched,
    describe_trigger,
    next_due_of,
)

_WHEN = (
    click.option(
        "--cron", metavar="FIELDS", help="Minute, hour, day, month, weekday: '0 3 * * *'."
    ),
    click.option("--every", metavar="DURATION", help="Interval, e.g. 6h."),
    click.option(
        "--new-data",
        metavar="PATH",
        help="When the data of this file, folder, glob or URL of a table changed.",
    ),
    click.option(
        "--new-version", metavar="MODEL", help="When the model has a new version; or MODEL@STAGE."
    ),
    click.option(
        "--alert", metavar="DEPLOYMENT", help="When an alert is raised; or DEPLOYMENT/KIND."
    ),
)
_HOW = (
    click.option("--name", help="Unique name; default: the pipeline's."),
    click.option("--timezone", default="UTC", show_default=True, help="Time zone of --cron."),
    click.option("--window", metavar="DURATION", help="Time from `since` to `cutoff`."),
    click.option("--delay", default="0s", help="Wait after the end of a partition."),
    click.option(
        "--catch-up",
        type=click.Choice(get_args(CatchUp)),
        help="Catch-up policy for missed ticks; default: last, for partitions all.",
    ),
    click.option(
        "--max-active-runs",
        type=int,
        default=1,
        show_default=True,
        metavar="N",
        help="Maximum number of runs at once.",
    ),
    click.option("--cool-down", metavar="DURATION", help="Minimum time between two runs."),
    click.option(
        "--poll-interval",
        default="30s",
        show_default=True,
        metavar="DURATION",
        help="Time between two checks for new data, versions or alerts.",
    ),
    runner_options,
    set_option,
)


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_WHEN + _HOW):
        command = option(command)
    return command


@click.group()
def schedule() -> None:
    """Create and manage schedules; `penstock scheduler` executes them."""


@schedule.command(
    epilog=examples(
        "penstock schedule add churn.py",
        'penstock schedule add churn.py:job --cron "0 3 * * *" --timezone Europe/Zurich',
        'penstock schedule add churn.py:job --name fresh --new-data "rows/*.csv"',
    )
)
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
    """Add a schedule, or all schedules that TARGET defines.

    TARGET is FILE.py, FILE.py:NAME or module:NAME. Without --cron, --every, --new-data, --new-version and --alert, every Schedule in the file is
    added; if there is none, the pipeline is scheduled for each partition.
    """
    schedules = Schedules(store=current_store(ctx, create=True))
    has_options = any(
        ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE for name in options
    )
    if has_options or settings or ":" in target.rsplit("/", 1)[-1]:
        options["params"] = pairs(settings, "--set")
        added = [schedules.add(Schedule(pipeline=target, **options))]
    else:
        added = schedules.add_all(target)
    if as_json:
        emit([_json(record) for record in added])
        return
    for record in added:
        due = next_due_of(record)
        when = f"; next at {due:%Y-%m-%d %H:%M} UTC" if due else ""
        say(f"[green]✓[/] {plain(record.name)}: {plain(describe_trigger(record.trigger))}{when}.")
        for finding in check_watched(record, find_project(), store=schedules.store):
            say(f"  [yellow]![/] {plain(finding)}", stderr=True)
    _warn_without_scheduler(schedules)


@schedule.command(name="list")
@json_option
@click.pass_context
def list_schedules(ctx: click.Context, as_json: bool) -> None:
    """List schedules: trigger, next tick, last tick and run."""
    schedules = Schedules(store=current_store(ctx))
    records = schedules.list()
    last = {
        record.name: next(iter(schedules.ticks(record.name, limit=1)), None) for record in records
    }
    if as_json:
        emit([{**_json(record), "last": last[record.name]} for record in records])
        return
    if not records:
        say('No schedules. Add one: penstock schedule add FILE.py --cron "0 3 * * *"')
        return
    show_table(
        ["schedule", "pipeline", "trigger", "next", "last", "run"],
        [
            (
                record.name,
                record.pipeline,
                describe_trigger(record.trigger),
                _next(record),
                _last(last[record.name]),
                (tick := last[record.name]) and tick.run_id,
            )
            for record in records
        ],
    )
    for record in records:
        if record.error:
            say(f"[red]✗[/] {plain(record.name)} check failed: {plain(record.error)}")
    _warn_without_scheduler(schedules)


@schedule.command(epilog=examples("penstock schedule show nightly"))
@click.argument("name")
@click.option("--limit", default=20, show_default=True, help="Number of ticks to list.")
@json_option
@click.pass_context
def show(ctx: click.Context, name: str, limit: int, as_json: bool) -> None:
    """Show a schedule and the ticks, newest first."""
    schedules = Schedules(store=current_store(ctx))
    record, ticks = schedules.get(name), schedules.ticks(name, limit=limit)
    if as_json:
        emit({**_json(record), "ticks": ticks})
        return
    say(f"[bold]{plain(name)}[/]  {plain(record.entry)}  {plain(describe_trigger(record.trigger))}")
    say(f"  next: {_next(record)}   catch-up: {record.options['missed']}")
    if record.error:
        say(f"  [red]check failed:[/] {plain(record.error)}")
    show_table(
        ["tick", "state", "run", "reason"],
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
    """Pause a schedule; current runs continue."""
    record = Schedules(store=current_store(ctx)).pause(name)
    _report(
        record, f"{name} is paused. Resume with: penstock schedule resume {name}", as_json=as_json
    )


@schedule.command()
@click.argument("name")
@json_option
@click.pass_context
def resume(ctx: click.Context, name: str, as_json: bool) -> None:
    """Resume a paused schedule; ticks during the pause count as missed."""
    record = Schedules(store=current_store(ctx)).resume(name)
    _report(record, f"{name} is active; next: {_next(record)}", as_json=as_json)


@schedule.command()
@click.argument("name")
@json_option
@click.pass_context
def trigger(ctx: click.Context, name: str, as_json: bool) -> None:
    """Trigger a schedule now; a scheduler runs the pipeline."""
    schedules = Schedules(store=current_store(ctx))
    tick = schedules.trigger(name)
    if as_json:
        emit(tick)
        return
    say(f"[green]✓[/] {plain(name)} is triggered.")
    _warn_without_scheduler(schedules)


@schedule.command()
@click.argument("name")
@json_option
@click.pass_context
def remove(ctx: click.Context, name: str, as_json: bool) -> None:
    """Remove a schedule; the runs are kept."""
    Schedules(store=current_store(ctx)).remove(name)
    if as_json:
        emit({"removed": name})
        return
    say(f"[green]✓[/] {plain(name)} is removed; its runs are kept.")


@click.command(epilog=examples("penstock scheduler", "penstock scheduler --once"))
@click.option("--once", is_flag=True, help="Run the due ticks, wait for their runs, and exit.")
@click.option(
    "--max-active-runs",
    type=int,
    metavar="N",
    help="Maximum number of runs; default: one per core.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print no progress.")
@click.pass_context
def scheduler(ctx: click.Context, once: bool, max_active_runs: int | None, quiet: bool) -> None:
    """Run the project's schedules until stopped.

    Any number of schedulers may run: each tick leads to one run. Ctrl-C waits for the current runs;
    a second Ctrl-C, or SIGTERM, leaves them to the next scheduler.
    """

    def report(line: str) -> None:
        if not quiet:
            say(f"[dim]{now():%Y-%m-%d %H:%M:%S}[/] {plain(line)}")

    worker = Scheduler(
        max_active_runs=max_active_runs, progress=report, store=current_store(ctx, create=True)
    )

    def stop(number: int, _: object) -> None:
        # The first Ctrl-C waits for the runs; SIGTERM and a second Ctrl-C leave them.
        again = number == signal.SIGTERM or bool(stopping)
        stopping.append(number)
        worker.stop(leave=again)
        if worker.running and not again:
            report(f"Waiting for {', '.join(worker.running)}; press Ctrl-C again to leave now.")

    stopping: list[int] = []
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        if once:
            worker.once()
        else:
            names = ", ".join(record.name for record in worker.schedules())
            report(f"Scheduling {worker.project}: {names or 'no schedule yet'}.")
            worker.run()
            if worker.running:
                report(f"{', '.join(worker.running)} continues; the next scheduler takes over.")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    sys.exit(0)


def _report(record: ScheduleRecord, text: str, *, as_json: bool) -> None:
    if as_json:
        emit(_json(record))
    else:
        say(f"[green]✓[/] {plain(text)}")


def _warn_without_scheduler(schedules: Schedules) -> None:
    if not schedules.schedulers():
        say("[yellow]![/] No scheduler is running. Start one: penstock scheduler", stderr=True)


def _next(record: ScheduleRecord) -> str:
    if record.paused_at is not None:
        return "paused"
    due = next_due_of(record)
    return f"{due:%Y-%m-%d %H:%M}" if due else "on event"


def _last(tick: TickRecord | None) -> str:
    return "" if tick is None else f"{tick.state.value} {ago(tick.ended_at or tick.due_at)}"


def _why(tick: TickRecord) -> str:
    if tick.error and tick.state in {TickState.FAILED, TickState.MISSED, TickState.WAITING}:
        return tick.error.splitlines()[-1]
    return tick.reason


def _json(record: ScheduleRecord) -> dict[str, Any]:
    return {**to_json(record), "next_due_at": next_due_of(record)}
