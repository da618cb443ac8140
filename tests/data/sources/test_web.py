"""A file on the web: its state by the server's word, and only where that word is sure."""

from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from time import time
from typing import Any

import pytest

from penstock.core import DataError, NotFoundError, SettingsError
from penstock.data import FileSource, ingest
from penstock.stores import open_store

BODY = b"id,day\n1,2026-01-01\n2,2026-01-02\n"


class Site:
    """A web server whose one file the tests change."""

    def __init__(self):
        self.body, self.status = BODY, 200
        self.headers: dict[str, str] = {}
        self.asked: list[Any] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                site.asked.append((self.path, dict(self.headers)))
                match = self.headers.get("If-Match")
                known = site.headers.get("ETag")
                status = 412 if match and known and match != known else site.status
                self.send_response(status)
                for name, value in site.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(site.body)))
                self.end_headers()
                if status == 200:
                    self.wfile.write(site.body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/data/rides.csv"


@pytest.fixture
def site():
    site = Site()
    yield site
    site.server.shutdown()


def test_a_file_is_read_and_its_name_is_that_of_the_path(site):
    snapshot = ingest(FileSource(site.url, time="day"), cutoff="2026-01-02")
    assert (snapshot.rows, snapshot.source["name"]) == (1, "rides")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"ETag": '"a"'}, {"etag": '"a"'}),
        ({"ETag": 'W/"a"'}, None),
        ({"Last-Modified": 3600}, "modified"),
        ({"Last-Modified": 1}, None),
        ({}, None),
        ({"Last-Modified": "yesterday"}, None),
    ],
)
def test_only_a_sure_word_is_a_state(site, headers, expected):
    # An age in seconds: tests are collected long before they run.
    site.headers = {
        name: formatdate(time() - value, usegmt=True) if isinstance(value, int) else value
        for name, value in headers.items()
    }
    found = FileSource(site.url).fingerprint()
    if expected is None:
        assert found is None
    else:
        state = found["files"]["rides.csv"]
        assert expected in (state, *state)


def test_another_file_under_the_address_is_named(site, tmp_path):
    site.headers = {"ETag": '"a"'}
    store = open_store(f"sqlite:///{tmp_path}/s.db")
    source = FileSource(site.url, time="day")
    first = ingest(source, store=store)
    read = store.metadata.artifacts.last_snapshot("rides").read
    assert ingest(source.pinned(read)).ordered_digest == first.ordered_digest
    site.headers, site.body = {"ETag": '"b"'}, BODY + b"3,2026-01-03\n"
    with pytest.raises(DataError, match="changed while it was read"):
        ingest(source.pinned(read))


def test_a_server_that_ignores_conditions_is_seen_through(site, tmp_path):
    old = formatdate(time() - 7200, usegmt=True)
    site.headers = {"Last-Modified": old}
    source = FileSource(site.url, time="day")
    pinned = source.pinned({"files": [source._files()[0].to_json()]})
    site.headers = {"Last-Modified": formatdate(time() - 3600, usegmt=True)}
    with pytest.raises(DataError, match="changed since it was listed or recorded"):
        ingest(pinned)


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (404, NotFoundError, r"no file http.*rides.csv \(status 404\)"),
        (403, DataError, r"answered with status 403"),
        (500, DataError, r"answered with status 500"),
    ],
)
def test_an_answer_without_the_file_is_named(site, status, error, words):
    site.status = status
    with pytest.raises(error, match=words):
        FileSource(site.url).read()


def test_a_server_that_does_not_answer_is_named(site):
    site.server.shutdown()
    site.server.server_close()
    with pytest.raises(DataError, match=r"rides.csv cannot be read \(ConnectError\)"):
        FileSource(site.url).read()


def test_a_token_is_referred_to_and_shown_nowhere(site, monkeypatch):
    source = FileSource(site.url + "?token=${RIDES_TOKEN}")
    with pytest.raises(SettingsError, match="variable RIDES_TOKEN is not set"):
        source.read()
    monkeypatch.setenv("RIDES_TOKEN", "c4n4ry")
    assert source.read().height == 2
    assert site.asked[-1][0].endswith("?token=c4n4ry")
    site.status = 403
    with pytest.raises(DataError) as raised:
        source.read()
    assert "c4n4ry" not in repr((str(raised.value), source, source.describe()))
    site.server.shutdown()
    site.server.server_close()
    with pytest.raises(DataError) as raised:
        source.read()
    assert "c4n4ry" not in str(raised.value)
    assert raised.value.__suppress_context__


def test_a_secret_of_the_address_is_in_no_log_of_the_client(site, monkeypatch, caplog):
    monkeypatch.setenv("SITE_KEY", "c4n4ry/s3cret +")
    caplog.set_level("DEBUG")
    # A redirect repeats it in the server's own words.
    site.headers = {"Content-Location": "/data/rides.csv?key=c4n4ry%2Fs3cret%20%2B"}
    assert ingest(FileSource(f"{site.url}?key=${{SITE_KEY}}")).rows == 2
    assert "/data/rides.csv?key=${SITE_KEY}" in caplog.text
    assert "c4n4ry" not in caplog.text
