"""open_source: a text to a source of rows; the only place that knows which kind of source it is."""

from pathlib import Path

from penstock.data.sources._files import FileSource
from penstock.data.sources._protocol import DataSource


def open_source(text: str, *, folder: Path | None = None) -> DataSource:
    """Return the source that a text names.

    >>> open_source("trips/*.csv").name
    'trips'

    Args:
        text: A file, folder or glob.
        folder: The folder that a relative path starts from; by default it is looked up as by
            ``FileSource``.
    """
    path = Path(text)
    if folder is not None and not path.is_absolute():
        path = folder / path
    return FileSource(path.as_posix())
