"""Training of the network in torch: one thread, separate random numbers, early stopping."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.core import one_torch_thread, require
from penstock.models.tabular_net._inputs import UNKNOWN, Encoded

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_HELD_OUT = 0.1
_FEW = 100  # rows; with fewer a tenth says nothing about when to stop
_LEVEL_DROPOUT = 0.02  # share of levels that training replaces, so that "unknown" is learned
_EMBEDDING = (1.6, 0.56, 50)  # factor, power, largest: fastai's rule


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """The options of a training; see `TabularNet`."""

    hidden: tuple[int, ...]
    max_epochs: int
    patience: int
    batch_size: int
    learning_rate: float
    dropout: float
    weight_decay: float
    seed: int


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """Rows to learn from.

    Args:
        encoded: The inputs.
        target: Classes as whole numbers, or scaled numbers.
        weight: Weight of each row.
        classes: Number of classes; 0 for numbers.
    """

    encoded: Encoded
    target: "NDArray[Any]"
    weight: "NDArray[np.float64]"
    classes: int


def train_network(
    rows: TrainingRows, levels: list[int], options: TrainingOptions
) -> "tuple[dict[str, NDArray[np.float32]], int]":
    """Train a network.

    Args:
        rows: Rows to learn from.
        levels: Number of codes of each column of levels.
        options: The options.

    Returns:
        The weights of the best epoch by name, and the number of epochs.

    Raises:
        MissingPackageError: If torch is not installed.
    """
    torch = require("torch", extra="torch", purpose="fitting a TabularNet")
    with _alone(torch, options.seed):
        training = _Training(torch, rows, levels, options)
        epochs = training.run()
        return training.weights(), epochs


@contextmanager
def _alone(torch: Any, seed: int) -> Iterator[None]:
    """Keep the number of threads and the random numbers of the process as they were."""
    with one_torch_thread(torch), torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(seed)
        yield


class _Training:
    def __init__(
        self, torch: Any, rows: TrainingRows, levels: list[int], options: TrainingOptions
    ) -> None:
        self._torch, self._rows, self._options = torch, rows, options
        self._build(levels, rows.encoded.numbers.shape[1])
        self._numbers = torch.tensor(rows.encoded.numbers, dtype=torch.float32)
        self._codes = torch.tensor(rows.encoded.codes)
        kind = torch.int64 if rows.classes else torch.float32
        self._target = torch.tensor(rows.target, dtype=kind)
        self._weight = torch.tensor(rows.weight / rows.weight.mean(), dtype=torch.float32)
        self._optimizer = torch.optim.AdamW(
            self._parameters(),
            lr=options.learning_rate,
            weight_decay=options.weight_decay,
        )

    def _build(self, levels: list[int], numbers: int) -> None:
        torch = self._torch
        factor, power, largest = _EMBEDDING
        sizes = [min(largest, round(factor * count**power)) for count in levels]
        self._tables = [
            torch.nn.Parameter(0.1 * torch.randn(count, size))
            for count, size in zip(levels, sizes, strict=True)
        ]
        widths = [numbers + sum(sizes), *self._options.hidden, max(self._rows.classes, 1)]
        self._layers = [
            torch.nn.Linear(before, after) for before, after in itertools.pairwise(widths)
        ]

    def weights(self) -> "dict[str, NDArray[np.float32]]":
        arrays = {f"embedding_{at}": table for at, table in enumerate(self._tables)}
        for at, layer in enumerate(self._layers):
            arrays[f"layer_{at}.weight"], arrays[f"layer_{at}.bias"] = layer.weight, layer.bias
        return {name: tensor.detach().numpy().copy() for name, tensor in arrays.items()}

    def run(self) -> int:
        """Train, and keep the weights of the epoch with the smallest loss on held-out rows."""
        held, learned = self._split()
        best, best_loss, waited, epochs = None, float("inf"), 0, 0
        while epochs < self._options.max_epochs:
            self._epoch(learned)
            epochs += 1
            if not len(held):
                continue
            loss = self._held_out_loss(held)
            if loss < best_loss:
                best, best_loss, waited = self._copy(), loss, 0
            else:
                waited += 1
            if waited >= self._options.patience:
                break
        if best is not None:
            self._restore(best)
        return epochs

    def _split(self) -> tuple[Any, Any]:
        """Hold out a tenth of the rows, of each class; none of few rows."""
        torch, count = self._torch, len(self._target)
        order = torch.randperm(count)
        if count < _FEW:
            return order[:0], order
        groups = (
            [order[self._target[order] == at] for at in range(self._rows.classes)]
            if self._rows.classes
            else [order]
        )
        cuts = [int(len(group) * _HELD_OUT) for group in groups]
        held = torch.cat([group[:cut] for group, cut in zip(groups, cuts, strict=True)])
        learned = torch.cat([group[cut:] for group, cut in zip(groups, cuts, strict=True)])
        weighs = float(self._weight[held].sum()) > 0
        return (held, learned) if weighs else (order[:0], order)

    def _epoch(self, rows: Any) -> None:
        torch = self._torch
        order = rows[torch.randperm(len(rows))]
        # Few rows in large batches would be few steps.
        size = max(1, min(self._options.batch_size, max(8, len(order) // 10)))
        for start in range(0, len(order), size):
            part = order[start : start + size]
            codes = self._codes[part]
            replaced = torch.rand(codes.shape) < _LEVEL_DROPOUT
            outputs = self._forward(part, codes.masked_fill(replaced, UNKNOWN), training=True)
            loss = (self._losses(outputs, part) * self._weight[part]).mean()
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()

    def _held_out_loss(self, rows: Any) -> float:
        with self._torch.no_grad():
            losses = self._losses(self._forward(rows, self._codes[rows], training=False), rows)
            weight = self._weight[rows]
            return float((losses * weight).sum() / weight.sum())

    def _forward(self, rows: Any, codes: Any, *, training: bool) -> Any:
        torch, functional = self._torch, self._torch.nn.functional
        looked_up = [table[codes[:, at]] for at, table in enumerate(self._tables)]
        values = torch.cat([self._numbers[rows], *looked_up], dim=1)
        for layer in self._layers[:-1]:
            values = functional.dropout(
                functional.relu(layer(values)), self._options.dropout, training
            )
        return self._layers[-1](values)

    def _losses(self, outputs: Any, rows: Any) -> Any:
        functional = self._torch.nn.functional
        if self._rows.classes:
            return functional.cross_entropy(outputs, self._target[rows], reduction="none")
        return functional.mse_loss(outputs[:, 0], self._target[rows], reduction="none")

    def _parameters(self) -> list[Any]:
        return [*self._tables, *(p for layer in self._layers for p in layer.parameters())]

    def _copy(self) -> list[Any]:
        return [parameter.detach().clone() for parameter in self._parameters()]

    def _restore(self, copies: list[Any]) -> None:
        with self._torch.no_grad():
            for parameter, copy in zip(self._parameters(), copies, strict=True):
                parameter.copy_(copy)
