"""FileDataset: images and arrays that a table names by path, for torch's DataLoader."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.core import DataError, NotFoundError, digest_bytes, digest_json, require

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

_ARRAY = ".npy"
_IMAGES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"})


class FileDataset:
    """Images and arrays named in a column, with the target of each row: a map-style dataset.

    Each file is read once to record the digest, so a step that creates the dataset is executed
    again when a file changed. A file that changes later is refused where it is read. An image is an
    array of shape (height, width, 3), a NumPy file the array of the file.

    >>> import tempfile
    >>> import polars as pl
    >>> folder = Path(tempfile.mkdtemp())
    >>> np.save(folder / "a.npy", np.arange(3.0))
    >>> rows = pl.DataFrame({"file": ["a.npy"], "label": [1]})
    >>> dataset = FileDataset(rows, column="file", folder=folder, target="label")
    >>> values, label = dataset[0]
    >>> values.tolist(), label
    ([0.0, 1.0, 2.0], 1)

    Threads and processes: workers of a DataLoader may read at once.

    Args:
        table: The rows.
        column: Column with the names of files, relative to the folder.
        folder: The folder; names that lead out of the folder are refused.
        target: Column with the target; None to return the values only.
        transform: Function from an array to the value of a row, for example a tensor.
    """

    def __init__(
        self,
        table: "pl.DataFrame",
        *,
        column: str,
        folder: str | Path,
        target: str | None = None,
        transform: Callable[["NDArray[Any]"], Any] | None = None,
    ) -> None:
        self._folder = Path(folder).resolve()
        self._transform = transform
        self._names = [_name(name, column, row) for row, name in enumerate(table[column])]
        self._targets = None if target is None else table[target].to_list()
        self.digests = {name: digest_bytes(self._read(name)) for name in sorted(set(self._names))}

    @property
    def digest(self) -> str:
        """Digest of all files by name."""
        return digest_json(self.digests)

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, row: int) -> Any:  # Any: what transform returns, and the target's type
        """Return the values of a row, with the target where there is a target.

        Raises:
            DataError: If the file has changed since the dataset was created, or cannot be decoded.
            IndexError: If there is no such row.
        """
        name = self._names[row]
        data = self._read(name)
        if digest_bytes(data) != self.digests[name]:
            raise DataError(
                what=f"{self._folder / name} has changed since the dataset was created.",
                why="The run would record digests of other files than it learned from.",
                fix="Create the dataset again.",
            )
        values: Any = _decode(name, data)
        if self._transform is not None:
            values = self._transform(values)
        return values if self._targets is None else (values, self._targets[row])

    def _read(self, name: str) -> bytes:
        path = (self._folder / name).resolve()
        if not path.is_relative_to(self._folder):
            raise DataError(
                what=f"{name!r} leads out of the folder {self._folder}.",
                fix="Give the folder that has all files, and names relative to that folder.",
            )
        try:
            return path.read_bytes()
        except OSError as error:
            raise NotFoundError(
                what=f"{path} cannot be read ({error.strerror}).",
                why="A row of the table names the file.",
                fix="Restore the file, or remove the row.",
            ) from error


def _name(name: Any, column: str, row: int) -> str:
    if not isinstance(name, str):
        raise DataError(
            what=f"Row {row} of {column!r} is {name!r}, which is no name of a file.",
            fix=f'Remove such rows: table.drop_nulls("{column}").',
        )
    if Path(name).suffix.lower() not in {_ARRAY, *_IMAGES}:
        raise DataError(
            what=f"{name!r} is no image or NumPy file by its ending.",
            fix=f"Endings that are read: {', '.join(sorted({_ARRAY, *_IMAGES}))}.",
        )
    return name


def _decode(name: str, data: bytes) -> "NDArray[Any]":
    try:
        if name.lower().endswith(_ARRAY):
            return np.load(io.BytesIO(data), allow_pickle=False)  # type: ignore[no-any-return]
        pillow = require("PIL.Image", extra="media", purpose="reading images")
        with pillow.open(io.BytesIO(data)) as image:
            return np.asarray(image.convert("RGB"))
    except (ValueError, OSError) as error:
        raise DataError(
            what=f"{name!r} cannot be decoded ({error}).",
            fix="Write the file again; arrays of Python objects are not read.",
        ) from error
