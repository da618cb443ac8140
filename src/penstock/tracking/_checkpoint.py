"""Checkpoint: the state that a long step saves, so that a resumed run continues from there."""

import math
import time
from datetime import timedelta
from typing import Any, Generic, TypeVar

from penstock.core import NotFoundError, ParameterError, parse_duration, require_name
from penstock.provenance import generator_states, set_generator_states
from penstock.tracking._active import active_run
from penstock.tracking._run import Run
from penstock.tracking._step import StepContext, current_step

T = TypeVar("T")
_FOLDER = "checkpoint"


class Checkpoint(Generic[T]):
    """The last state that a step has saved; created by `checkpoint`.

    Args:
        name: Distinguishes several checkpoints of a step.
        run: The run; None outside of runs, where nothing is stored.
        step: The step; None outside of steps.
        every: Shortest time between two stored states.
    """

    def __init__(
        self, name: str, run: Run | None, step: StepContext | None, *, every: timedelta
    ) -> None:
        self._run, self._step = run, step
        self._every_s, self._saved_at = every.total_seconds(), -math.inf
        step_name = "script" if step is None else step.step
        self.name = f"{_FOLDER}/{step_name}/{name}"
        self._key = None if step is None else step.key

    def load(self) -> T | None:
        """Return the last saved state, and restore the global random generators as they were then.

        Returns:
            None at the first attempt, or if the step would not do the same any more: the code, an
            input, a parameter or a package has changed since the state was saved.
        """
        if self._run is None:
            return None
        try:
            saved = self._run.artifact(self.name)
        except NotFoundError:
            return None
        if saved["key"] != self._key:
            return None
        self._note()
        set_generator_states(saved["generators"])
        value: T = saved["value"]
        return value

    def claim(self) -> None:
        """Exclude further checkpoints of this name until the step or the script ends.

        For libraries that load by themselves: a second training of the same name would continue the
        first.

        Raises:
            ParameterError: If the name was claimed, saved or loaded before in this attempt.
        """
        if self._run is None:
            return
        used = self._run.checkpoints if self._step is None else self._step.checkpoints
        if self.name in used:
            raise ParameterError(
                what=f"The checkpoint {self.name.rpartition('/')[2]!r} was used before in this"
                f" {'script' if self._step is None else 'step'}.",
                why="The second training would continue with the state of the first.",
                fix="Give each a name of its own, such as fold-1 and fold-2.",
            )
        used.add(self.name)

    def is_due(self) -> bool:
        """Return whether `save` would store a state now: for states that are costly to make."""
        if self._run is None or self._run.follows:
            return False
        return time.monotonic() - self._saved_at >= self._every_s

    def save(self, value: T) -> None:
        """Save a state over the previous state; the new state survives kill -9 once this returns.

        Args:
            value: All that is needed to continue: parameters, an optimiser's state, the number of
                the next epoch. The state of the global random generators is stored too; that of a
                generator of your own belongs in the value.
        """
        if self._run is not None and self.is_due():
            saved = {"key": self._key, "value": value, "generators": generator_states()}
            self._run.log_artifact(saved, name=self.name)
            self._saved_at = time.monotonic()
            self._note()

    def _note(self) -> None:
        """Record the checkpoint's name in the step, which drops the states once finished."""
        if self._run is not None:
            used = self._run.checkpoints if self._step is None else self._step.checkpoints
            used.add(self.name)


def checkpoint(name: str = "state", *, every: str | timedelta = "0s") -> Checkpoint[Any]:
    """Return the checkpoint of the step that is running, or of a tracked script.

    ```python
    @ps.step
    def train(rows: ps.Table, epochs: int) -> dict[str, float]:
        saved = ps.checkpoint()
        state = saved.load() or {"epoch": 0, "weight": 0.0}
        while state["epoch"] < epochs:
            state = one_epoch(rows, state)
            saved.save(state)
        return {"weight": state["weight"]}
    ```

    A run that was interrupted or killed continues from there when resumed, and so does a step that
    is retried; the result equals that of an undisturbed run, bit for bit. Outside of a run nothing
    is stored, so that the step stays a plain function. When the step has finished, the states are
    released; ``penstock gc`` removes their bytes, and those of states that were replaced.

    Args:
        name: Distinguishes several checkpoints of a step.
        every: Shortest time between two stored states; a state saved earlier is skipped. With a
            large model ``"10m"`` costs little, and at most ten minutes are lost.

    Raises:
        ParameterError: If the name is not legal, or the duration is not valid.
    """
    name = require_name(name, "checkpoint")
    return Checkpoint(name, active_run(), current_step(), every=parse_duration(every))
