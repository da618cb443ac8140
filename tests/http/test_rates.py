"""Whoever asks too often is told when to ask again; others are not kept waiting."""

import asyncio
from typing import Any

import pytest
from tests.server.fuzzing import HOST, Answered, Sent, answer_to

from penstock.http import RateLimit
from penstock.http._rates import Buckets


class Elsewhere:
    """Requests as if from another machine."""

    def __init__(self, app: Any, address: str = "203.0.113.7") -> None:
        self._app, self.address = app, address

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app({**scope, "client": (self.address, 1)}, receive, send)


def answering(status: int) -> Any:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return app


def ask(app: Any, *headers: tuple[bytes, bytes]) -> Answered:
    return asyncio.run(answer_to(app, Sent("GET", "/x", headers=(HOST, *headers))))


def statuses(app: Any, count: int, *headers: tuple[bytes, bytes]) -> list[int]:
    return [ask(app, *headers).status for _ in range(count)]


def test_an_address_is_limited_and_another_is_not():
    limited = RateLimit(answering(200), rate=0.2)
    one, other = Elsewhere(limited), Elsewhere(limited, "203.0.113.8")
    assert statuses(one, 4) == [200, 200, 429, 429]
    assert statuses(other, 1) == [200]
    refused = ask(one)
    assert int(refused.headers[b"retry-after"]) >= 1
    assert b"RateLimitError" in refused.body
    assert b"REQUEST_LIMIT_EXCEEDED" in refused.body


def test_a_token_is_limited_wherever_it_comes_from():
    limited, token = RateLimit(answering(200), rate=0.2), (b"authorization", b"Bearer pst_1_x")
    assert statuses(limited, 3, token) == [200, 200, 429]
    assert statuses(Elsewhere(limited), 1, token) == [429]
    assert statuses(limited, 1, token, (b"cookie", b"penstock_session=other")) == [429]
    assert statuses(limited, 1, (b"authorization", b"Bearer pst_2_x")) == [200]
    assert "pst_1_x" not in repr(limited._all._levels)


def test_this_machine_is_counted_by_token_only():
    assert statuses(RateLimit(answering(200), rate=0.2), 5) == [200] * 5


def test_who_is_unknown_again_and_again_has_to_wait():
    limited = Elsewhere(RateLimit(answering(401)))
    found = statuses(limited, 60)
    assert found[:50] == [401] * 50
    assert set(found[52:]) == {429}
    assert statuses(Elsewhere(RateLimit(answering(403))), 60) == [403] * 60


def test_who_is_known_goes_on_while_others_of_the_same_address_are_not_let_in():
    good, bad = (b"authorization", b"Bearer pst_1_x"), (b"authorization", b"Bearer pst_2_x")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        is_let_in = good in scope["headers"] or scope["path"] == "/health"
        await answering(200 if is_let_in else 401)(scope, receive, send)

    limited = Elsewhere(RateLimit(app))
    assert statuses(limited, 1, good) == [200]
    # What everyone gets proves nothing.
    asyncio.run(answer_to(limited, Sent("GET", "/health", headers=(HOST, bad))))
    assert statuses(limited, 60, bad)[-1] == 429
    assert statuses(limited, 20, good) == [200] * 20
    assert statuses(limited, 1, (b"authorization", b"Bearer pst_3_x")) == [429]
    assert statuses(limited, 1) == [429]


def test_whoever_is_known_no_more_waits_like_everyone():
    token, status = (b"authorization", b"Bearer pst_1_x"), [200]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answering(status[0])(scope, receive, send)

    limited = Elsewhere(RateLimit(app))
    assert statuses(limited, 1, token) == [200]
    status[0] = 401
    assert statuses(limited, 60, token)[-1] == 429


def test_a_bucket_is_refilled_and_never_more_than_full():
    buckets = Buckets(rate=2, size=3)
    assert [buckets.wait_s("a", at=0.0) for _ in range(4)] == [0, 0, 0, 0.5]
    assert buckets.wait_s("a", at=0.5) == 0
    assert [buckets.wait_s("a", at=100.0) for _ in range(4)] == [0, 0, 0, 0.5]


def test_no_more_buckets_are_kept_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("penstock.http._rates._MOST", 3)
    buckets = Buckets(rate=1, size=1)
    for number in range(10):
        buckets.wait_s(str(number), at=0.0)
    assert list(buckets._levels) == ["7", "8", "9"]
