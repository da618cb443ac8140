"""The HTTP side of MLflow's protocol: requests to fields, answers and errors to JSON, bodies streamed."""

import asyncio
import contextlib
import mimetypes
import os
import re
import tempfile
import urllib.parse
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

import msgspec
from litestar import Litestar, Request, Response
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream

from penstock.core import Permission
from penstock.http import HttpError, UploadRoom, require_few_values
from penstock.server.mlflow import _artifacts, _model_versions, _otlp, _traces
from penstock.server.mlflow._artifacts import FileDownload
from penstock.server.mlflow._desk import Desk
from penstock.server.mlflow._errors import (
    EXHAUSTED,
    INVALID,
    NO_ENDPOINT,
    STATUS,
    MlflowError,
    explain,
    invalid,
)
from penstock.server.mlflow._fields import Fields, encode, from_query
from penstock.server.mlflow._routes import ROUTES, SERVER_INFO, MlflowRoute
from penstock.server.mlflow._scope import enter_call

VERSION = "3.18.0"
"""MLflow's version whose protocol is spoken; a client looks at it before it sends traces."""
PREFIXES = ("/api", "/ajax-api")
_PROXY = "/2.0/mlflow-artifacts/artifacts"
_JSON, _PROTOBUF = "application/json", "application/x-protobuf"
SPANS = "/v1/traces"
_LONGEST_BODY = 64 << 20  # a dataset's profile alone may have 16 MB
_PART = 1 << 20
_BYTES = "application/octet-stream"
_TEXTS = frozenset({"mlmodel", "mlproject"})
_RUNS = re.compile(r"html|xml|script|svg|flash")
_NOT_IN_NAME = re.compile(r"[^\w.+%\-]", re.ASCII)
Ask = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Served:
    """What the requests of one server are about.

    Args:
        desk: The store, as MLflow's protocol sees it.
        room: Limits of the uploads.
    """

    desk: Desk
    room: UploadRoom


@cache
def mlflow_routes() -> Litestar:
    """Return the routes by which an unmodified MLflow client works on a store.

    They are the same for every store, and made once in a process: that is slow. What a request
    is about is in its state: ``served`` is a `Served`, put there by `MlflowGuard`.

    >>> mlflow_routes() is mlflow_routes()
    True

    Each handler's ``opt["permission"]`` is what its caller must be allowed.
    """
    handlers = [_json_handler(route) for route in ROUTES]
    handlers += [*_proxy_handlers(), _span_handler(), _upload_handler()]
    handlers += [
        _handler("GET", [f"{p}/3.0/mlflow/server-info" for p in PREFIXES], _server_info),
        _handler("GET", ["/get-artifact"], _file_handler(_artifacts.read_of_run)),
        _handler("GET", ["/model-versions/get-artifact"], _file_handler(_model_versions.read_file)),
        _handler(
            "GET",
            [f"{p}/2.0/mlflow/logged-models/{{model_id:str}}/artifacts/files" for p in PREFIXES],
            _file_handler(_artifacts.read_of_model),
        ),
        _handler("GET", ["/health"], _health, permission=None),
        _handler("GET", ["/version"], _version, permission=None),
    ]
    return Litestar(
        route_handlers=handlers,
        exception_handlers={Exception: answer_error, HTTPException: answer_error},
        openapi_config=None,
        logging_config=None,
    )


def _served(request: Ask) -> Served:
    served: Served = request.state.served
    return served


def answer_error(_request: Ask, error: Exception) -> Response[bytes]:
    """Answer an error in MLflow's form."""
    if isinstance(error, HTTPException):
        code = NO_ENDPOINT if error.status_code == 404 else "BAD_REQUEST"  # noqa: PLR2004
        body = {"error_code": code, "message": str(error.detail)}
        return Response(encode(body), status_code=error.status_code, media_type=_JSON)
    code, message = explain(error)
    if isinstance(error, HttpError):
        code = INVALID if error.status == 413 else EXHAUSTED  # noqa: PLR2004 - of an upload
    body = {"error_code": code, "message": message}
    return Response(
        encode(body),
        status_code=error.status if isinstance(error, HttpError) else STATUS[code],
        media_type=_JSON,
    )


def _json_handler(route: MlflowRoute) -> HTTPRouteHandler:
    async def call(request: Ask) -> Response[bytes]:
        fields = await _read(request)
        answer = await asyncio.to_thread(_perform, route, _served(request).desk, fields)
        return Response(answer, status_code=200, media_type=_JSON)

    paths = [f"{prefix}/{route.version}/mlflow{route.path}" for prefix in PREFIXES]
    return _handler(route.method, paths, call, permission=route.permission)


def _perform(route: MlflowRoute, desk: Desk, fields: Fields) -> bytes:
    desk.begin()
    return encode(route.operation(desk, fields))


