"""TextRows: the rows of a text file before they have types, in memory or in blocks on the disk."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.core import DataError
from penstock.tables.reading import Texts

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Piece:
    """Rows that lie together.

    Attributes:
        stored: The rows, or the Arrow file that they are in.
        height: Number of rows.
        mask: For each stored row whether it counts; None for all.
        added: Values of columns that the file itself does not have.
    """

    stored: "pl.DataFrame | Path"
    height: int
    mask: "pl.Series | None" = None
    added: Mapping[str, str | None] = field(default_factory=dict)

    def read(self, names: Sequence[str] | None = None) -> "pl.DataFrame":
        """Return the rows, of all columns or of some."""
        import polars as pl

        own = None if names is None else [name for name in names if name not in self.added]
        if own == []:
            frame = pl.DataFrame({"rows": pl.repeat(0, self.height, eager=True)})
        elif isinstance(self.stored, Path):
            frame = pl.read_ipc(self.stored, columns=own)
        else:
            frame = self.stored if own is None else self.stored.select(own)
        if self.mask is not None and own != []:
            frame = frame.filter(self.mask)
        added = (
            self.added if names is None else {n: self.added[n] for n in names if n in self.added}
        )
        columns = [pl.lit(text, dtype=pl.String).alias(name) for name, text in added.items()]
        frame = frame.with_columns(columns) if added else frame
        return frame if names is None else frame.select(names)

    def where(self, mask: "pl.Series") -> "Piece":
        """Return the rows for which a mask is true."""
        import polars as pl

        if not isinstance(self.stored, Path):
            return replace(self, stored=self.stored.filter(mask), height=int(mask.sum()))
        if self.mask is not None:
            whole = self.mask.to_numpy().copy()
            whole[whole] = mask.to_numpy()
            return replace(self, mask=pl.Series(whole), height=int(mask.sum()))
        return replace(self, mask=mask, height=int(mask.sum()))


@dataclass(frozen=True)
class TextRows:
    """Rows in pieces.

    Args:
        names: The columns.
        pieces: The rows, in order; at least one piece.
    """

    names: tuple[str, ...]
    pieces: tuple[Piece, ...]

    @classmethod
    def of(cls, frame: "pl.DataFrame") -> "TextRows":
        """Return rows that are in memory."""
        return cls(tuple(frame.columns), (Piece(frame, frame.height),))

    @classmethod
    def stored(cls, frames: "Iterable[pl.DataFrame]", folder: Path) -> "TextRows":
        """Write rows to files of a folder, block by block.

        Raises:
            DataError: If there is no room.
        """
        pieces, names = [], tuple[str, ...]()
        for frame in frames:
            names, place = tuple(frame.columns), folder / f"{len(list(folder.iterdir())):06}.rows"
            try:
                frame.write_ipc(place, compression="lz4")
            except OSError as error:
                raise DataError(
                    what=f"Rows that do not fit into memory cannot be kept in {folder}: {error}.",
                    why="A large file is read twice: its columns have types after the first time.",
                    fix="Make room, or set TMPDIR to a folder with as much room as the file has bytes.",
                    path=folder,
                ) from error
            pieces.append(Piece(place, frame.height))
        return cls(names, tuple(pieces))

    @classmethod
    def concat(cls, parts: "Sequence[TextRows]") -> "TextRows":
        """Return the rows of several files of the same columns; in memory all together."""
        import polars as pl

        pieces = tuple(piece for part in parts for piece in part.pieces)
        if any(isinstance(piece.stored, Path) for piece in pieces):
            return cls(parts[0].names, pieces)
        return cls.of(pl.concat([piece.read() for piece in pieces]))

    @property
    def held(self) -> "pl.DataFrame | None":
        """All rows, where they are in memory."""
        if len(self.pieces) > 1 or isinstance(self.pieces[0].stored, Path):
            return None
        return self.pieces[0].read()

    @cached_property
    def height(self) -> int:
        """Number of rows."""
        return sum(piece.height for piece in self.pieces)

    def blocks(self, names: Sequence[str] | None = None) -> "Iterator[pl.DataFrame]":
        """Read the rows, block by block."""
        return (piece.read(names) for piece in self.pieces)

    def read(self) -> "pl.DataFrame":
        """Return all rows."""
        import polars as pl

        return pl.concat(list(self.blocks()))

    def column(self, name: str) -> Texts:
        """Return a column."""
        held = self.held
        if held is not None:
            return Texts.of(held[name])
        return Texts(name, lambda: (block[name] for block in self.blocks([name])))

    def where(self, mask: "Callable[[pl.DataFrame], pl.Series]") -> "TextRows":
        """Return the rows for which a mask is true."""
        return replace(self, pieces=tuple(piece.where(mask(piece.read())) for piece in self.pieces))

    def having(self, masks: "Iterable[pl.Series]") -> "TextRows":
        """Return the rows for which masks are true, a mask for each piece."""
        pieces = zip(self.pieces, masks, strict=True)
        return replace(self, pieces=tuple(piece.where(mask) for piece, mask in pieces))

    def adding(self, values: Mapping[str, str | None]) -> "TextRows":
        """Return the rows with columns of a single text each; own columns stay."""
        added = {name: text for name, text in values.items() if name not in self.names}
        pieces = tuple(replace(piece, added=added) for piece in self.pieces)
        return TextRows((*self.names, *added), pieces)

    def head(self, rows: int) -> "pl.DataFrame":
        """Return the first rows."""
        return _first(self.pieces, lambda piece, left: piece.read().head(left), rows)

    def tail(self, rows: int) -> "pl.DataFrame":
        """Return the last rows."""
        pieces = self.pieces[::-1]
        return _first(pieces, lambda piece, left: piece.read().tail(left)[::-1], rows)[::-1]

    def without_first(self) -> "TextRows":
        """Return all rows but the first."""
        return self._without(next(n for n, piece in enumerate(self.pieces) if piece.height), 0)

    def without_last(self) -> "TextRows":
        """Return all rows but the last."""
        place = max(n for n, piece in enumerate(self.pieces) if piece.height)
        return self._without(place, self.pieces[place].height - 1)

    def _without(self, place: int, row: int) -> "TextRows":
        import polars as pl

        piece = self.pieces[place]
        kept = piece.where(pl.int_range(piece.height, eager=True) != row)
        return replace(self, pieces=(*self.pieces[:place], kept, *self.pieces[place + 1 :]))


def _first(
    pieces: Sequence[Piece], read: "Callable[[Piece, int], pl.DataFrame]", rows: int
) -> "pl.DataFrame":
    import polars as pl

    parts: list[pl.DataFrame] = []
    for piece in pieces:
        parts.append(read(piece, rows))
        rows -= parts[-1].height
        if rows <= 0:
            break
    return pl.concat(parts)
