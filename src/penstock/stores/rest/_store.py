"""Opening a store over HTTP: the server says what it is, and who asks."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from penstock.core import StoreError
from penstock.stores.rest._artifacts import RestArtifacts
from penstock.stores.rest._connection import RestConnection, ServerUrl
from penstock.stores.rest._metadata import RestMetadata

SCHEMES = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class RestParts:
    """The parts of a store over HTTP.

    Args:
        url: The server, without a token.
        address: The server for other processes, with the token.
        metadata: The facts.
        artifacts: The bytes.
        single_user: Whether the trainer of a model may approve it there.
        sender: Function that asks the server whom it takes this process for: the actor, and how
            the actor is known, which is empty in a store without users.
    """

    url: str
    address: str
    metadata: Any
    artifacts: RestArtifacts
    single_user: bool
    sender: Callable[[], tuple[str, str]]


def open_rest(url: str) -> RestParts:
    """Open a store over HTTP.

    Raises:
        StoreError: If no penstock server answers there.
        SignInError: If the server wants a token.
    """
    server = ServerUrl(url)
    connection = RestConnection(server)
    facts = connection.json("GET", "store")
    if not isinstance(facts, dict) or "single_user" not in facts:
        raise StoreError(
            what=f"{server.shown} is no penstock server.",
            why="Another program answers there.",
            fix="Check the address: it is what penstock server prints at its start.",
        )
    return RestParts(
        server.shown,
        server.address,
        RestMetadata(connection),
        RestArtifacts(connection),
        bool(facts["single_user"]),
        partial(_sender, connection),
    )


def _sender(connection: RestConnection) -> tuple[str, str]:
    facts = connection.json("GET", "store")
    return str(facts.get("actor", "")), str(facts.get("attested", ""))
