"""Layered drawing of a directed graph: positions of boxes and paths of arrows.

Sugiyama's four phases: ranks by longest path, order within a rank by barycentre sweeps, positions
by least squares with separation (pool adjacent violators), arrows as curves through the ranks they
cross. Everything is deterministic: equal graphs give equal pictures.

Source: Sugiyama, Tagawa, Toda (1981), IEEE Trans. SMC 11(2).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

_SWEEPS = 12
_RELAXATIONS = 8
_NARROW = 6.0  # room for a passing arrow


@dataclass(frozen=True, slots=True)
class Box:
    """A node to place; sizes in pixels."""

    key: str
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Arrow:
    """An edge to draw."""

    source: str
    target: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Placed:
    """A box with the top left corner."""

    key: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class DrawnArrow:
    """An arrow as an SVG path, and the position of the label."""

    source: str
    target: str
    label: str
    path: str
    label_x: float
    label_y: float


@dataclass(frozen=True, slots=True)
class Picture:
    """A whole drawing; sizes in pixels."""

    width: float
    height: float
    boxes: tuple[Placed, ...]
    routes: tuple[DrawnArrow, ...]


@dataclass(slots=True)
class _Slot:
    """A box, or a point where a long arrow crosses a rank; ``across`` is the centre."""

    rank: int
    length: float
    breadth: float
    across: float = 0.0


def arrange(
    boxes: Sequence[Box],
    arrows: Iterable[Arrow],
    *,
    down: bool = False,
    rank_gap: float = 56,
    gap: float = 18,
    margin: float = 8,
) -> Picture:
    """Place boxes in ranks along the arrows, from left to right or downwards.

    >>> picture = arrange([Box("a", 80, 30), Box("b", 80, 30)], [Arrow("a", "b")])
    >>> [(box.key, box.x, box.y) for box in picture.boxes]
    [('a', 8.0, 8.0), ('b', 144.0, 8.0)]

    Args:
        boxes: The nodes, in the order to prefer where nothing else decides.
        arrows: Edges between the boxes; unknown ends and self-loops are left out, cycles are cut.
        down: Downwards instead of to the right.
        rank_gap: Pixels between ranks.
        gap: Pixels between neighbours in a rank.
        margin: Pixels around.
    """
    keys = {box.key for box in boxes}
    kept = [a for a in arrows if a.source in keys and a.target in keys and a.source != a.target]
    chains, slots, layers = _ranked(boxes, kept, down=down)
    _order(layers, chains)
    _spread(layers, slots, chains, gap)
    return _draw(boxes, kept, chains, slots, layers, _Frame(down, rank_gap, margin))


def _ranked(
    boxes: Sequence[Box], arrows: list[Arrow], *, down: bool
) -> tuple[list[list[str]], dict[str, _Slot], list[list[str]]]:
    """Rank the boxes and cut arrows into pieces between neighbouring ranks."""
    ranks = _ranks([box.key for box in boxes], arrows)
    slots: dict[str, _Slot] = {}
    for box in boxes:
        length, breadth = (box.height, box.width) if down else (box.width, box.height)
        slots[box.key] = _Slot(ranks[box.key], length, breadth)
    layers: list[list[str]] = [[] for _ in range(max(ranks.values(), default=-1) + 1)]
    for box in boxes:
        layers[ranks[box.key]].append(box.key)
    chains: list[list[str]] = []
    for index, arrow in enumerate(arrows):
        first, last = sorted((arrow.source, arrow.target), key=lambda key: ranks[key])
        chain = [first]
        for rank in range(ranks[first] + 1, ranks[last]):
            point = f"\0{index}\0{rank}"
            slots[point] = _Slot(rank, 0, _NARROW)
            layers[rank].append(point)
            chain.append(point)
        chain.append(last)
        chains.append(chain)
    return chains, slots, layers


def _ranks(keys: list[str], arrows: list[Arrow]) -> dict[str, int]:
    """Compute each key's longest distance from a start; starts move up to their first use."""
    after: dict[str, list[str]] = {key: [] for key in keys}
    for arrow in arrows:
        after[arrow.source].append(arrow.target)
    order = _topological(keys, after)
    place = {key: index for index, key in enumerate(order)}
    ranks = dict.fromkeys(keys, 0)
    fed: set[str] = set()
    for key in order:
        for target in after[key]:
            if place[target] > place[key]:
                ranks[target] = max(ranks[target], ranks[key] + 1)
                fed.add(target)
    # A start next to its first use has short arrows.
    for key in keys:
        if key not in fed and after[key]:
            nearest = min(ranks[target] for target in after[key])
            ranks[key] = max(0, nearest - 1)
    return ranks


