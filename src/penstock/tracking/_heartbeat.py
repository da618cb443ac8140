"""``Heartbeat``: a run's sign of life while its process works on it."""

import threading
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

from penstock.core import StoreError, now

if TYPE_CHECKING:
    from penstock.stores import Store
    from penstock.tracking._run import Run

# Six beats fit into the silence after which another machine calls the run dead (60 s).
_EVERY_S = 10.0


class Heartbeat:
    """Beats for a run in the background, from ``start`` to ``stop`` or inside a with-block.

    Args:
        run: The run or its id.
        store: Where it is recorded.
        every_s: Seconds between beats.
    """

    def __init__(self, run: "Run | str", store: "Store", *, every_s: float = _EVERY_S) -> None:
        self._run_id = run if isinstance(run, str) else run.run_id
        self._store, self._every_s = store, every_s
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        """Begin to beat."""
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._beat, name=f"penstock-heartbeat-{self._run_id}", daemon=True
            )
            self._thread.start()
        return self

    def stop(self) -> None:
        """Stop; no beat comes after it."""
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
        while not self._ended.wait(self._every_s):
            # A beat that cannot be written is made up for by the next one.
            with suppress(StoreError):
                self._store.metadata.beat(self._run_id, now())
