"""Tuning: search of a pipeline's parameters, with each trial a cached, resumable run."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.tuning._importance import Importance as Importance
    from penstock.tuning._objectives import Constraint as Constraint
    from penstock.tuning._objectives import Direction as Direction
    from penstock.tuning._objectives import Objective as Objective
    from penstock.tuning._space import Choice as Choice
    from penstock.tuning._space import FloatRange as FloatRange
    from penstock.tuning._space import IntRange as IntRange
    from penstock.tuning._space import parse_dimension as parse_dimension
    from penstock.tuning._space import read_space as read_space
    from penstock.tuning._spec import PrunerName as PrunerName
    from penstock.tuning._spec import SamplerName as SamplerName
    from penstock.tuning._spec import StudySpec as StudySpec
    from penstock.tuning._study import Study as Study
    from penstock.tuning._study import get_study as get_study
    from penstock.tuning._study import summary_to_json as summary_to_json
    from penstock.tuning._summaries import StudySummary as StudySummary
    from penstock.tuning._summaries import list_studies as list_studies
    from penstock.tuning._trial import Trial as Trial
    from penstock.tuning._trial import TrialState as TrialState
    from penstock.tuning._tune import tune as tune

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "Choice": "_space",
        "Constraint": "_objectives",
        "Direction": "_objectives",
        "FloatRange": "_space",
        "Importance": "_importance",
        "IntRange": "_space",
        "Objective": "_objectives",
        "PrunerName": "_spec",
        "SamplerName": "_spec",
        "Study": "_study",
        "StudySpec": "_spec",
        "StudySummary": "_summaries",
        "Trial": "_trial",
        "TrialState": "_trial",
        "get_study": "_study",
        "list_studies": "_summaries",
        "parse_dimension": "_space",
        "read_space": "_space",
        "summary_to_json": "_study",
        "tune": "_tune",
    },
)
