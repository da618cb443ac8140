import asyncio
from typing import Any

import pytest

from penstock.http import _connections
from penstock.http._connections import Connection, State, connection_limit, make_room


class Waiting(Connection):
    """A connection in a state of our choice; no socket is needed to choose among them."""

    def __init__(self, reading: float | None, idle: float | None, *, busy: bool = False) -> None:
        self.reading_since, self.idle_since, self.busy = reading, idle, busy
        self.gone = False

    @property
    def is_busy(self) -> bool:
        return self.busy

    def let_go(self) -> None:
        self.gone = True


@pytest.mark.parametrize(
    ("connections", "gone"),
    [
        ([(1.0, None), (0.5, None), (None, 0.1)], 1),  # half-sent ones before idle ones
        ([(9.5, None), (None, 4.0), (None, 2.0)], 2),  # but none that has only just begun
        ([(9.9, None), (9.8, None)], None),
    ],
)
def test_the_one_that_keeps_others_waiting_longest_goes(
    connections: list[Any], gone: int | None
) -> None:
    state = State(limit=3)
    all_of_them = [Waiting(reading, idle) for reading, idle in connections]
    busy = Waiting(None, None, busy=True)
    state.connections.update([*all_of_them, busy])
    assert make_room(state, now=10.0) is (gone is not None)
    assert [each.gone for each in all_of_them] == [n == gone for n in range(len(all_of_them))]
    assert not busy.gone


def test_a_request_that_does_not_arrive_is_told_and_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_connections, "_HEAD_S", 0.0)
    monkeypatch.setattr(_connections, "_BODY_S", 0.0)

    async def app(_scope: Any, receive: Any, _send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    async def talk(text: bytes) -> bytes:
        import uvicorn

        config = uvicorn.Config(app, http=Connection, lifespan="off", log_level="critical")
        state, loop = State(10), asyncio.get_running_loop()
        listening = await loop.create_server(lambda: Connection(config, state, {}), "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(text)
        await writer.drain()
        await asyncio.sleep(0.05)
        for connection in list(state.connections):
            connection.close_if_slow(loop.time() + 1)  # type: ignore[union-attr]
        reply = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        listening.close()
        return reply

    for text in (b"", b"POST /x HT", b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nab"):
        assert asyncio.run(talk(text)).startswith(b"HTTP/1.1 408 Request Timeout\r\n")


def test_there_are_fewer_connections_than_open_files() -> None:
    resource = pytest.importorskip("resource")
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert 16 <= connection_limit() <= max(files - 100, 16)


HEAD = b"GET / HTTP/1.1\r\nhost: a\r\n"


async def _answer(_scope: Any, _receive: Any, send: Any) -> None:
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]}
    )
    await send({"type": "http.response.body", "body": b""})


async def _statuses(data: bytes) -> list[bytes]:
    """Send bytes to a connection, and return the statuses of all answers until it closes."""
    import uvicorn

    config = uvicorn.Config(_answer, http=Connection, lifespan="off", log_level="critical")
    state, loop = State(10), asyncio.get_running_loop()
    listening = await loop.create_server(lambda: Connection(config, state, {}), "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        text = await asyncio.wait_for(reader.read(), 10)
    except ConnectionError:
        text = b""  # closed while it was being sent
    writer.close()
    listening.close()
    return [part[9:12] for part in text.split(b"\r\n") if part.startswith(b"HTTP/1.1 ")]


@pytest.mark.parametrize(
    ("data", "statuses"),
    [
        (HEAD + b"connection: close\r\n\r\n", [b"200"]),
        (HEAD + b"host: b\r\n\r\n", [b"400"]),
        (HEAD + b"authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n", [b"400"]),
        (HEAD + b"content-type: a\r\ncontent-type: a\r\n\r\n", [b"400"]),
        (HEAD + b"cookie: a=b\r\ncookie: c=d\r\nconnection: close\r\n\r\n", [b"200"]),
        (HEAD + b"x: " + b"a" * 70_000 + b"\r\n\r\n", [b"431"]),
        (HEAD + b"x: " + b"a" * 60_000 + b"\r\nconnection: close\r\n\r\n", [b"200"]),
        (HEAD + b"x: a\r\n" * 300 + b"\r\n", [b"431"]),
        (b"GET /" + b"a" * 65_532 + b" HTTP/1.1\r\nhost: a\r\n\r\n", [b"431"]),
        ((HEAD + b"\r\n") * 3 + HEAD + b"host: b\r\n\r\n", [b"200", b"200", b"200", b"400"]),
        (HEAD + b"content-length: 3\r\nhost: b\r\n\r\nabc", [b"400"]),
    ],
)
def test_a_head_that_is_too_large_or_says_two_things_is_refused(
    data: bytes, statuses: list[bytes]
) -> None:
    assert asyncio.run(_statuses(data)) == statuses


def test_a_header_without_an_end_is_cut() -> None:
    assert asyncio.run(_statuses(HEAD + b"x: " + b"a" * 3_000_000)) in ([b"431"], [])
