"""``Heartbeat``: a run's sign of life while a process works on the run."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

from penstock.core import ConflictError, NotFoundError, StepClaim, StoreError, now

if TYPE_CHECKING:
    from penstock.stores import Store
    from penstock.tracking._run import Run

# Six beats fit into the silence after which another machine calls the run dead (60 s).
_EVERY_S = 10.0
_FIRST_S = 1.0


class Heartbeat:
    """Sender of heartbeats in the background, from ``start`` to ``stop`` or in a with-block.

    Args:
        run: The run or a run's id.
        every_s: Seconds between beats.
        attempt: The attempt that the process works at; a run that was resumed elsewhere gets no
            more beats. By default the attempt of the run as last read.
        store: The store in which the run is recorded.
    """

    def __init__(
        self,
        run: "Run | str",
        *,
        every_s: float = _EVERY_S,
        attempt: int | None = None,
        store: "Store",
    ) -> None:
        self._run_id = run if isinstance(run, str) else run.run_id
        self._attempt = attempt
        if attempt is None and not isinstance(run, str):
            self._attempt = run.attempt
        self._store, self._every_s = store, every_s
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        """Start beating."""
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._beat, name=f"penstock-heartbeat-{self._run_id}", daemon=True
            )
            self._thread.start()
        return self

    def stop(self) -> None:
        """Stop; no beat follows."""
        self._ended.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=5)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _beat(self) -> None:
        # The first one soon: a server's clock is the same for all, and this machine's may be wrong.
        wait = min(_FIRST_S, self._every_s)
        while not self._ended.wait(wait):
            wait = self._every_s
            # The next beat makes up for a beat that cannot be written.
            with suppress(StoreError):
                if not self._send():
                    return

    def _send(self) -> bool:
        """Send a beat; return False if the run belongs to a second process now, or is gone."""
        return self._store.metadata.runs.beat(self._run_id, now(), attempt=self._attempt)


class ClaimKeeper(Heartbeat):
    """Sender of heartbeats of a process that executes a step of a run shared with further processes.

    Args:
        claim: The process's claim on the step, renewed with each beat.
        every_s: Seconds between beats.
        store: The store in which the run is recorded.
    """

    def __init__(self, claim: StepClaim, *, every_s: float = _EVERY_S, store: "Store") -> None:
        super().__init__(claim.run_id, every_s=every_s, attempt=claim.attempt, store=store)
        self._claim = claim

    def _send(self) -> bool:
        try:
            # Not given where another process has claimed the step meanwhile, as this was silent.
            self._store.metadata.steps.claim_step(self._claim)
        except (ConflictError, NotFoundError):
            return False
        return True


class RunsHeartbeat:
    """Sender of heartbeats for runs that a process executes in sequence, from a single thread.

    A thread for each of a thousand short runs would cost more than the runs' own bookkeeping.

    Args:
        every_s: Seconds between beats of a run; the first follows after a second.
        store: The store in which the runs are recorded.
    """

    def __init__(self, *, every_s: float = _EVERY_S, store: "Store") -> None:
        self._store, self._every_s = store, every_s
        self._first_s = min(_FIRST_S, every_s)
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        # Run, attempt and the time of the next beat: replaced as a whole, so that no lock is needed.
        self._current: tuple[str, int, float] | None = None

    @contextmanager
    def of(self, run: "Run") -> Iterator[None]:
        """Beat for a run inside of the block."""
        if self._thread is None or not self._thread.is_alive():  # as in a forked process
            self._thread = threading.Thread(
                target=self._beat, name="penstock-heartbeats", daemon=True
            )
            self._thread.start()
        before = self._current
        self._current = run.run_id, run.attempt, time.monotonic() + self._first_s
        try:
            yield
        finally:
            self._current = before

    def stop(self) -> None:
        """Stop; no beat follows."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _beat(self) -> None:
        while not self._ended.wait(self._first_s):
            current = self._current
            if current is None or time.monotonic() < current[2]:
                continue
            run_id, attempt, _ = current
            following = run_id, attempt, time.monotonic() + self._every_s
            # The next beat makes up for a beat that cannot be written.
            with suppress(StoreError):
                if not self._store.metadata.runs.beat(run_id, now(), attempt=attempt):
                    following = run_id, attempt, float("inf")  # it belongs to another process now
            if self._current is current:
                self._current = following
