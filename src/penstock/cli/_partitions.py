"""``penstock partitions`` and ``backfill``: runs of each partition, and runs for missing ones."""

import sys
from collections import Counter

import click

from penstock.cli._help import examples, runner_options, set_option
from penstock.cli._output import (
    current_store,
    duration,
    emit,
    json_option,
    plain,
    say,
    show_table,
)
from penstock.cli._run import pairs
from penstock.core import now
from penstock.execution import (
    PartitionState,
    RunnerName,
    list_partitions,
    load_pipeline,
    project_of,
)
from penstock.scheduling import backfill as run_backfill
from penstock.scheduling import choose

_MAX_ROWS = 40
_MARKS = {"finished": "[green]●[/]", "failed": "[red]●[/]", "killed": "[red]●[/]"}
_RANGE = (
    click.option("--since", metavar="KEY", help="First partition."),
    click.option("--until", metavar="KEY", help="Partition to stop before."),
)


@click.command(epilog=examples("penstock partitions trips.py --missing"))
@click.argument("target")
@_RANGE[0]
@_RANGE[1]
@click.option("--missing", is_flag=True, help="Only partitions without a finished run.")
@click.option(
    "--all", "every", is_flag=True, help=f"All partitions, not only the last {_MAX_ROWS}."
)
@json_option
@click.pass_context
def partitions(
    ctx: click.Context,
    target: str,
    since: str | None,
    until: str | None,
    missing: bool,
    every: bool,
    as_json: bool,
) -> None:
    """List the partitions of the pipeline in TARGET, with state and run."""
    pipeline = load_pipeline(target)
    store = current_store(ctx, project=project_of(pipeline.file), create=True)
    parts = choose(pipeline, list_partitions(pipeline, store=store), since, until)
    listed = [part for part in parts if not (missing and part.is_done)]
    if as_json:
        emit({"done": sum(part.is_done for part in parts), "partitions": list(map(_json, listed))})
        return
    rows = listed if every else listed[-_MAX_ROWS:]
    show_table(
        ["partition", "state", "run", "ended"],
        [
            (part.key, part.state, part.run and part.run.run_id, part.run and part.run.ended_at)
            for part in rows
        ],
    )
    if len(rows) < len(listed):
        say(f"{len(listed) - len(rows)} earlier partitions; --all lists them.")
    say(_sentence(parts))
    if not all(part.is_done for part in parts):
        say(f"  Run the missing partitions:  penstock backfill {plain(target)}")


@click.command(
    epilog=examples(
        "penstock backfill trips.py",
        "penstock backfill trips.py --since 2016-01-01 --until 2016-02-01 --max-active-runs 4",
    )
)
@click.argument("target")
@_RANGE[0]
@_RANGE[1]
@click.option(
    "--partition", "keys", multiple=True, metavar="KEY", help="Only this partition; repeatable."
)
@click.option("--again", is_flag=True, help="Run finished partitions again.")
@click.option(
    "--max-active-runs",
    type=int,
    default=1,
    show_default=True,
    metavar="N",
    help="Maximum number of runs at once.",
)
@click.option("--stop-on-failure", is_flag=True, help="Start no run after a failure.")
@set_option
@runner_options
@click.option("--dry-run", is_flag=True, help="Print the partitions without running them.")
@click.option("-q", "--quiet", is_flag=True, help="Print no progress.")
@json_option
@click.pass_context
def backfill(
    ctx: click.Context,
    target: str,
    since: str | None,
    until: str | None,
    keys: tuple[str, ...],
    again: bool,
    max_active_runs: int,
    stop_on_failure: bool,
    settings: tuple[str, ...],
    runner: RunnerName,
    workers: int | None,
    dry_run: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Run the pipeline in TARGET for all partitions without a finished run, oldest first.

    Repeat the command to continue an interrupted backfill.
    """
    pipeline = load_pipeline(target)
    store = current_store(ctx, project=project_of(pipeline.file), create=True)
    if dry_run:
        parts = choose(pipeline, list_partitions(pipeline, store=store), since, until, keys)
        selected = [p.key for p in parts if again or not (p.is_done or p.is_going_on)]
        if as_json:
            emit({"partitions": selected})
            return
        say(f"{len(selected)} of {len(parts)} partitions would be run.")
        for key in selected:
            say(f"  {plain(key)}")
        return

    def progress(part: PartitionState, ended: int, total: int) -> None:
        run = part.run
        if run is None or quiet or as_json:
            return
        began = run.started_at or run.created_at
        took = duration(((run.ended_at or now()) - began).total_seconds())
        mark = _MARKS.get(part.state, "○")
        say(f"{mark} {ended} of {total}  {plain(part.key)}  {part.state}  {took}  {run.run_id}")

    done = run_backfill(
        pipeline,
        since=since,
        until=until,
        partitions=keys,
        again=again,
        max_active_runs=max_active_runs,
        stop_on_failure=stop_on_failure,
        store=store,
        runner=runner,
        workers=workers,
        progress=progress,
        **pairs(settings, "--set"),
    )
    if as_json:
        emit({"partitions": list(map(_json, done.parts)), "left": done.left})
    else:
        say(_summary(len(done.parts), len(done.failed), len(done.left)))
        for part in done.failed[:5]:
            reason = part.run.error if part.run and part.run.error else part.state
            say(f"  {plain(part.key)}: {plain(reason.splitlines()[0])}")
    sys.exit(0 if done.ok else 3)


def _summary(ran: int, failed: int, left: int) -> str:
    if not ran:
        return "[green]✓[/] No partition is missing." if left else "There is no partition to run."
    text = f"{ran - failed} of {ran} partitions finished"
    text += f"; {left} skipped: finished before, or running elsewhere." if left else "."
    return f"{'[red]✗[/]' if failed else '[green]✓[/]'} {text}"


def _sentence(parts: list[PartitionState]) -> str:
    counts = Counter(part.state for part in parts)
    states = ", ".join(f"{number} {state}" for state, number in counts.most_common())
    return f"{len(parts)} partitions: {states}." if parts else "There are no partitions yet."


def _json(part: PartitionState) -> dict[str, str | None]:
    return {
        "partition": part.key,
        "state": part.state,
        "run_id": part.run.run_id if part.run else None,
    }
