"""An artifact of a run as a file: streamed, verified on the way, and never shown by the browser."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from urllib.parse import quote

from penstock.server.ui._site import Site
from penstock.tracking import Run, file_name, logged_text

_LONGEST = 120


@dataclass(frozen=True, slots=True)
class Download:
    """A file for the browser to save.

    Args:
        parts: The bytes; errors before the first part are raised before the response starts.
        size_bytes: Size of the file.
        disposition: The header that names the file.
    """

    parts: Iterator[bytes]
    size_bytes: int
    disposition: str


def artifact_download(site: Site, run_id: str, name: str) -> Download:
    """Return an artifact of a run as a download.

    Raises:
        NotFoundError: If there is no such run or artifact.
        StoreError: If the bytes are gone.
    """
    record = Run(site.metadata.runs.get(run_id), site.store).artifact_record(name)
    text = logged_text(record, store=site.store)
    if text is not None:
        return Download(iter((text,)), len(text), _disposition(file_name(name, record)))
    parts = site.store.stream(record)
    # Read before the response starts, so that missing bytes are an error page.
    first = next(parts)
    return Download(
        chain((first,), parts), record.size_bytes, _disposition(file_name(name, record))
    )


def _disposition(name: str) -> str:
    """Name the file in a header: a safe ASCII form, and the full name for all current browsers.

    >>> _disposition('plots/a "b".png')
    "attachment; filename=a__b_.png; filename*=UTF-8''a%20%22b%22.png"
    """
    last = name.replace("\\", "/").rpartition("/")[2][-_LONGEST:] or "artifact"
    safe = "".join(sign if sign.isascii() and sign.isalnum() else "_" if sign not in ".-" else sign
                   for sign in last)  # fmt: skip
    full = quote(last.encode("utf-8", "replace"), safe="")
    return f"attachment; filename={safe}; filename*=UTF-8''{full}"
