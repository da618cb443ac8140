"""The page that explains why a step was executed or cached."""

from penstock.execution import why
from penstock.server.ui._page import Page, Query
from penstock.server.ui._provenance import diff_lines
from penstock.server.ui._site import Site


def why_page(site: Site, query: Query, run_id: str) -> Page:
    """Show the changed parts of a step's key.

    Raises:
        NotFoundError: If there is no such run or step.
    """
    answer = why(
        run_id, query.text("step"), against=query.text("against") or None, store=site.store
    )
    view = {"diffs": [diff_lines(change.diff) for change in answer.changes]}
    return Page("why.html", f"Why {answer.step}", {"why": answer}, view, section="runs")