def _topological(keys: list[str], after: dict[str, list[str]]) -> list[str]:
    """Sort keys so that arrows point forward, except the arrows that close a cycle."""
    done: list[str] = []
    seen: set[str] = set()
    for start in keys:
        stack = [(start, iter(after[start]))] if start not in seen else []
        seen.add(start)
        while stack:
            key, rest = stack[-1]
            following = next((target for target in rest if target not in seen), None)
            if following is None:
                done.append(key)
                stack.pop()
            else:
                seen.add(following)
                stack.append((following, iter(after[following])))
    return done[::-1]


def _order(layers: list[list[str]], chains: list[list[str]]) -> None:
    """Sort each rank by the mean position of the neighbours, in sweeps both ways; keep the best."""
    before, after = _neighbours(chains)
    best = [list(layer) for layer in layers]
    fewest = _crossings(best, after)
    current = [list(layer) for layer in layers]
    for sweep in range(_SWEEPS):
        if fewest == 0:
            break
        forward = sweep % 2 == 0
        links = before if forward else after
        for rank in range(len(current)) if forward else range(len(current) - 1, -1, -1):
            beside = rank - 1 if forward else rank + 1
            if not 0 <= beside < len(current):
                continue
            place = {key: index for index, key in enumerate(current[beside])}
            current[rank] = _by_barycentre(current[rank], links, place)
        crossings = _crossings(current, after)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in current], crossings
    for rank, layer in enumerate(best):
        layers[rank][:] = layer


