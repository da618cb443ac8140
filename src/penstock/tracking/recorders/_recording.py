"""Common parts of all recorders: the run to log to, and that logging never stops a training."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType
from typing import Any

from penstock.core import ConflictError, require
from penstock.tracking._active import active_run
from penstock.tracking._run import Run
from penstock.tracking._start import start_run

_log = logging.getLogger("penstock")
_inside: ContextVar[bool] = ContextVar("penstock_autolog", default=False)
_warned: set[str] = set()
_LONGEST = 500


@contextmanager
def recording(name: str) -> Iterator[Run | None]:
    """Return the run that a training is logged to; None inside of a training.

    Args:
        name: Name of the run if the training becomes a run.
    """
    if _inside.get():
        yield None
        return
    token = _inside.set(True)
    try:
        outer = active_run()
        if outer is not None:
            yield outer
            return
        try:
            own = start_run(name)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the store, they train
            warn_once(error)
            yield None
            return
        with own:
            yield own
    finally:
        _inside.reset(token)


class Replaced:
    """A function of a framework, replaced under each name, and restored.

    Args:
        name: The function.
        places: The modules that contain it.
        make: Wraps the original function.
        purpose: For the message if the framework is not installed.
    """

    def __init__(
        self, name: str, places: Sequence[str], make: Callable[[Any], Any], *, purpose: str
    ) -> None:
        self._name, self._places, self._make, self._purpose = name, places, make, purpose
        self._originals: dict[str, Any] = {}

    def start(self) -> None:
        """Replace the function; where it is replaced already nothing happens."""
        for place in self._places:
            if place not in self._originals:
                module = self._module(place)
                self._originals[place] = getattr(module, self._name)
                setattr(module, self._name, self._make(self._originals[place]))

    def stop(self) -> None:
        """Restore the function."""
        while self._originals:
            place, original = self._originals.popitem()
            setattr(self._module(place), self._name, original)

    def _module(self, place: str) -> ModuleType:
        return require(place, extra="boosters", purpose=self._purpose)


def quietly(work: Callable[[], Any]) -> None:
    """Call a logging function; an error is logged once as a warning and stops nothing."""
    try:
        work()
    except Exception as error:  # noqa: BLE001 - a training is worth more than its log
        warn_once(error)


def warn_once(error: Exception) -> None:
    """Log an error as a warning, each kind once."""
    text = f"{type(error).__name__}: {error}"
    if text not in _warned:
        _warned.add(text)
        _log.warning("autolog could not log something: %s", text[:_LONGEST])


def log_params(run: Run, name: str, params: Mapping[str, Any]) -> None:
    """Log parameters; those that the run has with a different value get the name as a prefix."""
    plain = {key: value for key, value in params.items() if _is_plain(value)}
    try:
        run.log_params(plain)
    except ConflictError:
        known = run.params
        new = {key: value for key, value in plain.items() if key not in known}
        other = {f"{name}.{k}": v for k, v in plain.items() if k in known and known[k] != v}
        run.log_params(new)
        run.log_params(other)  # if these differ too, a warning is logged, and the first values stay


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return len(value) <= 20 and all(map(_is_plain, value))  # noqa: PLR2004 - a short list
    return value is None or isinstance(value, str | int | float | bool)
