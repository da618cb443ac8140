"""A bucket does what every artifact store must, and tells what is wrong with it."""

import hashlib
import multiprocessing
import os
import socket
import socketserver
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from penstock.core import ParameterError, SettingsError, StoreError, digest_bytes, digest_file
from penstock.stores import LocalArtifacts, open_store
from penstock.stores.artifacts import _s3
from penstock.stores.artifacts._s3 import S3Artifacts
from penstock.testing import ArtifactStoreContract

pytestmark = pytest.mark.services


class TestS3(ArtifactStoreContract):
    @pytest.fixture
    def artifacts(self, bucket):
        return S3Artifacts(f"s3://{bucket}/team/ml")


@pytest.fixture
def artifacts(bucket):
    return S3Artifacts(f"s3://{bucket}")


def test_two_prefixes_of_a_bucket_are_two_stores(bucket):
    one, two = S3Artifacts(f"s3://{bucket}/one"), S3Artifacts(f"s3://{bucket}/two/")
    digest = one.write(b"rows")
    assert (one.list(), two.list()) == ([digest], [])
    assert not two.exists(digest)


def test_a_large_file_is_sent_in_parts(artifacts, tmp_path):
    data = os.urandom(1 << 20) * 40
    (tmp_path / "model.bin").write_bytes(data)
    digest = artifacts.write_file(tmp_path / "model.bin")
    assert digest == "sha256:" + hashlib.sha256(data).hexdigest()
    artifacts.fetch(digest, tmp_path / "back.bin")
    assert (tmp_path / "back.bin").read_bytes() == data
    assert artifacts.read_range(digest, (1 << 20) - 2, 4) == data[(1 << 20) - 2 : (1 << 20) + 2]
    assert artifacts.write(data) == digest


def test_a_link_reads_the_bytes_without_credentials(artifacts):
    digest = artifacts.write(b"rows")
    link = artifacts.link(digest, expires=timedelta(minutes=5))
    assert httpx.get(link).content == b"rows"
    assert "very-secret" not in link


