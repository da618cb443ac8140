"""A bucket does what every artifact store must, and tells what is wrong with it."""

import hashlib
import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
import pytest

from penstock.core import SettingsError, StoreError, digest_bytes
from penstock.stores import LocalArtifacts, open_store
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


def _write_and_die(url: str) -> None:
    artifacts = S3Artifacts(url)

    def parts():
        yield b"x" * (6 << 20)
        os.kill(os.getpid(), 9)

    artifacts._s3.put(artifacts._bucket, "ab/" + "c" * 62, parts(), chunk_size=5 << 20)


def test_a_writer_that_is_killed_leaves_nothing(artifacts):
    worker = multiprocessing.get_context("spawn").Process(
        target=_write_and_die, args=(artifacts.url,)
    )
    worker.start()
    worker.join()
    assert worker.exitcode == -9
    assert artifacts.list() == []


@pytest.mark.parametrize(
    ("url", "env", "words"),
    [
        ("s3://no-such-bucket-here", {}, "Make the bucket, or correct PENSTOCK_ARTIFACTS"),
        ("s3://x", {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "Check the bucket, the network"),
    ],
    ids=["bucket", "endpoint"],
)
def test_a_place_that_cannot_be_written_is_explained(bucket, monkeypatch, url, env, words):
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StoreError, match=words) as caught:
        S3Artifacts(url).write(b"rows")
    assert "very-secret" not in str(caught.value)


def test_a_url_without_a_bucket_is_refused():
    with pytest.raises(SettingsError, match="names no bucket"):
        S3Artifacts("s3://")


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
