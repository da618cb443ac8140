"""Content-addressed objects in an S3 bucket, or in a bucket with the same protocol."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

from penstock.core import (
    ParameterError,
    PenstockError,
    SettingsError,
    StoreError,
    digest_bytes,
    now,
    require,
    require_name,
)
from penstock.stores.artifacts._ahead import ahead
from penstock.stores.artifacts._aws import bucket_settings
from penstock.stores.artifacts._digests import (
    CLAIMS,
    PREFIX,
    checked_file,
    damaged,
    digest_at,
    gone,
    place_of,
    readable,
    require_bytes,
)

_CHUNK = 1 << 20
_PART = 16 << 20
_MOST_PARTS = 9_000  # S3 allows 10,000
_AT_ONCE = 4  # parts in transfer at once, and so in memory
_WHOLE = 5 << 20  # below, a single request with "create only" is cheaper than a multipart upload
_READ = 8 << 20
_FILES_AT_ONCE = 8
# For other names obstore fails without a clear error.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
_PREFIX = re.compile(r"(?:(?!\.{1,2}(?:/|$))[\w!'()*.=+-]+(?:/|$))*", re.ASCII)
_LONGEST_LINK = timedelta(days=7)
# A request carries at most a part; a stalled request is sent again.
_CLIENT = {
    "connect_timeout": timedelta(seconds=5),
    "read_timeout": timedelta(seconds=30),
    "timeout": timedelta(minutes=2),
}
_RETRIES = {"max_retries": 5, "retry_timeout": timedelta(minutes=2)}
# Older bytes are written again: gc spares bytes written within the last hour.
_FRESH = timedelta(minutes=30)
_PURPOSE = "artifacts in S3"


class S3Artifacts:
    """An ArtifactStore in a bucket.

    Credentials, region and endpoint come from the same sources as in the AWS tools:
    ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_REGION``, ``AWS_ENDPOINT_URL``, the keys
    of ``AWS_PROFILE``, or the machine's role. Requests that fail on the way are sent again.

    Threads: may be used from any thread.

    Args:
        url: ``s3://bucket`` or ``s3://bucket/prefix``.

    Raises:
        SettingsError: If the URL names no bucket.
        MissingPackageError: If obstore is not installed.
    """

    def __init__(self, url: str) -> None:
        bucket, _, prefix = url.removeprefix("s3://").strip("/").partition("/")
        if not _BUCKET.fullmatch(bucket) or not _PREFIX.fullmatch(prefix):
            raise SettingsError(
                what=f"s3://{url.removeprefix('s3://').rpartition('@')[2]} names no bucket,"
                " or no prefix in one.",
                why="A bucket has 3 to 63 small letters, digits, dots and dashes; keys for it"
                " stand in the environment, not in the URL.",
                fix="Write s3://bucket or s3://bucket/prefix",
            )
        self._url = f"s3://{bucket}/{prefix}".rstrip("/")
        self._s3 = require("obstore", extra="s3", purpose=_PURPOSE)
        self._errors = require("obstore.exceptions", extra="s3", purpose=_PURPOSE)
        store = require("obstore.store", extra="s3", purpose=_PURPOSE)
        settings = bucket_settings()
        plain = settings.get("endpoint", "").startswith("http://")
        with self._explained("opened"):
            self._bucket = store.S3Store(
                bucket,
                prefix=prefix or None,
                client_options={**_CLIENT, "allow_http": plain},
                retry_config=_RETRIES,
                **settings,
            )

    @property
    def url(self) -> str:
        """URL of the bucket, ``s3://bucket/prefix``."""
        return self._url

    def write(self, data: bytes) -> str:
        """Store bytes and return the digest, ``sha256:…``."""
        digest = digest_bytes(data)
        with self._explained("written"):
            if len(data) < _WHOLE:
                self._create(digest, data)
            elif not self._is_fresh(digest):
                self._s3.put(self._bucket, place_of(digest), data, chunk_size=_PART)
        return digest

    def write_many(self, values: Sequence[bytes]) -> list[str]:
        """Store byte strings; see ArtifactStore."""
        with ThreadPoolExecutor(_FILES_AT_ONCE) as threads:
            return list(threads.map(self.write, values))

    def write_file(self, path: Path) -> str:
        """Store a file's bytes in chunks, without the whole file in memory."""
        return self._write_file(path)[0]

    def write_files(self, paths: Sequence[Path]) -> list[tuple[str, int]]:
        """Store the bytes of files; see ArtifactStore."""
        with ThreadPoolExecutor(_FILES_AT_ONCE) as threads:
            return list(threads.map(self._write_file, paths))

    def read(self, digest: str, *, check: bool = False) -> bytes:
        """Return the bytes.

        Raises:
            StoreError: If they are gone; with ``check`` also if they are damaged.
        """
        with self._explained("read", digest):
            data = bytes(self._s3.get(self._bucket, place_of(digest)).bytes())
        if check and digest_bytes(data) != digest:
            raise damaged(digest, self._url)
        return data

    def read_range(self, digest: str, start: int, length: int) -> bytes:
        """Return a range of the bytes; fewer at the end."""
        with self._explained("read", digest):
            size = self._size(digest)
            if start >= size or length <= 0:
                return b""
            end = min(size, start + length)
            return bytes(self._s3.get_range(self._bucket, place_of(digest), start=start, end=end))

    def fetch(self, digest: str, path: Path) -> None:
        """Write the bytes to a file, checked; see ArtifactStore."""
        size = self._size(digest)
        with self._explained("read", digest), checked_file(path, digest, self._url) as write:
            for part in ahead(self._parts(digest, size)):
                write(part)

    def verify(self, digest: str) -> None:
        """Check the digest of the bytes; see ArtifactStore."""
        size = self._size(digest)
        with self._explained("read", digest):
            require_bytes(ahead(self._parts(digest, size)), digest, self._url)

    def link(self, digest: str, *, expires: timedelta) -> str | None:
        """Return a signed URL from which anyone may read the bytes for a limited time.

        Raises:
            ParameterError: If the time is longer than S3 allows.
        """
        if not timedelta(seconds=1) <= expires <= _LONGEST_LINK:
            raise ParameterError(
                what=f"A link to {self._url} cannot expire after {expires}.",
                why="S3 signs links for one second to seven days.",
                fix="Choose a time within them, and sign again when it is over.",
            )
        with self._explained("read", digest):
            return str(self._s3.sign(self._bucket, "GET", place_of(digest), expires))

    def exists(self, digest: str) -> bool:
        """Return whether the bytes exist."""
        with self._explained("read"):
            try:
                self._s3.head(self._bucket, place_of(digest))
            except (FileNotFoundError, self._errors.NotFoundError):
                return False
        return True

    def written_at(self, digest: str) -> datetime:
        """Return the time of the last write of the bytes; see ArtifactStore."""
        with self._explained("read", digest):
            moment: datetime = self._s3.head(self._bucket, place_of(digest))["last_modified"]
        return moment

    def delete(self, digest: str, *, unless_written_since: datetime | None = None) -> None:
        """Delete the bytes; nothing happens if they are absent."""
        if unless_written_since is not None and (
            not self.exists(digest) or self.written_at(digest) >= unless_written_since
        ):
            return
        with self._explained("written"):
            try:
                self._s3.delete(self._bucket, place_of(digest))
            except (FileNotFoundError, self._errors.NotFoundError):
                return

    def claim(self, owner: str, told: str) -> None:
        """Record that a store has bytes here; see ArtifactStore."""
        require_name(owner, "store")
        with self._explained("written"):
            self._s3.put(self._bucket, f"{CLAIMS}/{owner}", told.encode(), use_multipart=False)

    def claims(self) -> dict[str, str]:
        """Return the stores with bytes here; see ArtifactStore."""
        with self._explained("read"):
            pages = self._s3.list(self._bucket, prefix=CLAIMS)
            places = [entry["path"] for page in pages for entry in page]
            return {
                place.rpartition("/")[2]: bytes(self._s3.get(self._bucket, place).bytes()).decode()
                for place in places
            }

    def list(self) -> list[str]:
        """List the digests of all stored bytes, sorted."""
        with self._explained("read"):
            places = [entry["path"] for page in self._s3.list(self._bucket) for entry in page]
        return sorted(digest for place in places if (digest := digest_at(place)))

    def path(self, digest: str) -> Path | None:  # noqa: ARG002 - the protocol's form
        """Return None: there is no file without copying."""
        return None

    def _create(self, digest: str, data: bytes) -> None:
        try:
            self._s3.put(self._bucket, place_of(digest), data, mode="create", use_multipart=False)
        except self._errors.AlreadyExistsError:
            if not self._is_fresh(digest):
                self._s3.put(self._bucket, place_of(digest), data, use_multipart=False)

    def _is_fresh(self, digest: str) -> bool:
        """Return whether the same bytes exist, and are too young for gc to remove."""
        return self.exists(digest) and now() - self.written_at(digest) < _FRESH

    def _write_file(self, path: Path) -> tuple[str, int]:
        with readable(path) as source:
            start = source.read(_WHOLE)
            if len(start) < _WHOLE:
                return self.write(start), len(start)
            # Digested first: bytes get a name in the bucket only when the name is known to be
            # right.
            source.seek(0)
            digest = PREFIX + hashlib.file_digest(source, "sha256").hexdigest()  # type: ignore[arg-type] # an open file
            size = source.tell()
            if not self._is_fresh(digest):
                self._send(source, digest, size, path)
        return digest, size

    def _size(self, digest: str) -> int:
        with self._explained("read", digest):
            return int(self._s3.head(self._bucket, place_of(digest))["size"])

    def _send(self, source: IO[bytes], digest: str, size: int, path: Path) -> None:
        source.seek(0)
        parts = _proved(source, digest, size, path)
        chunk = max(_PART, -(-size // _MOST_PARTS))
        place = place_of(digest)
        with self._explained("written"):
            self._s3.put(self._bucket, place, parts, chunk_size=chunk, max_concurrency=_AT_ONCE)

    def _parts(self, digest: str, size: int) -> Iterator[bytes]:
        place = place_of(digest)
        for start in range(0, size, _READ):
            end = min(size, start + _READ)
            yield bytes(self._s3.get_range(self._bucket, place, start=start, end=end))

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
        text = str(error)
        fix = next(
            (fix for words, fix in _FIXES if any(word in text for word in words)),
            "Check the bucket, the network and AWS_ENDPOINT_URL.",
        )
        return StoreError(
            what=f"The artifacts in {self._url} cannot be {what} ({_error_text(text)}).",
            why="Step outputs are stored there.",
            fix=fix,
            url=self._url,
        )


_FIXES = (
    (("NoSuchBucket",), "Make the bucket, or correct PENSTOCK_ARTIFACTS: penstock makes none."),
    (
        ("169.254", "credential", "Credential"),
        "No credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
    ),
    (
        ("AccessDenied", "403", "Forbidden", "InvalidAccessKeyId", "SignatureDoesNotMatch"),
        "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and what they may do in the bucket.",
    ),
)


def _error_text(text: str) -> str:
    """Return S3's error, or else the reason, without the request."""
    matches = [re.search(f"<{tag}>(.*?)</{tag}>", text) for tag in ("Code", "Message")]
    words = ": ".join(match[1] for match in matches if match)
    return (words or " ".join(_reason(text).split())).rstrip(".")[:300]


def _reason(text: str) -> str:
    """Return an error's text without the request and retry count: the URL is given elsewhere."""
    return text.partition("Debug source")[0].rpartition(" - ")[2]


def _proved(source: IO[bytes], digest: str, size: int, path: Path) -> Iterator[bytes]:
    """Yield a file's bytes; raise at the end, before the object exists, if the file has changed."""
    state = hashlib.sha256()
    while part := source.read(min(_CHUNK, size)):
        size -= len(part)
        state.update(part)
        yield part
    if PREFIX + state.hexdigest() != digest:
        raise StoreError(
            what=f"{path} changed while it was sent.",
            why="Artifacts are named by the digest of their bytes.",
            fix="Log it when nothing writes to it, or log a copy.",
            path=path,
        )
