"""The page of an artifact: record, content, and the runs that made or used the artifact."""

from penstock.core import NotFoundError
from penstock.server.ui._content import content_of
from penstock.server.ui._page import Page, Query
from penstock.server.ui._site import Site

_ROWS = 200
_RUNS = 20


def artifact_page(site: Site, query: Query, digest: str) -> Page:
    """Show an artifact.

    Raises:
        NotFoundError: If there is no such artifact.
    """
    record = site.artifact(digest)
    if record is None:
        raise NotFoundError(
            what=f"There is no artifact {digest}.",
            fix="`penstock gc` deletes artifacts that are no longer referenced.",
        )
    label = query.text("name")
    content = content_of(site, record, label, rows=_ROWS)
    data = {"artifact": record, "name": label, "run": query.text("run"), "content": content}
    return Page(
        "artifact.html",
        label or record.type_name,
        data,
        {"content_shown": content},  # the macro has the shorter name
        section="runs",
        charts=content["kind"] in {"figure", "histogram"},
    )
