"""FollowerRun: the run as the workers after the first see it; they read from it and log nowhere."""

from typing import TYPE_CHECKING, Any

from penstock.tracking._run import Run

if TYPE_CHECKING:
    from penstock.stores import Store


class FollowerRun(Run):
    """A run that reads the artifacts of the first worker's run, and logs to a store of its own.

    Args:
        leader: The run as the first worker has it.
        scratch: Store that takes what is logged, and is thrown away.
    """

    follows = True

    def __init__(self, leader: Run, scratch: "Store") -> None:
        scratch.metadata.runs.create(leader.record)
        super().__init__(leader.record, scratch)
        self._leader = leader

    def artifact(self, name: str) -> Any:  # Any: what was stored
        """Return an artifact of the leader's run: checkpoints are written by the first worker."""
        return self._leader.artifact(name)
