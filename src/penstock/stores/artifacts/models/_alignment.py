"""Memory of tensors that were read from a file; apart because the formats are independent."""

from typing import Any

_ALIGNMENT = 64  # bytes, of torch's allocator on processors


def aligned(tensor: Any) -> Any:
    """Return a tensor whose memory begins as torch's own does, with the same numbers.

    Those of a file begin anywhere, and some products then differ in the last bit.
    """
    return tensor.clone() if tensor.data_ptr() % _ALIGNMENT else tensor
