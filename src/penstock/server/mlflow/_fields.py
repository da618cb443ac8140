"""Fields: what a request of an MLflow client holds, checked as it is read.

The same for a query string and a JSON body: protobuf's JSON form writes 64-bit integers as numbers
or as texts, and leaves out what is empty.
"""

import base64
import binascii
import math
import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from penstock.http import encode_json
from penstock.server.mlflow._errors import invalid, lacking

T = TypeVar("T")
_INT64 = 2**63
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_MISMATCHES = {
    "experiment_ids": "Experiment IDs in the page token do not match the requested experiment IDs",
    "filter_string": "Filter string in the page token does not match the requested filter string",
    "order_by": "Order by in the page token does not match the requested order by",
    "datasets": "Datasets in the page token do not match the requested datasets",
}


class Fields:
    """The fields of a request, or of a part of it.

    Args:
        values: By name; a query string's values are lists of texts.
        place: Where the part is in its request, for messages: ``"metrics[0]."``.
    """

    def __init__(self, values: Mapping[str, Any], place: str = "") -> None:
        self.values, self.place = values, place

    def text(self, *names: str, default: str = "") -> str:
        """Return the first of these fields that is given; names after the first are old names."""
        for name in names:
            value = self._one(name)
            if value is None:
                continue
            if not isinstance(value, str):
                raise _wrong(self.place + name, value)
            if value:
                return value
        return default

    def require(self, *names: str) -> str:
        """Return a text that must be given."""
        found = self.text(*names)
        if not found:
            raise lacking(self.place + names[0])
        return found

    def has(self, name: str) -> bool:
        """Return whether a field is given at all."""
        return self._one(name) is not None

    def integer(self, name: str, default: int | None = None) -> int:
        """Return a whole number, written as a number or a text."""
        value = self._one(name)
        if value is None:
            if default is None:
                raise lacking(self.place + name)
            return default
        return _whole(self.place + name, value)

    def number(self, name: str) -> float:
        """Return a number; infinities and NaN are texts in JSON."""
        value = self._one(name)
        if value is None:
            raise lacking(self.place + name)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise _wrong(self.place + name, value)
        try:
            return float(value)
        except (ValueError, OverflowError):
            raise _wrong(self.place + name, value) from None

    def choice(self, name: str, words: Mapping[int, str]) -> str:
        """Return the word of an enumeration, which protobuf's JSON form writes as a number, too.

        Args:
            name: The field.
            words: By number. Of other words the caller decides.
        """
        value = self._one(name)
        if value is None or (isinstance(value, str) and not _WHOLE.fullmatch(value)):
            return value or ""
        word = words.get(_whole(self.place + name, value))
        if word is None:
            raise _wrong(self.place + name, value)
        return word

    def flag(self, name: str) -> bool:
        """Return a truth value."""
        value = self._one(name)
        if value is None or isinstance(value, bool):
            return bool(value)
        if isinstance(value, str) and value.lower() in {"true", "false"}:
            return value.lower() == "true"
        raise _wrong(self.place + name, value)

    def texts(self, name: str) -> list[str]:
        """Return a list of texts."""
        found = self._list(name)
        for value in found:
            if not isinstance(value, str):
                raise _wrong(self.place + name, value)
        return [str(value) for value in found]

    def parts(self, name: str) -> list["Fields"]:
        """Return a list of structures."""
        found = self._list(name)
        for value in found:
            if not isinstance(value, Mapping):
                raise _wrong(self.place + name, value)
        return [
            Fields(value, f"{self.place}{name}[{number}].") for number, value in enumerate(found)
        ]

    def part(self, name: str) -> "Fields":
        """Return a structure that must be given."""
        value = self._one(name)
        if not isinstance(value, Mapping):
            raise (
                lacking(self.place + name) if value is None else _wrong(self.place + name, value)
            )
        return Fields(value, f"{self.place}{name}.")

    def most(self, default: int, ceiling: int, *, least: int = 1) -> int:
        """Return the size of a page."""
        value = self.integer("max_results", default)
        if not least <= value <= ceiling:
            raise invalid(
                f"Invalid value {value} for parameter 'max_results' supplied: "
                f"it must be at least {least} and at most {ceiling}."
            )
        return value

    def _one(self, name: str) -> Any:
        value = self.values.get(name)
        if isinstance(value, list) and value and isinstance(self.values, _Query):
            return value[-1]
        return value

    def _list(self, name: str) -> list[Any]:
        value = self.values.get(name)
        if value is None:
            return []
        if isinstance(value, list):
            return value
        raise _wrong(self.place + name, value)