def _handler(
    method: str,
    paths: Sequence[str],
    call: Callable[..., Any],
    *,
    permission: Permission | None = Permission.READ,
) -> HTTPRouteHandler:
    return HTTPRouteHandler(
        list(paths),
        http_method=method,  # type: ignore[arg-type] # a text is fine
        status_code=200,
        opt={"permission": permission},
        guards=[_require],
        include_in_schema=False,
        request_max_body_size=None,  # JSON has a limit of its own; files go to the disk as they come
    )(call)


async def _require(_connection: Any, handler: Any) -> None:
    """Check the permission that a route declares; runs before every handler, in its context."""
    enter_call(handler.opt["permission"])


async def _read(request: Ask) -> Fields:
    """Return the fields of a request, wherever they are."""
    named = {name: _plain(value) for name, value in request.path_params.items()}
    if request.method == "GET":
        query: dict[str, list[str]] = {}
        for name, value in request.query_params.multi_items():
            query.setdefault(name, []).append(value)
        return from_query({**query, **{name: [value] for name, value in named.items()}})
    data = await _read_body(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if data and kind != _JSON:
        raise MlflowError(
            "BAD_REQUEST", f"Bad Request. Content-Type must be '{_JSON}', got {kind[:60]!r}."
        )
    values = _decoded(data)
    if not isinstance(values, dict):
        raise MlflowError("BAD_REQUEST", "The body has to be a JSON object.")
    return Fields({**values, **named})


async def _read_body(request: Ask) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > _LONGEST_BODY:
            raise invalid(f"The body is longer than {_LONGEST_BODY} bytes.")
        parts.append(part)
    return b"".join(parts)


def _plain(value: Any) -> str:
    """Return a part of the path; one that may have slashes begins with one here."""
    return str(value).removeprefix("/")


def _proxy_handlers() -> list[HTTPRouteHandler]:
    folders = [f"{prefix}{_PROXY}" for prefix in PREFIXES]
    files = [f"{folder}/{{path:path}}" for folder in folders]

    async def show(request: Ask) -> Response[bytes]:
        fields = await _read(request)
        answer = await asyncio.to_thread(_artifacts.list_proxied, _served(request).desk, fields)
        return Response(encode(answer), media_type=_JSON)

    async def read(request: Ask) -> Stream:
        path = _artifact_path(request)
        return _stream(
            await asyncio.to_thread(_artifacts.read_proxied, _served(request).desk, path)
        )

    async def write(request: Ask) -> Response[bytes]:
        path = _artifact_path(request)
        served = _served(request)
        file = await _receive(request, served.room)
        try:
            await asyncio.to_thread(_artifacts.write_proxied, served.desk, path, file)
        finally:
            with contextlib.suppress(OSError):
                file.unlink()
        return Response(b"{}", media_type=_JSON)

    async def remove(request: Ask) -> Response[bytes]:
        path = _artifact_path(request)
        await asyncio.to_thread(_artifacts.delete_proxied, _served(request).desk, path)
        return Response(b"{}", media_type=_JSON)

    return [
        _handler("GET", folders, show),
        _handler("GET", files, read),
        _handler("PUT", files, write, permission=Permission.WRITE),
        _handler("DELETE", files, remove, permission=Permission.WRITE),
    ]


def _upload_handler() -> HTTPRouteHandler:
    """Return the route by which pages of MLflow's write a file of a run."""

    async def write(request: Ask) -> Response[bytes]:
        query = {name: [value] for name, value in request.query_params.items()}
        served = _served(request)
        file = await _receive(request, served.room)
        try:
            await asyncio.to_thread(_artifacts.write_of_run, served.desk, from_query(query), file)
        finally:
            with contextlib.suppress(OSError):
                file.unlink()
        return Response(b"{}", media_type=_JSON)

    paths = [f"{prefix}/2.0/mlflow/upload-artifact" for prefix in PREFIXES]
    return _handler("POST", paths, write, permission=Permission.WRITE)


def _span_handler() -> HTTPRouteHandler:
    """Return the route of OpenTelemetry's exporters."""

    async def receive(request: Ask) -> Response[bytes]:
        body, kind = await _read_spans(request)
        headers = request.headers
        experiment_id = headers.get("x-mlflow-experiment-id", "")
        run_id = headers.get("x-mlflow-run-id", "")
        is_json = kind == _JSON
        desk = _served(request).desk

        def work() -> None:
            desk.begin()
            spans = _otlp.read_json(_decoded(body)) if is_json else _otlp.read_protobuf(body)
            _traces.log_spans(desk, experiment_id, spans, run_id=run_id)

        await asyncio.to_thread(work)
        return Response(b"{}" if is_json else b"", media_type=kind)

    return _handler("POST", [SPANS], receive, permission=Permission.WRITE)


async def _read_spans(request: Ask) -> tuple[bytes, str]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in {_JSON, _PROTOBUF}:
        raise MlflowError(
            "BAD_REQUEST", f"Spans come as {_PROTOBUF} or {_JSON}, not {kind[:60]!r}."
        )
    body = await _read_body(request)
    packing = request.headers.get("content-encoding", "identity").strip().lower()
    if packing == "gzip":
        body = await asyncio.to_thread(_unpack, body)
    elif packing not in {"", "identity"}:
        raise MlflowError("BAD_REQUEST", f"Content-Encoding {packing[:60]!r} is not known here.")
    return body, kind


def _unpack(body: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)  # gzip
    try:
        found = unpacker.decompress(body, _LONGEST_BODY)
    except zlib.error as error:
        raise MlflowError("BAD_REQUEST", f"The body is no gzip: {error}.") from None
    if not unpacker.eof and not unpacker.unconsumed_tail:
        raise MlflowError("BAD_REQUEST", "The body is no gzip: it ends early.")
    if unpacker.unconsumed_tail:
        raise invalid(f"The body is longer than {_LONGEST_BODY} bytes.")
    return found


def _decoded(data: bytes) -> Any:
    require_few_values(data)
    try:
        return msgspec.json.decode(data) if data else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MlflowError("BAD_REQUEST", f"The body is no JSON: {error}.") from None


def _artifact_path(request: Ask) -> str:
    """Return the path of an artifact as the client sent it, decoded once."""
    raw = request.scope.get("raw_path") or request.url.path.encode()
    sent = raw.split(b"?")[0].decode("latin-1")
    _, mark, path = sent.partition(_PROXY + "/")
    try:
        decoded = urllib.parse.unquote(path, errors="strict")
    except UnicodeDecodeError:
        raise invalid("Invalid path: it is not UTF-8.") from None
    if not mark or not decoded:
        raise invalid("Invalid path: it is empty.")
    return decoded


async def _receive(request: Ask, room: UploadRoom) -> Path:
    """Write a body to a temporary file as it comes, so that its size does not matter."""
    declared = request.headers.get("content-length", "")
    size = int(declared[:20]) if declared.isascii() and declared.isdecimal() else 0
    await asyncio.to_thread(room.require, size)
    handle, name = tempfile.mkstemp(prefix="penstock-mlflow-")
    try:
        with room.writing(), os.fdopen(handle, "wb") as file:
            await _pour(request, file, room)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)  # noqa: PTH108 - a moment, and the request is over
        raise
    return Path(name)


