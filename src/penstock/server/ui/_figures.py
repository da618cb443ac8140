"""Figures and images of artifacts, asked for by the page's script when they come into view."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.core import ArtifactRecord, NotFoundError
from penstock.server.ui._render import json_bytes
from penstock.server.ui._site import Site
from penstock.stores import media_type

_JSON = "application/json"
_MOST_JSON = 1 << 20
_LINES = 48  # of the picture of histograms over steps


def figures_answer(site: Site, digest: str) -> tuple[bytes, str]:
    """Give all figures of a report, ``{name: figure}``."""

    def make(report: Any) -> bytes:
        if not hasattr(report, "figures"):
            raise NotFoundError(what=f"The artifact {digest} has no figures.")
        return json_bytes({name: _plain(figure) for name, figure in report.figures().items()})

    return site.made("figures", digest, make), _JSON


def figure_answer(site: Site, digest: str) -> tuple[bytes, str]:
    """Give one stored figure."""
    return site.made("figure", digest, lambda figure: json_bytes(_plain(figure))), _JSON


def image_answer(site: Site, digest: str) -> tuple[bytes, str]:
    """Give a stored picture; its type is read from its bytes, never from its name."""
    record = site.metadata.artifacts.get(digest)
    data = site.store.read_bytes(record)
    found = image_type(data)
    if found is None:
        raise NotFoundError(what=f"The artifact {digest} is no PNG, JPEG, GIF or WebP picture.")
    return data, found


def audio_answer(site: Site, digest: str) -> tuple[bytes, str]:
    """Give a stored sound; its type is read from its bytes, never from its name."""
    data = site.store.read_bytes(site.metadata.artifacts.get(digest))
    found = media_type(data) or ""
    if not found.startswith("audio/"):
        raise NotFoundError(what=f"The artifact {digest} is no WAV, MP3, Ogg or FLAC sound.")
    return data, found


def histogram_chart(site: Site, record: ArtifactRecord) -> dict[str, Any] | None:
    """Draw a logged histogram; None if the artifact is something else."""
    if record.format != "json" or record.size_bytes > _MOST_JSON:
        return None
    value = site.store.load(record)
    found = value.get("histogram") if isinstance(value, dict) else None
    if not isinstance(found, dict) or set(found) != {"edges", "counts"}:
        return None
    edges = found["edges"]
    pairs = list(itertools.pairwise(edges))
    bars = {
        "type": "bar",
        "x": [(low + high) / 2 for low, high in pairs],
        "width": [high - low for low, high in pairs],
        "y": found["counts"],
    }
    return {"data": [bars], "layout": {"bargap": 0}}


def histogram_steps(charts: Sequence[tuple[float, Mapping[str, Any]]]) -> dict[str, Any]:
    """Draw histograms over their steps as one picture: where it is dark, many values are.

    Their bins differ, so each is counted anew between common edges, as if the values of a bin lay
    evenly in it; what is drawn is the share of each step's values.

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
    """Name the media type of a picture's first bytes; None for anything else."""
    found = media_type(data)
    return found if found and found.startswith("image/") else None


def is_figure(record: ArtifactRecord) -> bool:
    """Tell whether an artifact is a stored plotly figure."""
    return record.format == "figure"


def is_report(record: ArtifactRecord) -> bool:
    """Tell whether an artifact is one of our reports, which can draw themselves."""
    return record.type_name.endswith(("EvaluationReport", "DriftReport"))


def _plain(figure: Any) -> dict[str, Any]:
    """Make a figure plain, without the library's own look: the page gives it its colours."""
    import json

    plain: dict[str, Any] = json.loads(figure.to_json()) if hasattr(figure, "to_json") else figure
    plain.get("layout", {}).pop("template", None)
    return plain
