"""A graph for the template: nodes with text, state and link, placed by the layered layout."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from penstock.server.ui._layout import Arrow, Box, DrawnArrow, Placed, arrange

_WIDE = 1340  # width that fits a usual screen; wider graphs run downwards
_TITLE, _SUB = 28, 36
_ONE_LINE, _TWO_LINES = 34.0, 46.0
_THIN, _BROAD = frozenset("fijlrt.,:;|'I!()[] -"), frozenset("mwMW@%ABCDGHKNOQRSUVX_")


@dataclass(frozen=True, slots=True)
class GraphNode:
    """A node of a graph to draw.

    Args:
        key: The node's id in the graph.
        title: First line.
        sub: Second line; may be empty.
        look: CSS classes: state or kind.
        icon: Name in icons.svg.
        link: Target of a click; may be empty.
        here: True for the node that the page is about.
    """

    key: str
    title: str
    sub: str = ""
    look: str = ""
    icon: str = "dot"
    link: str = ""
    here: bool = False


@dataclass(frozen=True, slots=True)
class DrawnNode:
    """A node with a position, and with texts cut to fit."""

    node: GraphNode
    box: Placed
    title: str
    sub: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawn graph for the template."""

    width: float
    height: float
    nodes: tuple[DrawnNode, ...]
    routes: tuple[DrawnArrow, ...]
    label: str


def draw(nodes: Sequence[GraphNode], arrows: Iterable[Arrow], label: str) -> Drawing:
    """Lay out a graph, to the right if that fits a screen and downwards if not.

    Args:
        nodes: The nodes, in a sensible order.
        arrows: The edges between the nodes.
        label: Text alternative of the picture.
    """
    words = {node.key: (_cut(node.title, _TITLE), _cut(node.sub, _SUB)) for node in nodes}
    boxes = [
        Box(
            node.key,
            _width(*words[node.key]),
            _TWO_LINES if words[node.key][1] else _ONE_LINE,
        )
        for node in nodes
    ]
    kept = list(arrows)
    labelled = any(arrow.label for arrow in kept)
    picture = arrange(boxes, kept, rank_gap=_label_room(kept) if labelled else 52, gap=16)
    if picture.width > _WIDE:
        picture = arrange(boxes, kept, down=True, rank_gap=46 if labelled else 38, gap=22)
    by_key = {node.key: node for node in nodes}
    drawn = tuple(DrawnNode(by_key[box.key], box, *words[box.key]) for box in picture.boxes)
    return Drawing(picture.width, picture.height, drawn, picture.routes, label)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _width(title: str, sub: str) -> float:
    return round(max(108.0, 48 + max(_measure(title, 9.6), _measure(sub, 7.1))), 1)


def _measure(text: str, usual: float) -> float:
    """Estimate the width of a line; fonts differ, so the estimate is on the wide side."""
    return sum(usual * (0.62 if sign in _THIN else 1.3 if sign in _BROAD else 1.0) for sign in text)


def _label_room(arrows: Sequence[Arrow]) -> float:
    return min(150.0, 34 + max(_measure(arrow.label, 6.0) for arrow in arrows))
