"""The seam to Optuna: distributions, samplers, pruners, and an in-memory study."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from penstock.core import ParameterError, require
from penstock.tuning._space import FloatRange, IntRange, SearchSpace, grid_size
from penstock.tuning._spec import StudySpec

Suggestion = Mapping[str, Any]


def load_optuna() -> Any:
    """Import Optuna, with its own log lines off: the study reports its trials itself.

    Raises:
        MissingPackageError: If Optuna is not installed.
    """
    optuna = require("optuna", extra="search", purpose="hyperparameter search")
    if optuna.logging.get_verbosity() != optuna.logging.ERROR:  # setting it clears logging's cache
        optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def distributions_of(space: SearchSpace) -> dict[str, Any]:
    """Return Optuna's distribution of each dimension, in the order of the space."""
    kinds = load_optuna().distributions
    distributions: dict[str, Any] = {}
    for name, each in space.items():
        if isinstance(each, FloatRange):
            distributions[name] = kinds.FloatDistribution(
                each.low, each.high, log=each.log, step=each.step
            )
        elif isinstance(each, IntRange):
            distributions[name] = kinds.IntDistribution(
                each.low, each.high, log=each.log, step=each.step
            )
        else:
            distributions[name] = kinds.CategoricalDistribution(each.options)
    return distributions


def new_study(spec: StudySpec) -> Any:
    """Create Optuna's in-memory study with the sampler and the pruner of a spec.

    Raises:
        MissingPackageError: If a package that the sampler needs is not installed.
        ParameterError: If the sampler cannot search this space, or an option is unknown.
    """
    optuna = load_optuna()
    with quiet():
        return optuna.create_study(
            study_name=spec.name,
            directions=[each.direction for each in spec.objectives],
            sampler=make_sampler(spec),
            pruner=make_pruner(spec),
        )


def make_sampler(spec: StudySpec) -> Any:
    """Create Optuna's sampler of a spec.

    Raises:
        MissingPackageError: If a package that the sampler needs is not installed.
        ParameterError: If the sampler cannot search this space, or an option is unknown.
    """
    samplers = load_optuna().samplers
    options = dict(spec.sampler_options)
    if spec.sampler == "grid":
        return _grid(samplers, spec)
    if spec.sampler == "gp":
        require("torch", extra="torch", purpose="the Gaussian process sampler")
        require("scipy", extra="search", purpose="the Gaussian process sampler")
    if spec.sampler == "cmaes":
        require("cmaes", extra="search", purpose="the CMA-ES sampler")
        _require_numbers(spec)
        options = {"warn_independent_sampling": False, **options}
    if spec.sampler == "tpe" and spec.parallel:
        # Without it, trials that are suggested side by side are nearly equal.
        options = {"constant_liar": True, **options}
    kinds = {
        "tpe": samplers.TPESampler,
        "random": samplers.RandomSampler,
        "gp": samplers.GPSampler,
        "cmaes": samplers.CmaEsSampler,
    }
    with quiet():
        return _made(f"sampler {spec.sampler!r}", kinds[spec.sampler], seed=spec.seed, **options)


def make_pruner(spec: StudySpec) -> Any:
    """Create Optuna's pruner of a spec.

    Raises:
        ParameterError: If an option is unknown.
    """
    pruners = load_optuna().pruners
    kinds = {
        "none": pruners.NopPruner,
        "median": pruners.MedianPruner,
        "halving": pruners.SuccessiveHalvingPruner,
        "hyperband": pruners.HyperbandPruner,
    }
    with quiet():
        return _made(f"pruner {spec.pruner!r}", kinds[spec.pruner], **spec.pruner_options)


@contextmanager
def quiet() -> Iterator[None]:
    """Ignore warnings that a sampler is experimental: users choose it by name here."""
    optuna = load_optuna()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def _made(what: str, kind: Any, **options: Any) -> Any:
    try:
        return kind(**options)
    except (TypeError, ValueError) as error:
        raise ParameterError(
            what=f"The {what} does not take these options: {error}.",
            why="They are passed on to Optuna.",
            fix=f"See the arguments of optuna's {kind.__name__}.",
        ) from error


def _grid(samplers: Any, spec: StudySpec) -> Any:
    if grid_size(spec.space) is None:
        endless = [
            name
            for name, each in spec.space.items()
            if each.size is None or getattr(each, "log", False)
        ]
        raise ParameterError(
            what=f"A grid has no values for {', '.join(endless)}.",
            why="Each dimension of a grid has a finite list of values.",
            fix=f"Give a step, {endless[0]}=0..1/0.1, or the values, {endless[0]}=1e-4,1e-3,1e-2.",
        )

    class Grid(samplers.GridSampler):  # type: ignore[misc] # the class is known at run time only
        """Grid that leaves the end to the study: Optuna's own stops a loop that is not used."""

        def after_trial(self, *args: Any, **kwargs: Any) -> None:
            """Do nothing."""

    values = {name: each.values() for name, each in spec.space.items()}
    return _made("grid", Grid, search_space=values, seed=spec.seed, **spec.sampler_options)


def _require_numbers(spec: StudySpec) -> None:
    if not any(isinstance(each, FloatRange | IntRange) for each in spec.space.values()):
        raise ParameterError(
            what="CMA-ES has no number to search: every parameter is a choice.",
            why="It moves a normal distribution over numbers.",
            fix='Use sampler="tpe".',
        )