def test_damaged_or_missing_bytes_are_noticed_and_no_file_stays(artifacts, tmp_path):
    digest = artifacts.write(b"rows")
    with pytest.raises(StoreError, match="gone"):
        artifacts.fetch(digest_bytes(b"never written"), tmp_path / "x")
    artifacts._s3.put(artifacts._bucket, f"{digest[7:9]}/{digest[9:]}", b"other")
    with pytest.raises(StoreError, match="damaged"):
        artifacts.read(digest, check=True)
    with pytest.raises(StoreError, match="damaged"):
        artifacts.fetch(digest, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_many_threads_write_the_same_and_others(artifacts):
    data = [str(i % 10).encode() * 2000 for i in range(100)]
    with ThreadPoolExecutor(16) as threads:
        digests = list(threads.map(artifacts.write, data))
    assert digests == [digest_bytes(item) for item in data]
    assert artifacts.list() == sorted(set(digests))


def test_two_stores_of_a_bucket_share_bytes_written_by_sixteen_threads(bucket):
    stores = [S3Artifacts(f"s3://{bucket}/team") for _ in range(2)]
    data = [str(i % 40).encode() * 3000 for i in range(320)]
    with ThreadPoolExecutor(16) as threads:
        digests = list(threads.map(lambda i: stores[i % 2].write(data[i]), range(320)))
    assert digests == [digest_bytes(item) for item in data]
    assert stores[0].list() == stores[1].list() == sorted(set(digests))
    assert all(stores[0].read(digest, check=True) for digest in set(digests))


def _write_and_die(url: str, path: Path) -> None:
    artifacts = S3Artifacts(url)
    proved = _s3._proved

    def half(*given):
        for count, part in enumerate(proved(*given)):
            if count == 36:  # two parts of 16 MiB have been sent
                os.kill(os.getpid(), 9)
            yield part

    _s3._proved = half
    artifacts.write_file(path)


def test_a_writer_that_is_killed_leaves_nothing_and_another_can_write(artifacts, tmp_path):
    file = tmp_path / "model.bin"
    file.write_bytes(os.urandom(1 << 20) * 60)
    worker = multiprocessing.get_context("spawn").Process(
        target=_write_and_die, args=(artifacts.url, file)
    )
    worker.start()
    worker.join()
    assert worker.exitcode == -9
    assert artifacts.list() == []
    assert artifacts.write_file(file) == digest_file(file)


def test_a_file_that_changes_while_it_is_sent_never_gets_a_name(
    artifacts, bucket, tmp_path, monkeypatch
):
    file = tmp_path / "log.bin"
    file.write_bytes(b"x" * (20 << 20))
    proved = _s3._proved

    def changing(source, *given):
        with file.open("r+b") as other:
            other.write(b"changed")
        yield from proved(source, *given)

    monkeypatch.setattr(_s3, "_proved", changing)
    with pytest.raises(StoreError, match="changed while it was sent"):
        artifacts.write_file(file)
    assert artifacts.list() == []
    uploads = httpx.get(f"{os.environ['AWS_ENDPOINT_URL']}/{bucket}?uploads").text
    assert "<Upload>" not in uploads


def test_a_file_that_grows_while_it_is_sent_is_kept_as_it_was(artifacts, tmp_path, monkeypatch):
    file = tmp_path / "log.bin"
    file.write_bytes(b"x" * (20 << 20))
    before = digest_file(file)
    exists = artifacts.exists

    def growing(digest):
        with file.open("ab") as other:
            other.write(b"more")
        return exists(digest)

    monkeypatch.setattr(artifacts, "exists", growing)
    assert artifacts.write_files([file]) == [(before, 20 << 20)]
    artifacts.verify(before)


@contextmanager
def breaking(address: str, *, times: int) -> Iterator[str]:
    """A way to a server that breaks off in the middle of its first answers, so many times."""
    target = urlsplit(address)
    left = [times]

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            with socket.create_connection((target.hostname, target.port)) as server:
                threading.Thread(target=self.send_on, args=(server,), daemon=True).start()
                passed = 0
                while data := server.recv(65536):
                    passed += len(data)
                    if left[0] and passed > 200_000:
                        left[0] -= 1
                        return
                    self.request.sendall(data)

        def send_on(self, server):
            try:
                while data := self.request.recv(65536):
                    server.sendall(data)
                server.shutdown(socket.SHUT_WR)
            except OSError:
                return

    class Proxy(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, request, address):
            """A broken connection is what is asked for here."""

    with Proxy(("127.0.0.1", 0), Handler) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{proxy.server_address[1]}"
        proxy.shutdown()


@pytest.fixture
def ten_mebibytes(artifacts, tmp_path):
    (tmp_path / "given").write_bytes(os.urandom(10 << 20))
    return artifacts.write_file(tmp_path / "given")


def test_a_connection_that_breaks_is_taken_up_again(bucket, ten_mebibytes, tmp_path, monkeypatch):
    with breaking(os.environ["AWS_ENDPOINT_URL"], times=2) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        S3Artifacts(f"s3://{bucket}").fetch(ten_mebibytes, tmp_path / "back")
    assert digest_file(tmp_path / "back") == ten_mebibytes


def test_a_connection_that_always_breaks_is_said_and_no_file_stays(
    bucket, ten_mebibytes, tmp_path, monkeypatch
):
    monkeypatch.setattr(_s3, "_RETRIES", {"max_retries": 1})
    with breaking(os.environ["AWS_ENDPOINT_URL"], times=1000) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        with pytest.raises(StoreError, match="cannot be read") as caught:
            S3Artifacts(f"s3://{bucket}").fetch(ten_mebibytes, tmp_path / "back")
    assert "Check the bucket, the network" in str(caught.value)
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("AccessDenied", r"AccessDenied: no.*what they may do in the bucket"),
        ("InvalidAccessKeyId", r"InvalidAccessKeyId: no.*Check AWS_ACCESS_KEY_ID"),
    ],
)
def test_what_the_bucket_refuses_is_said(monkeypatch, bucket, code, words):
    class Refuses(BaseHTTPRequestHandler):
        def do_PUT(self):
            self.rfile.read(int(self.headers["content-length"]))
            body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
            self.send_response(403)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Refuses) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        with pytest.raises(StoreError, match=words) as caught:
            S3Artifacts(f"s3://{bucket}").write(b"rows")
        server.shutdown()
    assert "very-secret" not in str(caught.value)


