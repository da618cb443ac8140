"""Store failures that must not stop the training that is tracked."""

import logging
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

from penstock.core import StoreError
from penstock.stores import Fact

if TYPE_CHECKING:
    from penstock.stores import Store

_log = logging.getLogger("penstock")
Method = TypeVar("Method", bound=Callable[..., None])


class Trouble:
    """Handler of facts of a run that cannot be recorded.

    A fact that can wait stays in the journal and is recorded later. The rest is logged once as a
    warning, and noted with the run, so that readers know that the run is incomplete.

    Args:
        run_id: The run.
        store: The store in which the run is recorded.
        strict: Raise the error.
    """

    def __init__(self, run_id: str, store: "Store", *, strict: bool) -> None:
        self._run_id, self._store, self.strict = run_id, store, strict
        self._warned: set[str] = set()
        self._unnoted: dict[str, None] = {}

    def record(self, fact: Fact) -> bool:
        """Record a fact, or store the fact in the journal until the store is available.

        Returns:
            Whether the fact is safe.

        Raises:
            StoreError: If the store refuses the fact and the run is strict.
        """
        try:
            why = self._store.journal.record(fact, keep=not self.strict)
        except StoreError as error:
            self.meet(error, fact.about)
            return False
        if why is not None:
            self._warn_once(f"Run {self._run_id} goes on; {fact.about} and more wait in"
                       f" {self._store.journal.home} until the store takes them: {why}", why.what)  # fmt: skip
        return True

    def meet(self, error: StoreError, about: str = "") -> None:
        """Raise the error if the run is strict; else log each kind once, noted with the run."""
        if self.strict:
            raise error
        self._warn_once(
            f"Run {self._run_id} continues, but this was not recorded: {error}", error.what
        )
        self._unnoted[f"{about}: {error.what}" if about else error.what] = None
        self.note()

    def note(self) -> None:
        """Note with the run the facts that could not be recorded; retry later if that fails."""
        if self._unnoted:
            with suppress(StoreError):
                sentences = list(self._unnoted)
                self._store.journal.record(Fact(self._run_id, "missed", sentences, "this"))
                self._unnoted.clear()

    def _warn_once(self, text: str, kind: str) -> None:
        if kind not in self._warned:
            self._warned.add(kind)
            _log.warning("%s", text)


def forgiving(method: Method) -> Method:
    """Wrap a method of a run to return quietly if the store cannot be written; see Trouble."""

    @wraps(method)
    def quiet(run: Any, *args: Any, **options: Any) -> None:
        try:
            method(run, *args, **options)
        except StoreError as error:
            run.trouble.meet(error)

    return cast("Method", quiet)
