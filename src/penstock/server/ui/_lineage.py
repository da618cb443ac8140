"""The lineage page: what made something, and what came of it, as a graph."""

from collections.abc import Sequence
from typing import Any

from penstock.core import Edge, NotFoundError, ParameterError
from penstock.server.ui._drawing import Node, draw
from penstock.server.ui._layout import Arrow
from penstock.server.ui._page import Page, Query, node_link, path_link
from penstock.server.ui._site import Site

_MOST = 120
_KINDS = {
    "source": "source",
    "artifact": "artifact",
    "step": "step",
    "run": "run",
    "code": "code",
    "environment": "environment",
    "version": "version",
    "deployment": "deployment",
    "prediction": "prediction",
}
_DIRECTIONS = ("up", "down", "both")


def lineage_page(site: Site, query: Query) -> Page:
    """Show the graph around a node, or where to start from.

    Raises:
        ParameterError: If the direction is none.
    """
    node = query.text("node")
    direction = query.text("direction", "up")
    if direction not in _DIRECTIONS:
        raise ParameterError(
            what=f"{direction!r} is no direction.", fix=f"Use one of {', '.join(_DIRECTIONS)}."
        )
    if not node:
        return _start_page(site)
    edges = _edges(site, node, direction)
    order = _nearest(node, edges)
    shown = order[:_MOST]
    names = {key: describe(site, key) for key in shown}
    kept = [e for e in edges if e.source in names and e.target in names]
    data = {"node": node, "direction": direction, "edges": edges}
    view = {
        "about": names[node],
        "drawing": draw(
            [_drawn(names[key], here=key == node) for key in shown],
            [Arrow(e.source, e.target, "" if e.role in _KINDS else e.role) for e in kept],
            f"Lineage of {node}",
        )
        if kept
        else None,
        "left_out": len(order) - len(shown),
        "kinds": list(_KINDS),
        "links": {way: node_link(node, way) for way in _DIRECTIONS},
        "described": [names[key] for key in shown],
    }
    return Page("lineage.html", f"Lineage of {names[node]['title']}", data, view, section="lineage")


def describe(site: Site, node: str) -> dict[str, str]:
    """Say what a node is: kind, title, second line and the page about it."""
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
    elif kind == "deployment":
        link = path_link("deployments", name)
    elif kind == "prediction":
        link = path_link("predictions", name)
    elif kind == "step":
        title, sub = name.rpartition("/")[2] or name, "step"
    elif kind in {"code", "environment"}:
        title, sub = kind, name.removeprefix("sha256:")[:12]
    return {"node": node, "kind": kind, "title": title, "sub": sub, "link": link}


def _run_words(site: Site, run_id: str) -> tuple[str, str, str]:
    try:
        run = site.metadata.get_run(run_id)
    except NotFoundError:
        return run_id, "run (deleted)", node_link("run:" + run_id)
    return run.name, f"run · {run.state}", path_link("runs", run.run_id)


def _drawn(about: dict[str, str], *, here: bool) -> Node:
    kind = about["kind"]
    icon = _KINDS.get(kind, "dot")
    return Node(
        about["node"],
        about["title"],
        about["sub"] if about["sub"] != about["title"] else kind,
        f"kind-{icon}",
        icon,
        node_link(about["node"]),
        here=here,
    )


def _edges(site: Site, node: str, direction: str) -> list[Edge]:
    ways = ("up", "down") if direction == "both" else (direction,)
    found = [edge for way in ways for edge in site.metadata.list_edges(node, direction=way)]
    return list(dict.fromkeys(found))


def _nearest(node: str, edges: Sequence[Edge]) -> list[str]:
    """Order the nodes by their distance, so that the nearest are drawn if not all fit."""
    beside: dict[str, list[str]] = {}
    for edge in edges:
        beside.setdefault(edge.source, []).append(edge.target)
        beside.setdefault(edge.target, []).append(edge.source)
    order, seen = [node], {node}
    for key in order:
        for other in beside.get(key, ()):
            if other not in seen:
                seen.add(other)
                order.append(other)
    return order


def _start_page(site: Site) -> Page:
    """Offer places to start from."""
    versions = [
        version
        for model in site.metadata.list_models()
        for version in site.metadata.list_model_versions(model)
    ]
    newest = sorted(versions, key=lambda version: version.created_at, reverse=True)[:12]
    data: dict[str, Any] = {
        "node": "",
        "versions": [version.ref for version in newest],
        "deployments": [deployment.name for deployment in site.metadata.list_deployments()],
        "runs": site.metadata.search_runs(limit=12),
    }
    return Page("lineage_start.html", "Lineage", data, section="lineage")
