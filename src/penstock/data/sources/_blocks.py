"""Text files too large for memory, in blocks of whole records as UTF-8."""

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.data.sources._text import encoding_of, note_encoding, read_parts, undecodable

if TYPE_CHECKING:
    from penstock.data._finding import Finding

BLOCK_BYTES = 1 << 24
_HEAD = 1 << 16  # bytes by which the encoding is recognised
_MARK = codecs.BOM_UTF8
_MOST = 8  # blocks without the end of a record


class NotInBlocksError(Exception):
    """A file whose records cannot be found without reading all of it: it is read whole."""


class TextBlocks:
    """The blocks of a text file; each ends where a record ends, and the next begins with a letter.

    Args:
        path: The file.
        quoted: Whether quotes may hold line ends, as in CSV.
    """

    def __init__(self, path: Path, *, quoted: bool) -> None:
        self._path, self._quoted = path, quoted
        self.findings: list[Finding] = []

    def __iter__(self) -> Iterator[bytes]:
        """Read the blocks.

        Raises:
            DataError: If the file cannot be read or decoded.
            NotInBlocksError: If no end of a record is found.
        """
        rest, size = bytearray(), BLOCK_BYTES
        for part in self._decoded():
            rest += part
            while len(rest) > size:
                end = _end_of_records(bytes(rest[:size]), quoted=self._quoted)
                if end:
                    yield bytes(rest[:end])
                    del rest[:end]
                    size = BLOCK_BYTES
                elif size > _MOST * BLOCK_BYTES:
                    raise NotInBlocksError
                else:
                    size += BLOCK_BYTES
        if rest:
            yield bytes(rest)

    def _decoded(self) -> Iterator[bytes]:
        parts = read_parts(self._path)
        head = b""
        for part in parts:  # some are empty: a frame of zstd without content
            head += part
            if len(head) >= _HEAD:
                break
        encoding = encoding_of(head)
        self.findings += note_encoding(self._path, encoding)
        if encoding is None:
            yield head.removeprefix(_MARK)
            yield from parts
            return
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            yield decoder.decode(head).encode().removeprefix(_MARK)
            for part in parts:
                yield decoder.decode(part).encode()
            yield decoder.decode(b"", final=True).encode()
        except UnicodeError as error:
            raise undecodable(self._path, encoding, error) from error


def _end_of_records(content: bytes, *, quoted: bool) -> int:
    r"""Return where the last record ends that another one follows; 0 if there is none.

    >>> _end_of_records(b'a,"x\ny"\nb,"z\n', quoted=True)
    8
    """
    quotes = content.count(b'"') if quoted else 0
    place, end = content.rfind(b"\n", 0, len(content) - 1), len(content)
    while place >= 0:
        quotes -= content.count(b'"', place + 1, end) if quoted else 0
        # An even number of quotes: none is open. Blank lines stay with the record before them.
        if quotes % 2 == 0 and content[place + 1 : place + 2] not in {b"\r", b"\n"}:
            return place + 1
        place, end = content.rfind(b"\n", 0, place), place + 1
    return 0
