"""``start_run``: tracking a script or a notebook, without a pipeline."""

import getpass
import math
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from penstock.core import (
    ConflictError,
    Edge,
    RunRecord,
    RunState,
    StoreError,
    find_project,
    new_id,
    now,
    require_name,
)
from penstock.hooks import Courier
from penstock.stores import open_store, this_process
from penstock.tracking._active import current_run, set_run
from penstock.tracking._console import Console, wanted
from penstock.tracking._heartbeat import Heartbeat
from penstock.tracking._run import Run
from penstock.tracking._system import SystemMetrics

if TYPE_CHECKING:
    from penstock.stores import Store

_EXPERIMENT = "default"


class ActiveRun(Run):
    """A run that this process works on; ends with the with-block or with `finish`."""

    def __init__(
        self,
        record: RunRecord,
        store: "Store",
        *,
        strict: bool = False,
        console: bool | None = None,
        system_metrics: bool | None = None,
    ) -> None:
        super().__init__(record, store, strict=strict)
        self._before = current_run()
        self._courier = Courier(store).start()
        self._helpers: list[Heartbeat | Console | SystemMetrics] = [Heartbeat(self, store).start()]
        if wanted(system_metrics, "PENSTOCK_SYSTEM_METRICS"):
            self._helpers.append(SystemMetrics(self).start())
        if wanted(console, "PENSTOCK_CONSOLE"):
            self._helpers.append(Console(self.run_id, store).start())
        set_run(self)

    def finish(
        self, state: RunState | str = RunState.FINISHED, *, error: str | None = None
    ) -> None:
        """End the run; the one that was active before is active again. See Run.finish."""
        for helper in reversed(self._helpers):
            helper.stop()
        if current_run() is self:
            set_run(self._before)
        try:
            super().finish(state, error=error)
        except StoreError as trouble:
            self.trouble.meet(trouble)
        self._courier.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._record.state is not RunState.RUNNING:
            return  # finished by hand
        if error is None:
            self.finish()
        elif isinstance(error, Exception):
            self.finish(RunState.FAILED, error=_one_line(error))
        elif isinstance(error, SystemExit) and error.code in {None, 0}:
            self.finish()
        else:
            self.finish(RunState.KILLED, error=_one_line(error))


def start_run(
    name: str | None = None,
    *,
    experiment: str = _EXPERIMENT,
    store: "Store | str | None" = None,
    tags: Mapping[str, Any] | None = None,
    nested: bool = False,
    group: str = "",
    note: str = "",
    resume: str | None = None,
    fork: str | None = None,
    at_step: float | None = None,
    strict: bool = False,
    console: bool | None = None,
    system_metrics: bool | None = None,
) -> ActiveRun:
    """Start a run, or go on with one; use it as a with-block.

    >>> import tempfile
    >>> url = f"sqlite:///{tempfile.mkdtemp()}/penstock.db"
    >>> with start_run("base", experiment="churn", store=url) as run:
    ...     run.log_metric("auc", 0.9)
    >>> run.state.value, run.metrics
    ('finished', {'auc': 0.9})

    Args:
        name: What people call it; by default the script's name.
        experiment: The group that it belongs to.
        store: A store or its URL; by default the project's.
        tags: Free marks.
        nested: Allow it inside of another run, which becomes its parent.
        group: Runs with the same group belong together, such as the folds of one validation.
        note: Markdown.
        fork: Id of a run to begin with: the new one has its parameters, tags and points.
        at_step: The last step of the other run's points that the new one has; by default all.
        resume: Id of a run that has ended, in whatever way, to go on with; what it has is kept.
        strict: Raise StoreError if something cannot be recorded later on, for example because the
            disk is full. By default it is told once and the work goes on.
        console: Keep what is printed with the run; by default unless PENSTOCK_CONSOLE is ``off``.
        system_metrics: Log the machine's state every ten seconds; by default unless
            PENSTOCK_SYSTEM_METRICS is ``off``.

    Raises:
        ConflictError: If another run is active and ``nested`` is not set, or the run to resume
            is running or a pipeline's.
    """
    outer = current_run()
    if outer is not None and not nested:
        raise ConflictError(
            what=f"Run {outer.run_id} ({outer.name!r}) is still active.",
            why="What is logged would go to another run than you think.",
            fix="End it with finish(), or write start_run(..., nested=True) for a child of it.",
            run_id=outer.run_id,
        )
    opened = open_store(store) if store is None or isinstance(store, str) else store
    options: dict[str, Any] = {
        "strict": strict,
        "console": console,
        "system_metrics": system_metrics,
    }
    if resume is not None:
        return ActiveRun(_resume(opened, resume), opened, **options)
    record = _new_record(name, experiment, tags or {}, outer)
    record = replace(record, group=require_name(group, "group") if group else "", note=note)
    if fork is not None:
        return ActiveRun(_fork(opened, record, fork, at_step), opened, **options)
    opened.metadata.create_run(record)
    return ActiveRun(record, opened, **options)


