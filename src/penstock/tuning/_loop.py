"""StudyLoop: asks for trials, has their runs executed, and tells the sampler how they ended."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from penstock.core import ConflictError, ParameterError, RunRecord, RunState, StepError, new_id, now
from penstock.execution import RunEnd, RunOrder, RunPool
from penstock.stores import Store, this_process
from penstock.tracking import Run
from penstock.tuning._budget import FIRST_FAILURES, Budget
from penstock.tuning._judged import JUDGED_TAG, find_judging_step
from penstock.tuning._objectives import values_of
from penstock.tuning._sampling import Reports, Sampling
from penstock.tuning._space import grid_size
from penstock.tuning._study import trial_runs
from penstock.tuning._trial import Trial, TrialState, read_trial
from penstock.tuning._trial_runs import TrialMaker, returned_figures

_log = logging.getLogger("penstock")
_LOST = 3
_POINTS = 2
_DEAD_AFTER_S = 10.0
_SILENT_AFTER_S = 75.0  # a process of another machine is dead when its heartbeats stop


class StudyLoop:
    """The search: a trial is recorded before the next one is asked for.

    Args:
        maker: Makes the trials' runs.
        sampling: The sampler.
        budget: When the study ends.
        store: Store that records the study.
        on_trial: Called with each trial that has ended.
    """

    def __init__(
        self,
        maker: TrialMaker,
        sampling: Sampling,
        budget: Budget,
        *,
        store: Store,
        on_trial: Callable[[Trial], None],
    ) -> None:
        self._maker, self._sampling, self._budget = maker, sampling, budget
        self._spec, self._store, self._on_trial = maker.spec, store, on_trial
        self._running: dict[str, RunOrder] = {}
        self._numbers: dict[str, int] = {}
        self._ended: list[Trial] = []
        self._untold: list[Trial] = []
        self._told: list[int] = []
        self._lost: dict[str, int] = {}
        self._grid = grid_size(self._spec.space) if self._spec.sampler == "grid" else None

    @property
    def ended(self) -> Sequence[Trial]:
        """Trials that have ended, in the order of their ends."""
        return tuple(self._ended)

    # RunListener

    def started(self, run_id: str) -> None:
        """See RunListener."""

    def reported(self, run_id: str, value: float, step: float | None) -> bool:
        """See RunListener."""
        return self._sampling.report(self._numbers[run_id], value, step)

    def restore(self) -> Sequence[int]:
        """Bring the sampler to where the study's trials left it.

        Returns:
            Numbers of the trials whose suggestion differs from the recorded one.
        """
        trials = self._settled_trials()
        replay = self._sampling.replay(trials, self._reports)
        self._ended = [trial for trial in trials if trial.has_ended]
        self._untold = list(replay.untold)
        self._told = []
        if self._spec.batch == 1:
            self._tell_all()
        for trial in trials:
            if not trial.has_ended:
                self._numbers[trial.run_id] = trial.number
                self._running[trial.run_id] = self._maker.resumed(trial.run_id)
        return replay.differing

    def run(self, pool: RunPool) -> None:
        """Execute trials until the budget is used.

        Raises:
            ParameterError: If the pipeline cannot be run with the suggested values, or has no such
                metric.
            StepError: If the first trials have all failed.
        """
        waiting, self._running = list(self._running.values()), {}
        while True:
            while waiting and len(self._running) < pool.size:
                self._submit(pool, waiting.pop(0))
            while not waiting and len(self._running) < pool.size and self._may_ask():
                self._submit(pool, self._next())
            if not self._running:
                return
            for end in pool.wait():
                self._take(pool, end)

    def _may_ask(self) -> bool:
        proposed = self._sampling.asked
        if proposed % self._spec.batch == 0 and self._spec.batch > 1 and self._running:
            return False  # values are told when the whole batch has ended
        if self._grid is not None and proposed >= self._grid:
            return False
        return self._budget.allows(proposed, self._ended, self._spec.objectives)

    def _next(self) -> RunOrder:
        if self._sampling.asked % self._spec.batch == 0:
            self._tell_all()
        number, params = self._sampling.ask()
        reported, self._told = self._told, []
        order = self._maker.order(new_id(), number, params, reported)
        self._numbers[order.run_id] = number
        return order

    def _submit(self, pool: RunPool, order: RunOrder) -> None:
        self._running[order.run_id] = order
        pool.submit(order)

    def _take(self, pool: RunPool, end: RunEnd) -> None:
        order = self._running.pop(end.run_id)
        if end.refusal is not None:
            raise end.refusal
        if end.state is None and not self._mark_lost(end):
            self._lost[end.run_id] = self._lost.get(end.run_id, 0) + 1
            if self._lost[end.run_id] >= _LOST:
                raise StepError(
                    what=f"A process of the study ended {_LOST} times before its trial began:"
                    f" {end.error}.",
                    why="No trial can be executed in such a process.",
                    fix="Try the pipeline itself: penstock run FILE --runner processes.",
                )
            self._submit(pool, order)
            return
        trial = self._read(end.run_id, end.record)
        self._ended.append(trial)
        self._untold.append(trial)
        if self._spec.batch == 1:
            self._tell_all()
        self._warn_unreported(trial)
        self._warn_judged(trial)
        self._on_trial(trial)
        self._require_success()

    def _tell_all(self) -> None:
        untold, self._untold = sorted(self._untold, key=lambda trial: trial.number), []
        for trial in untold:
            self._sampling.tell(trial, self._reports(trial))
            self._told.append(trial.number)

    def _read(self, run_id: str, run: RunRecord | None = None) -> Trial:
        if run is None:
            self._store.flush()
            run = self._store.metadata.runs.get(run_id)
        missing = [name for name in self._spec.metrics if not _has(run.metrics, name)]
        figures: dict[str, float] = {}
        if run.state is RunState.FINISHED and missing:
            figures = returned_figures(self._store, self._maker.pipeline, run, self._spec)
            if not any(trial.state is TrialState.COMPLETE for trial in self._ended):
                values_of({**run.metrics, **figures}, self._spec.metrics)
            made = {name: figures[name] for name in missing if name in figures}
            if made:  # as metrics of the run the values are found by every search
                Run(run, self._store).log_metrics(made)
        return read_trial(run, self._spec, figures)

    def _reports(self, trial: Trial) -> Reports:
        key = self._spec.reported
        if key is None:
            return ()
        points = self._store.metadata.metrics.history(trial.run_id, key)
        return list(zip(points.steps.tolist(), points.values.tolist(), strict=True))

    def _settled_trials(self) -> list[Trial]:
        """Return the study's trials once no process of an earlier attempt works on them."""
        began, here = time.monotonic(), this_process()[0]
        while True:
            self._store.metadata.runs.kill_dead()
            runs = trial_runs(self._store, self._maker.study_id)
            running = [run for run in runs if run.state is RunState.RUNNING]
            alive = [run.run_id for run in running]
            if not alive:
                return [self._read(run.run_id) for run in runs]
            is_away = all(run.host != here for run in running)
            if time.monotonic() - began > (_SILENT_AFTER_S if is_away else _DEAD_AFTER_S):
                raise ConflictError(
                    what=f"Trial {alive[0]} of the study is still running.",
                    why="A second process would execute it twice.",
                    fix="Wait for its end, or stop the process that executes it.",
                    run_id=alive[0],
                )
            time.sleep(0.05)

    def _mark_lost(self, end: RunEnd) -> bool:
        """Record that a trial's process ended; returns whether the trial had been recorded."""
        runs = self._store.metadata.runs
        if not runs.count(f"run_id = '{end.run_id}'"):
            return False
        runs.kill_dead()
        if runs.get(end.run_id).state in {RunState.RUNNING, RunState.KILLED}:
            runs.update(end.run_id, state=RunState.FAILED, ended_at=now(), error=end.error)
        return True

    def _warn_unreported(self, trial: Trial) -> None:
        """Warn where the pruner has no points to judge; once, at the first complete trial."""
        complete = [each for each in self._ended if each.state is TrialState.COMPLETE]
        if self._spec.reported and complete == [trial] and len(self._reports(trial)) < _POINTS:
            _log.warning(
                "Trial %d logged %r less than twice, so pruner %r has nothing to judge. Log it with"
                " a step as the training goes on: ps.log_metric(%r, value, step=epoch); or name the"
                " metric that is: watched=… (--watched).",
                trial.number,
                self._spec.reported,
                self._spec.pruner,
                self._spec.reported,
            )

    def _warn_judged(self, trial: Trial) -> None:
        """Warn where the rows that choose a model also judge it; once, at the first complete trial."""
        if [each for each in self._ended if each.state is TrialState.COMPLETE] != [trial]:
            return
        run = self._store.metadata.runs.get(trial.run_id)
        names = [each.metric for each in self._spec.objectives]
        graph = self._maker.pipeline.trace(**{**self._spec.fixed, **trial.params})
        step = find_judging_step(self._store, graph, run, names)
        if step is None:
            return
        self._store.metadata.runs.set_tags(self._maker.study_id, {JUDGED_TAG: step})
        _log.warning(
            "The rows of step %r choose the best of all trials, and its report then judges that model:"
            " its figures will be too good, and its gates too easy. Search on other rows: call"
            " ps.steps.cross_validate on the train rows; or split with validation=0.2, add a second"
            ' ps.steps.evaluate(…, subset="validation"), and search for validation_%s (--metric).',
            step,
            names[0].removeprefix("validation_"),
        )

    def _require_success(self) -> None:
        failed = [trial for trial in self._ended if trial.state is TrialState.FAILED]
        if len(failed) == len(self._ended) == FIRST_FAILURES:
            raise StepError(
                what=f"The first {FIRST_FAILURES} trials have failed, the last with: {failed[-1].error}",
                why="The others would probably fail in the same way.",
                fix="Correct the pipeline, then resume the study: penstock tune --resume"
                f" {self._maker.study_id}; or see a trial: penstock show {failed[-1].run_id}",
            )


def _has(metrics: Any, name: str) -> bool:
    try:
        values_of(metrics, [name])
    except ParameterError:
        return False
    return True
