"""A store that cannot be written must not stop the training that is tracked."""

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from penstock.core import StoreError

_log = logging.getLogger("penstock")
Method = TypeVar("Method", bound=Callable[..., None])


class Trouble:
    """What happens when something of a run cannot be recorded.

    Args:
        run_id: The run, for the message.
        strict: Raise it.
    """

    def __init__(self, run_id: str, *, strict: bool) -> None:
        self._run_id, self._strict = run_id, strict
        self._told: set[str] = set()

    def meet(self, error: StoreError) -> None:
        """Raise it if the run is strict; else tell it, each kind once."""
        if self._strict:
            raise error
        if error.what not in self._told:
            self._told.add(error.what)
            _log.warning("Run %s goes on, but this was not recorded: %s", self._run_id, error)


def forgiving(method: Method) -> Method:
    """Let a method of a run end quietly if the store cannot be written; see Trouble."""

    @wraps(method)
    def quiet(run: Any, *args: Any, **options: Any) -> None:
        try:
            method(run, *args, **options)
        except StoreError as error:
            run.trouble.meet(error)

    return cast("Method", quiet)
