"""Contents of values: the parts a value is stored in, and the digest that follows from them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from penstock.core import (
    ArtifactRecord,
    SerializationError,
    describe_nesting,
    digest_json,
    find_circle,
    with_article,
)
from penstock.stores._json import dump_json
from penstock.stores.artifacts._bundles import (
    DigestedFrame,
    PackedJson,
    StoredPart,
    digested_parts,
    is_masked,
    is_own,
    parts_of,
)
from penstock.stores.artifacts._chunked_table import ChunkedTable
from penstock.stores.artifacts._polars import is_plain_type, write_polars
from penstock.stores.artifacts._positions import Positions
from penstock.stores.artifacts._serializers import (
    json_digest,
    serialize,
    simple_digest,
    write_json,
    write_packed_json,
)
from penstock.stores.artifacts._table_digest import TableDigest
from penstock.stores.artifacts._value import Serialized, type_name
from penstock.stores.artifacts.models._object_digest import digest_of_table

if TYPE_CHECKING:
    import polars as pl

_CONTAINERS = frozenset({list, tuple, dict})
# A list of tables is stored table by table; a list of thousands of objects is a single value.
_MOST_PARTS = 256


def content_digest(value: object) -> str:
    """Compute the digest of a value by type: values that code can tell apart differ.

    A value read from the store has the same digest as when stored, in any process. A table counts
    by schema, index and values, an array by type, shape, order and values, an estimator by
    parameters and fitted attributes, a function by code and closed-over values.

    >>> content_digest({"a": 1, "b": 2}) == content_digest({"b": 2, "a": 1})
    False
    >>> content_digest(1) == content_digest(1.0)
    False

    Raises:
        SerializationError: If the value does not expose state, or contains itself.
    """
    try:
        return _content_digest(value)
    except (RecursionError, SerializationError) as error:
        raise endless(value, error) from error.__cause__


def _content_digest(value: Any) -> str:
    digest = None
    if isinstance(value, StoredPart):
        return value.record.content_digest
    if isinstance(value, DigestedFrame):
        return value.content_digest
    if isinstance(value, PackedJson):
        return _content_digest(value.value)
    if isinstance(value, ChunkedTable) and value.digest is not None:
        return value.digest
    if is_own(value) or is_masked(value):
        digest = parts_of(value)
    elif type(value) in _CONTAINERS:
        try:
            return json_digest(dump_json(value, exact=True))
        except (TypeError, ValueError, RecursionError):
            digest = parts_of(value) if len(value) <= _MOST_PARTS else None
    if digest is None:
        return simple_digest(value)
    bundle_type, named = digest
    digested = digested_parts(value)
    contents = {
        name: _content_digest(part)
        for name, part in named.items()
        if digested is None or name in digested
    }
    return bundle_digest(bundle_type, contents)


def frame_digest(rows: TableDigest) -> str:
    """Return the content digest of a polars frame with rows that were digested already.

    >>> import polars as pl
    >>> frame, rows = pl.DataFrame({"a": [1]}), TableDigest()
    >>> rows.update(frame)
    >>> frame_digest(rows) == content_digest(frame)
    True
    """
    return digest_of_table(rows.digest())


def count_as_frame(table: ChunkedTable) -> ChunkedTable:
    """Return the table with the content digest of all rows as a single frame.

    >>> import polars as pl
    >>> from penstock.stores import TableChunk
    >>> frame = pl.DataFrame({"a": [1, 2, 3]})
    >>> table = ChunkedTable([TableChunk.of(frame[:1]), TableChunk.of(frame[1:])])
    >>> content_digest(count_as_frame(table)) == content_digest(frame)
    True

    Raises:
        StoreError: If stored rows are gone or damaged.
    """
    if table.digest is not None or len(table.chunks) == 1:
        return table
    rows = TableDigest()
    for batch in table.batches():
        rows.update(batch)
    return ChunkedTable(table.chunks, frame_digest(rows))


def endless(value: Any, error: Exception) -> Exception:
    """Return the error for an endless value whose recursion limit was met inside of a part."""
    if isinstance(error, SerializationError) and find_circle(value) is None:
        return error
    return SerializationError(
        what=f"{with_article(type_name(value), begins=True)} cannot be stored: it {describe_nesting(value)}.",
        why="A stored value is written from its beginning to its end.",
        fix="Keep the name or place of what it refers to inside it, not the value itself.",
    )


def is_plain_frame(value: "pl.DataFrame") -> bool:
    """Return whether a polars frame survives a round trip unchanged, so that no check is needed."""
    return all(map(is_plain_type, value.dtypes))


def take_apart(value: Any) -> Serialized | tuple[str, dict[str, Any]]:
    """Serialise a value, or return type and parts if the value is stored in parts."""
    if isinstance(value, DigestedFrame):
        return write_polars(value.frame, value.content_digest)
    if isinstance(value, PackedJson):
        return write_packed_json(value.value)
    if isinstance(value, Positions):
        return value.write(simple_digest(value))
    if is_own(value) or is_masked(value):
        return parts_of(value) or serialize(value)
    if type(value) not in _CONTAINERS:
        return serialize(value)
    try:
        return write_json(value)
    except (TypeError, ValueError, RecursionError):
        parts = parts_of(value) if len(value) <= _MOST_PARTS else None
        return parts or serialize(value)


def bundle_digest(bundle_type: str, contents: Mapping[str, str]) -> str:
    return digest_json(["bundle", bundle_type, [list(part) for part in contents.items()]])


def bundle_facts(parts: Mapping[str, ArtifactRecord]) -> dict[str, Any]:
    facts: dict[str, Any] = {"items": len(parts)}
    if len(parts) <= _MOST_PARTS:  # larger bundles list their parts in the manifest only
        facts = {"parts": {name: part.content_digest for name, part in parts.items()}}
    for mark in ("why_unsafe", "not_comparable"):  # a mark of any part is a mark of the whole
        reason = next((p.metadata[mark] for p in parts.values() if mark in p.metadata), None)
        if reason is not None:
            facts[mark] = reason
    return facts
