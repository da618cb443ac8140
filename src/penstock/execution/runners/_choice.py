"""Runners by name."""

from collections.abc import Callable, Mapping

from penstock.core import require_choice
from penstock.execution.engine import Runner
from penstock.execution.runners._local import LocalRunner
from penstock.execution.runners._processes import ProcessRunner
from penstock.execution.runners._ray import RayRunner

RUNNERS: Mapping[str, Callable[[], Runner]] = {
    "local": LocalRunner,
    "processes": ProcessRunner,
    "ray": RayRunner,
}


def find_runner(name: str) -> Runner:
    """Return a new runner by name.

    Raises:
        ParameterError: If there is no runner of that name.
    """
    return RUNNERS[require_choice("runner", name, RUNNERS)]()