class _Query(dict[str, Any]):
    """Values of a query string: lists of texts."""


def from_query(pairs: Mapping[str, list[str]]) -> Fields:
    """Return the fields of a query string."""
    return Fields(_Query(pairs))


def encode(document: Any) -> bytes:
    """Return the JSON bytes of an answer."""
    return encode_json(document)


def number(value: float) -> float | str:
    """Return a number in protobuf's JSON form.

    >>> number(0.5), number(math.nan), number(-math.inf)
    (0.5, 'NaN', '-Infinity')
    """
    if math.isfinite(value):
        return value
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def compact(**fields: Any) -> dict[str, Any]:
    """Return a structure without its empty fields, as protobuf's JSON form has it.

    >>> compact(name="a", note="", tags=[], step=0, found=None)
    {'name': 'a', 'step': 0}
    """
    return {name: v for name, v in fields.items() if v is not None and v not in ("", [], {}, ())}


def pairs(mapping: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return tags or parameters as a list of keys and values."""
    return [{"key": key, "value": value} for key, value in mapping.items()]


def write_token(offset: int, query: Mapping[str, Any] | None = None) -> str:
    """Return the token of a page that begins at an offset of a query's rows."""
    return base64.b64encode(encode({**(query or {}), "offset": offset})).decode()


def read_token(token: str, query: Mapping[str, Any] | None = None) -> int:
    """Return the offset of a page.

    >>> read_token(write_token(200))
    200

    Args:
        token: The token; or empty.
        query: What was asked for, by MLflow's names of it; the token must be of the same query.

    Raises:
        MlflowError: If the token was not made here, or for another query.
    """
    if not token:
        return 0
    try:
        told = msgspec.json.decode(base64.b64decode(token, validate=True))
        offset = told["offset"]
    except (binascii.Error, ValueError, TypeError, KeyError, msgspec.DecodeError):
        offset = None
    if not isinstance(offset, int) or isinstance(offset, bool) or not 0 <= offset < _INT64:
        raise invalid(f"Invalid page token {token[:100]!r}: it could not be decoded.")
    for name, wanted in (query or {}).items():
        if told.get(name) != wanted:
            raise invalid(
                f"{_MISMATCHES[name]}. Expected: {_shown(wanted)}. Found: "
                f"{_shown(told.get(name))}. Search for its first page, without a page token."
            )
    return offset


def page(
    found: list[T], fields: Fields, most: int, query: Mapping[str, Any] | None = None
) -> tuple[list[T], str | None]:
    """Return the page of a list that a request asks for, and the token of the next."""
    offset = read_token(fields.text("page_token"), query)
    rest = found[offset:]
    token = write_token(offset + most, query) if len(rest) > most else None
    return rest[:most], token


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool):
        raise _wrong(name, value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str):
        if not _WHOLE.fullmatch(value):
            raise _wrong(name, value)
        value = int(value)
    if not isinstance(value, int) or not -_INT64 <= value < _INT64:
        raise _wrong(name, value)
    return value


def _wrong(name: str, value: Any) -> Exception:
    return invalid(
        f"Invalid value {_shown(value)} for parameter '{name}' supplied. "
        "See the API docs for more information about request parameters."
    )


def _shown(value: Any) -> str:
    return encode(value).decode()[:100]  # as it was sent