def _neighbours(chains: list[list[str]]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    before: dict[str, list[str]] = {}
    after: dict[str, list[str]] = {}
    for chain in chains:
        for source, target in pairwise(chain):
            after.setdefault(source, []).append(target)
            before.setdefault(target, []).append(source)
    return before, after


def _by_barycentre(
    layer: list[str], links: dict[str, list[str]], place: dict[str, int]
) -> list[str]:
    means = {}
    for index, key in enumerate(layer):
        places = [place[other] for other in links.get(key, ()) if other in place]
        means[key] = sum(places) / len(places) if places else float(index)
    return sorted(layer, key=lambda key: means[key])  # stable: ties keep their order


def _crossings(layers: list[list[str]], after: dict[str, list[str]]) -> int:
    total = 0
    for upper, lower in pairwise(layers):
        place = {key: index for index, key in enumerate(lower)}
        ends: list[int] = []
        for key in upper:
            targets = sorted(place[t] for t in after.get(key, ()) if t in place)
            total += sum(1 for target in targets for end in ends if end > target)
            ends.extend(targets)
    return total


def _spread(
    layers: list[list[str]], slots: dict[str, _Slot], chains: list[list[str]], gap: float
) -> None:
    """Set each slot's position across: near the neighbours' mean, never nearer than the gap."""
    before, after = _neighbours(chains)
    for layer in layers:
        _separate(layer, slots, gap, [0.0] * len(layer))
    for sweep in range(_RELAXATIONS):
        forward = sweep % 2 == 0
        for layer in layers if forward else layers[::-1]:
            wanted = []
            for key in layer:
                near = (before if forward else after).get(key) or (
                    after if forward else before
                ).get(key, [key])
                wanted.append(sum(slots[other].across for other in near) / len(near))
            _separate(layer, slots, gap, wanted)


def _separate(layer: list[str], slots: dict[str, _Slot], gap: float, wanted: list[float]) -> None:
    """Fit positions to the wanted ones by least squares with room between (isotonic regression)."""
    offsets = [0.0]
    for left, right in pairwise(layer):
        room = (slots[left].breadth + slots[right].breadth) / 2 + gap
        offsets.append(offsets[-1] + room)
    pools: list[tuple[float, int]] = []
    for want, offset in zip(wanted, offsets, strict=False):
        mean, count = want - offset, 1
        # Pool adjacent violators: slots that would overlap share the mean of their wishes.
        while pools and pools[-1][0] > mean:
            other, size = pools.pop()
            mean, count = (mean * count + other * size) / (count + size), count + size
        pools.append((mean, count))
    means = [mean for mean, count in pools for _ in range(count)]
    for key, mean, offset in zip(layer, means, offsets, strict=False):
        slots[key].across = mean + offset


@dataclass(frozen=True, slots=True)
class _Frame:
    down: bool
    rank_gap: float
    margin: float

    def point(self, along: float, across: float) -> tuple[float, float]:
        return (across, along) if self.down else (along, across)


def _draw(
    boxes: Sequence[Box],
    arrows: list[Arrow],
    chains: list[list[str]],
    slots: dict[str, _Slot],
    layers: list[list[str]],
    frame: _Frame,
) -> Picture:
    if not boxes:
        return Picture(0, 0, (), ())
    shift = frame.margin - min(slot.across - slot.breadth / 2 for slot in slots.values())
    for slot in slots.values():
        slot.across += shift
    breadth = max(slot.across + slot.breadth / 2 for slot in slots.values()) + frame.margin
    starts, lengths, along = [], [], frame.margin
    for layer in layers:
        length = max((slots[key].length for key in layer), default=0.0)
        starts.append(along)
        lengths.append(length)
        along += length + frame.rank_gap
    total = along - frame.rank_gap + frame.margin
    centre = {rank: starts[rank] + lengths[rank] / 2 for rank in range(len(layers))}
    placed = []
    for box in boxes:
        x, y = frame.point(centre[slots[box.key].rank], slots[box.key].across)
        placed.append(
            Placed(
                box.key,
                round(x - box.width / 2, 1),
                round(y - box.height / 2, 1),
                box.width,
                box.height,
            )
        )
    routes = [
        _route(arrow, chain, slots, centre, lengths, frame)
        for arrow, chain in zip(arrows, chains, strict=True)
    ]
    width, height = frame.point(total, breadth)
    return Picture(round(width, 1), round(height, 1), tuple(placed), tuple(routes))


def _route(
    arrow: Arrow,
    chain: list[str],
    slots: dict[str, _Slot],
    centre: dict[int, float],
    lengths: list[float],
    frame: _Frame,
) -> DrawnArrow:
    """Draw a smooth curve from box edge to box edge, straight through the ranks between."""
    points: list[tuple[float, float]] = []
    for index, key in enumerate(chain):
        slot = slots[key]
        middle = centre[slot.rank]
        half = (slot.length or lengths[slot.rank]) / 2
        if index:
            points.append((middle - half, slot.across))
        if index < len(chain) - 1:
            points.append((middle + half, slot.across))
    if chain[0] != arrow.source:  # the arrow closed a cycle and points backwards
        points.reverse()
    parts = ["M{:.1f} {:.1f}".format(*frame.point(*points[0]))]
    for index, (here, there) in enumerate(pairwise(points)):
        if index % 2:
            parts.append("L{:.1f} {:.1f}".format(*frame.point(*there)))
            continue
        bend = (there[0] - here[0]) / 2
        parts.append(
            "C{:.1f} {:.1f} {:.1f} {:.1f} {:.1f} {:.1f}".format(
                *frame.point(here[0] + bend, here[1]),
                *frame.point(there[0] - bend, there[1]),
                *frame.point(*there),
            )
        )
    label = frame.point((points[-2][0] + points[-1][0]) / 2, (points[-2][1] + points[-1][1]) / 2)
    return DrawnArrow(
        arrow.source,
        arrow.target,
        arrow.label,
        "".join(parts),
        round(label[0], 1),
        round(label[1], 1),
    )
