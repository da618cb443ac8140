"""The Ray cluster that work is sent to: joined, or started on this machine for as long as needed."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from penstock.core import parse_bytes, require
from penstock.pipelines import Step

MOVES = 3
"""How often work is moved to a new node after its node was lost."""
_NOTICED_AFTER_S = 6.0


@contextmanager
def ray_cluster(purpose: str, workers: int | None) -> Iterator[Any]:
    """Connect to Ray, and return the package.

    A running Ray is used (``RAY_ADDRESS``, or an earlier ``ray.init``); else Ray is started on this
    machine and ended with the block.

    Args:
        purpose: Use of Ray, for the error if Ray is not installed.
        workers: Number of cores of a Ray that is started here; None for all.
    """
    ray = require("ray", extra="ray", purpose=purpose)
    if ray.is_initialized():
        yield ray
        return
    # "local": without an address Ray would join a cluster that happens to run on this machine.
    own: dict[str, Any] = (
        {}
        if os.environ.get("RAY_ADDRESS")
        else {
            "address": "local",
            "num_cpus": workers,
            "include_dashboard": False,
            "_node_ip_address": "127.0.0.1",  # no connection from outside is needed
        }
    )
    ray.init(log_to_driver=False, configure_logging=False, **own)
    try:
        yield ray
    finally:
        ray.shutdown()


def alive_nodes(ray: Any) -> frozenset[str]:
    """Return the ids of the cluster's nodes that are alive."""
    return frozenset(node["NodeID"] for node in ray.nodes() if node["Alive"])


def is_node_lost(ray: Any, error: Exception, nodes: frozenset[str]) -> bool:
    """Return whether a task failed because the node was lost.

    A dead process is often noticed some seconds before the node.

    Args:
        ray: The package.
        error: The error of the task.
        nodes: Nodes that were alive when the task was submitted.
    """
    if isinstance(error, ray.exceptions.NodeDiedError) or not nodes <= alive_nodes(ray):
        return True
    if len(nodes) == 1:  # the node of this process, which is alive
        return False
    until = time.monotonic() + _NOTICED_AFTER_S
    while time.monotonic() < until:
        time.sleep(0.2)
        if not nodes <= alive_nodes(ray):
            return True
    return False


def cores_of(ray: Any) -> float:
    """Return the number of cores of the cluster at present."""
    return float(ray.cluster_resources().get("CPU", 1))


def on_this_node(ray: Any) -> Any:
    """Return the strategy that places an actor on the node of this process, which outlives all workers."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)


def ray_options(step: Step[..., Any]) -> dict[str, Any]:
    """Return the resources of a step in Ray's words."""
    resources = step.resources
    options: dict[str, Any] = {
        "num_cpus": (resources.cpu or 1) * (step.workers or 1),
        "num_gpus": resources.gpu,
    }
    if resources.memory:
        options["memory"] = parse_bytes(resources.memory)
    return options
