"""Content-addressed objects in an S3 bucket, or one that speaks its protocol."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any

from penstock.core import PenstockError, SettingsError, StoreError, digest_bytes, now, require
from penstock.stores.artifacts._digests import (
    PREFIX,
    checked_file,
    damaged,
    digest_at,
    gone,
    place_of,
    require_bytes,
)

_CHUNK = 1 << 20
_PART = 16 << 20
_WHOLE = 5 << 20  # below, one request with "create only" is cheaper than a multipart upload
# Older bytes are written again: gc leaves alone what was written within the last hour.
_FRESH = timedelta(minutes=30)
_PURPOSE = "artifacts in S3"


class S3Artifacts:
    """An ArtifactStore in a bucket.

    Credentials, region and endpoint are found as the AWS tools find them: ``AWS_ACCESS_KEY_ID``,
    ``AWS_SECRET_ACCESS_KEY``, ``AWS_REGION``, ``AWS_ENDPOINT_URL``, or the machine's role.

    Args:
        url: ``s3://bucket`` or ``s3://bucket/prefix``.

    Raises:
        SettingsError: If the URL names no bucket.
        MissingPackageError: If obstore is not installed.
    """

    def __init__(self, url: str) -> None:
        bucket, _, prefix = url.removeprefix("s3://").strip("/").partition("/")
        if not bucket:
            raise SettingsError(
                what=f"{url!r} names no bucket.",
                fix="Write s3://bucket or s3://bucket/prefix",
            )
        self._url = f"s3://{bucket}/{prefix}".rstrip("/")
        self._s3 = require("obstore", extra="s3", purpose=_PURPOSE)
        self._errors = require("obstore.exceptions", extra="s3", purpose=_PURPOSE)
        store = require("obstore.store", extra="s3", purpose=_PURPOSE)
        plain = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
        with self._explained("opened"):
            self._bucket = store.S3Store(
                bucket, prefix=prefix or None, client_options={"allow_http": True} if plain else {}
            )

    @property
    def url(self) -> str:
        """``s3://bucket/prefix``."""
        return self._url

    def write(self, data: bytes) -> str:
        """Store bytes and return their digest, ``sha256:…``."""
        digest = digest_bytes(data)
        with self._explained("written"):
            if len(data) < _WHOLE:
                self._create(digest, data)
            elif not self._is_fresh(digest):
                self._s3.put(self._bucket, place_of(digest), data, chunk_size=_PART)
        return digest

    def write_file(self, path: Path) -> str:
        """Store a file's bytes without reading it whole into memory."""
        # Copied while it is digested: the file may change before it is sent.
        with tempfile.TemporaryFile() as copy:
            digest = _copy(path, copy)
            copy.seek(0)
            with self._explained("written"):
                if path.stat().st_size < _WHOLE:
                    self._create(digest, copy.read())
                elif not self._is_fresh(digest):
                    self._s3.put(self._bucket, place_of(digest), copy, chunk_size=_PART)
        return digest

    def read(self, digest: str, *, check: bool = False) -> bytes:
        """Give the bytes back.

        Raises:
            StoreError: If they are gone; with ``check`` also if they are damaged.
        """
        with self._explained("read", digest):
            data = bytes(self._s3.get(self._bucket, place_of(digest)).bytes())
        if check and digest_bytes(data) != digest:
            raise damaged(digest, self._url)
        return data

    def read_range(self, digest: str, start: int, length: int) -> bytes:
        """Give some of the bytes; fewer at the end."""
        with self._explained("read", digest):
            size = self._s3.head(self._bucket, place_of(digest))["size"]
            if start >= size or length <= 0:
                return b""
            end = min(size, start + length)
            return bytes(self._s3.get_range(self._bucket, place_of(digest), start=start, end=end))

    def fetch(self, digest: str, path: Path) -> None:
        """Write the bytes to a file, checked; see ArtifactStore."""
        with self._explained("read", digest), checked_file(path, digest, self._url) as write:
            for chunk in self._s3.get(self._bucket, place_of(digest)).stream(_CHUNK):
                write(chunk)

    def verify(self, digest: str) -> None:
        """Digest the bytes; see ArtifactStore."""
        with self._explained("read", digest):
            parts = self._s3.get(self._bucket, place_of(digest)).stream(_CHUNK)
            require_bytes((bytes(part) for part in parts), digest, self._url)

    def link(self, digest: str, *, expires: timedelta) -> str | None:
        """Sign an address that anyone may read the bytes from, for a while."""
        with self._explained("read", digest):
            return str(self._s3.sign(self._bucket, "GET", place_of(digest), expires))

    def exists(self, digest: str) -> bool:
        """Say whether the bytes are there."""
        with self._explained("read"):
            try:
                self._s3.head(self._bucket, place_of(digest))
            except (FileNotFoundError, self._errors.NotFoundError):
                return False
        return True

    def written_at(self, digest: str) -> datetime:
        """Say when the bytes were written last; see ArtifactStore."""
        with self._explained("read", digest):
            moment: datetime = self._s3.head(self._bucket, place_of(digest))["last_modified"]
        return moment

    def delete(self, digest: str, *, unless_written_since: datetime | None = None) -> None:
        """Remove the bytes; nothing happens if they are not there."""
        if unless_written_since is not None and (
            not self.exists(digest) or self.written_at(digest) >= unless_written_since
        ):
            return
        with self._explained("written"):
            try:
                self._s3.delete(self._bucket, place_of(digest))
            except (FileNotFoundError, self._errors.NotFoundError):
                return

    def list(self) -> list[str]:
        """List the digests of all stored bytes, sorted."""
        with self._explained("read"):
            places = [entry["path"] for page in self._s3.list(self._bucket) for entry in page]
        return sorted(digest for place in places if (digest := digest_at(place)))

    def path(self, digest: str) -> Path | None:  # noqa: ARG002 - the protocol's form
        """Give None: there is no file without copying."""
        return None

    def _create(self, digest: str, data: bytes) -> None:
        try:
            self._s3.put(self._bucket, place_of(digest), data, mode="create", use_multipart=False)
        except self._errors.AlreadyExistsError:
            if not self._is_fresh(digest):
                self._s3.put(self._bucket, place_of(digest), data, use_multipart=False)

    def _is_fresh(self, digest: str) -> bool:
        """Say whether the same bytes are there, and not so old that gc may be removing them."""
        return self.exists(digest) and now() - self.written_at(digest) < _FRESH

    @contextmanager
    def _explained(self, what: str, digest: str = "") -> Iterator[None]:
        try:
            yield
        except PenstockError:
            raise
        except (FileNotFoundError, self._errors.NotFoundError) as error:
            if digest and "NoSuchBucket" not in str(error):
                raise gone(digest, self._url) from error
            raise self._cannot(what, error) from error
        except (self._errors.BaseError, OSError, ValueError) as error:
            raise self._cannot(what, error) from error

    def _cannot(self, what: str, error: Exception) -> StoreError:
        text = " ".join(str(error).split())
        fix = next(
            (fix for words, fix in _FIXES if any(word in text for word in words)),
            "Check the bucket, the network and AWS_ENDPOINT_URL.",
        )
        return StoreError(
            what=f"The artifacts in {self._url} cannot be {what} ({text[:300]}).",
            why="Values that steps give are kept there.",
            fix=fix,
            url=self._url,
        )


_FIXES = (
    (("NoSuchBucket",), "Make the bucket, or correct PENSTOCK_ARTIFACTS: penstock makes none."),
    (
        ("AccessDenied", "403", "Forbidden", "InvalidAccessKeyId", "SignatureDoesNotMatch"),
        "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and what they may do in the bucket.",
    ),
    (
        ("169.254", "credential", "Credential"),
        "No credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
    ),
)


def _copy(path: Path, copy: IO[Any]) -> str:
    state = hashlib.sha256()
    try:
        with path.open("rb") as source:
            while chunk := source.read(_CHUNK):
                state.update(chunk)
                copy.write(chunk)
    except OSError as error:
        raise StoreError(
            what=f"{path} cannot be read or copied ({error.strerror or error}).",
            fix="Check its permissions, and the free space of the folder for temporary files.",
            path=path,
        ) from error
    return PREFIX + state.hexdigest()
