"""Files of pictures and sounds: read whole, recognised by their bytes, all the rest refused."""

from pathlib import Path

from penstock.core import ParameterError
from penstock.stores import media_type


def read_media(source: str | Path | bytes, kind: str, wanted: str) -> bytes:
    """Read a media file, or accept the bytes.

    Args:
        source: Path of the file, or the contents.
        kind: Beginning of the media type: ``image/`` or ``audio/``.
        wanted: Description of the expected media, for the message.

    Raises:
        ParameterError: If the file cannot be read or is something else.
    """
    if isinstance(source, bytes):
        data, called = source, f"What begins with {source[:12]!r}"
    else:
        data, called = _read(Path(source)), str(source)
    if not (media_type(data) or "").startswith(kind):
        raise ParameterError(
            what=f"{called} is not {wanted}.",
            why="Other files could do something in the browser of who looks at them.",
            fix="Keep it with log_artifact, or convert it first.",
        )
    return data


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ParameterError(
            what=f"{str(path)[:200]} cannot be read ({reason}).", fix="Check the path.", path=path
        ) from error
