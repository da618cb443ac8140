"""Layout: gradients, buffers and the loss of a tree node in a single piece of memory.

A piece is added with a call for each dtype, and is a single message between workers. Places depend
on the module alone, so that every worker has the same.
"""

from collections.abc import Sequence
from math import prod
from typing import Any

_ALIGNMENT = 64  # bytes; as torch aligns tensors of their own


class Layout:
    """Places of tensors in a piece of memory: first a byte for each, whether the tensor is present.

    Args:
        torch: The package.
        like: Tensors whose dtypes, shapes and device are those of the places.
    """

    def __init__(self, torch: Any, like: Sequence[Any]) -> None:
        self.torch, self._device = torch, like[0].device
        self._count = len(like)
        end = _aligned(len(like) + 1)
        self._places: list[tuple[int, Any, tuple[int, ...]]] = [(0, None, ())] * len(like)
        self._ranges: list[tuple[int, int, Any]] = []
        for dtype in dict.fromkeys(tensor.dtype for tensor in like):
            start = end
            for place, tensor in enumerate(like):
                if tensor.dtype == dtype:
                    self._places[place] = (end, dtype, tuple(tensor.shape))
                    end = _aligned(end + prod(tensor.shape) * dtype.itemsize)
            self._ranges.append((start, end, dtype))
        self._bytes = end
        self._free: list[Slot] = []

    def take(self) -> "Slot":
        """Return an unused piece of memory; the contents are undefined."""
        if self._free:
            return self._free.pop()
        return Slot(
            self, self.torch.zeros(self._bytes, dtype=self.torch.uint8, device=self._device)
        )

    def release(self, slot: "Slot") -> None:
        """Return a piece of memory for later use."""
        self._free.append(slot)

    def views(self, data: Any) -> list[Any]:
        """Return a view of each tensor's place."""
        return [
            data[start : start + prod(shape) * dtype.itemsize].view(dtype).view(shape)
            for start, dtype, shape in self._places
        ]

    def segments(self, data: Any) -> list[Any]:
        """Return a view of each dtype's places."""
        return [data[start:end].view(dtype) for start, end, dtype in self._ranges]


class Slot:
    """Tensors of a tree node in a piece of memory.

    Args:
        layout: The places.
        data: The memory, as bytes.
    """

    def __init__(self, layout: Layout, data: Any) -> None:
        self.layout, self.data = layout, data
        self.views = layout.views(data)
        self.segments = layout.segments(data)
        self.present = [False] * len(self.views)

    def fill(self, tensors: Sequence[Any]) -> None:
        """Copy tensors to their places; None for an absent tensor."""
        self.present = [tensor is not None for tensor in tensors]
        if all(self.present):
            self.layout.torch._foreach_copy_(self.views, list(tensors))
            return
        for view, tensor in zip(self.views, tensors, strict=True):
            view.zero_() if tensor is None else view.copy_(tensor)

    def add(self, other: "Slot") -> None:
        """Add the tensors of a node to the right."""
        if self.present == other.present:
            for mine, theirs in zip(self.segments, other.segments, strict=True):
                mine.add_(theirs)
            return
        for place, (mine, theirs) in enumerate(zip(self.views, other.views, strict=True)):
            if self.present[place] and other.present[place]:
                mine.add_(theirs)
            elif other.present[place]:
                mine.copy_(theirs)
        pairs = zip(self.present, other.present, strict=True)
        self.present = [mine or theirs for mine, theirs in pairs]

    def seal(self, *, empty: bool = False) -> None:
        """Write which tensors are present into the memory, before the memory is sent."""
        marks = [0 if empty else 1, *map(int, self.present)]
        self.data[: len(marks)] = self.layout.torch.tensor(marks, dtype=self.data.dtype)

    def unseal(self) -> bool:
        """Read which tensors are present after the memory was received; False if none is."""
        first, *marks = self.data[: len(self.views) + 1].tolist()
        self.present = [bool(mark) for mark in marks]
        return bool(first)


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT
