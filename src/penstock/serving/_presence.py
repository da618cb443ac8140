"""Presence: which servers answer for a deployment now; "live" is what the last one that did wrote."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from penstock.core import StoreError, new_id, now
from penstock.stores import Store, this_process

_log = logging.getLogger("penstock.serving")
_RENEW_S = 15.0
_CLAIM = timedelta(seconds=60)  # a server that is silent for so long is not there any more
_MANY = 10_000  # servers of one deployment
_ALL = "*"  # of a server that serves all deployments; no deployment can be called so


class Presence:
    """Says in the store that a server is up, again and again, until it stops.

    Threads: for one at a time.

    Args:
        store: Where the deployments are.
        names: The deployments that it serves; None for all.
    """

    def __init__(self, store: Store, names: Sequence[str] | None) -> None:
        self._metadata = store.metadata
        self._leases = [_lease(name) for name in ((_ALL,) if names is None else names)]
        host, pid, _ = this_process()
        self._holder = f"{host}:{pid}:{new_id()}"
        self._due = 0.0

    def renew(self) -> None:
        """Say it if it is time to; cheap otherwise."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + _RENEW_S
        for lease in self._leases:
            self._metadata.steps.take_lease(lease, self._holder, now() + _CLAIM, most=_MANY)

    def end(self) -> None:
        """Say that the server is gone; a store that is away learns it from the silence."""
        try:
            for lease in self._leases:
                self._metadata.steps.drop_lease(lease, self._holder)
        except StoreError as error:
            _log.warning("The store was not told that this server stopped. %s", error)


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a deployment is answered for now, and when it was last.

    Args:
        servers: The servers that are up, as ``host:pid``.
        last_at: When the newest kept prediction was made; None if none is kept.
    """

    servers: tuple[str, ...]
    last_at: datetime | None


def availability(store: Store, name: str) -> Availability:
    """Look which servers are up for a deployment.

    Args:
        store: Where the deployment is.
        name: Its name.
    """
    holders = [
        holder
        for each in (_ALL, name)
        for holder in store.metadata.steps.list_holders(_lease(each))
    ]
    newest = store.metadata.predictions.list(name, limit=1)
    servers = tuple(sorted({holder.rpartition(":")[0] for holder in holders}))
    return Availability(servers, newest[-1].at if newest else None)


def _lease(name: str) -> str:
    return f"server of {name}"
