"""Figures and images of artifacts, fetched by the page's script when they scroll into view."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.core import ArtifactRecord, NotFoundError
from penstock.server.ui._render import json_bytes
from penstock.server.ui._site import Site
from penstock.stores import media_type

_JSON = "application/json"
_MOST_JSON = 1 << 20
_LINES = 48  # rows of the heatmap of histograms over steps


def figures_answer(site: Site, digest: str) -> tuple[bytes, str]:
    """Return all figures of a report, ``{name: figure}``."""

    def make(report: Any) -> bytes:
        if not hasattr(report, "figures"):
            raise NotFoundError(what=f"The artifact {digest} has no figures.")
        return json_bytes({name: _plain(figure) for name, figure in report.figures().items()})

    return site.computed("figures", digest, make), _JSON


def figure_answer(site: Site, digest: str) -> tuple[bytes, str]:
    """Return a stored figure."""
    return site.computed("figure", digest, lambda figure: json_bytes(_plain(figure))), _JSON


def image_answer(site: Site, digest: str) -> tuple[bytes, str]:
    """Return a stored picture; the type is read from the bytes, never from the name."""
    record = site.metadata.artifacts.get(digest)
    data = site.store.read_bytes(record)
    kind = image_type(data)
    if kind is None:
        raise NotFoundError(what=f"The artifact {digest} is no PNG, JPEG, GIF or WebP picture.")
    return data, kind


def audio_answer(site: Site, digest: str) -> tuple[bytes, str]:
    """Return a stored sound; the type is read from the bytes, never from the name."""
    data = site.store.read_bytes(site.metadata.artifacts.get(digest))
    kind = media_type(data) or ""
    if not kind.startswith("audio/"):
        raise NotFoundError(what=f"The artifact {digest} is no WAV, MP3, Ogg or FLAC sound.")
    return data, kind


def histogram_chart(site: Site, record: ArtifactRecord) -> dict[str, Any] | None:
    """Draw a logged histogram; None if the artifact is no histogram."""
    if record.format != "json" or record.size_bytes > _MOST_JSON:
        return None
    value = site.store.load(record)
    histogram = value.get("histogram") if isinstance(value, dict) else None
    if not isinstance(histogram, dict) or set(histogram) != {"edges", "counts"}:
        return None
    edges = histogram["edges"]
    pairs = list(itertools.pairwise(edges))
    bars = {
        "type": "bar",
        "x": [(low + high) / 2 for low, high in pairs],
        "width": [high - low for low, high in pairs],
        "y": histogram["counts"],
    }
    return {"data": [bars], "layout": {"bargap": 0}}


def histogram_steps(charts: Sequence[tuple[float, Mapping[str, Any]]]) -> dict[str, Any]:
    """Draw histograms over their steps as a heatmap: dark cells have many values.

    The bins differ between steps, so the counts are redistributed over common edges, as if the
    values of a bin lay evenly within the bin; a cell shows the share of the step's values.

    Args:
        charts: Steps with the charts of `histogram_chart`, by step.
    """
    import numpy as np

    bars = [chart["data"][0] for _, chart in charts]
    edges = [
        np.append(
            np.asarray(bar["x"]) - np.asarray(bar["width"]) / 2,
            bar["x"][-1] + bar["width"][-1] / 2,
        )
        for bar in bars
    ]
    common = np.linspace(min(e[0] for e in edges), max(e[-1] for e in edges), _LINES + 1)
    columns = []
    for bar, own in zip(bars, edges, strict=True):
        # Interpolating cumulative counts spreads a bin's values evenly.
        sums = np.concatenate([[0.0], np.cumsum(bar["y"])])
        columns.append(np.diff(np.interp(common, own, sums)) / max(sums[-1], 1.0))
    picture = {
        "type": "heatmap",
        "x": [step for step, _ in charts],
        "y": ((common[:-1] + common[1:]) / 2).tolist(),
        "z": np.array(columns).T.tolist(),
        "colorscale": [[0, "rgba(20,120,150,0)"], [1, "rgba(20,120,150,1)"]],
        "showscale": False,
        "hovertemplate": "step %{x}, around %{y}: %{z:.1%}<extra></extra>",
    }
    return {"data": [picture], "layout": {"xaxis": {"title": {"text": "step"}}}}


def image_type(data: bytes) -> str | None:
    """Return the media type of a picture from the first bytes; None for anything else."""
    kind = media_type(data)
    return kind if kind and kind.startswith("image/") else None


def is_figure(record: ArtifactRecord) -> bool:
    """Check whether an artifact is a stored plotly figure."""
    return record.format == "figure"


def is_report(record: ArtifactRecord) -> bool:
    """Check whether an artifact is a penstock report, which can draw figures."""
    return record.type_name.endswith(("EvaluationReport", "DriftReport"))


def _plain(figure: Any) -> dict[str, Any]:
    """Convert a figure to plain JSON, without the library's theme: the page sets the colours."""
    import json

    plain: dict[str, Any] = json.loads(figure.to_json()) if hasattr(figure, "to_json") else figure
    plain.get("layout", {}).pop("template", None)
    return plain
