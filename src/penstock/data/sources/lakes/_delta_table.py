"""A Delta table, opened in one version; errors of the library become sentences."""

import contextlib
import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from penstock.core import (
    DataError,
    MissingPackageError,
    NotFoundError,
    did_you_mean,
    require,
    summarize_error,
)
from penstock.data.sources._located import GLOB_MARKS
from penstock.data.sources._objects import BUCKET_SCHEMES
from penstock.data.sources._paths import base_folders
from penstock.data.sources._references import resolve_options, resolve_url, without_secrets

# A store that does not respond must not hold a run for minutes.
_PATIENCE = {
    "connect_timeout": "10s",
    "timeout": "60s",
    "max_retries": "4",
    "retry_timeout": "60s",
}
_READABLE = {"timestampNtz", "deletionVectors", "v2Checkpoint", "vacuumProtocolCheck"}


def require_delta() -> ModuleType:
    """Return the package that reads Delta tables.

    Raises:
        MissingPackageError: If it is not installed.
    """
    return require("deltalake", extra="delta", purpose="rows from Delta tables")


def table_uri(path: str, home: Path | None) -> str:
    """Return where a table lies: the URL, or the folder that a path leads to.

    Raises:
        NotFoundError: If no folder has it, with similar names.
    """
    if "://" in path:
        return resolve_url(path)
    places = [base / path for base in base_folders(home)]
    for place in places:
        if (place / "_delta_log").is_dir():
            return str(place.resolve())
    if any(place.is_dir() for place in places):
        raise NotFoundError(
            what=f"{path} is no Delta table: it has no folder _delta_log.",
            fix='Plain Parquet files are read by FileSource("folder/*.parquet").',
        )
    near = {
        folder.name
        for place in places
        if place.parent.is_dir()
        for folder in place.parent.iterdir()
        if (folder / "_delta_log").is_dir()
    }
    hint = did_you_mean(Path(path).name, near)
    raise NotFoundError(
        what=f"There is no Delta table {path}.",
        why=f"Looked in {', '.join(str(place.parent) for place in dict.fromkeys(places))}.",
        fix=hint if hint.startswith("Did") else "Check the path.",
    )


def storage_options(uri: str, options: Mapping[str, str]) -> dict[str, str]:
    """Return the options of the object store, with references looked up."""
    return {**(_PATIENCE if "://" in uri else {}), **resolve_options(options)}


def file_options(options: Mapping[str, str]) -> dict[str, str]:
    """Return the options for the reader of Parquet, which has its own ways to wait."""
    return {
        name: value for name, value in resolve_options(options).items() if name not in _PATIENCE
    }


def is_delta_table(url: str) -> bool:
    """Return whether a folder of a bucket is a Delta table, as far as that can be found out.

    A glob or a file is none; without the package, or the bucket's answer, reading explains it.
    """
    scheme, name = url.partition("://")[0].lower(), url.rpartition("/")[2]
    if scheme not in BUCKET_SCHEMES or any(mark in url for mark in GLOB_MARKS) or "." in name:
        return False
    try:
        open_table(url, None, url, {})
    except (MissingPackageError, NotFoundError, DataError):
        return False
    return True


def open_table(uri: str, version: int | None, path: str, options: Mapping[str, str]) -> Any:
    """Open a table in a version, or in its newest.

    Args:
        uri: Where the table lies.
        version: The version; None for the newest.
        path: The path as the user wrote it, for messages.
        options: Options of the object store, with references.

    Raises:
        NotFoundError: If there is no such table or version.
        DataError: If it cannot be opened, or has a feature that cannot be read.
    """
    delta = require_delta()
    known = storage_options(uri, options)
    try:
        table = delta.DeltaTable(uri, version=version, storage_options=known or None)
    except delta.exceptions.TableNotFoundError as error:
        raise NotFoundError(
            what=f"There is no Delta table {path}.", fix="Check the path and its rights."
        ) from _without_context(error, options)
    except (delta.exceptions.DeltaError, OSError, ValueError) as error:
        raise _cannot_open(delta, uri, version, path, options, error) from None
    require_readable(table, path)
    return table


def require_readable(table: Any, path: str) -> None:
    """Check that rows of a table are read as their writers meant them.

    Raises:
        DataError: If the table has a feature that is not read.
    """
    features = set(table.protocol().reader_features or [])
    mapped = table.metadata().configuration.get("delta.columnMapping.mode", "none")
    if mapped == "none":
        features.discard("columnMapping")
    else:
        features.add("columnMapping")
    unknown = sorted(features - _READABLE)
    if unknown:
        raise DataError(
            what=f"The Delta table {path} has {', '.join(unknown)}, which DeltaSource does not read.",
            why="Columns would be missing or wrong.",
            fix="Write a copy without that feature, or export the rows to Parquet and read them"
            " with FileSource.",
        )


def cannot_read(path: str, version: int, options: Mapping[str, str], error: Exception) -> Exception:
    """Return the error of a file of a version that cannot be read: gone, or something else."""
    text = _text(error, options)
    gone = ("no such file", "not found", "404", "nosuchkey", "object at location")
    if isinstance(error, FileNotFoundError) or any(word in text.lower() for word in gone):
        return NotFoundError(
            what=f"Version {version} of the Delta table {path} is gone: a file of it was removed.",
            why=f"VACUUM removes files that newer versions do not have. {text}.",
            fix="Read a newer version; keep old ones longer with delta.deletedFileRetentionDuration.",
        )
    return DataError(
        what=f"Version {version} of the Delta table {path} cannot be read: {text}.",
        fix="Check the connection, the credentials and the table.",
    )


def _cannot_open(
    delta: Any,
    uri: str,
    version: int | None,
    path: str,
    options: Mapping[str, str],
    error: Exception,
) -> Exception:
    if version is not None:
        with contextlib.suppress(delta.exceptions.DeltaError, OSError):
            newest = delta.DeltaTable(uri, storage_options=storage_options(uri, options) or None)
            if newest.version() < version:
                return NotFoundError(
                    what=f"The Delta table {path} has no version {version}.",
                    fix=f"Its newest is {newest.version()}.",
                    version=version,
                )
            return NotFoundError(
                what=f"Version {version} of the Delta table {path} is gone: its log was cleaned up.",
                fix=f"Read a newer version (the newest is {newest.version()}); keep logs longer with"
                " delta.logRetentionDuration.",
                version=version,
            )
    return DataError(
        what=f"The Delta table {path} cannot be opened: {_text(error, options)}.",
        fix="Check the address, the credentials and the rights.",
    )


def _text(error: Exception, options: Mapping[str, str]) -> str:
    """Return the client's text in one line, without its colours and arrows."""
    plain = re.sub(r"\x1b\[[0-9;]*m|↳", "", without_secrets(summarize_error(error), options))
    return " ".join(plain.split()).rstrip(".")


def _without_context(error: Exception, options: Mapping[str, str]) -> Exception | None:
    """Return an error as a cause, unless its text has a secret."""
    return error if without_secrets(error, options) == str(error) else None
