"""SharedKeys: keys that train and test rows share, of more rows than fit in memory.

The keys (hashes) go into files of a temporary folder, one for each range of the hash, so that equal
keys meet in one file; then each file is read and judged alone. The folder takes 8 bytes per row and
hash.
"""

import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    Keys: TypeAlias = "np.ndarray[Any, np.dtype[np.uint64]]"

_FILE_BYTES = 1 << 26


class SharedKeys:
    """Keys of train and test rows in files; use as a context.

    >>> import numpy as np
    >>> with SharedKeys(rows=4, lanes=1) as keys:
    ...     keys.add(np.array([[7], [8]], dtype=np.uint64), is_test=False)
    ...     keys.add(np.array([[8], [8]], dtype=np.uint64), is_test=True)
    ...     [(len(train), len(test)) for train, test in keys.parts()]
    [(2, 2)]

    Args:
        rows: Number of rows, about.
        lanes: Hashes per row; equal rows have an equal first hash.
    """

    def __init__(self, rows: int, lanes: int) -> None:
        self._lanes = lanes
        wanted = rows * lanes * 8 // _FILE_BYTES
        self._bits = wanted.bit_length()

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="penstock-split-")
        self._files: dict[tuple[int, bool], IO[bytes]] = {}
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()
        self._folder.cleanup()

    def add(self, keys: "Keys", *, is_test: bool) -> None:
        """Add the keys of rows, shape (n, lanes)."""
        import numpy as np

        if not self._bits:
            self._write(0, keys, is_test=is_test)
            return
        of_key = (keys[:, 0] >> np.uint64(64 - self._bits)).astype(np.int64)
        order = np.argsort(of_key, kind="stable")
        ends = np.searchsorted(of_key[order], np.arange((1 << self._bits) + 1))
        for number in range(1 << self._bits):
            self._write(number, keys[order[ends[number] : ends[number + 1]]], is_test=is_test)

    def parts(self) -> "Iterator[tuple[Keys, Keys]]":
        """Yield the keys of train and of test rows, a range of the first hash at a time."""
        for file in self._files.values():
            file.flush()
        for number in range(1 << self._bits):
            yield self._read(number, is_test=False), self._read(number, is_test=True)

    def _path(self, number: int, *, is_test: bool) -> Path:
        return Path(self._folder.name, f"{number}-{'test' if is_test else 'train'}")

    def _write(self, number: int, keys: "Keys", *, is_test: bool) -> None:
        import numpy as np

        file = self._files.get((number, is_test))
        if file is None:
            file = self._files[number, is_test] = self._path(number, is_test=is_test).open("wb")
        file.write(np.ascontiguousarray(keys).data)

    def _read(self, number: int, *, is_test: bool) -> "Keys":
        import numpy as np

        path = self._path(number, is_test=is_test)
        if not path.exists():
            return np.empty((0, self._lanes), dtype=np.uint64)
        return np.fromfile(path, dtype=np.uint64).reshape(-1, self._lanes)
