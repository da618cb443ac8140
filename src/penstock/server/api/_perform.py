"""Performer: one operation of the store, from JSON to JSON, done once per request."""

import copy
import json
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from penstock.core import (
    ConflictError,
    HookRecord,
    ParameterError,
    PenstockError,
    StoreError,
    current_actor,
)
from penstock.http import require_few_values
from penstock.server.api._actors import with_own_actor
from penstock.server.api._bytes import Absent
from penstock.server.api._judge import is_judged, judge
from penstock.server.api._projects import scope_call
from penstock.stores import RequestMemory, keep_unresolved
from penstock.stores.rest import (
    Operation,
    carries_secrets,
    dump_wire,
    keep_secret,
    require_secrets,
    withhold,
)

if TYPE_CHECKING:
    from penstock.stores import MetadataStore, Store

_PAGE = 50_000  # objects of a list in one answer
_MOST = 10_000  # objects of one search; more are asked for by the last of the page before
_BAD = (OverflowError, ValueError)


class Performer:
    """Performs the operations of a store.

    Threads: any number at once.

    Args:
        store: The store, open on a database.
    """

    def __init__(self, store: "Store") -> None:
        self._memory = RequestMemory(store.metadata.database)
        self._view = copy.copy(store)  # the same store, whose changes are the request's
        self._view.metadata = self._memory.metadata
        self._nouns = {"bytes": store.artifacts}

    def perform(self, operation: Operation, body: bytes, request_id: str, place: int) -> bytes:
        """Perform an operation with the arguments in a body.

        Args:
            operation: The operation.
            body: JSON object with the arguments by name.
            request_id: Id under which the client repeats the request; or empty.
            place: Number of the first object of a list to return.

        Returns:
            JSON object with the result, and the place of the next page if there is one.
        """
        arguments = operation.read_arguments(_load(body))
        if operation.rule.only_reads or not request_id:
            return self._act(operation, arguments, place)
        request = (current_actor(), operation.path, request_id, body)
        return self._once(request, operation, arguments).encode()

    def perform_query(self, operation: Operation, query: Mapping[str, str], place: int) -> bytes:
        """Perform a reading operation with the arguments in a query."""
        plain = {name: _plain(operation, name, text) for name, text in query.items()}
        return self._act(operation, operation.read_arguments(plain), place)

    def _once(
        self, request: tuple[str | bytes, ...], operation: Operation, arguments: dict[str, Any]
    ) -> str:
        """Perform a change, unless it was done before: a move that was made is legal no more."""
        known = self._memory.known(request) if is_judged(operation) else None
        if known is not None:
            return known
        try:
            return self._memory.once(request, lambda: self._act(operation, arguments, 0).decode())
        except PenstockError:
            # The same request may have been done by another server while this one judged it.
            known = self._memory.known(request) if is_judged(operation) else None
            if known is None:
                raise
            return known

    def _act(self, operation: Operation, arguments: dict[str, Any], place: int) -> bytes:
        metadata = self._view.metadata
        scoped = scope_call(metadata, operation, arguments)
        _require_small(operation, arguments)
        has_secrets = carries_secrets(operation)
        if has_secrets:
            arguments = _with_kept_secret(metadata, arguments)
            require_secrets(arguments)
        own = with_own_actor(metadata, arguments, takes_actor="actor" in operation.parameters)
        judged = judge(operation, own, store=self._view)
        with keep_unresolved():
            result = self._call(scoped, operation, judged)
            return _answer(operation, withhold(result) if has_secrets else result, place)

    def _call(
        self, metadata: "MetadataStore", operation: Operation, arguments: dict[str, Any]
    ) -> Any:
        noun = self._nouns.get(operation.noun) or getattr(metadata, operation.noun)
        try:
            return getattr(noun, operation.verb)(**arguments)
        except StoreError as error:
            digest = arguments.get("digest")
            if operation.noun != "bytes" or digest is None or noun.exists(digest):
                raise
            raise Absent(error) from error
        except PenstockError:
            raise
        except Exception as error:
            raise _fault_of_sender(operation, error) or error from error


def _with_kept_secret(metadata: "MetadataStore", arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments with the secret of a hook that is saved as it was shown."""
    hook = arguments.get("hook")
    if not isinstance(hook, HookRecord):
        return arguments
    known = next((each for each in metadata.hooks.list() if each.name == hook.name), None)
    return {**arguments, "hook": keep_secret(hook, known)}


def _fault_of_sender(operation: Operation, error: Exception) -> PenstockError | None:
    """Return the error for arguments that no database can hold; None for a fault of ours."""
    name = f"{operation.noun}.{operation.verb}"
    # The name that every driver has for it, by Python's database API (PEP 249).
    if any(kind.__name__ == "IntegrityError" for kind in type(error).__mro__):
        return ConflictError(
            what=f"{name} conflicts with what is recorded ({str(error).splitlines()[0][:200]}).",
            why="A key is taken already, or what it refers to does not exist.",
            fix="Look at what is there, and try again.",
        )
    if isinstance(error, _BAD):
        return ParameterError(
            what=f"{name} cannot use these arguments ({type(error).__name__}: {str(error)[:200]}).",
            why="A value is outside of what the store can hold.",
            fix="See the form in /api/v1/openapi.json.",
        )
    return None


def _answer(operation: Operation, result: Any, place: int) -> bytes:
    following = None
    if operation.is_many and operation.rule.only_reads and (place or len(result) > _PAGE):
        following = place + _PAGE if len(result) > place + _PAGE else None
        part = slice(place, place + _PAGE)
        is_dict = isinstance(result, dict)
        result = dict(islice(result.items(), place, place + _PAGE)) if is_dict else result[part]
    document = {"result": operation.result.write(result)}
    if following is not None:
        document["next"] = following
    return dump_wire(document)


def _load(body: bytes) -> Any:
    require_few_values(body)
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ParameterError(
            what=f"The body cannot be read ({str(error)[:200] or type(error).__name__}).",
            why="It must be one JSON object in UTF-8, with the arguments by name.",
            fix='Send for example {"limit": 10}',
        ) from error


def _refuse_constant(name: str) -> Any:
    raise ValueError(f'{name} is not JSON: send "{name}" as a text')


def _plain(operation: Operation, name: str, text: str) -> Any:
    """Return an argument of a query as JSON: as the text that it is, if its form is a text."""
    form = operation.parameters.get(name)
    if form is None:
        return text
    try:
        form.read(text, name)
    except ParameterError:
        try:
            return json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            return text
    return text


def _require_small(operation: Operation, arguments: Mapping[str, Any]) -> None:
    """Refuse searches without an end: there are pages."""
    in_pages = {"after", "offset"} & set(operation.parameters)
    limit = arguments.get("limit")
    if in_pages and isinstance(limit, int) and limit > _MOST:
        raise ParameterError(
            what=f"limit is {limit}.",
            why=f"One answer has at most {_MOST:,} objects.",
            fix=f"Ask for the next page with {' or '.join(sorted(in_pages))}.",
            field="limit",
        )
