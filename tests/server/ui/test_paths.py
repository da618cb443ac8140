"""Paths that try to leave: 500 and more spellings, and no file outside is opened or shown."""

import asyncio
import itertools
import sys
from urllib.parse import unquote

import pytest

from penstock.core import RunState
from penstock.server import create_ui
from penstock.stores import open_store
from penstock.testing._records import a_run

CANARY = "canary-4b1d.txt"
DOTS = [
    "..",
    "%2e%2e",
    "%252e%252e",
    "..%00",
    ".%2e",
    "%c0%ae%c0%ae",
    "....",
    "%uff0e%uff0e",
    "..;",
]
SLASHES = ["/", "%2f", "%252f", "\\", "%5c", "%255c", "//", "%c0%af", "/./"]
PLACES = [
    "/static/x/", "/runs/r1/artifact?name=", "/artifacts/", "/artifacts/sha256:", "/reports/",
    "/models/", "/data/", "/runs/", "/do/",
]  # fmt: skip
STARTS = ["", "/", "file://", "C:"]
_opened: list[str] = []
_watching = [False]


def _watch(event, arguments):
    if _watching[0] and event in {"open", "os.listdir", "os.remove", "os.rename"}:
        _opened.append(str(arguments[0]))


sys.addaudithook(_watch)  # cannot be taken back: silent unless a test watches


def spellings():
    for place, dots, slash, start in itertools.product(PLACES, DOTS, SLASHES, STARTS):
        yield place + start + (dots + slash) * 4 + CANARY


async def ask(app, path):
    raw, _, query = path.partition("?")
    sent, told = [], {"type": "http.request", "body": b"", "more_body": False}

    async def receive():
        return told

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": unquote(raw), "raw_path": raw.encode(), "query_string": query.encode(),
        "headers": [(b"host", b"127.0.0.1")], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
        "root_path": "", "app": app, "state": {}, "litestar_app": app,
    }  # fmt: skip
    await app(scope, receive, send)
    body = b"".join(each.get("body", b"") for each in sent)
    return sent[0]["status"], body


@pytest.fixture
def app(tmp_path):
    (tmp_path / CANARY).write_text("the canary sings")
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    with open_store(f"sqlite:///{inside}/penstock.db") as store:
        store.metadata.runs.create(a_run(run_id="r1", state=RunState.FINISHED))
        yield create_ui(store=store)


def test_no_spelling_of_a_path_leaves_the_store(app):
    paths = list(spellings())
    assert len(set(paths)) >= 500

    async def ask_all():
        return [await ask(app, path) for path in paths[::4]]

    assert asyncio.run(ask(app, "/health"))[0] == 200  # it answers
    _opened.clear()
    _watching[0] = True
    try:
        answers = asyncio.run(ask_all())
    finally:
        _watching[0] = False
    assert len(answers) >= 500
    assert not [place for place in _opened if CANARY in place]
    for (status, body), path in zip(answers, paths[::4], strict=True):
        assert b"the canary sings" not in body, path
        assert 400 <= status < 500, (path, status)
