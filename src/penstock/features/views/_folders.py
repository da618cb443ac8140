"""The histories in a folder or bucket, by name; separate because listing a bucket needs obstore."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from penstock.core import StoreError, require, summarize_error
from penstock.data.sources import file_options
from penstock.stores import bucket_settings

_LOG = "_delta_log"


def list_histories(path: str, options: Mapping[str, str]) -> list[str]:
    """List the names of the Delta tables directly in a folder or below a URL.

    Args:
        path: The folder or URL; may not exist.
        options: Options of the object store, with references.

    Raises:
        StoreError: If the bucket cannot be listed.
    """
    if "://" in path:
        return _in_bucket(path, options)
    folder = Path(path)
    if not folder.is_dir():
        return []
    return sorted(each.name for each in folder.iterdir() if (each / _LOG).is_dir())


def _in_bucket(url: str, options: Mapping[str, str]) -> list[str]:
    obstore = require("obstore", extra="s3", purpose="feature views in a bucket")
    errors = require("obstore.exceptions", extra="s3", purpose="feature views in a bucket")
    folder = urlsplit(url).path.strip("/")
    try:
        bucket = _open(url, options)
        folders = obstore.list_with_delimiter(bucket, folder or None)["common_prefixes"]
        return sorted(
            each.rpartition("/")[2]
            for each in (name.rstrip("/") for name in folders)
            if f"{each}/{_LOG}" in _folders(obstore, bucket, each)
        )
    except (errors.BaseError, ValueError, OSError) as error:
        raise StoreError(
            what=f"The feature views in {url} cannot be listed: {summarize_error(error)}.",
            fix="Check the address, the credentials and the rights.",
        ) from None  # the context shows the request


def _open(url: str, options: Mapping[str, str]) -> Any:
    store = require("obstore.store", extra="s3", purpose="feature views in a bucket")
    parts = urlsplit(url)
    known = dict(file_options(options))
    plain = known.pop("aws_allow_http", known.pop("allow_http", "false")) == "true"
    settings = bucket_settings() if parts.scheme.startswith("s3") else {}
    plain |= settings.get("endpoint", "").startswith("http://")
    return store.from_url(
        f"{parts.scheme}://{parts.netloc}",
        config=known or None,
        client_options={"allow_http": plain},
        **settings,
    )


def _folders(obstore: Any, bucket: Any, folder: str) -> set[str]:
    prefixes = obstore.list_with_delimiter(bucket, folder)["common_prefixes"]
    return {each.rstrip("/") for each in prefixes}
