"""Triggers of schedules: a clock, a partition's end, new data, a model version, an alert.

A trigger is plain JSON; the single or first key is the kind. A check is a function of the cursor
(the state that the last check saw) and of the moment, so that two schedulers that check at the same
time see the same, and the store accepts the result of only the first.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from penstock.core import (
    DefinitionError,
    ParameterError,
    digest_json,
    now,
    parse_duration,
    short,
)
from penstock.data.sources import DataSource, StampedSource
from penstock.pipelines import Partitions, require_timezone
from penstock.stores import Store

MOST_DUE = 1000
"""Maximum number of past ticks to catch up on, the newest first."""

Cursor = Mapping[str, Any]
_NEAR = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Due:
    """A time at which a schedule is due.

    Args:
        key: Identifies the tick; the same for every scheduler.
        at: When the tick was due.
        reason: Why the tick is due, as a sentence.
        facts: Facts that a pipeline may use: model, version, deployment, partition.
    """

    key: str
    at: datetime
    reason: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Look:
    """Result of a check.

    Args:
        cursor: State to compare the next check with.
        due: The due ticks, oldest first.
    """

    cursor: Cursor
    due: tuple[Due, ...] = ()


@dataclass(frozen=True, slots=True)
class Sight:
    """Everything that a trigger's check may read.

    Args:
        store: Store of versions and alerts.
        source: Source of rows, if the trigger has a source.
        partitions: Partitions of the pipeline, if any.
        moment: Time of the check.
    """

    store: Store
    source: DataSource | None = None
    partitions: Partitions | None = None
    moment: datetime = field(default_factory=now)


def look(trigger: Mapping[str, Any], cursor: Cursor | None, sight: Sight) -> Look:
    """Check whether a schedule has become due since the last check.

    The first check finds nothing: the present state is the baseline for later checks. Only
    partitions are due from the first on.

    Raises:
        PenstockError: If the watched object cannot be read.
    """
    return _LOOKS[kind_of(trigger)](trigger, cursor, sight)


def kind_of(trigger: Mapping[str, Any]) -> str:
    """Return a trigger's kind: the first key."""
    return next(iter(trigger))


def is_sensor(trigger: Mapping[str, Any]) -> bool:
    """Return whether a check is costly, so that the trigger is checked at intervals only."""
    return kind_of(trigger) in {"new_data", "new_version", "alert"}


def next_due(
    trigger: Mapping[str, Any], cursor: Cursor | None, partitions: Partitions | None
) -> datetime | None:
    """Return when a trigger is due next; None where this cannot be known."""
    after = _moment(cursor["at"]) if cursor and "at" in cursor else now()
    match kind_of(trigger):
        case "cron":
            return next(_cron(trigger, after)).astimezone(UTC)
        case "every":
            return _next_interval(trigger, after)
        case "partitions" if partitions is not None and partitions.is_of_time:
            delay = parse_duration(trigger["partitions"])
            open_ends = (
                partitions.span(key)[1] for key in partitions.keys(after + timedelta(days=62))
            )
            return next((end + delay for end in open_ends if end + delay > after), None)
    return None


def describe_trigger(trigger: Mapping[str, Any]) -> str:
    """Describe a trigger for people.

    >>> describe_trigger({"cron": "0 3 * * *", "timezone": "Europe/Zurich"})
    'cron 0 3 * * * (Europe/Zurich)'
    """
    kind, value = next(iter(trigger.items()))
    match kind:
        case "cron" if trigger.get("timezone", "UTC") != "UTC":
            return f"cron {value} ({trigger['timezone']})"
        case "every":
            return f"every {value}"
        case "partitions":
            return "each partition" + (f", {value} after its end" if value != "0s" else "")
        case "new_data":
            return f"new data in {value}"
        case "new_version":
            model, _, stage = value.partition("@")
            return f"{model} in {stage}" if stage else f"new version of {model}"
        case "alert":
            return f"alert of {value}"
    return f"{kind} {value}"


def require_cron(text: str, timezone: str) -> None:
    """Refuse a cron expression or timezone that cannot be read.

    Raises:
        DefinitionError: If the expression or the timezone cannot be read.
    """
    require_timezone(timezone)
    try:
        next(CronSim(text, now()))
    except (CronSimError, StopIteration) as error:
        reason = str(error) or "It never comes"
        raise DefinitionError(
            what=f"The cron expression {text!r} cannot be used: {reason.lower()}.",
            why="It has five fields: minute, hour, day of month, month, day of week.",
            fix='Write for example "0 3 * * *", every day at three, or use every="6h".',
            cron=text,
        ) from error


