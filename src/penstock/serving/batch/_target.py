"""BatchTarget: the file, folder or object that a batch is written to: whole, or not at all."""

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from penstock.core import (
    ConflictError,
    ParameterError,
    did_you_mean,
    find_project,
    require,
    require_type,
)
from penstock.serving.batch._options import TargetFormat
from penstock.stores import bucket_settings

_ENDINGS: dict[str, TargetFormat] = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".jsonl": "json",
    ".ndjson": "json",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}
_LAST = {
    "parquet": ".parquet",
    "csv": ".csv",
    "json": ".jsonl",
    "arrow": ".arrow",
    "delta": ".parquet",
}
_LOG = "_delta_log"
_SCHEMES = ("s3", "gs", "az")


@dataclass(frozen=True, slots=True)
class BatchTarget:
    """Where predictions go.

    Args:
        url: Path or URL as given; a folder ends with ``/``.
        format: Format of the files; ``delta`` is a folder with a Delta table.
    """

    url: str
    format: TargetFormat

    @classmethod
    def of(cls, out: object, file_format: str | None) -> "BatchTarget":
        """Read a target.

        >>> BatchTarget.of("scores.csv", None).format, BatchTarget.of("scores/", None).format
        ('csv', 'parquet')

        Raises:
            ParameterError: If the target or the format cannot be used.
        """
        require_type("out", out, (str, os.PathLike), 'Give a path: out="scores.parquet".')
        text = os.fspath(out)  # type: ignore[call-overload] # checked above
        if not text.strip():
            raise ParameterError(what="out is empty.", fix='Give a path: out="scores.parquet".')
        scheme, mark, _ = text.partition("://")
        if mark and scheme not in _SCHEMES:
            raise ParameterError(
                what=f"{scheme}:// is no place for predictions.",
                fix=did_you_mean(scheme, _SCHEMES)
                if scheme[:1] in {"s", "g", "a"}
                else "Write to a file, to s3://, gs:// or az://, or to a table of a database"
                " (postgresql://host/shop?table=scores).",
            )
        known = get_args(TargetFormat)
        if file_format is not None and file_format not in known:
            raise ParameterError(
                what=f"format={file_format!r} is not known.", fix=did_you_mean(file_format, known)
            )
        if file_format == "delta":
            require("deltalake", extra="delta", purpose="writing a Delta table")
            text = text.rstrip("/") + "/"
        ending = Path(text).suffix.lower()
        if text.endswith("/"):
            if mark and not _key(text):
                raise ParameterError(what=f"{text} names no folder.", fix=f"Write {text}scores/.")
            return cls(text, file_format or "parquet")  # type: ignore[arg-type] # checked above
        chosen_format = file_format or _ENDINGS.get(ending)
        if chosen_format is None:
            raise ParameterError(
                what=f"The format of {text} cannot be told from its ending {ending!r}.",
                fix=f"Give format= ({', '.join(known)}), an ending such as .parquet, or a folder: {text}/",
            )
        return cls(text, chosen_format)  # type: ignore[arg-type] # checked above

    @property
    def is_folder(self) -> bool:
        """Whether the target has a file per part."""
        return self.url.endswith("/")

    @property
    def is_remote(self) -> bool:
        """Whether the target lies in a bucket."""
        return "://" in self.url

    @property
    def path(self) -> Path:
        """The local path."""
        return Path(self.url).absolute()

    @property
    def refused_url(self) -> str:
        """Path or URL of the file with the refused rows."""
        return f"{self.url.rstrip('/')}.refused.jsonl"

    def refused_place(self, batch_id: str) -> str:  # noqa: ARG002 - a file has one batch
        """Return the path or URL of the file with the refused rows of a batch."""
        return self.refused_url

    def is_published(self, batch_id: str) -> bool:  # noqa: ARG002
        """Return whether the target of a batch that was about to appear is there."""
        return self.exists()

    def staging(self, digest: str) -> Path:
        """Return the hidden folder in which parts wait."""
        if self.is_remote:
            return find_project() / ".penstock" / "batches" / digest
        return self.path.parent / f".{self.path.name}.penstock-{digest}"

    def exists(self) -> bool:
        """Check whether the target is there."""
        if not self.is_remote:
            return self.path.exists()
        store, obstore, errors = _bucket(self.url)
        if self.is_folder:
            return bool(obstore.list(store, prefix=_key(self.url)).collect())
        try:
            obstore.head(store, _key(self.url))
        except (errors.NotFoundError, FileNotFoundError):
            return False
        return True

    def require_absent(self) -> None:
        """Check that nothing would be overwritten.

        Raises:
            ConflictError: If the target exists.
        """
        if self.exists() or (not self.is_remote and Path(self.refused_url).exists()):
            raise self.conflict()
        if not self.is_remote and not self.path.parent.is_dir():
            raise ParameterError(
                what=f"There is no folder {self.path.parent}.", fix=f"mkdir -p {self.path.parent}"
            )

    def conflict(self) -> ConflictError:
        """Return the error for a target that exists."""
        return ConflictError(
            what=f"{self.url} exists, or {self.refused_url} does.",
            why="A batch overwrites no file.",
            fix="Choose another --out, or remove it first.",
            path=self.url,
        )

    def make(self, parts: Sequence[Path], work: Path) -> Path:
        """Make the file or folder of the staged parts, in order, without showing them yet.

        Args:
            parts: Staged parts, Arrow files.
            work: Folder for files under way, on the target's file system.
        """
        if not self.is_folder:
            made = work / f"target{_LAST[self.format]}"
            _write(parts, made, self.format)
            _sync(made)
            return made
        made = work / "target"
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()
        if self.format == "delta":
            _write_delta(parts, made)
            return made
        for number, part in enumerate(parts):
            file = made / f"part-{number:06}{_LAST[self.format]}"
            _write([part], file, self.format)
            _sync(file)
        return made

    def publish(self, made: Path, refused: Path | None) -> None:
        """Let the target appear, after the file of refused rows.

        Args:
            made: A result of ``make``.
            refused: The file of refused rows, if there are any.

        Raises:
            ConflictError: If the target came into being meanwhile.
        """
        if self.is_remote:
            self._upload(made, refused)
            return
        if refused is not None:
            refused.replace(self.refused_url)
        try:
            if self.is_folder:
                made.rename(self.path)
            else:
                os.link(made, self.path)  # fails where a file is, unlike a rename
        except OSError as error:
            if self.exists():
                raise self.conflict() from error
            raise

    def _upload(self, made: Path, refused: Path | None) -> None:
        store, obstore, _ = _bucket(self.url)
        if refused is not None:
            obstore.put(store, _key(self.refused_url), refused)
        key = _key(self.url)
        if not self.is_folder:
            obstore.put(store, key, made)
            return
        files = [file.relative_to(made) for file in made.rglob("*") if file.is_file()]
        # The log comes last: a Delta table is there when its log is.
        for file in sorted(files, key=lambda each: (each.parts[0] == _LOG, each)):
            obstore.put(store, f"{key}/{file.as_posix()}", made / file)


