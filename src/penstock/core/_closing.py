"""ClosedAtExit: objects with ``close`` as with-blocks, in a single form."""

from types import TracebackType
from typing import Self


class ClosedAtExit:
    """A with-block ends with ``close()``, also after an exception, which is passed on.

    >>> class Door(ClosedAtExit):
    ...     def close(self) -> None:
    ...         print("closed")
    >>> with Door():
    ...     print("open")
    open
    closed
    """

    __slots__ = ()

    def close(self) -> None:
        """Close; the subclass says what."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
