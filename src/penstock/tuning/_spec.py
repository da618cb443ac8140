"""StudySpec: what a study searches and how, as the study's run records it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from penstock.tuning._objectives import Constraint, Direction, Objective
from penstock.tuning._space import Choice, Dimension, SearchSpace, parse_dimension

SamplerName = Literal["tpe", "random", "grid", "gp", "cmaes"]
PrunerName = Literal["none", "median", "halving", "hyperband"]


@dataclass(frozen=True, slots=True)
class StudySpec:
    """What a study searches and how; equal specs and equal values give equal suggestions.

    Args:
        name: Name of the study.
        space: Dimension by parameter.
        objectives: Metrics to optimize; several give a Pareto front.
        constraints: Limits that the best trial keeps.
        fixed: Values of the pipeline's other parameters, as plain JSON.
        sampler: Name of the sampler.
        sampler_options: Options of Optuna's sampler of that name.
        pruner: Name of the pruner.
        pruner_options: Options of Optuna's pruner of that name.
        seed: Seed of the sampler and of every trial's run.
        batch: Number of trials that are suggested together, before any of them is told; 1 where
            values are told as they arrive.
        parallel: True if trials were meant to run side by side.
        watched: Metric whose points the pruner judges while a trial runs; None for the objective.
    """

    name: str
    space: SearchSpace
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)
    sampler: SamplerName = "tpe"
    sampler_options: Mapping[str, Any] = field(default_factory=dict)
    pruner: PrunerName = "none"
    pruner_options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    batch: int = 1
    parallel: bool = False
    watched: str | None = None

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics of objectives and constraints."""
        names = [objective.metric for objective in self.objectives]
        return list(dict.fromkeys([*names, *(each.metric for each in self.constraints)]))

    @property
    def reported(self) -> str | None:
        """Name of the metric that a trial reports while it runs; None without a pruner."""
        if self.pruner == "none":
            return None
        return self.watched or self.objectives[0].metric.removesuffix(".min").removesuffix(".max")

    @property
    def is_multi(self) -> bool:
        """True if there are several objectives."""
        return len(self.objectives) > 1

    def to_json(self) -> dict[str, Any]:
        """Return the spec as plain JSON."""
        return {
            "name": self.name,
            "search": {name: dimension_to_json(each) for name, each in self.space.items()},
            "objectives": [[each.metric, each.direction] for each in self.objectives],
            "constraints": [str(each) for each in self.constraints],
            "fixed": dict(self.fixed),
            "sampler": self.sampler,
            "sampler_options": dict(self.sampler_options),
            "pruner": self.pruner,
            "pruner_options": dict(self.pruner_options),
            "seed": self.seed,
            "batch": self.batch,
            "parallel": self.parallel,
            "watched": self.watched,
        }

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Self:
        """Create a spec from the result of to_json."""
        rest = {
            name: facts[name]
            for name in (
                "name", "fixed", "sampler", "sampler_options", "pruner", "pruner_options", "seed",
                "batch", "parallel", "watched",
            )
        }  # fmt: skip
        return cls(
            space={name: dimension_from_json(each) for name, each in facts["search"].items()},
            objectives=tuple(Objective(m, _direction(d)) for m, d in facts["objectives"]),
            constraints=tuple(map(Constraint.parse, facts["constraints"])),
            **rest,
        )


def dimension_to_json(dimension: Dimension) -> Any:
    """Return a dimension as the text that parses back to it; options as a list."""
    options = getattr(dimension, "options", None)
    return str(dimension) if options is None else list(options)


def dimension_from_json(form: Any) -> Dimension:
    """Create a dimension from the result of dimension_to_json."""
    return parse_dimension(form) if isinstance(form, str) else Choice(tuple(form))


def _direction(text: str) -> Direction:
    return "maximize" if text == "maximize" else "minimize"