def _new_record(
    name: str | None, experiment: str, tags: Mapping[str, Any], outer: Run | None
) -> RunRecord:
    moment = now()
    host, pid, pid_started = this_process()
    entry = _entry()
    return RunRecord(
        run_id=new_id(),
        name=name or (Path(entry).stem if entry else "run"),
        experiment=require_name(experiment, "experiment"),
        pipeline=None,
        entry=entry,
        state=RunState.RUNNING,
        seed=0,
        created_at=moment,
        parent_run_id=None if outer is None else outer.run_id,
        started_at=moment,
        heartbeat_at=moment,
        host=host,
        pid=pid,
        pid_started=pid_started,
        user=_user(),
        tags={key: str(value) for key, value in tags.items()},
    )


def _resume(store: "Store", run_id: str) -> RunRecord:
    store.metadata.kill_dead_runs()
    found = store.metadata.get_run(run_id)
    if found.state is RunState.RUNNING:
        raise ConflictError(
            what=f"Run {found.run_id} is running and cannot be resumed.",
            why="Two processes would each end it.",
            fix="Log to it from another process with penstock.get_run(RUN), or wait for its end.",
            run_id=found.run_id,
        )
    if found.pipeline is not None:
        raise ConflictError(
            what=f"Run {found.run_id} is of the pipeline {found.pipeline!r}.",
            why="What its steps made is proved; a script may not add to it.",
            fix=f"Go on with its steps: penstock run --resume {found.run_id}",
            run_id=found.run_id,
        )
    host, pid, pid_started = this_process()
    return store.metadata.update_run(
        found.run_id,
        state=RunState.RUNNING,
        attempt=found.attempt + 1,
        heartbeat_at=now(),
        ended_at=None,
        error=None,
        host=host,
        pid=pid,
        pid_started=pid_started,
    )


def _fork(store: "Store", record: RunRecord, run_id: str, at_step: float | None) -> RunRecord:
    """Make the run with what another had at a step."""
    store.flush()
    source = store.metadata.get_run(run_id)
    record = replace(
        record,
        experiment=source.experiment if record.experiment == _EXPERIMENT else record.experiment,
        params=source.params,
        tags={**source.tags, **record.tags},
        group=record.group or source.group,
        forked_from=source.run_id,
        forked_at=at_step,
    )
    store.metadata.create_run(record)
    until = math.inf if at_step is None else at_step
    store.metadata.copy_metrics(source.run_id, record.run_id, until_step=until)
    store.metadata.add_edges([Edge(f"run:{source.run_id}", f"run:{record.run_id}", "forked")])
    return record


def _entry() -> str | None:
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    if not script:
        return None
    path, project = Path(script).absolute(), find_project()
    return path.relative_to(project).as_posix() if path.is_relative_to(project) else path.name


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return ""


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    name = type(error).__name__
    return (f"{name}: {text}" if text else name)[:500]
