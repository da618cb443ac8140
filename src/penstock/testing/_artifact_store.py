"""``ArtifactStoreContract``: the one suite that every place for bytes passes."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from penstock.core import ParameterError, StoreError, digest_bytes, now
from penstock.stores import ArtifactStore


class ArtifactStoreContract:
    """Subclass it and give an empty store by the fixture ``artifacts``."""

    @pytest.fixture
    def artifacts(self) -> ArtifactStore:
        """Give an empty store; replaced by the subclass."""
        raise NotImplementedError

    @pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 5000])
    def test_bytes_come_back_by_their_digest(self, artifacts: ArtifactStore, data: bytes) -> None:
        digest = artifacts.write(data)
        assert digest == digest_bytes(data)
        assert artifacts.read(digest) == data
        assert artifacts.read(digest, check=True) == data

    def test_writing_twice_keeps_one(self, artifacts: ArtifactStore) -> None:
        first = artifacts.write(b"rows")
        assert artifacts.write(b"rows") == first
        assert artifacts.list() == [first]

    def test_a_file_is_stored_like_its_bytes(
        self, artifacts: ArtifactStore, tmp_path: Path
    ) -> None:
        data = bytes(range(256)) * 10_000
        file = tmp_path / "given" / "rows.bin"
        file.parent.mkdir()
        file.write_bytes(data)
        assert artifacts.write_file(file) == digest_bytes(data)
        assert artifacts.write_file(file) == artifacts.write(data)
        assert file.read_bytes() == data

    def test_what_is_not_there_is_said(self, artifacts: ArtifactStore) -> None:
        digest = digest_bytes(b"never written")
        assert not artifacts.exists(digest)
        with pytest.raises(StoreError, match="are gone"):
            artifacts.read(digest)

    def test_deleting_is_for_good_and_twice_is_once(self, artifacts: ArtifactStore) -> None:
        digest = artifacts.write(b"rows")
        artifacts.delete(digest)
        artifacts.delete(digest)
        assert not artifacts.exists(digest)
        assert artifacts.list() == []

    @pytest.mark.parametrize("digest", ["", "sha256:abc", "../../etc/passwd", "sha256:" + "g" * 64])
    def test_what_is_no_digest_is_refused(self, artifacts: ArtifactStore, digest: str) -> None:
        with pytest.raises(ParameterError, match="is no digest"):
            artifacts.read(digest)

    def test_many_write_the_same_at_once(self, artifacts: ArtifactStore) -> None:
        data = b"same" * 10_000
        with ThreadPoolExecutor(8) as pool:
            digests = set(pool.map(lambda _: artifacts.write(data), range(32)))
        assert digests == {digest_bytes(data)}
        assert artifacts.list() == [digest_bytes(data)]
        assert artifacts.read(digest_bytes(data), check=True) == data

    def test_a_local_file_has_the_bytes(self, artifacts: ArtifactStore) -> None:
        digest = artifacts.write(b"rows")
        path = artifacts.path(digest)
        assert path is None or path.read_bytes() == b"rows"
        assert artifacts.path(digest_bytes(b"other")) is None

    def test_bytes_written_since_a_moment_are_not_deleted(self, artifacts: ArtifactStore) -> None:
        digest = artifacts.write(b"rows")
        before, after = now() - timedelta(hours=1), now() + timedelta(hours=1)
        assert before < artifacts.written_at(digest) < after
        artifacts.delete(digest, unless_written_since=before)
        assert artifacts.read(digest, check=True) == b"rows"
        artifacts.delete(digest, unless_written_since=after)
        assert not artifacts.exists(digest)
        artifacts.delete(digest, unless_written_since=after)
        with pytest.raises(StoreError, match="gone"):
            artifacts.written_at(digest)

    def test_a_part_is_read_and_a_file_is_fetched(
        self, artifacts: ArtifactStore, tmp_path: Path
    ) -> None:
        digest = artifacts.write(b"0123456789")
        assert artifacts.read_range(digest, 2, 3) == b"234"
        assert artifacts.read_range(digest, 8, 9) == b"89"
        assert artifacts.read_range(digest, 20, 1) == b""
        artifacts.fetch(digest, tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == b"0123456789"
        with pytest.raises(StoreError, match="gone"):
            artifacts.fetch(digest_bytes(b"none"), tmp_path / "none")
        assert not (tmp_path / "none").exists()
        assert artifacts.link(digest, expires=timedelta(minutes=1))
