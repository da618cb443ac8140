"""TorchCheckpoint: module, optimizer, scheduler and all else with a state, saved and restored."""

from datetime import timedelta
from typing import Any

from penstock.checkpoints._state import pack_state, unpack_state
from penstock.core import ParameterError, did_you_mean
from penstock.tracking import checkpoint


class TorchCheckpoint:
    """The last saved state of a torch training in a step.

    ```python
    saved = ps.checkpoints.TorchCheckpoint(model=model, optimizer=optimizer, parallel=parallel)
    saved.load()
    for batch in batches.after(parallel.steps):
        parallel.step((x[batch.rows], y[batch.rows]), loss)
        saved.save()
    ```

    A run that is killed and resumed, or a step that is retried, continues from there, and ends with
    the same bits as an undisturbed run. States of the global generators are part of it. Of several
    workers the first writes, and all read. Outside of runs nothing is stored.

    Args:
        name: Distinguishes several checkpoints of a step.
        every: Shortest time between two stored states; see ``ps.checkpoint``.
        **parts: By name, objects with ``state_dict`` and ``load_state_dict``: modules, optimizers,
            schedulers, scalers, samplers, ``DataParallel``.

    Raises:
        ParameterError: If a part has no state, or none is given.
    """

    def __init__(
        self,
        name: str = "state",
        *,
        every: str | timedelta = "0s",
        **parts: Any,  # Any: whatever has a state_dict
    ) -> None:
        for part, each in parts.items():
            if not (hasattr(each, "state_dict") and hasattr(each, "load_state_dict")):
                raise ParameterError(
                    what=f"{part}={type(each).__name__} has no state_dict.",
                    fix="Give modules, optimizers and the like; numbers belong in save(epoch=…).",
                )
        if not parts:
            raise ParameterError(
                what="A checkpoint of nothing was asked for.",
                fix="Name the parts: TorchCheckpoint(model=model, optimizer=optimizer).",
            )
        self._saved = checkpoint(name, every=every)
        self._parts = parts

    def load(self) -> dict[str, Any] | None:
        """Restore the last saved state of all parts and of the global generators.

        Returns:
            The values that were saved beside the parts; None if there is no state to continue from.

        Raises:
            ParameterError: If the saved state has different parts.
        """
        packed = self._saved.load()
        if packed is None:
            return None
        state = unpack_state(packed)
        if state["parts"].keys() != self._parts.keys():
            missing, *_ = sorted(state["parts"].keys() ^ self._parts.keys())
            raise ParameterError(
                what=f"The saved state and this checkpoint differ in the part {missing!r}.",
                fix=did_you_mean(missing, self._parts) or "Give the same parts.",
            )
        for name, part in self._parts.items():
            part.load_state_dict(state["parts"][name])
        values: dict[str, Any] = state["values"]
        return values

    def save(self, **values: Any) -> None:  # Any: numbers, texts, tensors
        """Save the state of all parts over the previous state; survives kill -9 once this returns.

        Args:
            **values: Further values to continue from, such as ``epoch=3``.

        Raises:
            SerializationError: If a state has a value without a safe form.
        """
        if self._saved.is_due():
            parts = {name: part.state_dict() for name, part in self._parts.items()}
            self._saved.save(pack_state({"parts": parts, "values": values}))
