"""Batches: which rows are trained on in which step, as a pure function of seed and step."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from penstock.core import require_number
from penstock.distributed._generators import key_seed
from penstock.distributed._world import import_torch
from penstock.tracking import current_step


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of a step of training.

    Args:
        step: Number of the step of training, from 0.
        epoch: Number of the epoch, from 0.
        rows: Indices of the rows, a tensor of integers.
    """

    step: int
    epoch: int
    rows: Any


class Batches:
    """Shuffled batches of the rows 0 to ``rows`` - 1, which can be continued at any step.

    >>> from penstock.distributed import Batches
    >>> batches = Batches(10, size=4, epochs=2)  # doctest: +SKIP
    >>> [len(batch.rows) for batch in batches]  # doctest: +SKIP
    [4, 4, 2, 4, 4, 2]

    The order of an epoch depends on the seed and the epoch only: neither on the number of workers
    nor on earlier draws.

    Args:
        rows: Number of rows, 1 or more.
        size: Rows of a batch, over all workers together.
        epochs: Number of epochs.
        shuffle: False to use the rows in order.
        drop_last: True to leave out the last batch of an epoch if that batch is smaller.
        seed: Seed of the order; by default the seed of the step, outside of steps 0.

    Raises:
        ParameterError: If a number cannot be used.
    """

    def __init__(
        self,
        rows: int,
        *,
        size: int,
        epochs: int = 1,
        shuffle: bool = True,
        drop_last: bool = False,
        seed: int | None = None,
    ) -> None:
        require_number("rows", rows, low=1, whole=True)
        require_number("size", size, low=1, whole=True)
        require_number("epochs", epochs, low=0, whole=True)
        self.rows, self.size, self.epochs = rows, size, epochs
        self._shuffle = shuffle
        self._seed = default_seed() if seed is None else seed
        whole, rest = divmod(self.rows, self.size)
        self.steps_per_epoch = whole + (1 if rest and not drop_last else 0)
        """Number of batches in an epoch."""

    def __len__(self) -> int:
        return self.epochs * self.steps_per_epoch

    def __iter__(self) -> Iterator[Batch]:
        return self.after(0)

    def after(self, steps: int) -> Iterator[Batch]:
        """Iterate over the batches that follow a number of steps, to continue from a checkpoint.

        Args:
            steps: Number of steps of training that are done.
        """
        order: Any = None
        ordered = -1
        for step in range(steps, len(self)):
            epoch, place = divmod(step, self.steps_per_epoch)
            if epoch != ordered:
                order, ordered = self._order(epoch), epoch
            yield Batch(step, epoch, order[place * self.size : (place + 1) * self.size])

    def _order(self, epoch: int) -> Any:
        torch = import_torch()
        if not self._shuffle:
            return torch.arange(self.rows)
        generator = torch.Generator()
        generator.manual_seed(key_seed(self._seed, "order", epoch))
        return torch.randperm(self.rows, generator=generator)


def default_seed() -> int:
    """Return the seed of the step that is running; 0 outside of steps."""
    step = current_step()
    return 0 if step is None else step.seed
