"""The log of a W&B run: records in LevelDB's form, of which a torn or damaged part is passed over.

Source: wandb's core, ``transactionlog``: a header of seven bytes, then blocks of 32 KiB with parts
of records; each part has a CRC-32 of its kind and bytes, its length, and its kind (whole, first,
middle, last).
"""

import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from penstock.core import DataError
from penstock.importers._wandb_schema import wandb_record

_HEADER = b":W&B\xe1\xbe\x00"
_BLOCK, _PART = 32 * 1024, struct.Struct("<IHB")
_WHOLE, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


def read_records(path: Path, lost: list[str]) -> Iterator[Any]:  # Any: messages
    """Read the records of a log; sentences on damaged parts are added to ``lost``.

    Raises:
        DataError: If the file is no log of W&B.
    """
    from google.protobuf.message import DecodeError

    record = wandb_record()
    for place, data in _read_parts(path, lost):
        try:
            yield record.FromString(data)
        except DecodeError:
            lost.append(f"{path.name}: the record at byte {place} cannot be read")


def write_wandb_log(path: Path, records: Iterable[Mapping[str, object]]) -> None:
    """Write records as a log that W&B reads.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "run-a.wandb"
    >>> write_wandb_log(path, [{"run": {"run_id": "a", "project": "churn"}}])
    >>> [record.run.project for record in read_records(path, [])]
    ['churn']

    Args:
        path: A new file.
        records: Messages as protobuf's JSON, by the names of `_wandb_schema`; each gets its number
            here.

    Raises:
        MissingPackageError: If protobuf is not installed.
    """
    record_of = wandb_record()
    from google.protobuf.json_format import ParseDict

    with path.open("xb") as file:
        place = file.write(_HEADER)
        for number, values in enumerate(records, 1):
            record = ParseDict({**values, "num": number}, record_of())
            for part in _packed(record.SerializeToString(), place):
                place += file.write(part)


def _packed(data: bytes, place: int) -> Iterator[bytes]:
    """Split a record into parts that end with their blocks."""
    kinds = {(True, True): _WHOLE, (True, False): _FIRST, (False, True): _LAST}
    first = True
    while first or data:
        room = _BLOCK - place % _BLOCK
        if room < _PART.size:
            yield bytes(room)
            place += room
            continue
        part, data = data[: room - _PART.size], data[room - _PART.size :]
        kind = kinds.get((first, not data), _MIDDLE)
        first = False
        yield _PART.pack(zlib.crc32(bytes([kind]) + part), len(part), kind) + part
        place += _PART.size + len(part)


def _read_parts(path: Path, lost: list[str]) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        begin = file.read(len(_HEADER))
        if not begin:
            raise DataError(
                what=f"{path} is empty.",
                why="The run was killed before W&B wrote anything.",
                fix="Leave it out; there is nothing to import.",
            )
        if begin != _HEADER:
            raise DataError(
                what=f"{path} is no log of a W&B run.",
                why=f"It begins with {begin!r}, not with {_HEADER!r}.",
                fix="Give a file run-….wandb, or a folder that contains such files.",
            )
        # A first part may be empty: seven bytes were left in its block.
        place, started = len(_HEADER), 0
        begun: bytes | None = None
        block = file.read(_BLOCK - place)
        while block:
            for at, kind, part in _parts_of(block, place, path, lost):
                if kind == _WHOLE:
                    yield at, part
                elif kind == _FIRST:
                    begun, started = part, at
                elif begun is not None:
                    begun += part
                    if kind == _LAST:
                        yield started, begun
                        begun = None
            place += len(block)
            block = file.read(_BLOCK)
        if begun is not None:
            lost.append(f"{path.name}: the last record, from byte {started}, is not complete")


def _parts_of(
    block: bytes, place: int, path: Path, lost: list[str]
) -> Iterator[tuple[int, int, bytes]]:
    """Split a block; a part that is damaged ends it, as its length cannot be trusted."""
    offset = 0
    while len(block) - offset >= _PART.size:
        checksum, length, kind = _PART.unpack_from(block, offset)
        part = block[offset + _PART.size : offset + _PART.size + length]
        if not kind and not length:
            return  # room that was reserved and never written
        cut = len(part) < length
        if cut or zlib.crc32(bytes([kind]) + part) != checksum:
            why = "the file ends in a record" if cut else "a record is damaged"
            lost.append(
                f"{path.name}: {why} at byte {place + offset}; the rest of its block is lost"
            )
            return
        yield place + offset, kind, part
        offset += _PART.size + length