def _write(parts: Sequence[Path], made: Path, file_format: TargetFormat) -> None:
    import polars as pl

    rows = pl.concat([pl.scan_ipc(part) for part in parts])
    if file_format == "csv":
        rows = rows.with_columns(pl.col("warnings").list.join(" "))
    sinks: dict[str, Any] = {
        "parquet": rows.sink_parquet,
        "csv": rows.sink_csv,
        "json": rows.sink_ndjson,
        "arrow": rows.sink_ipc,
    }
    sinks[file_format](made, maintain_order=True)


def _write_delta(parts: Sequence[Path], folder: Path) -> None:
    """Write a Delta table of the parts in a single version."""
    import polars as pl

    purpose = "writing a Delta table"
    delta = require("deltalake", extra="delta", purpose=purpose)
    arrow = require("arro3.core", extra="delta", purpose=purpose)
    schema = arrow.Table(pl.read_ipc(parts[0], n_rows=0)).schema

    def batches() -> Iterator[Any]:
        for part in parts:
            yield from arrow.Table(pl.read_ipc(part)).to_batches()

    reader = arrow.RecordBatchReader.from_batches(schema, batches())
    delta.write_deltalake(folder.as_posix(), reader, mode="error")
    for file in folder.rglob("*"):
        if file.is_file():
            _sync(file)


def _sync(file: Path) -> None:
    with file.open("rb") as opened:
        os.fsync(opened.fileno())


def _bucket(url: str) -> tuple[Any, Any, Any]:
    purpose = "predictions in a bucket"
    obstore = require("obstore", extra="s3", purpose=purpose)
    stores = require("obstore.store", extra="s3", purpose=purpose)
    errors = require("obstore.exceptions", extra="s3", purpose=purpose)
    scheme, _, rest = url.partition("://")
    settings = bucket_settings() if scheme == "s3" else {}
    plain = settings.get("endpoint", "").startswith("http://")
    root = f"{scheme}://{rest.partition('/')[0]}"
    opened = stores.from_url(root, client_options={"allow_http": plain}, **settings)
    return opened, obstore, errors


def _key(url: str) -> str:
    """Return the key of an object.

    >>> _key("s3://bucket/scores/may/")
    'scores/may'
    """
    return url.partition("://")[2].partition("/")[2].strip("/")


def read_prediction(target: "BatchTarget", prediction_id: str) -> "dict[str, Any] | None":
    """Return the row of a prediction in the target; None if the target is not there."""
    import polars as pl

    if target.is_remote or not target.path.exists():
        return None
    if target.format == "delta":
        require("deltalake", extra="delta", purpose="reading a prediction from a Delta table")
    place = str(target.path / f"*{_LAST[target.format]}") if target.is_folder else str(target.path)
    scans: dict[str, Any] = {
        "parquet": pl.scan_parquet,
        "csv": pl.scan_csv,
        "json": pl.scan_ndjson,
        "arrow": pl.scan_ipc,
        "delta": lambda _: pl.scan_delta(target.path.as_posix()),
    }
    rows: pl.LazyFrame = scans[target.format](place)
    matching = rows.filter(pl.col("prediction_id") == prediction_id).collect()
    return matching.row(0, named=True) if matching.height else None
