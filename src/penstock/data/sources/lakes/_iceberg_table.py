"""An Iceberg table, opened by a catalogue or a metadata file; errors become sentences."""

import contextlib
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from threading import Thread
from typing import Any

from penstock.core import DataError, NotFoundError, did_you_mean, require, summarize_error
from penstock.data.sources._references import resolve_options, resolve_url, without_secrets

# A store that does not respond must not hold a run for minutes.
_LONGEST_S = 120.0
_PATIENCE = {"s3.connect-timeout": "10", "s3.request-timeout": "60"}


def open_table(table: str, catalog: str | None, options: Mapping[str, str]) -> Any:
    """Open a table.

    Args:
        table: ``namespace.table``, or the path of a metadata file.
        catalog: Name of the catalogue.
        options: Properties, with references.

    Raises:
        NotFoundError: If there is no such table, with similar names.
        DataError: If the catalogue or the file cannot be read.
    """
    require("pyiceberg", extra="iceberg", purpose="rows from Iceberg tables")
    known = {**_PATIENCE, **_resolved(options)}
    if "/" in table:
        return _by_metadata(table, known, options)
    opened = within(_LONGEST_S, lambda: _by_catalog(table, catalog, known, options))
    if opened is None:
        raise _silent(table, catalog, options)
    return opened


def within(seconds: float, call: Callable[[], Any]) -> Any:
    """Return the result of a call; None if it takes longer.

    PyIceberg's client of REST catalogues waits for ever, and takes no limit. The call goes on in a
    thread that ends with the process.

    >>> within(5, lambda: "table")
    'table'
    """
    result: Future[Any] = Future()

    def run() -> None:
        try:
            result.set_result(call())
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            result.set_exception(error)

    Thread(target=run, daemon=True).start()
    try:
        return result.result(seconds)
    except TimeoutError:
        if result.done():  # an error of the call itself
            raise
        return None


def _by_catalog(
    table: str, catalog: str | None, known: Mapping[str, str], options: Mapping[str, str]
) -> Any:
    catalogs = require("pyiceberg.catalog", extra="iceberg", purpose="Iceberg's catalogues")
    missing = require("pyiceberg.exceptions", extra="iceberg", purpose="Iceberg's catalogues")
    shown = f"the catalogue {catalog or 'default'}"
    try:
        opened = catalogs.load_catalog(catalog, **known)
        with contextlib.closing(opened) if hasattr(opened, "close") else contextlib.nullcontext():
            try:
                return opened.load_table(table)
            except (missing.NoSuchTableError, missing.NoSuchNamespaceError):
                raise _no_table(opened, table, shown) from None
    except NotFoundError:
        raise
    except Exception as error:  # noqa: BLE001 - each kind of catalogue has errors of its own
        raise DataError(
            what=f"The Iceberg table {table} cannot be opened in {shown}: {_text(error, options)}.",
            fix="Check the catalogue's properties (options=, or .pyiceberg.yaml) and credentials.",
        ) from None


def _silent(table: str, catalog: str | None, options: Mapping[str, str]) -> DataError:
    return DataError(
        what=f"The catalogue {catalog or 'default'} gave no answer for the Iceberg table {table}"
        f" within {_LONGEST_S:g} s.",
        why=f"Its address is {options['uri']}." if "uri" in options else "",
        fix="Check the address and the network, and run again.",
    )


def require_snapshot(table: Any, snapshot: int, name: str) -> int:
    """Return the id of a snapshot that the table has.

    Raises:
        NotFoundError: If it was expired, or never existed.
    """
    if table.metadata.snapshot_by_id(snapshot) is not None:
        return snapshot
    there = [each.snapshot_id for each in table.metadata.snapshots]
    raise NotFoundError(
        what=f"Snapshot {snapshot} of the Iceberg table {name} is gone: it was expired, or never"
        " existed.",
        why="A snapshot that is expired loses its files.",
        fix=f"The table has {', '.join(map(str, there[-5:])) or 'no snapshot'}; keep snapshots longer"
        " with history.expire.max-snapshot-age-ms.",
        snapshot=snapshot,
    )


def cannot_read(
    name: str, snapshot: int, options: Mapping[str, str], error: Exception
) -> Exception:
    """Return the error of a file of a snapshot that cannot be read: gone, or something else."""
    text = _text(error, options)
    gone = isinstance(error, FileNotFoundError) or "not found" in text.lower()
    if gone or "no such file" in text.lower():
        return NotFoundError(
            what=f"Snapshot {snapshot} of the Iceberg table {name} is gone: a file of it was removed.",
            why=f"{text}.",
            fix="Read a newer snapshot.",
        )
    if "equality delete" in text.lower():
        return DataError(
            what=f"The Iceberg table {name} has equality deletes, which are not read.",
            why="Deleted rows would be there again.",
            fix="Compact the table with its writer (rewrite_data_files), then read it.",
        )
    return DataError(
        what=f"Snapshot {snapshot} of the Iceberg table {name} cannot be read: {text}.",
        fix="Check the connection, the credentials and the table.",
    )


def _text(error: Exception, options: Mapping[str, str]) -> str:
    return " ".join(without_secrets(summarize_error(error), options).split()).rstrip(".")


def _resolved(options: Mapping[str, str]) -> dict[str, str]:
    urls = {name: value for name, value in options.items() if "://" in str(value)}
    rest = {name: value for name, value in options.items() if name not in urls}
    return {name: resolve_url(value) for name, value in urls.items()} | resolve_options(rest)


def _by_metadata(path: str, known: dict[str, str], options: Mapping[str, str]) -> Any:
    static = require("pyiceberg.table", extra="iceberg", purpose="Iceberg tables").StaticTable
    try:
        return static.from_metadata(resolve_url(path), known)
    except FileNotFoundError:
        raise NotFoundError(
            what=f"There is no Iceberg metadata {path}.",
            fix="Give …/metadata/00001-….metadata.json, or namespace.table and its catalog=.",
        ) from None
    except Exception as error:  # noqa: BLE001 - each file system has errors of its own
        raise DataError(
            what=f"The Iceberg metadata {path} cannot be read: {_text(error, options)}.",
            fix="Give …/metadata/00001-….metadata.json, and check the credentials.",
        ) from None


def _no_table(catalog: Any, table: str, shown: str) -> NotFoundError:
    namespace = table.rpartition(".")[0]
    there: list[str] = []
    with contextlib.suppress(Exception):  # a catalogue may refuse to list
        there = [".".join(found) for found in catalog.list_tables(namespace)]
        if not there:
            there = [".".join(found) + ".…" for found in catalog.list_namespaces()]
    return NotFoundError(
        what=f"There is no Iceberg table {table} in {shown}.",
        fix=did_you_mean(table, there) if there else "Give namespace.table.",
    )
