"""``start_run``: tracking a script or a notebook, without a pipeline."""

import logging
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
    ParameterError,
    RunRecord,
    RunState,
    StoreError,
    current_actor,
    did_you_mean,
    find_project,
    new_id,
    now,
    redact,
    require_label,
    require_name,
)
from penstock.hooks import Courier
from penstock.stores import end_fact, open_store, this_process
from penstock.tracking._active import active_run, enter_run, leave_run, outer_run
from penstock.tracking._console import Console, wanted
from penstock.tracking._heartbeat import Heartbeat
from penstock.tracking._provenance import ProvenanceRecorder
from penstock.tracking._run import ENDED, Run
from penstock.tracking._system import SystemMetrics

if TYPE_CHECKING:
    from penstock.stores import Store

_EXPERIMENT = "default"
_log = logging.getLogger("penstock")


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
        provenance: bool | None = None,
        outer: Run | None = None,
    ) -> None:
        super().__init__(record, store, strict=strict)
        self._attempt, self._finished = record.attempt, False
        self._courier = Courier(store=store).start()
        self._helpers: list[Heartbeat | Console | SystemMetrics | ProvenanceRecorder] = [
            Heartbeat(self, store=store).start()
        ]
        if wanted(provenance, "PENSTOCK_PROVENANCE"):
            self._helpers.append(ProvenanceRecorder(self, store).start())
        if wanted(system_metrics, "PENSTOCK_SYSTEM_METRICS"):
            self._helpers.append(SystemMetrics(self).start())
        if wanted(console, "PENSTOCK_CONSOLE"):
            self._helpers.append(Console(self.run_id, store).start())
        enter_run(self, outer)

    def finish(
        self, state: RunState | str = RunState.FINISHED, *, error: str | None = None
    ) -> None:
        """End the run and make the previously active run active again. See Run.finish."""
        self._finished = True
        for helper in reversed(self._helpers):
            helper.stop()
        leave_run(self)
        self.trouble.note()
        try:
            self._end(RunState(state), error, only_attempt=self._attempt)
        except StoreError:
            moment = now()
            fact = end_fact(self.run_id, self._attempt, RunState(state), moment, error)
            self.trouble.record(fact)
            self._set(replace(self._record, state=RunState(state), ended_at=moment, error=error))
        self._courier.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._finished:
            return  # already ended by hand
        try:
            if error is None or (isinstance(error, SystemExit) and error.code in {None, 0}):
                self.finish()
            elif isinstance(error, Exception):
                self.finish(RunState.FAILED, error=_one_line(error))
            else:
                self.finish(RunState.KILLED, error=_one_line(error))
        except ConflictError as conflict:
            if self.trouble.strict:
                raise
            # Code after the block must not suffer from changes that other processes made to the
            # run.
            _log.warning("The end of run %s was not recorded. %s", self.run_id, conflict)


def start_run(
    name: str | None = None,
    *,
    experiment: str = _EXPERIMENT,
    tags: Mapping[str, object] | None = None,
    nested: bool = False,
    parent: Run | str | None = None,
    group: str = "",
    note: str = "",
    resume: str | None = None,
    fork: str | None = None,
    at_step: float | None = None,
    strict: bool = False,
    console: bool | None = None,
    system_metrics: bool | None = None,
    provenance: bool | None = None,
    store: "Store | str | None" = None,
) -> ActiveRun:
    """Start a run, or continue a run; use as a with-block.

    >>> import tempfile
    >>> url = f"sqlite:///{tempfile.mkdtemp()}/penstock.db"
    >>> with start_run("base", experiment="churn", store=url) as run:
    ...     run.log_metric("auc", 0.9)
    >>> run.state.value, run.metrics
    ('finished', {'auc': 0.9})

    Args:
        name: Name of the run; by default the script's name.
        experiment: Experiment of the run.
        tags: Free labels.
        nested: Allow the run inside of an active run, which becomes the parent. Not needed in the
            further threads of the process.
        parent: The run that becomes the parent, or the id of that run, wherever this call is made:
            a thread, a different process.
        group: Runs with the same group belong together, such as the folds of a cross-validation.
        note: Markdown.
        fork: Id of a run to start from: the new run has the same parameters, tags and points.
        at_step: The last step of that run's points to copy; by default all.
        resume: Id of a run that has ended, in any state, to continue; all data stays.
        strict: Raise StoreError if something cannot be recorded later on, for example because the
            disk is full. By default the failure is logged once as a warning and the work goes on.
        console: Record the printed output with the run; by default unless PENSTOCK_CONSOLE is
            ``off``.
        system_metrics: Log the machine's state every ten seconds; by default unless
            PENSTOCK_SYSTEM_METRICS is ``off``.
        provenance: Record the script's provenance (git commit and changes, source files,
            packages, command line, hardware), in the background; by default unless
            PENSTOCK_PROVENANCE is ``off``.
        store: A store or a store URL; by default the project's.

    Raises:
        ConflictError: If a run is active and ``nested`` is not set, or the run to resume is
            running, a pipeline's, or was just resumed elsewhere.
        NotFoundError: If the parent does not exist, or ``nested`` is set and the run that is meant
            cannot be determined.
    """
    # An explicit parent takes precedence over the active run.
    outer, allowed = (None, True) if parent is not None else outer_run(nested=nested)
    if outer is not None and not (nested or allowed):
        raise ConflictError(
            what=f"Run {outer.run_id} ({outer.shown_name!r}) is still active.",
            why="Logging would go to the wrong run.",
            fix="End it with finish(), or write start_run(..., nested=True) for a child of it.",
            run_id=outer.run_id,
        )
    opened = open_store(store)
    options: dict[str, Any] = {
        "strict": strict,
        "console": console,
        "system_metrics": system_metrics,
        "provenance": provenance,
        "outer": outer,
    }
    if resume is not None:
        return ActiveRun(_resume(opened, resume), opened, **options)
    above = None if outer is None else outer.run_id
    if parent is not None:
        above = (
            parent.run_id if isinstance(parent, Run) else opened.metadata.runs.get(parent).run_id
        )
    record = _new_record(name, experiment, tags or {}, above)
    record = replace(record, group=require_name(group, "group") if group else "", note=note)
    if fork is not None:
        return ActiveRun(_fork(opened, record, fork, at_step), opened, **options)
    opened.metadata.runs.create(record)
    return ActiveRun(record, opened, **options)


