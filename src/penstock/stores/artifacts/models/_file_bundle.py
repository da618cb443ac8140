"""Files of a closed list of names as a single value: a zip whose bytes depend on the files alone."""

import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

_DATE = (1980, 1, 1, 0, 0, 0)


def pack_files(files: Mapping[str, bytes]) -> bytes:
    r"""Pack files; the order of the mapping makes no difference.

    >>> names = re.compile(r"[a-z]+\.txt")
    >>> unpack_files(pack_files({"b.txt": b"2", "a.txt": b"1"}), names)
    {'a.txt': b'1', 'b.txt': b'2'}
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, _DATE), files[name])
    return buffer.getvalue()


def unpack_files(data: bytes, names: re.Pattern[str]) -> dict[str, bytes]:
    """Unpack the bytes of `pack_files`, in memory.

    Args:
        data: The bytes.
        names: Pattern of a file's whole name.

    Raises:
        ValueError: If the bytes are no such archive: a foreign name, a name twice, compression, or
            a file that is larger than the archive.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            listed = [each.filename for each in entries]
            if strange := [name for name in listed if not names.fullmatch(name)]:
                raise ValueError(f"it has a file {strange[0][:80]!r}")
            if len(set(listed)) != len(listed):
                raise ValueError("it has a file twice")
            if any(each.compress_type != zipfile.ZIP_STORED for each in entries):
                raise ValueError("it is compressed")
            if sum(each.file_size for each in entries) > len(data):
                raise ValueError("its files are larger than itself")
            return {each.filename: archive.read(each) for each in entries}
    except (zipfile.BadZipFile, NotImplementedError, OSError, RuntimeError, EOFError) as error:
        raise ValueError(f"it is no archive of files ({error})") from error


def read_folder(folder: Path) -> dict[str, bytes]:
    """Read the files of a folder and of nested folders, by path with ``/``."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def write_folder(files: Mapping[str, bytes], folder: Path) -> None:
    """Write files into an empty folder; their names were checked by `unpack_files`."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
