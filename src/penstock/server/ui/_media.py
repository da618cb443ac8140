"""Media that a run logged, each name once: a name logged at several steps is a series."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.core import ArtifactRecord
from penstock.server.ui._content import content_of, kind_of
from penstock.server.ui._figures import histogram_steps
from penstock.server.ui._site import Site
from penstock.tracking import step_of

_MOST_SERIES, _MOST_STEPS = 100, 200
_ROWS = 8  # of a table, and lines of a text
_MOST_BYTES = 1 << 20  # larger artifacts are shown on their own page


@dataclass(frozen=True, slots=True)
class Series:
    """A logged name with the artifacts under that name.

    Args:
        name: The name, without a step.
        kind: Display kind of all items; see `kind_of`.
        items: Content of each item, by step; see `content_of`, and ``step``.
        left_out: Number of items in between that are not shown.
        over: A chart of all histograms over their steps; or None.
    """

    name: str
    kind: str
    items: list[dict[str, Any]]
    left_out: int = 0
    over: dict[str, Any] | None = None


def media_series(site: Site, artifacts: Mapping[str, ArtifactRecord]) -> list[Series]:
    """List the visible and audible media among a run's artifacts.

    Plain JSON is shown on the artifact's own page only: most JSON is settings and results.
    """
    points: dict[tuple[str, str], list[tuple[float, str]]] = {}
    for label, record in artifacts.items():
        kind = kind_of(record, label)
        if kind == "json" and record.metadata.get("media") != "histogram":
            kind = "histogram" if _may_be_histogram(record) else ""
        if kind and not record.type_name.endswith("Report"):
            name, step = step_of(label)
            points.setdefault((name, kind), []).append((step if step is not None else 0.0, label))
    chosen = list(points.items())[:_MOST_SERIES]
    made = (_series(site, artifacts, name, kind, sorted(at)) for (name, kind), at in chosen)
    return [series for series in made if series.items]


def _may_be_histogram(record: ArtifactRecord) -> bool:
    """Check whether a JSON value could be a histogram that an earlier version logged."""
    return record.metadata.get("items") == 3 and "dict" in record.type_name  # noqa: PLR2004 - its keys


def _series(
    site: Site,
    artifacts: Mapping[str, ArtifactRecord],
    name: str,
    kind: str,
    at: Sequence[tuple[float, str]],
) -> Series:
    shown = _spread(at, _MOST_STEPS)
    items = []
    for step, label in shown:
        content = content_of(site, artifacts[label], label, rows=_ROWS, most_bytes=_MOST_BYTES)
        if content["kind"] == kind:
            items.append({**content, "step": step if step_of(label)[1] is not None else None})
    over = None
    if kind == "histogram" and len(items) > 1:
        over = histogram_steps([(item["step"] or 0.0, item["chart"]) for item in items])
    return Series(name, kind, items, len(at) - len(shown), over)


def _spread(items: Sequence[tuple[float, str]], most: int) -> list[tuple[float, str]]:
    """Choose the given number of items, evenly, with the first and the last among them."""
    if len(items) <= most:
        return list(items)
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]
