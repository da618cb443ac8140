"""Hundreds of spellings of paths that leave the store, on every route that takes one: nothing is read, written or deleted outside.

The classes are those of MLflow's advisories: `..` in many encodings, decoded twice (CVE-2024-1560),
backslashes (CVE-2023-2780), schemes (CVE-2023-2356), absolute paths, links.
"""

import asyncio
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

import pytest
from tests.hunting import length
from tests.server.fuzzing import HOST, Sent, answer_to

from penstock.core import RunState
from penstock.server import create_server
from penstock.stores import open_store
from penstock.testing._records import a_run, an_artifact

CANARY = "c4n4ry-outside-the-store"
ORIGIN = (b"origin", b"http://127.0.0.1")
UPS = (
    "..", "%2e%2e", ".%2e", "%2E.", "%252e%252e", "%25252e%25252e", "..%00", "..%20", "..;", "....", "...", ". .",
    "..%09", "%c0%ae%c0%ae", "%e0%80%ae%e0%80%ae", "%uff0e%uff0e", "%ef%bc%8e%ef%bc%8e", "\u2025", "..%0a", "..%23",
    "..%3f", "%2e%2e%2e", "..%c0%af", "~",
)  # fmt: skip
SLASHES = (
    "/", "//", "%2f", "%2F", "%252f", "%25252f", "\\", "%5c", "%255c", "%c0%af", "%ef%bc%8f", "/./", "%2f%2e%2f",
)  # fmt: skip


def corpus(outside: Path) -> list[str]:
    """Return paths, percent-encoded or not, that some decoder takes for one that leads outside."""
    target = str(outside)
    found = [
        up + slash + (up + slash) * depth + "secret.txt"
        for up in UPS
        for slash in SLASHES
        for depth in (0, 3)
    ]
    whole = (target, f"/{target}", f"file://{target}", f"file:{target}", f"local:{target}", f"FILE://{target}",
             f"file://localhost{target}", f"\\\\?\\{target}", f"C:{target}", f"//127.0.0.1{target}", f"s3://x/..{target}",
             f"http://127.0.0.1{target}", f"mlflow-artifacts:{target}", f"dbfs:{target}", f"x#{target}", f"x?{target}",
             f"models:/m/1/../..{target}", f"a/../..{target}", f"\x00{target}", f"{target}\x00.txt", "link/secret.txt",
             "/proc/self/environ", "/etc/passwd", "penstock.db", "../penstock.db", "~root/.ssh/id_rsa")  # fmt: skip
    for path in whole:
        once = quote(path, safe="")
        found += [path, once, quote(once, safe=""), quote(quote(once, safe=""), safe="")]
        found += [path.replace("/", "%2f"), path.replace("/", "%5c"), path.replace("/", "\\")]
    return list(dict.fromkeys(found))


@pytest.fixture
def outside(tmp_path):
    place = tmp_path / "secret.txt"
    place.write_text(CANARY)
    return place


@pytest.fixture
def server(tmp_path, outside):
    folder = tmp_path / "inside"
    folder.mkdir()
    with open_store(f"sqlite:///{folder}/penstock.db", artifacts=str(folder / "bytes")) as store:
        store.metadata.runs.create(a_run(run_id="r1", experiment="e", state=RunState.RUNNING))
        store.metadata.artifacts.log("r1", "a", an_artifact("inside"))
        (folder / "bytes" / "link").symlink_to(outside.parent)
        yield create_server(store=store)


def files_outside(tmp_path: Path) -> dict[str, bytes]:
    places = [*tmp_path.iterdir(), *(tmp_path / "inside").iterdir()]
    return {
        str(p): p.read_bytes() if "penstock.db" not in p.name else b""
        for p in places
        if p.is_file()
    }


def requests(path: str) -> list[Sent]:
    """Return a request to every route that takes a path or a name of a file."""
    inner = path.encode("utf-8", "surrogatepass")
    plain = quote(path, safe="%").encode()
    mlflow = b"/api/2.0/mlflow-artifacts/artifacts/"
    roots = (
        mlflow,
        mlflow + b"0/r1/artifacts/",
        mlflow + b"0/models/m-1/artifacts/",
        mlflow + b"versions/m/1/",
    )
    places = [root + plain for root in roots]
    places += [
        b"/api/v1/bytes/" + plain,
        b"/artifacts/" + plain,
        b"/static/x/" + plain,
        b"/data/" + plain,
    ]
    sent = [
        Sent("GET", unquote_to_bytes(raw).decode("utf-8", "replace"), headers=(HOST,), raw_path=raw)
        for raw in places
    ]
    sent += [
        Sent(
            method,
            unquote_to_bytes(raw).decode("utf-8", "replace"),
            headers=(HOST, ORIGIN),
            body=b"x",
            raw_path=raw,
        )
        for raw in places[:4]
        for method in ("PUT", "DELETE")
    ]
    queries = (
        ("/get-artifact", b"run_uuid=r1&path="), ("/model-versions/get-artifact", b"name=m&version=1&path="),
        ("/api/2.0/mlflow/artifacts/list", b"run_id=r1&path="), ("/api/2.0/mlflow-artifacts/artifacts", b"path="),
        ("/runs/r1/artifact", b"name="), ("/api/v1/bytes/verify", b"digest="), ("/runs/r1/log", b"step="),
        ("/api/2.0/mlflow/logged-models/m-1/artifacts/directories", b"artifact_directory_path="),
    )  # fmt: skip
    for place, query in queries:
        for value in (quote(inner, safe="%"), quote(inner, safe="")):
            sent.append(Sent("GET", place, query + value.encode(), headers=(HOST,)))
    return sent


def test_the_corpus_is_large(outside):
    assert len(corpus(outside)) >= 500


@pytest.mark.slow
def test_no_spelling_of_a_path_leads_outside(server, tmp_path, outside):
    """Every spelling meets a third of the routes, in turn; all of them in a hunt."""
    before = files_outside(tmp_path)
    asyncio.run(look(server, corpus(outside), every=length(3, 1)))
    assert files_outside(tmp_path) == before


def test_no_spelling_of_some_leads_outside(server, tmp_path, outside):
    before = files_outside(tmp_path)
    asyncio.run(look(server, corpus(outside)[::25]))
    assert files_outside(tmp_path) == before


async def look(server, paths, every=1):
    for number, path in enumerate(paths):
        for sent in requests(path)[number % every :: every]:
            answer = await answer_to(server, sent)
            assert answer.status < 500, (sent, answer.body[:300])
            for known in (CANARY.encode(), b"root:x:0", b"SQLite format"):
                assert known not in answer.body, sent
