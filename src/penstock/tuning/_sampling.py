"""Sampling: asks Optuna for suggestions and tells it values; a study of earlier trials is replayed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.tuning._optuna import distributions_of, load_optuna, new_study, quiet
from penstock.tuning._spec import StudySpec
from penstock.tuning._trial import Trial, TrialState

Reports = Sequence[tuple[float | None, float]]
"""Points of a trial's watched metric: step, and value."""


@dataclass(frozen=True, slots=True)
class Replay:
    """Where the replay of a study's trials ended.

    Args:
        untold: Ended trials that the sampler is still to be told about, by number.
        differing: Numbers of the trials whose suggestion was a different one this time.
    """

    untold: Sequence[Trial]
    differing: Sequence[int] = ()


class Sampling:
    """The sampler and the pruner of a study.

    Args:
        spec: The study.
        earlier: Trials of earlier studies to start from, in the form of `Trial.to_json`.
    """

    def __init__(self, spec: StudySpec, earlier: Sequence[Mapping[str, Any]] = ()) -> None:
        self._spec, self._optuna = spec, load_optuna()
        self._distributions = distributions_of(spec.space)
        self._study = new_study(spec)
        self._open: dict[int, Any] = {}
        self._counts: dict[int, int] = {}
        self._replaced: set[int] = set()
        self.asked = 0
        for facts in earlier:
            self._add(facts["params"], facts["values"], facts["constraints"])

    def ask(self) -> tuple[int, dict[str, Any]]:
        """Return the next trial's number and the suggested values."""
        number, self.asked = self.asked, self.asked + 1
        with quiet():
            trial = self._study.ask(self._distributions)
        self._open[number], self._counts[number] = trial, 0
        suggested = trial.params  # a copy of all of them each time
        return number, {name: suggested[name] for name in self._spec.space}

    def report(self, number: int, value: float, step: float | None) -> bool:
        """Report a point of a running trial, and return whether to prune the trial."""
        self._point(number, value, step)
        return bool(self._open[number].should_prune())

    def tell(self, trial: Trial, reports: Reports = ()) -> None:
        """Tell the sampler how a trial ended.

        Args:
            trial: The trial at its end.
            reports: Points of the trial that were not reported while it ran: of a cached step, or
                of an earlier process.
        """
        opened = self._open.pop(trial.number)
        if trial.number in self._replaced:
            self._study.tell(opened, state=self._optuna.trial.TrialState.FAIL)
            if trial.state is TrialState.COMPLETE:
                self._add(trial.params, trial.values, trial.constraints)
            return
        self._open[trial.number] = opened
        if not self._counts[trial.number]:
            for step, value in reports:
                self._point(trial.number, value, step)
                opened.should_prune()  # halving marks the rungs that a trial has reached
        del self._open[trial.number]
        states = self._optuna.trial.TrialState
        with quiet():
            if trial.state is TrialState.COMPLETE:
                for name, violation in trial.constraints.items():
                    opened.set_constraint(name, violation)
                self._study.tell(opened, list(trial.values))
            elif trial.state is TrialState.PRUNED:
                self._study.tell(opened, state=states.PRUNED)
            else:
                self._study.tell(opened, state=states.FAIL)

    def replay(self, trials: Sequence[Trial], reports: Callable[[Trial], Reports]) -> Replay:
        """Ask and tell again as the study did, so that the next suggestion is the study's next.

        Args:
            trials: All trials of the study, in the order of their numbers.
            reports: Returns the points of a trial's watched metric.
        """
        by_number = {trial.number: trial for trial in trials}
        reported: set[int] = set()
        differing = []
        for trial in trials:
            for number in trial.told:
                self.tell(by_number[number], reports(by_number[number]))
            reported.update(trial.told)
            number, suggested = self.ask()
            assert number == trial.number  # a trial is recorded before the next one is asked for
            if suggested != dict(trial.params):
                differing.append(number)
                self._replaced.add(number)
        untold = [t for t in trials if t.has_ended and t.number not in reported]
        return Replay(untold, differing)

    def _point(self, number: int, value: float, step: float | None) -> None:
        count = self._counts[number]
        whole = step is not None and step >= 0 and step == int(step)
        self._open[number].report(value, int(step) if whole and step is not None else count)
        self._counts[number] = count + 1

    def _add(
        self, params: Mapping[str, Any], values: Sequence[float], constraints: Mapping[str, float]
    ) -> None:
        create = self._optuna.trial.create_trial
        self._study.add_trial(
            create(
                params=dict(params),
                distributions=self._distributions,
                values=list(values),
                constraints=dict(constraints),
            )
        )
