"""Objects in a bucket: listed, fetched as they were listed, and read again by version."""

import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from itertools import repeat
from pathlib import Path
from typing import Any

from penstock.core import DataError, NotFoundError, ParameterError, did_you_mean, require
from penstock.data.sources._located import GLOB_MARKS, SourceFile, glob_pattern, is_hidden
from penstock.data.sources._paths import require_no_table
from penstock.data.sources._references import require_no_secrets
from penstock.data.sources._row_groups import LEAST_BYTES, fetch_row_groups
from penstock.data.sources._window import Window
from penstock.stores import bucket_settings

BUCKET_SCHEMES = frozenset({"s3", "s3a", "gs", "az", "azure", "abfs", "abfss"})

_PURPOSE = "rows from a bucket"
_FRAME = re.compile(r"^Generic \w+ error: (?:Error performing list request: )?")
_AT_ONCE = 8
_CHUNK = 8 << 20
_CLIENT = {
    "connect_timeout": timedelta(seconds=5),
    "read_timeout": timedelta(seconds=30),
    "timeout": timedelta(minutes=10),
}
_RETRIES = {"max_retries": 5, "retry_timeout": timedelta(minutes=2)}


class Bucket:
    """The objects that a URL names: one, all below a prefix, or those of a glob.

    Credentials come from the environment, as for the tools of the bucket's provider; they are no
    part of the URL.

    Args:
        url: ``s3://bucket/key``, ``gs://…`` or ``az://container/…``; the key may hold a glob.

    Raises:
        ParameterError: If the URL names no bucket, or holds a secret.
        MissingPackageError: If obstore is not installed.
    """

    def __init__(self, url: str) -> None:
        require_no_secrets("FileSource", url)
        # No URL of the web: a question mark is part of a glob, a hash of a key.
        scheme, _, rest = url.partition("://")
        bucket, _, key = rest.partition("/")
        if not bucket:
            raise ParameterError(
                what=f"{url} names no bucket.", fix="Write s3://bucket/folder/*.parquet."
            )
        self._url, self._key = url, key.strip("/")
        self._root = f"{scheme.lower()}://{bucket}"
        self._obstore = require("obstore", extra="s3", purpose=_PURPOSE)
        self._errors = require("obstore.exceptions", extra="s3", purpose=_PURPOSE)
        store = require("obstore.store", extra="s3", purpose=_PURPOSE)
        settings = bucket_settings() if scheme.lower().startswith("s3") else {}
        plain = settings.get("endpoint", "").startswith("http://")
        with self._explained("opened"):
            self._bucket = store.from_url(
                self._root,
                client_options={**_CLIENT, "allow_http": plain},
                retry_config=_RETRIES,
                **settings,
            )

    def find(self) -> list[SourceFile]:
        """List the objects in order of key.

        Raises:
            NotFoundError: If there are none.
            DataError: If the bucket does not answer.
        """
        key = self._key
        if not any(mark in key for mark in GLOB_MARKS):
            found = self._head(key) if key else None
            if found is not None:
                return [found]
            folder, matches = f"{key}/" if key else "", re.compile(".*", re.DOTALL).fullmatch
        else:
            plain = key[: min(key.index(mark) for mark in GLOB_MARKS if mark in key)]
            folder, matches = plain.rpartition("/")[0], glob_pattern(key).fullmatch
        with self._explained("listed"):
            metas = [
                meta for part in self._obstore.list(self._bucket, folder or None) for meta in part
            ]
        files = [
            _file(meta, folder.strip("/"))
            for meta in metas
            if matches(meta["path"]) and not is_hidden(meta["path"].removeprefix(folder))
        ]
        logs = [meta["path"].partition("_delta_log/") for meta in metas]
        tables = tuple({before for before, mark, _ in logs if mark})
        require_no_table(self._url, any(file.key.startswith(tables) for file in files))
        if not files:
            raise self._nothing([meta["path"] for meta in metas])
        return sorted(files, key=lambda file: file.key)

    def fetch(
        self, files: Sequence[SourceFile], folder: Path, window: Window | None = None
    ) -> list[SourceFile]:
        """Copy objects into a folder, in the state in which they were listed or recorded.

        Args:
            files: The objects.
            folder: An empty folder.
            window: The requested rows, if the objects are Parquet: row groups that can hold none
                may be left out.

        Returns:
            The files with their place and the state that was read.

        Raises:
            DataError: If an object changed or is gone.
        """
        places = [folder / f"{index:06}" / Path(file.key).name for index, file in enumerate(files)]
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            return list(threads.map(self._fetch, files, places, repeat(window)))

    def _fetch(self, file: SourceFile, place: Path, window: Window | None) -> SourceFile:
        place.parent.mkdir()
        size = file.state.get("size", 0)
        try:
            with self._explained("read"):
                if window is not None and size >= LEAST_BYTES:

                    def read(start: int, end: int) -> bytes:
                        return bytes(self._get(file, range=(start, end)).bytes())

                    if fetch_row_groups(read, size, place, window):
                        return file.at(place, file.state)
                result = self._get(file)
                state = _state(result.meta)
                with place.open("wb") as target:
                    for chunk in result.stream(min_chunk_size=_CHUNK):
                        target.write(chunk)
        except (self._errors.PreconditionError, self._errors.NotModifiedError):
            raise self._changed(file) from None
        except (self._errors.NotFoundError, FileNotFoundError):
            raise _gone(file, self._root) from None
        if place.stat().st_size != state["size"]:
            raise self._changed(file)
        return file.at(place, state)

    def _get(self, file: SourceFile, **options: object) -> Any:
        """Request an object, or a range of it, in the state in which it was listed or recorded."""
        known = file.state
        if known.get("version"):
            options["version"] = known["version"]
        elif known.get("etag"):
            options["if_match"] = known["etag"]
        result = self._obstore.get(self._bucket, file.key, options=options)
        state = _state(result.meta)
        # Not every server heeds the condition of the request.
        if any(state.get(name) != value for name, value in known.items()):
            raise self._changed(file)
        return result

    def _head(self, key: str) -> SourceFile | None:
        try:
            with self._explained("read"):
                meta = self._obstore.head(self._bucket, key)
        except (self._errors.NotFoundError, FileNotFoundError):
            return None
        return _file(meta, key.rpartition("/")[0])

    @contextmanager
    def _explained(self, done: str) -> Iterator[None]:
        missing = (self._errors.NotFoundError, self._errors.PreconditionError, FileNotFoundError)
        try:
            yield
        except (*missing, self._errors.NotModifiedError):
            raise
        except (self._errors.BaseError, ValueError, OSError) as error:
            raise DataError(
                what=f"{self._root} cannot be {done}: {_first_line(error)}",
                why="The bucket does not exist, refuses the credentials of the environment, or"
                " does not answer.",
                fix="Check its name, and the variables of its provider (AWS_REGION,"
                " AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, GOOGLE_APPLICATION_CREDENTIALS,"
                " AZURE_STORAGE_ACCOUNT_NAME …).",
                url=self._root,
            ) from None  # the context shows the request

    def _nothing(self, keys: Sequence[str]) -> NotFoundError:
        near = did_you_mean(Path(self._key).name, {Path(key).name for key in keys})
        return NotFoundError(
            what=f"There is no object {self._url}.",
            why=f"{len(keys):,} objects are below that folder." if keys else "",
            fix=near if near.startswith("Did") else "Check bucket and key.",
            url=self._url,
        )

    def _changed(self, file: SourceFile) -> DataError:
        return DataError(
            what=f"{self._root}/{file.key} changed since it was listed or recorded"
            f" ({_shown(file.state)}).",
            why="Other rows would be read than those that were listed or recorded.",
            fix="Run again for the rows of now. To read earlier rows again, turn on versions of the"
            " bucket; the rows of the earlier run are in its snapshot.",
            url=f"{self._root}/{file.key}",
        )


def _file(meta: Mapping[str, Any], root: str) -> SourceFile:
    key = meta["path"]
    return SourceFile(key, key.removeprefix(f"{root}/") if root else key, _state(meta))


def _state(meta: Mapping[str, Any]) -> dict[str, Any]:
    modified = meta["last_modified"]
    state = {
        "size": meta["size"],
        "etag": meta.get("e_tag"),
        "version": meta.get("version"),
        "modified": None if meta.get("e_tag") else str(modified),
    }
    return {name: value for name, value in state.items() if value not in {None, "null"}}


def _shown(state: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in state.items())


def _gone(file: SourceFile, root: str) -> DataError:
    return DataError(
        what=f"{root}/{file.key} is gone ({_shown(file.state)}).",
        why="The rows that it held cannot be read again from there.",
        fix="The rows of the earlier run are in its snapshot.",
        url=f"{root}/{file.key}",
    )


def _first_line(error: BaseException) -> str:
    """Return the client's words without their frame and without the server's page."""
    text = (str(error).strip().splitlines() or [type(error).__name__])[0].partition("<?xml")[0]
    return _FRAME.sub("", text)[:300].rstrip(".: ") + "."
