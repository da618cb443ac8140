"""Courier: delivers the events of the outbox to the hooks; any process of the store may do so.

At least once: an event is removed after delivery, and the id is the same at every
attempt. In order: an event that fails is retried before later events are sent, unless the receiver
refuses the event. A lease ensures that a single process at a time delivers a hook's events.
"""

import functools
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Concatenate, ParamSpec, Protocol, Self, TypeVar

from penstock.core import (
    HIDDEN,
    AccessError,
    EventRecord,
    EventState,
    HookRecord,
    PenstockError,
    new_id,
    now,
)
from penstock.hooks._attempt import Attempt
from penstock.hooks._sending import Sender
from penstock.stores import Store

Of = TypeVar("Of", bound="HasStore")
Params = ParamSpec("Params")
Result = TypeVar("Result")
_log = logging.getLogger("penstock.hooks")
_DELAYS_S = (5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 43_200)
_LEASE = timedelta(seconds=60)
_BATCH = 50
_EVERY_S = 1.0
_LAST_S = 5.0  # seconds that an ending process waits for its last events


class HasStore(Protocol):
    """Owner of the methods that `delivers` decorates."""

    _store: Store


def delivers(
    method: Callable[Concatenate[Of, Params], Result],
) -> Callable[Concatenate[Of, Params], Result]:
    """Deliver the events of a method's changes before the return, if the store has hooks.

    Whoever promotes from a script or a shell runs no scheduler; without this the events would wait
    for the next run. A receiver that cannot be reached delays the method for some seconds at most.
    """

    @functools.wraps(method)
    def call(of: Of, /, *args: Params.args, **options: Params.kwargs) -> Result:
        with Courier(store=of._store):  # noqa: SLF001 - the class decorates its own methods
            return method(of, *args, **options)

    return call


def _is_signable(hook: HookRecord) -> bool:
    """Return whether this process may know the hook's secret; a server shows it to nobody."""
    return hook.secret != HIDDEN


class Courier:
    """Delivery of events to hooks.

    Threads: `deliver` may be called from any thread, in sequence; from `start` to `stop`, or inside
    a with-block, a background thread calls `deliver`.

    Args:
        always: Start the thread even if there is no hook yet.
        store: Store whose outbox is delivered.
    """

    def __init__(self, *, always: bool = False, store: Store) -> None:
        self._store, self._metadata, self._always = store, store.metadata, always
        self._holder = new_id()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_started(self) -> bool:
        """True if events are delivered in the background."""
        return self._thread is not None

    def start(self) -> Self:
        """Start to deliver events in the background, if there are hooks."""
        if self._always or self._has_hooks():
            self._thread = threading.Thread(target=self._work, name="penstock-hooks", daemon=True)
            self._thread.start()
        return self

    def _has_hooks(self) -> bool:
        """Return whether there is something to deliver, and by this process."""
        try:
            return any(_is_signable(hook) for hook in self._metadata.hooks.list())
        except AccessError:  # a store on a server, which delivers
            return False

    def stop(self) -> None:
        """Deliver the remaining events, for a few seconds at most, and stop."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(timeout=_LAST_S)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def deliver(self) -> int:
        """Deliver the events that are due, and return how many were delivered.

        An error of a receiver is recorded at the hook and never raised.
        """
        arrived = 0
        for hook in self._metadata.hooks.list():
            if hook.paused_at is None and _is_signable(hook):
                arrived += self._deliver_to(hook)
        return arrived

    def _work(self) -> None:
        while True:
            ending = self._ended.wait(_EVERY_S)
            with suppress(PenstockError):  # delivered later instead, by any process
                self.deliver()
            if ending:
                return

    def _deliver_to(self, hook: HookRecord) -> int:
        events = self._metadata.hooks.list_events(hook.name, limit=_BATCH)
        if not events or events[0].due_at > now():
            return 0
        lease = f"hook:{hook.name}"
        if not self._metadata.steps.take_lease(lease, self._holder, now() + _LEASE):
            return 0
        try:
            # Read again: the previous holder of the lease has delivered some of these events.
            return self._bring(hook, self._metadata.hooks.list_events(hook.name, limit=_BATCH))
        finally:
            self._metadata.steps.drop_lease(lease, self._holder)

    def _bring(self, hook: HookRecord, events: list[EventRecord]) -> int:
        began, arrived = now(), 0
        with Sender(self._store) as sender:
            for event in events:
                if event.due_at > now() or now() - began > _LEASE / 2:
                    break
                attempt = sender.send(hook, event)
                if attempt.ok:
                    self._metadata.hooks.drop_events(hook.name, [event.event_id], delivered=True)
                    arrived += 1
                    continue
                self._postpone(event, attempt)
                if not attempt.refused:
                    break  # the receiver is unreachable: later events wait too
        return arrived

    def _postpone(self, event: EventRecord, attempt: Attempt) -> None:
        attempts = event.attempts + 1
        dead = attempt.refused or attempts > len(_DELAYS_S)
        delay = 0.0 if dead else max(_DELAYS_S[attempts - 1], attempt.wait_s)
        self._metadata.hooks.update_event(
            event.event_id,
            attempts=attempts,
            due_at=now() + timedelta(seconds=delay),
            state=EventState.DEAD if dead else EventState.PENDING,
            error=attempt.error,
        )
        consequence = "is given up" if dead else f"will be retried in {delay:.0f} s"
        _log.warning("Webhook %s: %s %s. %s", event.hook, event.kind, consequence, attempt.error)
