"""One thread of torch at a time: a product computed by two threads differs in the last bits."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

_ONE_AT_A_TIME = threading.Lock()  # torch's number of threads belongs to the whole process


@contextmanager
def one_torch_thread(torch: ModuleType) -> Iterator[None]:
    """Let torch compute on one thread while the block runs; blocks run one after the next.

    Args:
        torch: The module.
    """
    with _ONE_AT_A_TIME:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
