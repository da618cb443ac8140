"""Runners by name, and the options of execution; apart because resuming uses them too."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

from penstock.core import ParameterError, did_you_mean
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
    if name in RUNNERS:
        return RUNNERS[name]()
    raise ParameterError(
        what=f"There is no runner {name!r}.", fix=did_you_mean(name, RUNNERS), name=name
    )


def policy(workers: int | None, on_failure: OnFailure) -> dict[str, Any]:
    """Check the options of execution, and return them as arguments of a session.

    Raises:
        ParameterError: If an option cannot be used.
    """
    if workers is not None and workers < 1:
        raise ParameterError(what=f"workers is {workers}.", fix="Give 1 or more workers.")
    if on_failure not in get_args(OnFailure):
        raise ParameterError(
            what=f"on_failure is {on_failure!r}, which is no failure policy.",
            fix=did_you_mean(on_failure, get_args(OnFailure)),
            on_failure=on_failure,
        )
    return {"workers": workers, "stop_on_failure": on_failure == "stop"}