def _cron(trigger: Mapping[str, Any], after: datetime, *, back: bool = False) -> Iterator[datetime]:
    zone = ZoneInfo(trigger.get("timezone", "UTC"))
    local = after.astimezone(UTC if zone.key == "UTC" else zone)
    return iter(CronSim(trigger["cron"], local, reverse=back))


def begin_of_window(trigger: Mapping[str, Any], cutoff: datetime, window: timedelta) -> datetime:
    """Return the start of the window that ends at a tick, so that windows of a tick each tile.

    Hours are hours, days are calendar days. Where clocks change, the distance between a tick and
    the previous tick differs from the window: the window then begins at the previous tick.

    >>> from datetime import UTC, datetime
    >>> hourly = {"cron": "0 * * * *", "timezone": "Europe/Zurich"}
    >>> begin_of_window(hourly, datetime(2026, 3, 29, 1, tzinfo=UTC), timedelta(hours=1)).hour
    0

    Args:
        trigger: The schedule's trigger.
        cutoff: End of the window.
        window: Length of the window.
    """
    zone = ZoneInfo(trigger.get("timezone", "UTC"))
    by_clock = cutoff.astimezone(UTC) - window
    days = timedelta(days=window.days)
    by_calendar = _instant(cutoff.astimezone(zone) - window)
    if kind_of(trigger) == "cron":
        before = next(_cron(trigger, cutoff, back=True)).astimezone(UTC)
        if min(by_clock, by_calendar) <= before <= max(by_clock, by_calendar):
            return before
    return _instant(cutoff.astimezone(zone) - days) - (window - days)


def _instant(local: datetime) -> datetime:
    """Return a local time in UTC: the first of two, or for a skipped hour the clock change."""
    first = local.replace(fold=0).astimezone(UTC)
    zone = local.tzinfo
    if first.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return first
    moment = local.replace(fold=1).astimezone(UTC)
    before = moment.astimezone(zone).utcoffset()
    while moment.astimezone(zone).utcoffset() == before:
        moment += timedelta(minutes=1)
    return moment


def _look_cron(trigger: Mapping[str, Any], cursor: Cursor | None, sight: Sight) -> Look:
    at = {"at": sight.moment.isoformat()}
    if cursor is None:
        return Look(at)
    after = _moment(cursor["at"])
    ticks = []
    # Backwards, so that a schedule of every minute is not iterated through a year's pause.
    for found_at in islice(
        _cron(trigger, sight.moment + timedelta(seconds=1), back=True), MOST_DUE
    ):
        moment = found_at.astimezone(UTC)
        if moment <= after:
            break
        if moment <= sight.moment:
            ticks.append(_due_at(moment, f"It was {moment:%Y-%m-%d %H:%M} UTC."))
    return Look(at, tuple(reversed(ticks)))


def _look_every(trigger: Mapping[str, Any], cursor: Cursor | None, sight: Sight) -> Look:
    at = {"at": sight.moment.isoformat()}
    if cursor is None:
        return Look(at)
    step, start = parse_duration(trigger["every"]), _moment(trigger["start"])
    first = _next_interval(trigger, _moment(cursor["at"]))
    last = start + (sight.moment - start) // step * step
    first = max(first, last - (MOST_DUE - 1) * step)
    number = (last - first) // step + 1 if last >= first else 0
    moments = (first + place * step for place in range(number))
    return Look(at, tuple(_due_at(m, f"{trigger['every']} had passed.") for m in moments))


