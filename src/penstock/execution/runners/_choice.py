"""Runners by name, and the options of execution; apart because resuming uses them too."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

from penstock.core import (
    require_choice,
    require_number,
)
from penstock.execution.engine import Runner
from penstock.execution.runners._local import LocalRunner
from penstock.execution.runners._processes import ProcessRunner
from penstock.execution.runners._ray import RayRunner

RUNNERS: Mapping[str, Callable[[], Runner]] = {
    "local": LocalRunner,
    "processes": ProcessRunner,
    "ray": RayRunner,
}
# The failure policy: what a failed step means for the steps that do not depend on it.
OnFailure = Literal["finish_independent", "stop"]
RunnerName = Literal["local", "processes", "ray"]


def find_runner(name: str) -> Runner:
    """Return a new runner by name.

    Raises:
        ParameterError: If there is no runner of that name.
    """
    return RUNNERS[require_choice("runner", name, RUNNERS)]()


def policy(workers: int | None, on_failure: OnFailure) -> dict[str, Any]:
    """Check the options of execution, and return them as arguments of a session.

    Raises:
        ParameterError: If an option cannot be used.
    """
    if workers is not None:
        require_number("workers", workers, low=1, whole=True)
    require_choice("on_failure", on_failure, get_args(OnFailure))
    return {"workers": workers, "stop_on_failure": on_failure == "stop"}
