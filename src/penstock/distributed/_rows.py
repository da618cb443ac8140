"""Rows of a batch: count and cut tensors, and tuples, lists and dicts of tensors."""

from collections.abc import Iterator, Mapping
from typing import Any

from penstock.core import DataError, ParameterError


def count_rows(torch: Any, batch: Any) -> int:
    """Count the rows of a batch.

    Raises:
        ParameterError: If the batch holds no tensors.
        DataError: If there are no rows, or tensors have different numbers of rows.
    """
    counts = {int(tensor.shape[0]) for tensor in _tensors(torch, batch)}
    if len(counts) != 1:
        raise DataError(
            what=f"The tensors of a batch have different numbers of rows: {sorted(counts)}.",
            fix="Pass tensors with equally many rows.",
        )
    rows = counts.pop()
    if not rows:
        raise DataError(what="A batch has no rows.", fix="Leave out empty batches.")
    return rows


def take_rows(torch: Any, batch: Any, start: int, stop: int) -> Any:
    """Return rows of a batch as tensors of their own, in the batch's form."""
    if isinstance(batch, torch.Tensor):
        # A copy is aligned as every tensor is; a view's alignment would depend on its place.
        return batch[start:stop].clone()
    if isinstance(batch, Mapping):
        return {name: take_rows(torch, each, start, stop) for name, each in batch.items()}
    return tuple(take_rows(torch, each, start, stop) for each in batch)


def _tensors(torch: Any, batch: Any) -> Iterator[Any]:
    if isinstance(batch, torch.Tensor) and batch.dim():
        yield batch
    elif isinstance(batch, Mapping) and batch:
        for each in batch.values():
            yield from _tensors(torch, each)
    elif isinstance(batch, tuple | list) and batch:
        for each in batch:
            yield from _tensors(torch, each)
    else:
        raise ParameterError(
            what=f"A batch holds {type(batch).__name__}, which has no rows to cut.",
            fix="Pass a tensor, or a tuple, list or dict of tensors with the rows first.",
        )