def _next_interval(trigger: Mapping[str, Any], after: datetime) -> datetime:
    step, start = parse_duration(trigger["every"]), _moment(trigger["start"])
    return start + ((after - start) // step + 1) * step


def _look_partitions(trigger: Mapping[str, Any], cursor: Cursor | None, sight: Sight) -> Look:
    if sight.partitions is None:
        return Look(cursor or {})
    delay, seen = parse_duration(trigger["partitions"]), set(cursor["keys"]) if cursor else set()
    last = (cursor or {}).get("last", "")
    due = []
    for key in sight.partitions.keys(sight.moment - delay):
        if key in seen or (sight.partitions.is_of_time and key <= last):
            continue
        end = sight.partitions.span(key)[1] if sight.partitions.is_of_time else sight.moment
        due.append(Due(key, end + delay, f"Partition {key} was over.", {"partition": key}))
    if not due:
        return Look(cursor or {"keys": [], "last": ""})
    if sight.partitions.is_of_time:  # keys of time partitions sort by time, so the last is enough
        return Look({"keys": [], "last": due[-1].key}, tuple(due))
    return Look({"keys": sorted(seen | {each.key for each in due}), "last": ""}, tuple(due))


def _look_new_data(_: Mapping[str, Any], cursor: Cursor | None, sight: Sight) -> Look:
    """Find changed data that is stable for two checks, so that no half-written data is used."""
    source = sight.source
    if source is None:
        return Look(cursor or {})
    mark = source.stamp() if isinstance(source, StampedSource) else None
    marks = None if mark is None else digest_json(mark)
    # An unchanged stamp spares reading the data for its fingerprint.
    if cursor is not None and marks is not None and marks == cursor.get("stamp"):
        return Look(cursor)
    state = _state_of(source, marks)
    if cursor is None:
        return Look({"state": state, "stamp": marks})
    if state == cursor["state"]:
        return Look({"state": state, "stamp": marks})
    if state != cursor.get("coming"):
        return Look({**cursor, "coming": state})
    key = f"{sight.moment:%Y-%m-%dT%H:%M:%SZ} {short(state)}"
    due = Due(key, sight.moment, f"{source.name} has new data.")
    return Look({"state": state, "stamp": marks}, (due,))


def _state_of(source: DataSource, marks: str | None) -> str:
    """Return the digest of a source's state: the fingerprint, or else the stamp.

    Raises:
        ParameterError: If the source has neither.
    """
    state = source.fingerprint()
    if state is not None:
        return digest_json(state)
    if marks is not None:
        return marks
    raise ParameterError(
        what=f"Source '{source.name}' cannot tell whether it has new data.",
        why="Neither its state nor a mark of it can be known.",
        fix="Start the pipeline by time: every= or cron=.",
        source=source.name,
    )


def _look_new_version(trigger: Mapping[str, Any], cursor: Cursor | None, sight: Sight) -> Look:
    model, _, stage = trigger["new_version"].partition("@")
    if stage:
        return _look_stage(model, stage, cursor, sight)
    known = sight.store.metadata.models.list()
    versions = sight.store.metadata.models.list_versions(model) if model in known else []
    newest = {"version": max((version.version for version in versions), default=0)}
    if cursor is None:
        return Look(newest)
    fresh = sorted(
        (version for version in versions if version.version > cursor["version"]),
        key=lambda version: version.version,
    )
    due = [
        _due_version(model, version.version, version.created_at, "was registered")
        for version in fresh
    ]
    return Look(newest, tuple(due))


def _look_stage(model: str, stage: str, cursor: Cursor | None, sight: Sight) -> Look:
    known = sight.store.metadata.models.list()
    events = [
        event
        for event in (
            sight.store.metadata.models.list_stage_events(model) if model in known else []
        )
        if event.to_stage == stage and event.from_stage != event.to_stage
    ]
    seen = {"moves": len(events)}
    if cursor is None:
        return Look(seen)
    due = []
    for event in events[cursor["moves"] :]:
        told = _due_version(model, event.version, event.at, f"came into {stage}")
        due.append(
            Due(f"{told.key} {event.at:%Y-%m-%dT%H:%M:%SZ}", told.at, told.reason, told.facts)
        )
    return Look(seen, tuple(due))


def _due_version(model: str, version: int, at: datetime, event: str) -> Due:
    return Due(
        f"{model}@{version}",
        at,
        f"Version {version} of {model} {event}.",
        {"model": model, "version": version},
    )


def _look_alert(trigger: Mapping[str, Any], cursor: Cursor | None, sight: Sight) -> Look:
    deployment, _, kind = trigger["alert"].partition("/")
    alerts = [
        alert
        for alert in sight.store.metadata.deployments.list_alerts(deployment)
        if not kind or alert.kind == kind
    ]
    last = max((alert.raised_at for alert in alerts), default=sight.moment)
    # Alerts of a check share a time but are saved separately, so recent alerts are compared by id.
    # A check between two saves would miss the second if only times were compared.
    near = sorted(alert.alert_id for alert in alerts if alert.raised_at > last - _NEAR)
    if cursor is None:
        return Look({"at": last.isoformat(), "ids": near})
    after = _moment(cursor["at"]) - _NEAR
    fresh = sorted(
        (a for a in alerts if a.raised_at > after and a.alert_id not in cursor["ids"]),
        key=lambda alert: alert.raised_at,
    )
    if not fresh:
        return Look(cursor)
    due = [
        Due(
            alert.alert_id,
            alert.raised_at,
            f"Alert {alert.kind} of {alert.subject} was raised.",
            {"deployment": alert.deployment, "model": alert.model},
        )
        for alert in fresh
    ]
    return Look({"at": last.isoformat(), "ids": near}, tuple(due))


def _due_at(moment: datetime, reason: str) -> Due:
    return Due(f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", moment, reason)


_moment = partial(datetime.fromisoformat)
_LOOKS: Mapping[str, Callable[[Mapping[str, Any], Cursor | None, Sight], Look]] = {
    "cron": _look_cron,
    "every": _look_every,
    "partitions": _look_partitions,
    "new_data": _look_new_data,
    "new_version": _look_new_version,
    "alert": _look_alert,
}
