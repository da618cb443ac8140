"""World: the worker processes of a step, in the view of a process of that step."""

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from penstock.core import ParameterError, require

TIMEOUT = timedelta(minutes=10)  # a worker that waits longer for the others fails


@dataclass(frozen=True, slots=True)
class World:
    """The workers that train together.

    Args:
        rank: Number of this worker, from 0.
        size: Number of workers.
    """

    rank: int = 0
    size: int = 1


def find_world() -> World:
    """Return this process's place among the workers, as launched; a single worker by default.

    >>> find_world()
    World(rank=0, size=1)

    The environment is that of ``torchrun``: RANK and WORLD_SIZE.
    """
    return World(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))


def import_torch() -> Any:
    """Import torch.

    Raises:
        MissingPackageError: If torch is not installed.
    """
    return require("torch", extra="torch", purpose="training on many workers")


def join_world() -> World:
    """Connect to all workers, unless connected, and return this process's place."""
    torch = import_torch()
    world = find_world()
    distributed = torch.distributed
    if not distributed.is_available():
        return world
    if distributed.is_initialized():
        return World(distributed.get_rank(), distributed.get_world_size())
    if world.size > 1:
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        distributed.init_process_group(backend, timeout=TIMEOUT)
    return world


def require_same(facts: dict[str, Any], world: World) -> None:
    """Refuse workers whose facts differ: their results would differ, too.

    Args:
        facts: Facts of this worker by name, as plain values.
        world: The workers.

    Raises:
        ParameterError: If the facts of two workers differ; on all workers.
    """
    if world.size == 1:
        return
    torch = import_torch()
    gathered: list[dict[str, Any]] = [{}] * world.size
    torch.distributed.all_gather_object(gathered, facts)
    for name, value in gathered[0].items():
        for rank, theirs in enumerate(gathered):
            if theirs.get(name) != value:
                raise ParameterError(
                    what=f"Workers differ in {name}: worker 0 has {value!r}, worker {rank} has"
                    f" {theirs.get(name)!r}.",
                    why="Each worker must compute the same bits from the same rows.",
                    fix="Use machines of one kind with the same packages, and one kind of device.",
                    name=name,
                )
