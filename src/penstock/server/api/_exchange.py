"""Exchange: a request as it arrives and the response as it leaves, in chunks; apart from routes."""

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from penstock.core import ParameterError
from penstock.http import Call, HttpError, Reply

_T = TypeVar("_T")
_AT_ONCE = 32  # operations in threads; more wait
_pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="penstock-api")


class Exchange:
    """A request and its response.

    Args:
        scope: ASGI scope of the request.
        receive: ASGI function that returns the next part of the body.
        send: ASGI function that sends a part of the response.
    """

    def __init__(self, scope: Any, receive: Any, send: Any) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.call = Call({}, scope["headers"], b"")
        self.started = False
        self._query: bytes = scope["query_string"]
        self._receive, self._send = receive, send

    @property
    def query(self) -> dict[str, str]:
        """Parameters of the query by name.

        Raises:
            ParameterError: If the query cannot be read, or has a name twice.
        """
        try:
            pairs = parse_qsl(
                self._query.decode("ascii"),
                keep_blank_values=True,
                strict_parsing=bool(self._query),
                errors="strict",
                max_num_fields=64,
            )
        except ValueError as error:
            raise ParameterError(
                what="The query of the URL cannot be read.",
                why="It is name=value, separated by &, in percent-encoded UTF-8.",
                fix="Send the arguments as JSON with POST.",
            ) from error
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ParameterError(what="The query has a name twice.", fix="Send each name once.")
        return found

    @property
    def declared_size(self) -> int:
        """Bytes of the body as the client says; 0 if it does not."""
        declared = self.call.header(b"content-length") or ""
        return int(declared[:20]) if declared.isascii() and declared.isdecimal() else 0

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the parts of the body as they arrive.

        Raises:
            HttpError: If the client leaves before the end.
        """
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise HttpError(400, "The request was not sent to its end.")
            more = message.get("more_body", False)
            if body := message.get("body", b""):
                yield body

    async def body(self, most: int) -> bytes:
        """Return the whole body.

        Args:
            most: Most bytes.

        Raises:
            HttpError: 413 if it is longer.
        """
        if self.declared_size > most:
            raise _too_long(most)
        parts, size = list[bytes](), 0
        async for chunk in self.chunks():
            size += len(chunk)
            if size > most:
                raise _too_long(most)
            parts.append(chunk)
        return b"".join(parts)

    async def reply(self, reply: Reply) -> None:
        """Send a whole response."""
        headers = [
            (b"content-type", reply.content_type),
            (b"content-length", b"%d" % len(reply.body)),
            *reply.headers,
        ]
        await self._start(reply.status, headers)
        await self._send({"type": "http.response.body", "body": reply.body, "more_body": False})

    async def stream(self, first: bytes, following: Callable[[], bytes]) -> None:
        """Send bytes in chunks; each is read once the one before has left.

        Args:
            first: First chunk.
            following: Function that returns the next chunk; empty at the end.
        """
        await self._start(200, [(b"content-type", b"application/octet-stream")])
        chunk = first
        while chunk:
            await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
            chunk = await in_thread(following)
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.started = True
        safe = [
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            (b"x-frame-options", b"DENY"),
            (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
            (b"cross-origin-resource-policy", b"same-origin"),
        ]
        await self._send(
            {"type": "http.response.start", "status": status, "headers": [*headers, *safe]}
        )


async def in_thread(work: Callable[[], _T]) -> _T:
    """Do blocking work in a thread, with the context of the request."""
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(_pool, context.run, work)


def _too_long(most: int) -> HttpError:
    return HttpError(
        413,
        f"The body is longer than {most:,} bytes.",
        "The server reads it as a whole.",
        "Send less at once; large values are artifacts.",
    )
