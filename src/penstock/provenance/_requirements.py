"""Requirements files: what they name, with the files that they include; read, never installed.

Step keys count them and images are made of them, so both read them here.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from penstock.core import DataError, NotFoundError, digest_json

_INCLUDE = re.compile(r"(?:-r|--requirement|-c|--constraint)(?:\s+|=)(?P<file>\S+)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_COMMENT = re.compile(r"(?:^|\s)#.*")
_EDITABLE = re.compile(r"(?:-e|--editable)(?:\s+|=)(?P<path>\S+)")
_LOCAL = re.compile(
    r"(?:-f|--find-links)(?:\s+|=)(?P<links>\S+)|(?P<path>\.\S*|\S+\.(?:whl|zip|tar\.gz))(?:\s.*)?"
    r"|[\w.\[\],-]+\s*@\s*file:(?P<file>\S+).*"
)


@dataclass(frozen=True, slots=True)
class Requirements:
    """The requirements of a file and of the files that it includes.

    Args:
        file: The file, relative to the project.
        files: Requirements of each file by path, relative to the project; without comments.
    """

    file: str
    files: Mapping[str, tuple[str, ...]]

    @property
    def digests(self) -> dict[str, str]:
        """Digest of each file's requirements; comments and blank lines do not count."""
        return {path: digest_json(list(lines)) for path, lines in self.files.items()}

    @property
    def packages(self) -> list[str]:
        """Requirements of packages, as written."""
        lines = (line for each in self.files.values() for line in each)
        return [line for line in lines if not line.startswith("-")]

    @property
    def names(self) -> set[str]:
        """Names of the packages, in lower case with hyphens."""
        found = (_NAME.match(line) for line in self.packages)
        return {re.sub(r"[._-]+", "-", name[0].lower()) for name in found if name}

    @property
    def unpinned(self) -> list[str]:
        """Packages without a fixed version."""
        return [line for line in self.packages if "==" not in line.split(";")[0]]

    @property
    def is_hashed(self) -> bool:
        """True if each package has a fixed version and a hash."""
        return (
            bool(self.packages)
            and all("==" in line and "--hash=" in line for line in self.packages)
            and not any(_EDITABLE.match(line) for each in self.files.values() for line in each)
        )

    @property
    def local_paths(self) -> list[str]:
        """Files and folders of the project that requirements name: ``-e .``, ``--find-links wheels``."""
        lines = (line for each in self.files.values() for line in each)
        matches = (_EDITABLE.fullmatch(line) or _LOCAL.fullmatch(line) for line in lines)
        named = [path for found in matches if found for path in found.groups() if path]
        return [path for path in named if "://" not in path]


def read_requirements(project: Path, file: str) -> Requirements:
    r"""Read a requirements file and the files that it includes with ``-r`` and ``-c``.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "gpu.txt").write_text("torch==2.13.0  # of the GPU\n-r base.txt\n")
    >>> _ = (folder / "base.txt").write_text("numpy\n")
    >>> found = read_requirements(folder, "gpu.txt")
    >>> found.packages, found.unpinned
    (['torch==2.13.0', 'numpy'], ['numpy'])

    Args:
        project: Folder that ``file`` is relative to.
        file: The file, with ``/``.

    Raises:
        NotFoundError: If a file cannot be read.
        DataError: If a file is outside the project.
    """
    files, ahead = dict[str, tuple[str, ...]](), [posixpath.normpath(file)]
    while ahead:
        path = ahead.pop(0)
        if path not in files:
            files[path] = tuple(_lines(_read(project, path, file)))
            ahead += [_relative(path, each) for each in _included(files[path])]
    return Requirements(posixpath.normpath(file), files)


def _read(project: Path, path: str, file: str) -> str:
    if path.startswith(("/", "../")):
        raise DataError(
            what=f"{file} names {path}, which is outside the project.",
            why="An image and a step's key are made of the project's files.",
            fix="Move the file into the project.",
        )
    try:
        return (project / path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotFoundError(
            what=f"The requirements file {path} cannot be read: {error}.",
            why="The step's key, and the image that executes it, are made of this file.",
            fix="Correct the path: it is relative to the project's folder, where pyproject.toml is.",
            path=path,
        ) from error


def _lines(text: str) -> Iterator[str]:
    """Return the requirements, each on a line of its own."""
    for line in text.replace("\\\n", " ").splitlines():
        plain = " ".join(_COMMENT.sub("", line).split())
        if plain:
            yield plain


def _included(lines: tuple[str, ...]) -> Iterator[str]:
    for line in lines:
        if found := _INCLUDE.fullmatch(line):
            yield found["file"]


def _relative(file: str, included: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(file), included))
