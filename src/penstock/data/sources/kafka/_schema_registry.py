"""A schema registry as Confluent's: which schema a message was written with, over HTTP."""

import json
from collections.abc import Mapping
from typing import Any

from penstock.core import DataError, NotFoundError, ParameterError
from penstock.data.sources._references import (
    hidden_in_logs,
    hide_references,
    resolve_options,
    resolve_url,
)
from penstock.data.sources.kafka._messages import PoisonError

_HEADER = 5  # a zero byte, and the schema's number in four
_TIMEOUT_S = 10.0


def without_header(value: bytes) -> tuple[int, bytes]:
    """Return the number of a message's schema, and the rest.

    >>> without_header(bytes([0, 0, 0, 0, 7]) + b"rest")
    (7, b'rest')

    Raises:
        PoisonError: If there is no such header.
    """
    if len(value) < _HEADER or value[0] != 0:
        raise PoisonError("it has no header of a schema registry (a zero byte and the schema's id)")
    return int.from_bytes(value[1:_HEADER], "big"), value[_HEADER:]


class SchemaRegistry:
    """Schemas by number.

    Args:
        url: Address, with references in the place of secrets.
        options: ``schema.registry.user`` and ``schema.registry.password``, or
            ``schema.registry.token``; others are ignored.
    """

    def __init__(self, url: str, options: Mapping[str, str]) -> None:
        self._url, self._options = url, dict(options)
        self._known: dict[int, Any] = {}

    def latest(self, subject: str) -> tuple[int, Any]:
        """Return the number and the schema of a subject's newest version.

        Raises:
            NotFoundError: If there is no such subject.
            DataError: If the registry does not respond.
        """
        found = self._get(f"/subjects/{subject}/versions/latest", f"subject {subject!r}")
        return int(found["id"]), self._read(found)

    def schema(self, number: int) -> Any:
        """Return the schema of a number; see ``latest`` for the errors."""
        if number not in self._known:
            found = self._get(f"/schemas/ids/{number}", f"schema {number}")
            self._known[number] = self._read(found)
        return self._known[number]

    def _read(self, found: Mapping[str, Any]) -> Any:
        kind = found.get("schemaType", "AVRO")
        if kind != "AVRO" or found.get("references"):
            raise ParameterError(
                what=f"The schema registry {self._url} has a schema of {kind}"
                f"{' with references' if found.get('references') else ''}.",
                why="Only Avro schemas in one piece are read from a registry.",
                fix="Give schema= with the whole schema.",
            )
        return json.loads(found["schema"])

    def _get(self, path: str, what: str) -> dict[str, Any]:
        import httpx

        known = resolve_options(
            {k: v for k, v in self._options.items() if k.startswith("schema.registry.")}
        )
        user, token = known.get("schema.registry.user"), known.get("schema.registry.token")
        try:
            with hidden_in_logs(self._url, *self._options.values()):
                answer = httpx.get(
                    resolve_url(self._url).rstrip("/") + path,
                    auth=(user, known.get("schema.registry.password", "")) if user else None,
                    headers={"Authorization": f"Bearer {token}"} if token else {},
                    timeout=_TIMEOUT_S,
                )
            found = answer.json()
        except (httpx.HTTPError, ValueError, httpx.InvalidURL) as error:
            raise DataError(
                what=f"The schema registry {self._url} does not answer:"
                f" {hide_references(str(error), self._url, *self._options.values()) or type(error).__name__}.",
                fix="Check the address and the network.",
            ) from None
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise NotFoundError(
                what=f"The schema registry {self._url} has no {what}.",
                fix="Give schema= if its subjects have other names, or check schema_registry=.",
            )
        if answer.is_error or not isinstance(found, dict):
            raise DataError(
                what=f"The schema registry {self._url} refuses {what}: status {answer.status_code}.",
                fix="Check schema.registry.user and schema.registry.password in options=.",
            )
        return found
