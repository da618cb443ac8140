"""Figures and images of artifacts, asked for by the page's script when they come into view."""

import itertools
from typing import Any

from penstock.core import ArtifactRecord, NotFoundError
from penstock.server.ui._render import json_bytes
from penstock.server.ui._site import Site

_JSON = "application/json"
_MOST_JSON = 1 << 20
_IMAGES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
}


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
    record = site.metadata.get_artifact(digest)
    data = site.store.read_bytes(record)
    media_type = image_type(data)
    if media_type is None:
        raise NotFoundError(what=f"The artifact {digest} is no PNG, JPEG or GIF picture.")
    return data, media_type


def audio_answer(site: Site, digest: str) -> tuple[bytes, str]:
    """Give a stored sound; its type is read from its bytes, never from its name."""
    data = site.store.read_bytes(site.metadata.get_artifact(digest))
    if not data.startswith(b"RIFF") or data[8:12] != b"WAVE":
        raise NotFoundError(what=f"The artifact {digest} is no WAV sound.")
    return data, "audio/wav"


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


def image_type(data: bytes) -> str | None:
    """Name the media type of a picture's first bytes; None for anything else."""
    return next((kind for start, kind in _IMAGES.items() if data.startswith(start)), None)


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
