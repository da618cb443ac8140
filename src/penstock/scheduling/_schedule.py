"""Schedule: the definition of when a pipeline runs; nothing is executed here."""

import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from penstock.core import (
    DefinitionError,
    ParameterError,
    ScheduleRecord,
    current_actor,
    now,
    parse_duration,
    require_choice,
    require_name,
    require_number,
)
from penstock.data.sources import DataSource, open_source
from penstock.execution import RunnerName, load_pipeline, project_of
from penstock.pipelines import EntryPoint, Pipeline, dump_value
from penstock.scheduling._sources import require_sources
from penstock.scheduling._triggers import Due, begin_of_window, is_sensor, require_cron

CatchUp = Literal["last", "all", "skip"]
_CATCH_UP = ("last", "all", "skip")
_RUNNERS = ("local", "processes", "ray")
_EVENTS = frozenset({"new_data", "new_version", "alert"})
_POLL_INTERVAL = "30s"
_FILLED = frozenset({"cutoff", "since", "model", "version", "deployment"})


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A time or event at which a pipeline runs; executed by `penstock scheduler`.

    ```python
    nightly = ps.Schedule(
        pipeline=big_tips, cron="0 3 * * *", timezone="Europe/Zurich", window="90d"
    )
    fresh = ps.Schedule(pipeline=big_tips, name="fresh", new_data=rides)
    daily = ps.Schedule(pipeline=trips_of_a_day)  # each partition, when the period is over
    ```

    One of ``cron``, ``every``, ``new_data``, ``new_version`` and ``alert`` sets the trigger; a
    pipeline with partitions needs none. The facts of a tick become parameters of the run, so that a
    run that catches up later equals the run that was missed: ``cutoff`` is the tick's time, or its
    day, and ``since`` is ``window`` before ``cutoff``. ``model`` and ``version``, or
    ``deployment``, name the object that triggered the run.

    Args:
        pipeline: The pipeline, or an entry point ``file.py:name``; must be in a file of the
            project.
        name: A unique name; by default the name of the schedule's variable, or of the pipeline.
        cron: Five fields: minute, hour, day of month, month, day of week.
        every: A duration, counted from when the schedule was added.
        new_data: A source, or a file, folder or glob: due when the data changed and has been stable
            for two checks.
        new_version: Name of a model: due when the model gets a version; ``model@staging`` when a
            version enters a stage.
        alert: Name of a deployment: due when monitoring raises an alert; ``name/kind`` for a
            kind.
        delay: How long after a partition's end the run is due: for rows that arrive late.
        timezone: Time zone of the cron expression.
        params: Remaining parameters of the pipeline.
        window: How far ``since`` lies before ``cutoff``.
        catch_up: Catch-up policy: how to treat ticks that passed while no scheduler was up or the
            previous run was still going. ``last`` runs the latest, ``all`` runs each, ``skip`` runs
            none. Default: ``last``, with partitions ``all``.
        max_active_runs: How many runs of this schedule may run at the same time.
        cool_down: Minimum time between two runs for new data, versions or alerts; events in between
            become due together when this time is over.
        poll_interval: Interval between checks for new data, versions or alerts.
        runner: Name of the runner that executes the steps, see `run`.
        workers: Maximum number of steps at the same time, see `run`.

    Raises:
        DefinitionError: If there is several triggers, or an option cannot be used.
    """

    pipeline: Pipeline[..., Any] | str
    name: str | None = None
    cron: str | None = None
    every: str | timedelta | None = None
    new_data: DataSource | str | None = None
    new_version: str | None = None
    alert: str | None = None
    delay: str | timedelta = "0s"
    timezone: str = "UTC"
    params: Mapping[str, Any] = field(default_factory=dict)
    window: str | timedelta | None = None
    catch_up: CatchUp | None = None
    max_active_runs: int = 1
    cool_down: str | timedelta | None = None
    poll_interval: str | timedelta = _POLL_INTERVAL
    runner: RunnerName = "local"
    workers: int | None = None

    def __post_init__(self) -> None:
        require_choice("catch_up", self.catch_up or "last", _CATCH_UP, error=DefinitionError)
        require_choice("runner", self.runner, _RUNNERS, error=DefinitionError)
        require_number(
            "max_active_runs", self.max_active_runs, low=1, whole=True, error=DefinitionError
        )
        if self.cron is not None:
            require_cron(self.cron, self.timezone)
        if self.every is not None and parse_duration(self.every) < timedelta(seconds=1):
            raise DefinitionError(
                what=f"every is {self.every!r}.", fix="Give a second or more, for example '6h'."
            )
        for duration in (self.delay, self.window, self.cool_down, self.poll_interval):
            parse_duration(duration or 0)
        triggers = [name for name in ("cron", "every", *sorted(_EVENTS)) if getattr(self, name)]
        if len(triggers) > 1:
            raise DefinitionError(
                what=f"The schedule is due by {' and by '.join(triggers)}.",
                why="A schedule has one reason to run; a pipeline may have several schedules.",
                fix="Create one schedule for each, with a unique name.",
                given=triggers,
            )

    def trigger(self, pipeline: Pipeline[..., Any], moment: datetime) -> dict[str, Any]:
        """Return the trigger as plain JSON.

        Raises:
            DefinitionError: If the schedule has no trigger.
        """
        if self.cron is not None:
            return {"cron": self.cron, "timezone": self.timezone}
        if self.every is not None:
            return {"every": _duration_text(self.every), "start": moment.isoformat()}
        if self.new_data is not None:
            return {"new_data": _source_name(self.new_data, pipeline)}
        if self.new_version is not None:
            return {"new_version": self.new_version}
        if self.alert is not None:
            return {"alert": self.alert}
        if pipeline.partitions is not None:
            return {"partitions": _duration_text(self.delay)}
        raise DefinitionError(
            what=f"No trigger is set for {pipeline.name!r} is to run.",
            fix='Give cron="0 3 * * *", every="6h", new_data, new_version or alert, or give the'
            " pipeline partitions.",
            pipeline=pipeline.name,
        )

    def to_record(self) -> ScheduleRecord:
        """Check the schedule against the pipeline, and return the record to store.

        Raises:
            DefinitionError: If the pipeline is in no file, or the schedule has no trigger.
            ParameterError: If a parameter is missing or cannot be used.
            NotFoundError: If there is no such pipeline, or a file source that a run would not find.
        """
        definition = (
            load_pipeline(self.pipeline) if isinstance(self.pipeline, str) else self.pipeline
        )
        project, moment = project_of(definition.file), now()
        entry = EntryPoint.of(definition, project)
        if entry is None:
            raise DefinitionError(
                what=f"Pipeline {definition.name!r} at {definition.position} is in no file of the project.",
                why="A scheduler is a separate process and must find it again.",
                fix="Move it to the top level of a file in the project.",
                pipeline=definition.name,
            )
        trigger = self.trigger(definition, moment)
        options = {
            "project": project.name,
            "missed": self.catch_up or ("all" if "partitions" in trigger else "last"),
            "max_active_runs": self.max_active_runs,
            "window": None if self.window is None else _duration_text(self.window),
            "cool_down": None if self.cool_down is None else _duration_text(self.cool_down),
            "look_every": _duration_text(self.poll_interval),
            "runner": self.runner,
            "workers": self.workers,
            "partitions": None
            if definition.partitions is None
            else definition.partitions.to_spec(),
            "fills": _fills(definition, self.params, windowed=self.window is not None),
        }
        record = ScheduleRecord(
            name=require_name(self.name or definition.name, "schedule"),
            pipeline=definition.name,
            entry=str(entry),
            trigger=trigger,
            created_at=moment,
            params={name: dump_value(value) for name, value in self.params.items()},
            options=options,
            created_by=current_actor(),
        )
        values = _require_bindable(definition, record, moment)
        # With `new_data`, the source may have no data yet: the schedule waits for it.
        if values is not None and "new_data" not in trigger:
            require_sources(definition, values, project)
        return record


def parameters_of(schedule: ScheduleRecord, due: Due) -> dict[str, Any]:
    """Return the parameters that a run gets from the tick, as plain JSON."""
    parameters: dict[str, Any] = dict(due.facts)
    if "partition" not in due.facts:
        zone = ZoneInfo(str(schedule.trigger.get("timezone", "UTC")))
        cutoff = due.at.astimezone(zone)
        if is_sensor(schedule.trigger):
            cutoff += timedelta(days=1)  # the cutoff is exclusive: today's data belongs to this run
        parameters["cutoff"] = cutoff
        window = parse_duration(schedule.options["window"] or 0)
        since = begin_of_window(schedule.trigger, cutoff.astimezone(UTC), window)
        parameters["since"] = since.astimezone(zone)
    return {
        name: _as_form(parameters[name], form)
        for name, form in schedule.options["fills"].items()
        if name in parameters
    }


def _fills(
    pipeline: Pipeline[..., Any], params: Mapping[str, Any], *, windowed: bool
) -> dict[str, str]:
    """Return the parameters of a pipeline that a tick sets, each as ``day`` or ``time``."""
    return {
        name: _form_of(parameter.hint)
        for name, parameter in pipeline.parameters.items()
        if name in (_FILLED if windowed else _FILLED - {"since"}) and name not in params
    }


def _form_of(hint: Any) -> str:
    return "time" if hint is datetime or "datetime.datetime" in str(hint) else "day"


def _as_form(value: Any, form: str) -> Any:
    if not isinstance(value, datetime):
        return value
    return value.isoformat() if form == "time" else value.date().isoformat()


def _require_bindable(
    pipeline: Pipeline[..., Any], schedule: ScheduleRecord, moment: datetime
) -> dict[str, Any] | None:
    """Bind the parameters of a trial run, so that a mistake is reported now and not at night.

    Returns:
        The values that a run would get; None if there is no partition to try yet.
    """
    facts: dict[str, Any] = {"model": "model", "version": 1, "deployment": "deployment"}
    of_kind = {
        "new_version": {name: facts[name] for name in ("model", "version")},
        "alert": {name: facts[name] for name in ("deployment", "model")},
    }
    due = Due("try", moment, "", of_kind.get(next(iter(schedule.trigger)), {}))
    try:
        if "partitions" in schedule.trigger and pipeline.partitions is not None:
            first = next(iter(pipeline.partitions.keys(moment)), None)
            return None if first is None else pipeline.bind_partition(first, schedule.params)
        return pipeline.bind({**schedule.params, **parameters_of(schedule, due)})
    except ParameterError as error:
        missing = error.values.get("missing", ())
        if "since" not in missing:
            raise
        raise ParameterError(
            what=f"Pipeline {pipeline.name!r} needs since; the schedule does not say how far back.",
            fix='Give a window: window="90d", or --window 90d.',
            missing=missing,
        ) from error


def _duration_text(duration: str | timedelta) -> str:
    if isinstance(duration, str):
        return duration
    return f"{duration.total_seconds():g}s"


def _source_name(source: DataSource | str, pipeline: Pipeline[..., Any]) -> str:
    """Return how a source is found later: by path, or by name in the pipeline's module."""
    if isinstance(source, str):
        if "://" in source:
            open_source(source)  # refused before it is stored: it may hold a secret
        return source
    module = inspect.getmodule(pipeline.function) or sys.modules.get(pipeline.__module__)
    for name, value in vars(module).items() if module else ():
        if value is source:
            return f":{name}"
    raise DefinitionError(
        what=f"The source {source.name!r} has no name in {pipeline.position.partition(':')[0]}.",
        why="A scheduler is a separate process and must find it again.",
        fix=f"Give it one at the top level there, or name its path: new_data={source.name!r}.",
        source=source.name,
    )


def find_source(text: str, pipeline: Pipeline[..., Any], project: Path) -> DataSource:
    """Return the source that a trigger names.

    Raises:
        DefinitionError: If the pipeline's module has no such source.
    """
    if not text.startswith(":"):
        return open_source(text, folder=project)
    module = inspect.getmodule(pipeline.function) or sys.modules.get(pipeline.__module__)
    source = getattr(module, text[1:], None)
    if isinstance(source, DataSource):
        return source
    raise DefinitionError(
        what=f"There is no source {text[1:]!r} in {pipeline.position.partition(':')[0]} any more.",
        fix="Add the schedule again.",
        source=text[1:],
    )
