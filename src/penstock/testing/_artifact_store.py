"""``ArtifactStoreContract``: the test suite of every artifact store."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from penstock.core import ParameterError, StoreError, digest_bytes, digest_file, now
from penstock.stores import ArtifactStore


class ArtifactStoreContract:
    """Base class of tests; a subclass returns an empty store from the fixture ``artifacts``."""

    @pytest.fixture
    def artifacts(self) -> ArtifactStore:
        """Return an empty store; replaced by the subclass."""
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

    def test_many_byte_strings_are_stored_in_their_order(self, artifacts: ArtifactStore) -> None:
        contents = [b"%d" % (number % 30) * 700 for number in range(60)]
        expected = [digest_bytes(data) for data in contents]
        assert artifacts.write_many(contents) == expected
        assert artifacts.write_many(contents[:10]) == expected[:10]
        assert artifacts.write_many([]) == []
        assert artifacts.list() == sorted(set(expected))
        assert [artifacts.read(digest, check=True) for digest in expected] == contents

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

    @pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1, 17 << 20])
    def test_a_file_of_any_size_comes_back_as_a_file(
        self, artifacts: ArtifactStore, tmp_path: Path, size: int
    ) -> None:
        file = tmp_path / "given.bin"
        file.write_bytes((bytes(range(251)) * (size // 251 + 1))[:size])
        [(digest, kept)] = artifacts.write_files([file])
        assert (digest, kept) == (digest_file(file), size)
        assert artifacts.write_file(file) == digest
        artifacts.fetch(digest, tmp_path / "back.bin")
        assert digest_file(tmp_path / "back.bin") == digest

    def test_many_files_are_stored_in_their_order(
        self, artifacts: ArtifactStore, tmp_path: Path
    ) -> None:
        contents = [b"%d" % (number % 30) * 700 for number in range(60)]
        files = [tmp_path / f"{number}.bin" for number in range(len(contents))]
        for file, data in zip(files, contents, strict=True):
            file.write_bytes(data)
        expected = [(digest_bytes(data), len(data)) for data in contents]
        assert artifacts.write_files(files) == expected
        assert artifacts.write_files(files[:10]) == expected[:10]
        assert artifacts.write_files([]) == []
        assert artifacts.list() == sorted({digest for digest, _ in expected})
        assert all(artifacts.read(digest, check=True) for digest, _ in expected[:5])

    def test_a_range_gives_a_part_and_fewer_at_the_end(self, artifacts: ArtifactStore) -> None:
        digest = artifacts.write(b"0123456789")
        assert artifacts.read_range(digest, 0, 3) == b"012"
        assert artifacts.read_range(digest, 8, 5) == b"89"
        assert artifacts.read_range(digest, 10, 5) == b""
        assert artifacts.read_range(digest, 3, 0) == b""

    def test_what_is_not_there_is_said(self, artifacts: ArtifactStore, tmp_path: Path) -> None:
        digest = digest_bytes(b"never written")
        assert not artifacts.exists(digest)
        for read in (
            artifacts.read,
            lambda digest: artifacts.read_range(digest, 0, 1),
            lambda digest: artifacts.fetch(digest, tmp_path / "back.bin"),
        ):
            with pytest.raises(StoreError, match="are gone"):
                read(digest)
        assert list(tmp_path.iterdir()) == []

    def test_a_file_that_cannot_be_read_is_said_and_nothing_is_stored(
        self, artifacts: ArtifactStore, tmp_path: Path
    ) -> None:
        for path in (tmp_path / "none.bin", tmp_path):
            with pytest.raises(StoreError, match="cannot be read"):
                artifacts.write_files([path])
        assert artifacts.list() == []

    def test_a_link_is_an_address_or_none(self, artifacts: ArtifactStore) -> None:
        link = artifacts.link(artifacts.write(b"rows"), expires=timedelta(minutes=1))
        assert link is None or "://" in link

    def test_deleting_is_for_good_and_twice_is_once(self, artifacts: ArtifactStore) -> None:
        digest = artifacts.write(b"rows")
        artifacts.delete(digest)
        artifacts.delete(digest)
        assert not artifacts.exists(digest)
        assert artifacts.list() == []

    def test_stores_say_that_they_keep_their_bytes_here(self, artifacts: ArtifactStore) -> None:
        assert artifacts.claims() == {}
        for url in ("before", "sqlite:///a.db"):
            artifacts.claim("one", url)
        artifacts.claim("two", "postgresql://db/ml")
        assert artifacts.claims() == {"one": "sqlite:///a.db", "two": "postgresql://db/ml"}
        assert artifacts.list() == []

    @pytest.mark.parametrize("owner", ["", "..", "../up", "a/b", "a" * 200])
    def test_what_is_no_name_claims_nothing(self, artifacts: ArtifactStore, owner: str) -> None:
        with pytest.raises(ParameterError, match="no legal name"):
            artifacts.claim(owner, "sqlite:///a.db")
        assert artifacts.claims() == {}

    @pytest.mark.parametrize("digest", ["", "sha256:abc", "../../etc/passwd", "sha256:" + "g" * 64])
    def test_what_is_no_digest_is_refused(self, artifacts: ArtifactStore, digest: str) -> None:
        with pytest.raises(ParameterError, match="is no digest"):
            artifacts.read(digest)

    def test_many_write_the_same_at_once(self, artifacts: ArtifactStore) -> None:
        data = b"same" * 10_000
        with ThreadPoolExecutor(16) as pool:
            digests = set(pool.map(lambda _: artifacts.write(data), range(64)))
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
