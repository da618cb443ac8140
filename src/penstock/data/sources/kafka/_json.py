"""JSON messages to rows: with declared types, or with types that the values show."""

import json
import math
from typing import TYPE_CHECKING, Any

from penstock.data.sources.kafka._messages import (
    PoisonError,
    describe_value,
    dtypes_of,
    require_fit,
)
from penstock.data.sources.kafka._schema_registry import without_header

if TYPE_CHECKING:
    import polars as pl

_EXACT = 2**53
_INT64 = 2**63

# What values of a field have shown so far. A dict is an object by field, a list of one a list.
_NOTHING, _BOOL, _TEXT = "nothing", "true or false", "text"
_INT, _BIG, _FLOAT = "an integer", "a large integer", "a number"


class JsonDecoder:
    """Decode JSON objects.

    Without a schema the types are those of the values: whole and decimal numbers become numbers,
    objects structs; any other mixture is poison, the first type counts. Fields may be missing.

    Args:
        schema: Types by column; other fields are left out.
        has_header: Whether messages begin with the header of a schema registry.
    """

    def __init__(self, schema: Any = None, *, has_header: bool = False) -> None:
        self.schema = None if schema is None else dtypes_of(schema)
        self._has_header = has_header
        self._kinds: dict[str, Any] = {}

    def state(self) -> dict[str, Any]:
        """Return nothing: all that counts is declared."""
        return {}

    def decode(self, value: bytes) -> dict[str, Any]:
        """Return the row of a message; see Decoder."""
        if self._has_header:
            value = without_header(value)[1]
        try:
            row = json.loads(
                value.decode("utf-8"),
                parse_constant=_no_constant,
                parse_float=_float,
                object_hook=None if self.schema is not None else _object,
            )
        except UnicodeDecodeError:
            raise PoisonError("it is not UTF-8") from None
        except json.JSONDecodeError as error:
            raise PoisonError(f"it is not JSON: {error.msg} at character {error.pos}") from None
        except RecursionError:
            raise PoisonError("its JSON is nested too deeply") from None
        if b"\\u" in value and not is_unicode(row):
            raise PoisonError("it has half of a surrogate pair, which is no character")
        if row is None and value.strip() != b"null":
            row = {}
        if not isinstance(row, dict):
            raise PoisonError(f"it is {describe_value(row)}, not an object")
        if self.schema is not None:
            return {
                name: require_fit(row.get(name), kind, name) for name, kind in self.schema.items()
            }
        self._kinds = _merged(self._kinds, row, "")
        return row

    def frame(self, rows: list[dict[str, Any]]) -> "pl.DataFrame":
        """Return decoded rows as a table, with the types that are known by now."""
        import polars as pl

        schema = self.schema
        if schema is None:
            schema = pl.Schema({name: _dtype(kind) for name, kind in self._kinds.items()})
            # Inside of lists and objects polars takes numbers of one type only.
            nested = {name: kind for name, kind in schema.items() if kind.is_nested()}
            for row in rows if nested else ():
                row |= {name: require_fit(row.get(name), nested[name], name) for name in nested}
        return pl.DataFrame(rows, schema=schema, orient="row")


def is_unicode(value: object) -> bool:
    r"""Return whether texts of a JSON value can be written: an escape may name half a character.

    >>> is_unicode(json.loads('"\\ud83d\\ude00"')), is_unicode(json.loads('"\\ud83d"'))
    (True, False)
    """
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise PoisonError("it has a number that is too large for a float")
    return number


def _object(pairs: dict[str, Any]) -> dict[str, Any] | None:
    """Return an object without fields as missing: it tells nothing, and no table can store it."""
    return pairs or None


def _no_constant(name: str) -> None:
    raise PoisonError(f"it has {name}, which is no JSON")


def _merged(known: Any, value: Any, path: str) -> Any:
    """Return what a field has shown, with one more value; what was known stays as it was."""
    shown = _shown(value, path)
    if shown == _NOTHING:
        return known
    if isinstance(value, dict) and isinstance(known, dict):
        changed = {
            name: _merged(known.get(name, _NOTHING), each, f"{path}.{name}" if path else name)
            for name, each in value.items()
        }
        return known if changed.items() <= known.items() else known | changed
    if known == _NOTHING and isinstance(value, dict):
        return _merged({}, value, path)
    if isinstance(value, list) and (known == _NOTHING or isinstance(known, list)):
        inner = known[0] if isinstance(known, list) else _NOTHING
        for each in value:
            inner = _merged(inner, each, f"{path}[]")
        return [inner]
    if known in (_NOTHING, shown):
        return shown
    numbers = {known, shown} if isinstance(known, str) else set()
    if numbers == {_INT, _FLOAT}:
        return _FLOAT
    if numbers == {_INT, _BIG}:
        return _BIG
    before = (
        known if isinstance(known, str) else "an object" if isinstance(known, dict) else "a list"
    )
    raise PoisonError(f"field {path!r} is {describe_value(value)}, and {before} in messages before")


def _shown(value: Any, path: str) -> str:
    if value is None:
        return _NOTHING
    if isinstance(value, bool):
        return _BOOL
    if isinstance(value, int):
        if not -_INT64 <= value < _INT64:
            raise PoisonError(
                f"field {path!r} is {describe_value(value)}: declare it as text with schema="
            )
        return _INT if abs(value) <= _EXACT else _BIG
    return {float: _FLOAT, str: _TEXT, dict: "object", list: "list"}[type(value)]


def _dtype(kind: Any) -> "pl.DataType":
    import polars as pl

    if isinstance(kind, dict):
        return pl.Struct({name: _dtype(inner) for name, inner in kind.items()})
    if isinstance(kind, list):
        return pl.List(_dtype(kind[0]))
    names: dict[str, pl.DataType] = {
        _NOTHING: pl.String(),  # as an empty column of a CSV file
        _BOOL: pl.Boolean(),
        _INT: pl.Int64(),
        _BIG: pl.Int64(),
        _FLOAT: pl.Float64(),
        _TEXT: pl.String(),
    }
    return names[kind]
