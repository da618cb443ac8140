"""What a run logged to be looked at, each name once: over several steps it is a series."""

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
_MOST_BYTES = 1 << 20  # larger ones are shown on their own page


@dataclass(frozen=True, slots=True)
class Series:
    """One name with what was logged under it.

    Args:
        name: The name, without a step.
        kind: What all of it is; see `kind_of`.
        items: What is shown of each, by step; see `content_of`, and ``step``.
        left_out: So many between them are not shown.
        over: A chart of all histograms over their steps; or None.
    """

    name: str
    kind: str
    items: list[dict[str, Any]]
    left_out: int = 0
    over: dict[str, Any] | None = None


def media_series(site: Site, artifacts: Mapping[str, ArtifactRecord]) -> list[Series]:
    """Find what can be looked at or listened to among a run's artifacts.

    Plain JSON is shown on the artifact's own page only: most of it is settings and results.
    """
    found: dict[tuple[str, str], list[tuple[float, str]]] = {}
    for label, record in artifacts.items():
        kind = kind_of(record, label)
        if kind == "json" and record.metadata.get("media") != "histogram":
            kind = "histogram" if _may_be_histogram(record) else ""
        if kind and not record.type_name.endswith("Report"):
            name, step = step_of(label)
            found.setdefault((name, kind), []).append((step if step is not None else 0.0, label))
    chosen = list(found.items())[:_MOST_SERIES]
    made = (_series(site, artifacts, name, kind, sorted(at)) for (name, kind), at in chosen)
    return [series for series in made if series.items]


def _may_be_histogram(record: ArtifactRecord) -> bool:
    """Say whether a JSON value could be a histogram that an earlier version logged."""
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
    """Choose so many, evenly, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]
