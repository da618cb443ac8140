"""The list of experiments: filter, order and page, all in the URL."""

from penstock.core import ExperimentRecord, PenstockError
from penstock.server.ui._page import Page, Query
from penstock.server.ui._site import Site

_PER_PAGE = 100
_ORDERS = {
    "last_run_at desc": "last run",
    "created_at desc": "newest",
    "runs desc": "most runs",
    "name": "name",
}


def experiments_page(site: Site, query: Query) -> Page:
    """Show the matching experiments."""
    query = Query("/experiments", {k: v for k, v in query.params.items() if k != "format"})
    filter_text, order = query.text("filter"), query.text("sort", next(iter(_ORDERS)))
    order = order if order in _ORDERS else next(iter(_ORDERS))
    error, experiments = "", list[ExperimentRecord]()
    try:
        experiments = site.metadata.runs.search_experiments(
            filter_text, order_by=order, limit=_PER_PAGE + 1, after=query.text("after") or None
        )
    except PenstockError as problem:
        error = str(problem)
    shown = experiments[:_PER_PAGE]
    more = len(experiments) > _PER_PAGE
    return Page(
        "experiments.html",
        "Experiments",
        data={"experiments": shown, "error": error},
        view={
            "asked": filter_text,
            "orders": _ORDERS,
            "order": order,
            "next": query.link(after=shown[-1].name) if more else "",
            "first": query.link(after=None) if query.text("after") else "",
        },
        section="experiments",
        status=400 if error else 200,
    )
