"""The lineage page: the ancestors and descendants of a node, as a graph."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from penstock.core import NotFoundError
from penstock.lineage import get_lineage
from penstock.server.ui._drawing import GraphNode, draw
from penstock.server.ui._layout import Arrow
from penstock.server.ui._page import Page, Query, node_link, path_link
from penstock.server.ui._site import Site
from penstock.server.ui._walk import nearest_part

_KINDS = (
    "source", "view", "artifact", "step", "run", "code", "environment", "version", "deployment",
    "prediction",
)  # fmt: skip
_PLAIN = frozenset(
    {*_KINDS, "input", "output", "result", "model", "report", "source", "split", "table"}
)
_LABELLED = 24  # with more nodes, words on arrows only blur the picture
_DIRECTIONS = ("up", "down", "both")
_GRAPH = ("node", "direction", "nodes", "edges")  # the rest of a lineage is not looked up here


def lineage_page(site: Site, query: Query) -> Page:
    """Show the graph around a node, or a list of nodes to start from.

    Raises:
        ParameterError: If the direction is unknown.
        NotFoundError: If the node is unknown.
    """
    node = query.text("node")
    direction = query.text("direction", "up")
    if not node:
        return _start_page(site)
    lineage = get_lineage(node, direction, details=False, store=site.store)  # type: ignore[arg-type] # checked there
    node, edges = lineage.node, lineage.edges
    part = nearest_part(node, edges, _favoured(site, node))
    steps = _step_names(site, part.nodes)
    names = {key: describe(site, key, steps) for key in part.nodes}
    few = len(part.nodes) <= _LABELLED
    arrows = [
        Arrow(e.source, e.target, e.role if few and e.role not in _PLAIN else "")
        for e in part.edges
    ]
    drawn = [_drawn(names[key], here=key == node) for key in part.nodes]
    view = {
        "about": names[node],
        "drawing": draw(drawn, arrows, f"Lineage of {node}") if arrows else None,
        "left_out": part.left_out,
        "kinds": _KINDS,
        "links": {way: node_link(node, way) for way in _DIRECTIONS},
        "described": list(names.values()),
    }
    data = {key: value for key, value in lineage.to_json().items() if key in _GRAPH}
    return Page("lineage.html", f"Lineage of {names[node]['title']}", data, view, section="lineage")


def describe(site: Site, node: str, steps: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Describe a node: kind, title, second line and the node's page."""
    kind, _, name = node.partition(":")
    title, sub, link = name, kind, node_link(node)
    if kind == "artifact":
        record = site.artifact(name)
        title = record.type_name.rpartition(":")[2].rpartition(".")[2] if record else "artifact"
        sub = name.removeprefix("sha256:")[:12]
        rows = record.metadata.get("rows") if record else None
        if rows is not None:
            sub = f"{rows:,} rows · ".replace(",", "\u2009") + sub
    elif kind == "run":
        title, sub, link = _run_words(site, name)
    elif kind == "version":
        model, _, number = name.rpartition("@")
        link = path_link("models", model) + f"?version={number}"
    elif kind == "view":
        link = path_link("features", name.partition("@")[0])
        sub = "feature view"
    elif kind == "deployment":
        link = path_link("deployments", name)
    elif kind == "prediction":
        link = path_link("predictions", name)
    elif kind == "step":
        title, run_id = steps.get(name, (name.rpartition("/")[2], ""))
        link = path_link("runs", run_id) + "#step-" + quote(title) if run_id else link
    elif kind in {"code", "environment"}:
        title, sub = kind, name.removeprefix("sha256:")[:12]
    return {"node": node, "kind": kind, "title": title, "sub": sub, "link": link}


def _run_words(site: Site, run_id: str) -> tuple[str, str, str]:
    try:
        run = site.metadata.runs.get(run_id)
    except NotFoundError:
        return run_id, "run (deleted)", node_link("run:" + run_id)
    return run.name, f"run · {run.state}", path_link("runs", run.run_id)


def _drawn(about: dict[str, str], *, here: bool) -> GraphNode:
    kind = about["kind"]
    icon = kind if kind in _KINDS else "dot"
    return GraphNode(
        about["node"],
        about["title"],
        about["sub"] if about["sub"] != about["title"] else kind,
        f"kind-{icon}",
        icon,
        node_link(about["node"]),
        here=here,
    )


def _favoured(site: Site, node: str) -> frozenset[str]:
    """Return the run of a model version with the run's steps, so that they are followed first."""
    kind, _, ref = node.partition(":")
    model, _, number = ref.rpartition("@")
    if kind != "version" or not number.isdecimal():
        return frozenset()
    run_id = site.metadata.models.get_version(model, int(number)).run_id
    if not run_id:
        return frozenset()
    steps = site.metadata.steps.list(run_id)
    return frozenset({f"run:{run_id}", *(f"step:{step.step_run_id}" for step in steps)})


def _step_names(site: Site, nodes: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Look up name and run of the steps, through the runs shown beside them."""
    names = {}
    for node in nodes:
        kind, _, run_id = node.partition(":")
        if kind == "run":
            for step in site.metadata.steps.list(run_id):
                names[step.step_run_id] = (step.step, step.run_id)
    return names


def _start_page(site: Site) -> Page:
    """Show nodes to start from."""
    versions = [
        version
        for model in site.metadata.models.list()
        for version in site.metadata.models.list_versions(model)
    ]
    newest = sorted(versions, key=lambda version: version.created_at, reverse=True)[:12]
    data: dict[str, Any] = {
        "node": "",
        "versions": [version.ref for version in newest],
        "deployments": [deployment.name for deployment in site.metadata.deployments.list()],
        "runs": site.metadata.runs.search(limit=12),
    }
    return Page("lineage_start.html", "Lineage", data, section="lineage")
