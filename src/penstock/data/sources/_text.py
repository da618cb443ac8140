"""The bytes of a text file: unpacked, in UTF-8, with uniform line ends; and findings."""

import csv
import gzip
import io
import itertools
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from penstock.core import DataError, require
from penstock.data._finding import Finding

SEPARATORS = ",;\t|"

_BOMS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_GZIP = b"\x1f\x8b"
_PART = 1 << 20
_ZSTD = b"\x28\xb5\x2f\xfd"
_HEAD = 65_536
_RECORDS = 60
_MOSTLY = 0.7


def read_bytes(path: Path) -> bytes:
    """Read a whole file, unpacked if gzipped or packed with zstd.

    Raises:
        DataError: If the file cannot be read.
    """
    return b"".join(read_parts(path))


def is_packed(path: Path) -> bool:
    """Return whether a file is gzipped or packed with zstd."""
    with path.open("rb") as file:
        mark = file.read(len(_ZSTD))
    return mark == _ZSTD or mark.startswith(_GZIP)


def read_parts(path: Path) -> Iterator[bytes]:
    """Read a file part by part, unpacked if gzipped or packed with zstd.

    Raises:
        DataError: If the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            mark = file.read(4)
            file.seek(0)
            if mark == _ZSTD:
                yield from _unpack_zstd(file)
            elif mark[:2] == _GZIP:
                with gzip.open(file) as unpacked:
                    yield from _parts(unpacked)
            else:
                yield from _parts(file)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            what=f"{path} cannot be read: {error}.", fix="Check the file.", path=path
        ) from error


def _parts(file: "IO[bytes] | gzip.GzipFile") -> Iterator[bytes]:
    return iter(lambda: file.read(_PART), b"")


def _unpack_zstd(file: IO[bytes]) -> Iterator[bytes]:
    zstandard = require("zstandard", extra="files", purpose="files packed with zstd")
    # A stream reader takes the end of a cut-off file for the end of its rows.
    frame, content = zstandard.ZstdDecompressor().decompressobj(), file.read(_PART)
    try:
        while content:
            yield frame.decompress(content)
            content = frame.unused_data if frame.eof else b""
            ended = frame.eof
            if ended and (content := content or file.read(_PART)):
                frame = zstandard.ZstdDecompressor().decompressobj()
            elif not ended and not (content := file.read(_PART)):
                raise EOFError("Compressed file ended before the end of its last frame")
    except zstandard.ZstdError as error:
        raise OSError(str(error)) from error


def to_utf8(content: bytes, path: Path) -> tuple[bytes, list[Finding]]:
    """Convert a file's bytes to UTF-8 without a byte order mark, lines ending in a line feed.

    UTF-16 is recognised by the byte order mark, or by the zeros of ASCII letters.

    Raises:
        DataError: If the bytes are UTF-16 or UTF-32 but damaged.
    """
    encoding = encoding_of(content)
    if encoding is not None:
        try:
            content = content.decode(encoding).encode()
        except UnicodeError as error:
            raise undecodable(path, encoding, error) from error
    findings = note_encoding(path, encoding)
    content = content.removeprefix(b"\xef\xbb\xbf")
    if b"\r" in content and b"\n" not in content:
        content = content.replace(b"\r", b"\n")
    return content, findings


def encoding_of(content: bytes) -> str | None:
    """Return the encoding of text that is not UTF-8, by its byte order mark or its zeros."""
    marked = next((name for mark, name in _BOMS if content.startswith(mark)), None)
    return marked or _utf16_without_mark(content[:_HEAD])


def note_encoding(path: Path, encoding: str | None) -> list[Finding]:
    """Return the finding of a file that is not UTF-8."""
    if encoding is None:
        return []
    text = f"{path.name} is {encoding.upper()}; it was read as that."
    return [Finding("info", "encoding", "", text)]


def undecodable(path: Path, encoding: str, error: UnicodeError) -> DataError:
    """Return the error of a file that is not of its encoding."""
    return DataError(
        what=f"{path.name} looks like {encoding.upper()}, but cannot be decoded: {error}.",
        fix="Save it as UTF-8.",
        path=path,
    )


def declared_separator(content: bytes) -> tuple[bytes, str | None]:
    r"""Remove a first line ``sep=;``, as spreadsheets write; return the rest and the separator.

    >>> declared_separator(b"sep=;\na;b\n")
    (b'a;b\n', ';')
    """
    found = re.match(rb"\s*\"?sep=(.)\"?[ \t]*\r?\n", content, re.IGNORECASE)
    return (content, None) if found is None else (content[found.end() :], found[1].decode())


def guess_separator(content: bytes) -> str:
    r"""Return the separator that cuts most of the first records into the same number of fields.

    >>> guess_separator(b"a;b\n1,5;2,5\n")
    ';'
    """
    text = content[:_HEAD].lstrip(b"\r\n").decode("utf-8", "replace")
    text = text.rpartition("\n")[0] if len(content) > _HEAD and "\n" in text else text
    best, best_score = ",", (0.0, 0, 0)
    for separator in SEPARATORS:
        widths = _widths(text, separator)
        width, rows = Counter(widths).most_common(1)[0] if widths else (1, 0)
        if width < 2:  # noqa: PLR2004 - the separator cuts nothing
            continue
        share = rows / len(widths)
        score = (share if share >= _MOSTLY else share / 2, int(widths[0] == width), width)
        if score > best_score:
            best, best_score = separator, score
    return best


def _widths(text: str, separator: str) -> list[int]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    widths: list[int] = []
    with suppress(csv.Error):  # the reading itself reports the error, with the line
        widths += (len(row) for row in itertools.islice(reader, _RECORDS) if any(row))
    return widths


def _utf16_without_mark(head: bytes) -> str | None:
    even, odd = head[0::2], head[1::2]
    if len(odd) < 2 or not head.count(0):  # noqa: PLR2004 - too short to tell
        return None
    if odd.count(0) > _MOSTLY * len(odd) and even.count(0) < len(even) / 4:
        return "utf-16-le"
    if even.count(0) > _MOSTLY * len(even) and odd.count(0) < len(odd) / 4:
        return "utf-16-be"
    return None
