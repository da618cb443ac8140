"""What exports to SageMaker share: clients, names, files in S3."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.core import ArtifactRecord, ParameterError, StoreError, digest_bytes, require

if TYPE_CHECKING:
    from penstock.stores import Store

_PLACE = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?")
_ILLEGAL = re.compile(r"[^a-z0-9]+")
_MARK = 9  # a dash and eight digits
_PART = 1 << 20


class AwsTarget:
    """A region of AWS with a folder in S3, by the credentials that boto3 finds.

    Args:
        to: ``s3://bucket/prefix``, where files are written.
        region: The region; by default boto3's.

    Raises:
        ParameterError: If ``to`` is no place in S3.
        MissingPackageError: If boto3 is not installed.
    """

    def __init__(self, to: str, region: str | None) -> None:
        match = _PLACE.fullmatch(to.rstrip("/"))
        if match is None:
            raise ParameterError(
                what=f"{to!r} is no place in S3.",
                why="SageMaker reads files from S3 only.",
                fix="Give a bucket, and a prefix if you like: --to s3://bucket/prefix",
                to=to,
            )
        self.bucket, self._prefix = match[1], (match[2] or "").strip("/")
        boto3 = require("boto3", extra="sagemaker", purpose="exports to SageMaker")
        self._session = boto3.session.Session(region_name=region)
        self.sagemaker = self.client("sagemaker")
        self._s3 = self.client("s3")

    def client(self, service: str) -> Any:
        """Return a client of a service."""
        from botocore.exceptions import BotoCoreError

        try:
            return self._session.client(service)
        except BotoCoreError as error:
            raise ParameterError(
                what=f"AWS cannot be called: {error}",
                fix="Give --region, or set AWS_DEFAULT_REGION and credentials for boto3.",
            ) from error

    def call(self, client: Any, method: str, **values: Any) -> dict[str, Any]:
        """Call AWS.

        Raises:
            StoreError: If AWS refuses or does not answer; a repeated export goes on.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return dict(getattr(client, method)(**values))
        except (ClientError, BotoCoreError) as error:
            raise StoreError(
                what=f"AWS refuses {method}: {error}",
                fix="Correct it there, and export again: what was written whole is not written again.",
            ) from error

    def find(self, method: str, **values: Any) -> dict[str, Any] | None:
        """Call a method that describes something; None if there is no such thing."""
        from botocore.exceptions import ClientError

        try:
            return self.call(self.sagemaker, method, **values)
        except StoreError as error:
            cause = error.__cause__
            if isinstance(cause, ClientError) and _is_missing(cause.response):
                return None
            raise

    def pages(self, method: str, entry: str, **values: Any) -> Iterator[dict[str, Any]]:
        """Yield all rows of a list."""
        more: dict[str, Any] = {}
        while True:
            found = self.call(self.sagemaker, method, **values, **more)
            yield from found.get(entry, [])
            token = found.get("NextToken")
            if not token:
                return
            more = {"NextToken": token}

    def uri(self, name: str) -> str:
        """Return the URI of a file."""
        return f"s3://{self.bucket}/{self._key(name)}"

    def has(self, name: str, size: int) -> bool:
        """Return whether a file of a size is there."""
        from botocore.exceptions import ClientError

        try:
            found = self.call(self._s3, "head_object", Bucket=self.bucket, Key=self._key(name))
        except StoreError as error:
            cause = error.__cause__
            if isinstance(cause, ClientError) and cause.response["Error"]["Code"] in {
                "404",
                "NoSuchKey",
            }:
                return False
            raise
        return bool(found["ContentLength"] == size)

    def upload(self, name: str, file: Path) -> None:
        """Write a file; large ones in parts."""
        from boto3.exceptions import S3UploadFailedError
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._s3.upload_file(str(file), self.bucket, self._key(name))
        except (S3UploadFailedError, BotoCoreError, ClientError) as error:
            raise StoreError(
                what=f"{self.uri(name)} cannot be written: {error}",
                fix="Check the bucket and your rights, and export again.",
            ) from error

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}".lstrip("/")


def aws_name(text: str, *, most: int) -> str:
    """Return a name that SageMaker accepts; two texts that differ give two names.

    >>> aws_name("churn", most=63), aws_name("Churn model", most=63)
    ('churn', 'churn-model-f19c3526')
    """
    plain = _ILLEGAL.sub("-", text.lower()).strip("-")
    if plain == text and len(plain) <= most:
        return plain
    mark = digest_bytes(text.encode()).removeprefix("sha256:")[: _MARK - 1]
    return f"{plain[: most - _MARK].strip('-')}-{mark}".lstrip("-")


def write_parts(store: "Store", record: ArtifactRecord, file: Path) -> None:
    """Write a stored value to a file, as it is stored."""
    with file.open("wb") as opened:
        for part in store.stream(record):
            opened.write(part)


def sha256_of(file: Path) -> str:
    """Return the digest of a file in hexadecimal digits."""
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while part := opened.read(_PART):
            digest.update(part)
    return digest.hexdigest()


def all_parts(
    store: "Store", records: Mapping[str, ArtifactRecord]
) -> Iterator[tuple[str, ArtifactRecord]]:
    """Yield the stored values that artifacts are made of, by name with slashes."""
    for name, record in records.items():
        parts = store.parts(record)
        if parts:
            yield from all_parts(store, {f"{name}/{part}": each for part, each in parts.items()})
        else:
            yield name, record


def _is_missing(answer: Mapping[str, Any]) -> bool:
    error = answer.get("Error", {})
    told = str(error.get("Message", "")).lower()
    if error.get("Code") in {"ResourceNotFound", "ResourceNotFoundException"}:
        return True
    # SageMaker says so in words where it has no code for it.
    return error.get("Code") == "ValidationException" and (
        "does not exist" in told or "could not find" in told
    )
