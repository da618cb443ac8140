"""Importance: how much each parameter decides about a value, by Optuna's PED-ANOVA."""

from collections.abc import Sequence
from dataclasses import dataclass

from penstock.tuning._optuna import distributions_of, load_optuna, quiet
from penstock.tuning._spec import StudySpec
from penstock.tuning._trial import Trial

_FEWEST = 2


@dataclass(frozen=True, slots=True)
class Importance:
    """Share of a parameter.

    Args:
        parameter: Name of the parameter.
        share: Share of the parameters' importance, 0 to 1.
    """

    parameter: str
    share: float


def measure_importance(
    spec: StudySpec, trials: Sequence[Trial], objective: int
) -> tuple[Importance, ...]:
    """Measure how much each parameter decides about an objective.

    Args:
        spec: The study.
        trials: Trials that have values.
        objective: Position of the objective.

    Source:
        Watanabe, Bansal, Hutter (2023), PED-ANOVA: Efficiently Quantifying Hyperparameter
        Importance in Arbitrary Subspaces, IJCAI.
    """
    if len({trial.values[objective] for trial in trials}) < _FEWEST:
        return ()
    optuna = load_optuna()
    study = optuna.create_study(direction=spec.objectives[objective].direction)
    distributions = distributions_of(spec.space)
    for trial in trials:
        study.add_trial(
            optuna.trial.create_trial(
                params=dict(trial.params),
                distributions=distributions,
                value=trial.values[objective],
            )
        )
    with quiet():
        shares = optuna.importance.get_param_importances(study)
    return tuple(Importance(name, float(share)) for name, share in shares.items())
