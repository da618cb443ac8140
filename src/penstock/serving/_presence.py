"""Presence: which servers answer a deployment now; the state "live" may outlive them."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from penstock.core import StoreError, new_id, now
from penstock.stores import Store, this_process

_log = logging.getLogger("penstock.serving")
_RENEW_S = 15.0
_CLAIM = timedelta(seconds=60)  # a server that has not renewed for this long counts as gone
_MANY = 10_000  # most servers of one deployment
_ALL = "*"  # the lease of a server that serves all deployments; not a legal deployment name


class Presence:
    """A lease in the store that a server renews while running.

    Threads: to be used from a single thread.

    Args:
        store: The store of the deployments.
        names: The served deployments; None for all.
    """

    def __init__(self, store: Store, names: Sequence[str] | None) -> None:
        self._metadata = store.metadata
        self._leases = [_lease(name) for name in ((_ALL,) if names is None else names)]
        host, pid, _ = this_process()
        self._holder = f"{host}:{pid}:{new_id()}"
        self._due = 0.0

    def renew(self) -> None:
        """Renew the record if due; cheap otherwise."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + _RENEW_S
        for lease in self._leases:
            self._metadata.steps.take_lease(lease, self._holder, now() + _CLAIM, most=_MANY)

    def end(self) -> None:
        """Delete the record; if the store is unreachable, the record expires."""
        try:
            for lease in self._leases:
                self._metadata.steps.drop_lease(lease, self._holder)
        except StoreError as error:
            _log.warning("The stop of this server could not be recorded. %s", error)


@dataclass(frozen=True, slots=True)
class Availability:
    """The servers that answer for a deployment now, and the time of the last prediction.

    Args:
        servers: The servers that are up, as ``host:pid``.
        last_at: When the newest logged prediction was made; None if none is logged.
    """

    servers: tuple[str, ...]
    last_at: datetime | None


def availability(name: str, *, store: Store) -> Availability:
    """Look up which servers are up for a deployment.

    Args:
        name: The deployment's name.
        store: The store of the deployment.
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
