"""Leases of concurrency limits: taken before a step begins, renewed while the step runs."""

import threading
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from penstock.core import PenstockError, limit_of, now
from penstock.stores import Store

_LASTS = timedelta(seconds=60)  # an unrenewed lease expires after this time: its process is gone
_EVERY_S = 15.0


class Leases:
    """The leases of a run.

    Args:
        store: Store shared by all runs that share the limits.
        project: Folder whose pyproject.toml sets the limits.
    """

    def __init__(self, store: Store, project: Path) -> None:
        self._metadata, self._project = store.metadata, project
        self._held: dict[str, str] = {}
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def take(self, name: str, holder: str) -> bool:
        """Take a lease for a step run; return False if the limit is reached.

        Raises:
            SettingsError: If the limit cannot be read.
        """
        most = limit_of(name, self._project)
        if not self._metadata.steps.take_lease(f"limit:{name}", holder, now() + _LASTS, most=most):
            return False
        self._held[holder] = f"limit:{name}"
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._prolong, name="penstock-leases", daemon=True
            )
            self._thread.start()
        return True

    def drop(self, holder: str) -> None:
        """Release the lease of a step run, if held."""
        name = self._held.pop(holder, None)
        if name is not None:
            self._metadata.steps.drop_lease(name, holder)

    def close(self) -> None:
        """Release all leases."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
        for holder in list(self._held):
            with suppress(PenstockError):
                self.drop(holder)

    def _prolong(self) -> None:
        while not self._ended.wait(_EVERY_S):
            for holder, name in list(self._held.items()):
                with suppress(PenstockError):  # the renewal is tried again before the lease expires
                    self._metadata.steps.take_lease(name, holder, now() + _LASTS, most=0)
