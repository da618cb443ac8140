"""The description of the API as OpenAPI 3.1, written from the operations themselves."""

from typing import Any

import penstock
from penstock.stores.rest import DIGEST, Operation, operations

_ERROR = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {name: {"type": "string"} for name in ("type", "what", "why", "fix")},
            "required": ["what", "why", "fix"],
        }
    },
    "required": ["error"],
}
_OCTETS = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_FAILURES = ("400", "401", "403", "404", "405", "409", "413", "415", "422", "429", "503")


def describe_api(root: str = "/api/v1") -> dict[str, Any]:
    """Return the API's description.

    >>> describe_api()["openapi"]
    '3.1.0'

    Args:
        root: Path below which the operations are.
    """
    found = [each for verbs in operations().values() for each in verbs.values()]
    schemas = {name: part for each in found for name, part in each.schemas.items()}
    paths = {f"{root}/{each.path}": _path(each) for each in found}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "penstock",
            "version": penstock.__version__,
            "description": "Runs, artifacts, models and deployments of a penstock store.",
        },
        "security": [{"token": []}, {}],
        "paths": paths | _streams(root),
        "components": {
            "schemas": {**schemas, "Error": _ERROR},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _path(operation: Operation) -> dict[str, Any]:
    described = {"post": _post(operation)}
    if operation.rule.only_reads:
        described["get"] = _get(operation)
    return described


def _post(operation: Operation) -> dict[str, Any]:
    body = {"application/json": {"schema": operation.body}}
    return {
        **_about(operation, ""),
        "requestBody": {"required": True, "content": body},
    }


def _get(operation: Operation) -> dict[str, Any]:
    return {
        **_about(operation, "_by_query"),
        "parameters": [
            {
                "name": name,
                "in": "query",
                "required": name in operation.required,
                "schema": wire.schema,
            }
            for name, wire in operation.parameters.items()
        ],
    }


def _about(operation: Operation, ending: str) -> dict[str, Any]:
    result = {"type": "object", "properties": {"result": operation.result.schema}}
    if operation.is_many:
        result["properties"]["next"] = {"type": "integer"}  # type: ignore[index] # as made above
    return {
        "operationId": f"{operation.noun}_{operation.verb}{ending}",
        "summary": operation.summary,
        "tags": [operation.noun],
        "x-permission": operation.rule.permission.value,
        "responses": _responses({"application/json": {"schema": result}}),
    }


def _responses(content: dict[str, Any]) -> dict[str, Any]:
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {
        "200": {"description": "Done.", "content": content},
        **{status: {"description": "Refused.", "content": error} for status in _FAILURES},
    }


def _streams(root: str) -> dict[str, Any]:
    """Describe the routes of bytes, and what a store says of itself."""
    plain = {"application/json": {"schema": {"type": "object"}}}
    digest = {"name": "digest", "in": "path", "required": True, "schema": DIGEST}
    upload = {
        "summary": "Store the body; the answer has its digest.",
        "operationId": "bytes_write",
        "tags": ["bytes"],
        "x-permission": "write",
        "requestBody": {"required": True, "content": _OCTETS},
        "responses": _responses(plain),
    }
    download = {
        "summary": "Read the bytes of a digest.",
        "operationId": "bytes_read",
        "tags": ["bytes"],
        "x-permission": "read",
        "parameters": [digest],
        "responses": _responses(_OCTETS),
    }
    store = {
        "summary": "Who asks, and what store this is.",
        "operationId": "store_get",
        "tags": ["store"],
        "x-permission": "read",
        "responses": _responses(plain),
    }
    return {
        f"{root}/bytes": {"post": upload},
        f"{root}/bytes/{{digest}}": {"get": download},
        f"{root}/store": {"get": store},
    }
