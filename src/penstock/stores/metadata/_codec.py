"""Records to table rows and back; separate so that every noun's statements have the same form."""
# ruff: noqa: S608 - statements are made of our own names; values are always bound

import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, Generic, TypeVar

from penstock.stores._json import dump_json, load_json

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_S, _MICROS = 86_400, 1_000_000
R = TypeVar("R")
Convert = Callable[[Any], Any]
_LONG = 4096  # letters of a JSON text
_PACKED = "zlib:"  # no JSON begins so


def to_micros(moment: datetime) -> int:
    """Return an aware time as whole microseconds since 1970.

    >>> to_micros(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    1000000
    """
    gone = moment - _EPOCH
    return (gone.days * _DAY_S + gone.seconds) * _MICROS + gone.microseconds


def from_micros(value: int) -> datetime:
    """Return microseconds since 1970 as an aware time in UTC."""
    return _EPOCH + timedelta(microseconds=value)


def clean_text(text: str) -> str:
    r"""Return the text with escapes for lone surrogates and NUL, which no database can store.

    >>> print(clean_text("caf\xe9 \udcff"), clean_text("a\0b"))
    café \udcff a\x00b
    """
    if not text.isascii():
        text = text.encode("utf-8", "backslashreplace").decode()
    return text.replace("\0", r"\x00") if "\0" in text else text


def clean_values(values: Sequence[Any]) -> Sequence[Any]:
    """Return a statement's values in a form that every database stores alike; see `clean_text`."""
    for value in values:
        if type(value) is str and (not value.isascii() or "\0" in value):
            return [clean_text(v) if isinstance(v, str) else v for v in values]
    return values


def pack_json(value: object) -> str:
    """Write a JSON-like value; a long text is packed, as a run may list each of a thousand files.

    >>> pack_json({"a": 1})
    '{"a":1}'
    >>> unpack_json(pack_json(["rides.csv"] * 1000)) == ["rides.csv"] * 1000
    True
    """
    text = dump_json(value)
    if len(text) <= _LONG:
        return text
    return _PACKED + b64encode(zlib.compress(text.encode())).decode()


def unpack_json(text: str) -> Any:  # Any: a stored value
    """Read a value that `pack_json` or `dump_json` wrote."""
    if text.startswith(_PACKED):
        return load_json(zlib.decompress(b64decode(text[len(_PACKED) :])))
    return load_json(text)


class RecordTable(Generic[R]):
    """Mapping of a record's fields to a table's columns of the same names.

    Args:
        name: The table.
        record: A frozen dataclass.
        times: Fields with times.
        structures: Fields with JSON-like values.
        long: Those that may be long, and are packed then: no statement looks into them.
        kinds: Fields whose text is converted to a second type, such as an enum; written with str,
            or with the first of a (write, read) pair.
        flags: Fields that are True or False.
        without: Fields that are stored elsewhere.
    """

    def __init__(
        self,
        name: str,
        record: type[R],
        *,
        times: Collection[str] = (),
        structures: Collection[str] = (),
        long: Collection[str] = (),
        kinds: Mapping[str, Convert | tuple[Convert, Convert]] | None = None,
        flags: Collection[str] = (),
        without: Collection[str] = (),
    ) -> None:
        pairs = {
            name: kind if isinstance(kind, tuple) else (str, kind)
            for name, kind in (kinds or {}).items()
        }
        names = [field.name for field in fields(record) if field.name not in without]  # type: ignore[arg-type] # R is a dataclass
        self.name, self.record, self.fields = name, record, tuple(names)
        self.columns = ", ".join(f'"{column}"' for column in names)
        self.insert = f"INSERT INTO {name} ({self.columns}) VALUES ({', '.join('?' * len(names))})"
        self.select = f"SELECT {self.columns} FROM {name}"
        self._get = attrgetter(*names)
        writers: dict[str, Convert] = (
            dict.fromkeys(times, to_micros)
            | dict.fromkeys(structures, dump_json)
            | dict.fromkeys(long, pack_json)
            | {name: write for name, (write, _) in pairs.items()}
        )
        readers: dict[str, Convert] = (
            dict.fromkeys(times, from_micros)
            | dict.fromkeys(structures, load_json)
            | dict.fromkeys(long, unpack_json)
            | dict.fromkeys(flags, bool)
            | {name: read for name, (_, read) in pairs.items()}
        )
        self._writers = [(names.index(key), convert) for key, convert in writers.items()]
        self._readers = [(names.index(key), convert) for key, convert in readers.items()]
        self._writer_of = writers

    def upsert(self, key: str, *, keep: Collection[str] = (), owner: str = "") -> str:
        """Return the statement that inserts, or replaces all but the key and the kept columns.

        Args:
            key: Columns of the key.
            keep: Columns that stay as they were.
            owner: Column of the owner: a row of another owner is not replaced, see `put_owned`.
        """
        changes = ", ".join(
            f'"{name}" = excluded."{name}"'
            for name in self.fields
            if name not in keep and name not in key.split(", ")
        )
        condition = f' WHERE {self.name}."{owner}" = excluded."{owner}"' if owner else ""
        return f"{self.insert} ON CONFLICT ({key}) DO UPDATE SET {changes}{condition}"

    def row(self, record: R) -> list[Any]:
        """Convert a record to the values of a row."""
        values = list(self._get(record))
        for index, convert in self._writers:
            if values[index] is not None:
                values[index] = convert(values[index])
        return values

    def read(self, row: Sequence[Any], **others: Any) -> R:
        """Convert a row to a record; ``others`` are the fields that are stored elsewhere."""
        values = list(row)
        for index, convert in self._readers:
            if values[index] is not None:
                values[index] = convert(values[index])
        return self.record(**dict(zip(self.fields, values, strict=True)), **others)

    def column(self, field: str, value: Any) -> Any:
        """Convert a field's value to the column's value."""
        convert = self._writer_of.get(field)
        return value if convert is None or value is None else convert(value)
