"""The pages of studies: the list, and a study with trials and charts."""

from typing import Any

from penstock.server.ui._page import Page, Query
from penstock.server.ui._site import Site
from penstock.server.ui._study_charts import study_charts
from penstock.tuning import Study, Trial, get_study, list_studies

_STUDIES = 500
_ROWS = 500


def studies_page(site: Site, query: Query) -> Page:  # noqa: ARG001 - a page's form
    """List the newest studies, without their trials."""
    studies = list_studies(limit=_STUDIES, store=site.store)
    data = {"studies": [study.to_json() for study in studies]}
    live = any(study.state == "running" for study in studies)
    return Page(
        "studies.html",
        "Studies",
        data,
        {"shown": studies, "most": _STUDIES},
        section="experiments",
        live=live,
    )


def study_page(site: Site, query: Query, study_id: str) -> Page:  # noqa: ARG001 - a page's form
    """Show a study: the best trials, history, importance, slices, and all trials.

    Raises:
        NotFoundError: If there is no such study.
    """
    study = get_study(study_id, store=site.store)
    data = study.to_json()
    view: dict[str, Any] = {
        "study": study,
        "ranked": _best_first(study)[:_ROWS],
        "front": {trial.number for trial in study.pareto_front},
        "counts": {state: count for state, count in data["trial_counts"].items() if count},
        "drawn": study_charts(study),
        "space": {name: str(each) for name, each in study.spec.space.items()},
    }
    return Page(
        "study.html",
        study.name,
        data,
        view,
        section="experiments",
        charts=True,
        live=study.state == "running",
    )


def _best_first(study: Study) -> list[Trial]:
    sign = -1.0 if study.spec.objectives[0].direction == "maximize" else 1.0

    def rank(trial: Trial) -> tuple[bool, float]:
        return not trial.values, sign * trial.values[0] if trial.values else trial.number

    return sorted(study.trials, key=rank)