def end_run(state: RunState | str = RunState.FINISHED, *, error: str | None = None) -> None:
    """End the active run; without a run, nothing happens, as in MLflow.

    Needed only where `start_run` is not used as a with-block. The run that was active before is
    active again.

    >>> end_run() is None
    True

    Args:
        state: ``finished``, ``failed`` or ``killed``, in any case.
        error: A line about the failure.

    Raises:
        ConflictError: If the active run is a pipeline's, which the pipeline ends itself.
        ParameterError: If the state is not an end state of runs.
    """
    run = active_run()
    if run is None:
        return
    if not isinstance(run, ActiveRun):
        raise ConflictError(
            what=f"Run {run.run_id} ({run.shown_name!r}) was not started here with start_run.",
            why="A pipeline's run ends when its last step has ended.",
            fix="Leave end_run() out of steps.",
            run_id=run.run_id,
        )
    run.finish(_end_state(state), error=error)


def _end_state(state: RunState | str) -> RunState:
    word = str(state).lower()
    if word not in {ended.value for ended in ENDED}:
        known = sorted(ended.value for ended in ENDED)
        raise ParameterError(
            what=f"A run cannot end as {state!r}.",
            why="An ended run has one of the states of the end.",
            fix=did_you_mean(word, known),
        )
    return RunState(word)


def _new_record(
    name: str | None, experiment: str, tags: Mapping[str, object], parent: str | None
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
        parent_run_id=parent,
        started_at=moment,
        heartbeat_at=moment,
        host=host,
        pid=pid,
        pid_started=pid_started,
        user=current_actor(),
        tags={require_label(key, "tag"): str(value) for key, value in tags.items()},
    )


def _resume(store: "Store", run_id: str) -> RunRecord:
    # A run whose process died still counts as running before this.
    store.metadata.runs.kill_dead()
    record = store.metadata.runs.get(run_id)
    if record.state is RunState.RUNNING:
        raise ConflictError(
            what=f"Run {record.run_id} is running and cannot be resumed.",
            why="Two processes would each end it.",
            fix="Log to it from another process with penstock.get_run(RUN), or wait for its end.",
            run_id=record.run_id,
        )
    if record.pipeline is not None:
        raise ConflictError(
            what=f"Run {record.run_id} is of the pipeline {record.pipeline!r}.",
            why="What its steps made is proved; a script may not add to it.",
            fix=f"Resume it with: penstock run --resume {record.run_id}",
            run_id=record.run_id,
        )
    host, pid, pid_started = this_process()
    return store.metadata.runs.update(
        record.run_id,
        state=RunState.RUNNING,
        attempt=record.attempt + 1,
        heartbeat_at=now(),
        ended_at=None,
        error=None,
        host=host,
        pid=pid,
        pid_started=pid_started,
    )


def _fork(store: "Store", record: RunRecord, run_id: str, at_step: float | None) -> RunRecord:
    """Create the run with the data that an existing run had at a step."""
    # The latest points of the source may still be in the journal.
    store.flush()
    source = store.metadata.runs.get(run_id)
    record = replace(
        record,
        experiment=source.experiment if record.experiment == _EXPERIMENT else record.experiment,
        params=source.params,
        tags={**source.tags, **record.tags},
        group=record.group or source.group,
        forked_from=source.run_id,
        forked_at=at_step,
    )
    store.metadata.runs.create(record)
    until = math.inf if at_step is None else at_step
    store.metadata.metrics.copy(source.run_id, record.run_id, until_step=until)
    store.metadata.artifacts.add_edges(
        [Edge(f"run:{source.run_id}", f"run:{record.run_id}", "forked")]
    )
    return record


def _entry() -> str | None:
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    if not script:
        return None
    path, project = Path(script).absolute(), find_project()
    return path.relative_to(project).as_posix() if path.is_relative_to(project) else path.name


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    name = type(error).__name__
    return redact(f"{name}: {text}" if text else name)[:500]
