"""FollowerRun: the run in the view of the workers after the first; they read and log nowhere."""

from typing import TYPE_CHECKING, Any

from penstock.tracking._run import Run

if TYPE_CHECKING:
    from penstock.stores import Store


class FollowerRun(Run):
    """A run that reads the artifacts of the first worker's run, and logs to a separate store.

    Args:
        leader: The first worker's run.
        scratch: Store for logged values, thrown away.
    """

    follows = True

    def __init__(self, leader: Run, scratch: "Store") -> None:
        scratch.metadata.runs.create(leader.record)
        super().__init__(leader.record, scratch)
        self._leader = leader

    def artifact(self, name: str) -> Any:  # Any: what was stored
        """Return an artifact of the leader's run: checkpoints are written by the first worker."""
        return self._leader.artifact(name)
