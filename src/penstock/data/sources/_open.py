"""open_source: a text to a source of rows; the only place that knows which kind of source it is."""

import re
from pathlib import Path

from penstock.core import ParameterError, did_you_mean, summarize_error
from penstock.data.sources._files import FileSource
from penstock.data.sources._objects import BUCKET_SCHEMES
from penstock.data.sources._protocol import DataSource
from penstock.data.sources._web import WEB_SCHEMES
from penstock.data.sources.kafka._source import KafkaSource
from penstock.data.sources.lakes._delta import DeltaSource
from penstock.data.sources.sql._address import is_database
from penstock.data.sources.sql._source import SqlSource

GROUP = "penstock.sources"
"""Entry points of packages that bring sources: the scheme, and a function from the text."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")


def open_source(text: str, *, folder: Path | None = None) -> DataSource:
    """Return the source that a text names.

    >>> open_source("trips/*.csv").name
    'trips'

    Args:
        text: A file, folder or glob, or the URL of one; a database's URL with the settings of ``SqlSource`` among its
            options (``postgresql://host/shop?table=rides&time=at``); or a URL of a scheme that an
            installed package brings by the entry point ``penstock.sources``.
        folder: The folder that a relative path starts from; by default it is looked up as by
            ``FileSource``.

    Raises:
        ParameterError: If no source has the URL's scheme, or the package's source is none.
    """
    scheme = _SCHEME.match(text)
    if scheme and is_database(text):
        return SqlSource.from_url(text, folder)
    if scheme and scheme[1].lower() == "kafka":
        return _of_topic(text)
    if scheme and scheme[1].lower() in BUCKET_SCHEMES | WEB_SCHEMES:
        return FileSource(text)
    if scheme:
        return _of_package(scheme[1].lower(), text)
    path = Path(text)
    if folder is not None and not path.is_absolute():
        path = folder / path
    is_delta = (path / "_delta_log").is_dir()
    return DeltaSource(path.as_posix()) if is_delta else FileSource(path.as_posix())


def _of_topic(text: str) -> DataSource:
    servers, _, topic = text.partition("://")[2].partition("/")
    if not servers or not topic or "/" in topic:
        raise ParameterError(what=f"{text} names no topic.", fix="Write kafka://host:port/topic.")
    return KafkaSource(servers, topic=topic)


def _of_package(scheme: str, text: str) -> DataSource:
    from importlib.metadata import entry_points  # 10 ms, and few sources come from a package

    found = {point.name: point for point in entry_points(group=GROUP)}
    point = found.get(scheme)
    if point is None:
        raise ParameterError(
            what=f"No source of rows has the scheme {scheme}://.",
            fix=did_you_mean(scheme, list(found))
            if found
            else "Give a file, or create the source in the pipeline's file.",
        )
    try:
        source = point.load()(text)
    except (ImportError, AttributeError) as error:
        raise ParameterError(
            what=f"The source for {scheme}:// of {point.value} cannot be loaded: {summarize_error(error)}",
            fix="Install or repair the package that brings it.",
        ) from error
    if isinstance(source, DataSource):
        return source
    raise ParameterError(
        what=f"{point.value} returned {type(source).__name__} for {scheme}://, which is no data source.",
        fix="See penstock.data.DataSource; penstock.testing.SourceContract checks a source.",
    )
