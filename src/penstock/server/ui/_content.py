"""Content of an artifact, for display: picture, sound, figure, histogram, table, text."""

import json
from typing import Any

from penstock.core import ArtifactRecord, PenstockError
from penstock.server.ui._figures import histogram_chart, image_type, is_figure
from penstock.server.ui._format import value_text
from penstock.server.ui._site import Site

MOST_BYTES = 32 << 20  # larger artifacts are not loaded for display
_MOST_SIGNS = 200_000
_CELL = 200
_IMAGE_NAMES = (".png", ".jpg", ".jpeg", ".gif", ".webp")
_TEXT_NAMES = (".txt", ".md", ".log", ".csv", ".json", ".yaml", ".yml", ".toml", ".py")


def kind_of(record: ArtifactRecord, label: str = "") -> str:
    """Return how an artifact is displayed, from the recorded facts.

    Args:
        record: The artifact.
        label: Name of the artifact; a file's ending is trusted only until the bytes are served.

    Returns:
        ``figure``, ``image``, ``audio``, ``histogram``, ``table``, ``text``, ``json`` or nothing.
    """
    media = str(record.metadata.get("media", ""))
    name = str(record.metadata.get("file", label)).lower()
    if record.unsafe:
        return ""
    if is_figure(record):
        return "figure"
    for kind in ("audio", "image", "text"):
        if media.startswith(f"{kind}/"):
            return kind
    if media == "histogram" or record.format == "parquet":
        return media or "table"
    if record.format in {"json", "json.zlib"}:
        return "json"
    return _kind_of_bytes(record, name) if record.format in {"bytes", "file"} else ""


def _kind_of_bytes(record: ArtifactRecord, name: str) -> str:
    if record.inline is not None:
        if image_type(record.inline):
            return "image"
    elif record.type_name == "image" or name.endswith(_IMAGE_NAMES):
        return "image"
    return "text" if name.endswith(_TEXT_NAMES) else ""


def content_of(
    site: Site, record: ArtifactRecord, label: str = "", *, rows: int, most_bytes: int = MOST_BYTES
) -> dict[str, Any]:
    """Read the content of an artifact that a page shows.

    Args:
        site: The site of the store.
        record: The artifact.
        label: Name of the artifact.
        rows: Maximum number of a table's rows, and of a text's lines, to show.
        most_bytes: Maximum size of a table or text; a larger artifact is not loaded.

    Returns:
        ``kind``, ``digest`` and ``caption``; ``chart`` of a histogram; ``columns``, ``rows`` and
        ``total`` of a table; ``text``, ``markup`` and ``more`` of a text; ``why`` if the content
        cannot be shown.
    """
    kind = kind_of(record, label)
    shown = {
        "kind": kind,
        "digest": record.digest,
        "caption": record.metadata.get("caption", ""),
        "name": label,
        "why": "",
    }
    if kind not in {"histogram", "table", "text", "json"}:
        return shown
    if record.size_bytes > most_bytes:
        return {**shown, "kind": "", "why": "It is too large to show here."}
    try:
        return {**shown, **_loaded(site, record, kind, rows)}
    except PenstockError as error:
        return {**shown, "kind": "", "why": str(error)}


def _loaded(site: Site, record: ArtifactRecord, kind: str, rows: int) -> dict[str, Any]:
    # Histograms of earlier versions are plain JSON.
    if kind in {"histogram", "json"}:
        chart = histogram_chart(site, record)
        if chart is not None:
            return {"kind": "histogram", "chart": chart}
    if record.format == "file":
        return _text(site.store.read_bytes(record).decode("utf-8", "replace"), record, rows)
    made: dict[str, Any] = site.computed(
        f"{kind} {rows}", record.digest, lambda value: _value(value, record, kind, rows)
    )
    return made


def _value(value: Any, record: ArtifactRecord, kind: str, rows: int) -> dict[str, Any]:
    if kind == "table":
        return _table(value, rows)
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        return _text(value, record, rows)
    plain = value.to_json() if hasattr(value, "to_json") else value
    try:
        text = json.dumps(plain, indent=1, default=str, ensure_ascii=False)
    except (TypeError, ValueError):  # keys that JSON does not have
        text = repr(plain)
    return _text(text, record, rows)


def _text(text: str, record: ArtifactRecord, rows: int) -> dict[str, Any]:
    lines = text.splitlines()
    media = record.metadata.get("media")
    return {
        "kind": "text",
        "text": "\n".join(lines[:rows])[:_MOST_SIGNS],
        "more": max(0, len(lines) - rows),
        "markup": "markdown" if media == "text/markdown" else "plain",
    }


def _table(frame: Any, rows: int) -> dict[str, Any]:
    """Convert the first rows of a polars or pandas frame, or of a single column."""
    if hasattr(frame, "to_frame"):
        frame = frame.to_frame()
    types = dict(frame.schema if hasattr(frame, "schema") else frame.dtypes)
    head = frame.head(rows)
    cells = head.rows() if hasattr(head, "rows") else head.itertuples(index=False, name=None)
    return {
        "columns": [(str(name), str(kind)) for name, kind in types.items()],
        "rows": [[_cell(cell) for cell in row] for row in cells],
        "numeric": [_is_numeric(kind) for kind in types.values()],
        "total": len(frame),
    }


def _cell(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else value_text(value, _CELL)


def _is_numeric(kind: Any) -> bool:
    return str(kind).lower().startswith(("int", "uint", "float", "decimal"))
