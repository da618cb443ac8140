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
    asked, order = query.text("filter"), query.text("sort", next(iter(_ORDERS)))
    order = order if order in _ORDERS else next(iter(_ORDERS))
    error, found = "", list[ExperimentRecord]()
    try:
        found = site.metadata.runs.search_experiments(
            asked, order_by=order, limit=_PER_PAGE + 1, after=query.text("after") or None
        )
    except PenstockError as problem:
        error = str(problem)
    shown = found[:_PER_PAGE]
    more = len(found) > _PER_PAGE
    return Page(
        "experiments.html",
        "Experiments",
        data={"experiments": shown, "error": error},
        view={
            "asked": asked,
            "orders": _ORDERS,
            "order": order,
            "next": query.link(after=shown[-1].name) if more else "",
            "first": query.link(after=None) if query.text("after") else "",
        },
        section="experiments",
        status=400 if error else 200,
    )
