"""Media types of pictures and sounds, read from their first bytes; separate, as none is guessed."""

_STARTS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"fLaC": "audio/flac",
    b"OggS": "audio/ogg",
    b"ID3": "audio/mpeg",
    b"\xff\xfb": "audio/mpeg",
    b"\xff\xf3": "audio/mpeg",
}
# A RIFF file contains the type after the length.
_RIFF = {b"WAVE": "audio/wav", b"WEBP": "image/webp"}


def media_type(data: bytes) -> str | None:
    """Return the media type of a picture or sound by the first bytes; None for the rest.

    SVG and HTML are among the rest: they can hold scripts, and are never shown as pictures.

    >>> media_type(b"GIF89a"), media_type(b"<svg>")
    ('image/gif', None)

    Args:
        data: At least the first 12 bytes, if there are so many.
    """
    if data.startswith(b"RIFF"):
        return _RIFF.get(data[8:12])
    return next((kind for start, kind in _STARTS.items() if data.startswith(start)), None)
