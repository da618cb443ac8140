"""Files of pictures and sounds, and nothing else: read whole, known by their bytes."""

from pathlib import Path

from penstock.core import ParameterError
from penstock.stores import media_type


def read_media(source: str | Path | bytes, kind: str, wanted: str) -> bytes:
    """Read a file, or take the bytes of one.

    Args:
        source: Its path, or what is in it.
        kind: How its media type begins: ``image/`` or ``audio/``.
        wanted: For the message.

    Raises:
        ParameterError: If it cannot be read or is something else.
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
