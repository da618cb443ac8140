"""Schedules: pipelines that run automatically, next ticks, resulting runs; partitions as a map."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.core import NotFoundError, Permission, ScheduleRecord, TickRecord, TickState, now
from penstock.execution import PartitionState, known_partitions, states_of
from penstock.pipelines import Partitions
from penstock.scheduling import Schedules, describe_trigger, next_due_of, partitions_of
from penstock.server.ui._page import Page, Query
from penstock.server.ui._site import Site
from penstock.server.ui._waiting import may

_STRIP = 40
_TICKS = 200
_GOING_ON = frozenset({TickState.QUEUED, TickState.RUNNING, TickState.WAITING})
# Number of characters of a key that name the map's row of a partition.
_ROWS = {"hour": 10, "day": 7, "week": 4, "month": 4}


def schedules_page(site: Site, query: Query) -> Page:  # noqa: ARG001 - a page's form
    """List the schedules with their last ticks, the schedulers, and the webhooks."""
    schedules = Schedules(store=site.store)
    rows = [_row(schedules, schedule) for schedule in schedules.list()]
    counts = site.metadata.hooks.count_events()
    hooks = [
        {
            "name": hook.name,
            "url": hook.url,
            "form": hook.form,
            "events": hook.events,
            "paused_at": hook.paused_at,
            "delivered": hook.delivered,
            "delivered_at": hook.delivered_at,
            "pending": counts.get(hook.name, {}).get("pending", 0),
            "dead": counts.get(hook.name, {}).get("dead", 0),
            "error": hook.error,
        }
        for hook in site.metadata.hooks.list()
    ]
    data = {"schedules": rows, "schedulers": schedules.schedulers(), "hooks": hooks}
    live = any(tick.state in _GOING_ON for row in rows for tick in row["ticks"])
    return Page("schedules.html", "Schedules", data, section="schedules", live=live)


def schedule_page(site: Site, query: Query, name: str) -> Page:  # noqa: ARG001 - a page's form
    """Show a schedule: the ticks and the resulting runs.

    Raises:
        NotFoundError: If there is no such schedule.
    """
    schedules = Schedules(store=site.store)
    row = _row(schedules, schedules.get(name))
    ticks = schedules.ticks(name, limit=_TICKS)
    data = {**row, "ticks": ticks, "schedulers": schedules.schedulers()}
    live = any(tick.state in _GOING_ON for tick in ticks)
    view = {"may_operate": may(site, Permission.OPERATE, name)}
    return Page("schedule.html", name, data, view, section="schedules", live=live)


def partitions_page(site: Site, query: Query, pipeline: str) -> Page:  # noqa: ARG001 - a page's form
    """Show the partitions of a pipeline as a map: partitions with runs, and missing partitions.

    Raises:
        NotFoundError: If the store knows no partitions of the pipeline.
    """
    partitions = _partitions(site, pipeline)
    parts = states_of(pipeline, partitions, store=site.store)
    entry = next((part.run.entry for part in parts if part.run and part.run.entry), None)
    data = {
        "pipeline": pipeline,
        "entry": entry,
        "partitions": [
            {"key": p.key, "state": p.state, "run_id": p.run.run_id if p.run else None}
            for p in parts
        ],
        "states": dict(Counter(part.state for part in parts).most_common()),
        "missing": [part.key for part in parts if not (part.is_done or part.is_going_on)],
    }
    view = {"rows": _map_of(partitions, parts)}
    live = any(part.is_going_on for part in parts)
    title = f"Partitions of {pipeline}"
    return Page("partitions.html", title, data, view, section="schedules", live=live)


def _row(schedules: Schedules, schedule: ScheduleRecord) -> dict[str, Any]:
    due = next_due_of(schedule)
    ticks: Sequence[TickRecord] = schedules.ticks(schedule.name, limit=_STRIP)
    return {
        "schedule": schedule,
        "due": describe_trigger(schedule.trigger),
        "next": due,
        "overdue": due is not None and due < now(),
        "has_partitions": partitions_of(schedule) is not None,
        "ticks": ticks,
    }


def _partitions(site: Site, pipeline: str) -> Partitions:
    for schedule in site.metadata.schedules.list():
        partitions = partitions_of(schedule)
        if schedule.pipeline == pipeline and partitions is not None:
            return partitions
    known = known_partitions(pipeline, store=site.store)
    if known is None:
        raise NotFoundError(
            what=f"The store has no partitions of {pipeline!r}.",
            fix="Run one first: penstock run FILE.py --partition KEY",
            pipeline=pipeline,
        )
    return known


def _map_of(
    partitions: Partitions, parts: Sequence[PartitionState]
) -> Mapping[str, list[PartitionState]]:
    """Arrange the partitions in rows: days by month, hours by day, keys by their first name."""
    rows: dict[str, list[PartitionState]] = {}
    for part in parts:
        if partitions.unit is not None:
            row = part.key[: _ROWS[partitions.unit]]
        else:
            row = part.key.rpartition("/")[0]
        rows.setdefault(row, []).append(part)
    return rows