def test_keys_and_region_are_read_from_a_profile(bucket, tmp_path, monkeypatch):
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.delenv(name)
    (tmp_path / "credentials").write_text(
        "[work]\naws_access_key_id = worker\naws_secret_access_key = very-secret\n"
    )
    (tmp_path / "config").write_text(
        f"[profile work]\nregion = eu-west-1\nendpoint_url = {endpoint}\n[profile empty]\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "work")
    artifacts = S3Artifacts(f"s3://{bucket}")
    link = artifacts.link(artifacts.write(b"rows"), expires=timedelta(minutes=1))
    assert "worker" in link
    assert "eu-west-1" in link
    monkeypatch.setenv("AWS_PROFILE", "empty")
    with pytest.raises(SettingsError, match="export-credentials --profile empty"):
        S3Artifacts(f"s3://{bucket}")
    (tmp_path / "credentials").write_text("very-secret = not an ini file")
    with pytest.raises(SettingsError, match="cannot be read") as caught:
        S3Artifacts(f"s3://{bucket}")
    assert "very-secret" not in str(caught.value)


@pytest.mark.parametrize("expires", [timedelta(0), timedelta(days=8), timedelta(days=-1)])
def test_a_link_that_s3_would_not_sign_is_refused(artifacts, expires):
    with pytest.raises(ParameterError, match="one second to seven days"):
        artifacts.link(artifacts.write(b"rows"), expires=expires)


@pytest.mark.parametrize(
    ("url", "env", "words"),
    [
        ("s3://no-such-bucket-here", {}, "Make the bucket, or correct PENSTOCK_ARTIFACTS"),
        (
            "s3://bucket",
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"},
            "Check the bucket, the network",
        ),
    ],
    ids=["bucket", "endpoint"],
)
def test_a_place_that_cannot_be_written_is_explained(bucket, monkeypatch, url, env, words):
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StoreError, match=words) as caught:
        S3Artifacts(url).write(b"rows")
    assert "very-secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["s3://", "s3://b", "s3://a b c", "s3://bkt/../x", "s3://bkt//x", "s3://bkt/a?b"]
)
def test_a_url_without_a_bucket_is_refused(url):
    with pytest.raises(SettingsError, match="names no bucket"):
        S3Artifacts(url)


def test_keys_in_a_url_are_refused_and_not_repeated():
    with pytest.raises(SettingsError, match="keys for it stand in the environment") as caught:
        S3Artifacts("s3://worker:very-secret@bucket/x")
    assert "very-secret" not in str(caught.value)


def test_facts_in_a_file_and_bytes_in_a_bucket_are_one_store(bucket, tmp_path):
    with open_store(f"sqlite:///{tmp_path}/p.db", artifacts=f"s3://{bucket}") as store:
        record = store.put("a" * 5000)
        assert record.inline is None
        assert store.get(record.digest, check=True) == "a" * 5000
    assert [path.name for path in tmp_path.iterdir() if path.name == "artifacts"] == []


def test_a_folder_has_ranges_links_and_checked_copies_as_well(tmp_path):
    artifacts = LocalArtifacts(tmp_path / "artifacts")
    digest = artifacts.write(b"0123456789")
    assert artifacts.read_range(digest, 8, 5) == b"89"
    assert artifacts.link(digest, expires=timedelta(1)).startswith("file:///")
    artifacts.path(digest).write_bytes(b"other")
    with pytest.raises(StoreError, match="damaged"):
        artifacts.fetch(digest, tmp_path / "x")
    assert not (tmp_path / "x").exists()
