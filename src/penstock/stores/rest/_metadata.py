"""RestMetadata: the MetadataStore over HTTP; every noun's methods are made from the operations."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from penstock.core import RunRecord, StepRunRecord, StoreError
from penstock.stores._processes import is_ours, trace_here
from penstock.stores.metadata._database import Database
from penstock.stores.rest._connection import RestConnection
from penstock.stores.rest._operations import BYTES, Operation, operations

MOST = 10_000
"""Most objects that one search returns; more are asked for page by page."""


class RestMetadata:
    """MetadataStore of a penstock server; see `RULES` for its nouns.

    Args:
        connection: Connection to the server.
    """

    def __init__(self, connection: RestConnection) -> None:
        self._connection = connection
        for noun, verbs in operations().items():
            if noun != BYTES:
                kind = _SPECIAL.get(noun, RestNoun)
                setattr(self, noun, kind(connection, verbs, self))

    @property
    def database(self) -> Database:
        """Refuse: transactions on tables are for upkeep, which is done where the database is."""
        raise StoreError(
            what=f"The tables of {self._connection.url.shown} cannot be opened from here.",
            why="Copies, backups, checks and garbage collection work on the database itself.",
            fix="Do it on the server's machine, with the URL of its database in --store.",
        )

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()


class RestNoun:
    """A noun of the store over HTTP; its methods are those of the protocol.

    Args:
        connection: Connection to the server.
        verbs: Operations by name.
        metadata: The store of the noun.
    """

    def __init__(
        self, connection: RestConnection, verbs: dict[str, Operation], metadata: Any = None
    ) -> None:
        self._metadata = metadata
        for verb, operation in verbs.items():
            perform = partial(_perform, connection, operation)
            own: Callable[..., Any] | None = getattr(type(self), f"_{verb}", None)
            setattr(self, verb, perform if own is None else partial(own, self, perform))

    if TYPE_CHECKING:  # the methods are those of the protocol

        def __getattr__(self, name: str) -> Callable[..., Any]: ...


class RestSearches(RestNoun):
    """A noun whose searches return more than the server sends at once."""

    def _search(
        self,
        perform: Callable[..., Any],
        *words: str,
        **options: Any,
    ) -> list[Any]:
        return _in_pages(partial(perform, *words), options, self._name_of)

    @staticmethod
    def _name_of(record: Any) -> str:
        return str(record.model)

    def _search_versions(
        self,
        perform: Callable[..., Any],
        *words: str,
        **options: Any,
    ) -> list[Any]:
        limit, offset = options.pop("limit", 100), options.pop("offset", 0)
        found: list[Any] = []
        while len(found) < limit or not found:
            size = min(limit - len(found), MOST)
            page = perform(*words, limit=size, offset=offset + len(found), **options)
            found += page
            if len(page) < size or size == 0:
                break
        return found


class RestRuns(RestSearches):
    """Runs: created by a process of this machine, and searched in pages."""

    @staticmethod
    def _name_of(record: Any) -> str:
        return str(record.run_id)

    def _create(self, perform: Callable[..., Any], run: RunRecord) -> None:
        # The process knows its boot and namespace; the server would look at its own.
        if not run.process and is_ours(run.host, run.pid, run.pid_started):
            run = replace(run, process=trace_here())
        perform(run)

    def _search_experiments(
        self,
        perform: Callable[..., Any],
        *words: str,
        **options: Any,
    ) -> list[Any]:
        return _in_pages(partial(perform, *words), options, lambda record: str(record.name))


class RestSteps(RestNoun):
    """Step runs: whether a cached one still holds is decided here, where the code is."""

    def _find_cached(
        self,
        perform: Callable[..., Any],
        key: str,
        holds: Callable[[StepRunRecord], bool] | None = None,
    ) -> StepRunRecord | None:
        if holds is None:
            return cast("StepRunRecord | None", perform(key))
        for step in self._metadata.steps.list_cached(key):
            if holds(step) and self._metadata.artifacts.renew(set(step.outputs.values())):
                return cast("StepRunRecord", step)
        return None


_SPECIAL: dict[str, type[RestNoun]] = {
    "runs": RestRuns,
    "models": RestSearches,
    "steps": RestSteps,
}


def _perform(connection: RestConnection, operation: Operation, *args: Any, **kwargs: Any) -> Any:
    return connection.perform(operation, args, kwargs)


def _in_pages(
    perform: Callable[..., Any],
    options: dict[str, Any],
    name_of: Callable[[Any], str],
) -> list[Any]:
    """Search with any limit; a page begins after the last object of the page before."""
    limit, found = options.pop("limit", 100), list[Any]()
    while True:
        size = min(limit - len(found), MOST)
        page = perform(limit=size, **options)
        found += page
        if len(page) < size or len(found) >= limit or not page:
            return found
        options = {**options, "after": name_of(page[-1])}
        options.pop("offset", None)  # the first page has skipped them
