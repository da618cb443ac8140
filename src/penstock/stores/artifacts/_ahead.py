"""``ahead``: the next parts of a stream are made in a thread while one is used."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

_MOST = 4


def ahead(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Give the parts of a stream, a few of them made beforehand.

    Digesting, reading and writing let other threads run, so that the slowest of them alone
    decides how long a large file takes.

    >>> list(ahead(iter([b"a", b"b"])))
    [b'a', b'b']

    Args:
        parts: None of them empty; what making one raises is raised here in its turn.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="penstock-ahead") as helper:
        coming = deque(helper.submit(next, parts, b"") for _ in range(_MOST))
        try:
            while part := coming.popleft().result():
                coming.append(helper.submit(next, parts, b""))
                yield part
        finally:
            # A reader that stops early must not wait for what it will never use.
            helper.shutdown(wait=True, cancel_futures=True)
