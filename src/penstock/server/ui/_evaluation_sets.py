"""The pages of evaluation sets: all of them, and one with its records."""

import json
from typing import Any

from penstock.server.ui._page import Page, Query
from penstock.server.ui._site import Site
from penstock.tracking import get_evaluation_set, list_evaluation_sets

_RECORDS = 500
_LONGEST = 4000


def evaluation_sets_page(site: Site, query: Query) -> Page:
    """List the evaluation sets, of all experiments or of one."""
    experiment = query.text("experiment")
    found = list_evaluation_sets(experiment or None, store=site.store)
    view = {"shown": found, "experiment": experiment}
    title = "Evaluation sets"
    return Page("evaluation_sets.html", title, {"sets": found}, view, section="experiments")


def evaluation_set_page(site: Site, query: Query, set_id: str) -> Page:  # noqa: ARG001 - a page's form
    """Show an evaluation set: each question with what is expected of the answer.

    Raises:
        NotFoundError: If there is no such set.
    """
    found = get_evaluation_set(set_id, store=site.store)
    rows = [
        (each, _shown(each.inputs), _shown(each.expectations)) for each in found.records[:_RECORDS]
    ]
    view = {"rows": rows, "most": _RECORDS}
    return Page("evaluation_set.html", found.name, {"set": found}, view, section="experiments")


def _shown(value: Any) -> str:
    text = json.dumps(dict(value), indent=1, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " …"
