"""``ahead``: a thread prepares the next chunks of a stream while the current chunk is used."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

_MOST = 4


def ahead(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the chunks of a stream, a few of them prepared in advance.

    Hashing, reading and writing release the interpreter, so that the slowest of them alone decides
    how long a large file takes.

    >>> list(ahead(iter([b"a", b"b"])))
    [b'a', b'b']

    Args:
        parts: The chunks, none of them empty; an exception of the iterator is raised in turn.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="penstock-ahead") as helper:
        coming = deque(helper.submit(next, parts, b"") for _ in range(_MOST))
        try:
            while part := coming.popleft().result():
                coming.append(helper.submit(next, parts, b""))
                yield part
        finally:
            # A reader that stops early must not wait for chunks that it will never use.
            helper.shutdown(wait=True, cancel_futures=True)
