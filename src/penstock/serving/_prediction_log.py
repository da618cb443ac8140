"""PredictionLog: writes predictions after the response; apart because no request may fail by logging.

Threads: ``add`` may be called from any thread; a single daemon thread writes.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from penstock.core import ClosedAtExit, PredictionRecord

_log = logging.getLogger("penstock.serving")
_BATCH = 2_000
_TRIES_OF_ONE = 8  # failures of one record, each while the next record could be stored
_LONGEST_PAUSE_S = 5.0
_WARN_EVERY_S = 60.0


class PredictionLog(ClosedAtExit):
    """A bounded queue with a background writer.

    Adding never blocks and never raises: when the queue is full the newest records are dropped and
    counted. While the sink fails, records wait in the queue and are retried with pauses; a record
    is given up only if the next record can be stored and this record cannot.

    >>> written = []
    >>> with PredictionLog(written.extend) as log:
    ...     log.add([])
    >>> log.dropped
    0

    Args:
        write: Stores a batch or raises; called from the writer thread only.
        capacity: Maximum number of waiting records; further records are dropped.
        interval_s: Longest time a record waits to be batched, in seconds.
    """

    def __init__(
        self,
        write: Callable[[Sequence[PredictionRecord]], None],
        *,
        capacity: int = 50_000,
        interval_s: float = 0.2,
    ) -> None:
        self._write, self._capacity, self._interval_s = write, capacity, interval_s
        self._queue: deque[PredictionRecord] = deque()
        self._wake, self._closed = threading.Event(), threading.Event()
        self._stopped = False
        self._idle = threading.Condition()
        self._batch, self._tries, self._warned_at = _BATCH, 0, -_WARN_EVERY_S
        self.dropped = self.written = self.failures = 0
        self._thread = threading.Thread(target=self._run, name="penstock-log", daemon=True)
        self._thread.start()

    @property
    def depth(self) -> int:
        """Number of records that wait to be written."""
        return len(self._queue)

    def add(self, records: Sequence[PredictionRecord]) -> None:
        """Queue records for writing; returns at once.

        Args:
            records: The predictions, in order.
        """
        # deque is safe across threads; one request's rows at most may exceed the bound.
        room = self._capacity - len(self._queue)
        if room < len(records) or self._closed.is_set():
            accepted = 0 if self._closed.is_set() else max(room, 0)
            self.dropped += len(records) - accepted
            records = records[:accepted]
        self._queue.extend(records)

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until all queued records are written.

        Args:
            timeout_s: Longest wait in seconds.

        Returns:
            False if the sink did not store all records in time.
        """
        self._wake.set()
        with self._idle:
            self._idle.wait_for(lambda: self._stopped or not self._queue, timeout_s)
        return not self._queue

    def close(self, timeout_s: float = 5.0) -> None:
        """Write the waiting records, then stop; records not stored in time are counted as dropped.

        Args:
            timeout_s: Longest wait in seconds.
        """
        if self._closed.is_set():
            return
        self._closed.set()
        self.flush(timeout_s)
        self._thread.join(timeout=timeout_s)
        if self._queue:
            self.dropped += len(self._queue)
            _log.warning("%d predictions were not logged: the store did not take them.", self.depth)

    def _run(self) -> None:
        pause = 0.0
        while not (self._closed.is_set() and (not self._queue or pause)):
            self._wake.wait(pause or self._interval_s)
            self._wake.clear()
            pause = self._drain(pause)
        with self._idle:
            self._stopped = True
            self._idle.notify_all()

    def _drain(self, pause: float) -> float:
        """Write until the queue is empty or the sink fails; return the seconds until the retry."""
        while self._queue:
            # Copied, not popped: records leave the queue only once they are stored.
            batch = [self._queue[place] for place in range(min(self._batch, len(self._queue)))]
            try:
                self._write(batch)
            except Exception as error:  # noqa: BLE001 - the log survives every failure of the sink
                if self._note_failure(error):
                    return self._interval_s
                return min(max(2 * pause, self._interval_s), _LONGEST_PAUSE_S)
            self._drop_head(len(batch))
            self.written += len(batch)
            self._batch, self._tries = min(2 * self._batch, _BATCH), 0
        with self._idle:
            self._idle.notify_all()
        return 0.0

    def _note_failure(self, error: Exception) -> bool:
        """Narrow down to a record that can never be stored; return whether the next can be."""
        self.failures += 1
        if time.monotonic() - self._warned_at >= _WARN_EVERY_S:
            self._warned_at = time.monotonic()
            _log.warning(
                "The prediction log cannot be written (%s: %s); %d records are buffered, serving continues.",
                type(error).__name__,
                str(error)[:200],
                self.depth,
            )
        # Halving the batch isolates a record that can never be stored in few steps.
        was_alone, self._batch = self._batch == 1, max(self._batch // 2, 1)
        if not was_alone or not self._stores_the_next():
            self._tries = 0
            return False
        self._tries += 1
        if self._tries >= _TRIES_OF_ONE:
            self._drop_head(1)
            self.dropped += 1
            self._tries = 0
        return True

    def _stores_the_next(self) -> bool:
        """Write the record behind the failing record: an outage fails both."""
        if len(self._queue) == 1:
            return False
        try:
            self._write([self._queue[1]])
        except Exception:  # noqa: BLE001 - already logged
            self.failures += 1
            return False
        del self._queue[1]
        self.written += 1
        return True

    def _drop_head(self, count: int) -> None:
        for _ in range(count):
            self._queue.popleft()