async def _pour(request: Ask, file: IO[bytes], room: UploadRoom) -> None:
    held: list[bytes] = []
    waiting = written = 0
    async for part in request.stream():
        held.append(part)
        waiting += len(part)
        if waiting >= _PART:
            await asyncio.to_thread(room.require, written + waiting, written=written)
            await asyncio.to_thread(file.writelines, held)
            written, waiting, held = written + waiting, 0, []
    await asyncio.to_thread(room.require, written + waiting, written=written)
    file.writelines(held)


def _file_handler(operation: Callable[[Desk, Fields], FileDownload]) -> Callable[[Ask], Any]:
    async def read(request: Ask) -> Stream:
        fields = await _read(request)
        return _stream(await asyncio.to_thread(operation, _served(request).desk, fields))

    return read


def _stream(found: FileDownload) -> Stream:
    headers = {
        "content-disposition": _attachment(found.name),
        "content-length": str(found.size_bytes),
        "x-content-type-options": "nosniff",
    }
    # As a header: a media type of text would be told with an encoding, which nobody knows.
    headers["content-type"] = _media_type(found.name)
    return Stream(found.parts, headers=headers)


def _attachment(name: str) -> str:
    """Return the header by which a file is saved under its name, for old readers in ASCII, too."""
    plain = _NOT_IN_NAME.sub("_", name)
    if plain == name:
        return f"attachment; filename={name}"
    return f"attachment; filename={plain}; filename*=UTF-8''{urllib.parse.quote(name, safe='')}"


def _media_type(name: str) -> str:
    """Return the type of a file by its name; what a browser would run is bytes."""
    if name.lower() in _TEXTS:
        return "text/plain"
    found = mimetypes.guess_type(name)[0] or _BYTES
    return _BYTES if _RUNS.search(found) else found


async def _server_info() -> Response[bytes]:
    return Response(encode(SERVER_INFO), media_type=_JSON)


async def _health() -> Response[str]:
    return Response("OK", media_type="text/plain")


async def _version() -> Response[str]:
    return Response(VERSION, media_type="text/plain")
