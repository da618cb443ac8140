"""Pictures, sounds and histograms: what is logged to be looked at rather than computed with."""

import io
import wave
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.core import ArtifactRecord, ParameterError, StoreError, digest_json, now, require
from penstock.tracking._forgiving import Trouble

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from penstock.stores import Store

_PURPOSE = "logging arrays as pictures"
_STARTS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"RIFF": "audio/wav",
}
_GREY, _COLOURS = 2, (1, 3, 4)  # dimensions of a grey picture; channels of the others
_FULL_16 = 32767


class RunMedia:
    """The part of Run that logs what people look at; Run gives the store."""

    store: "Store"
    trouble: Trouble

    def log_image(
        self, image: Any, name: str, *, step: float | None = None, caption: str = ""
    ) -> str:
        """Keep a picture, which the UI shows.

        Args:
            image: A PNG, JPEG or GIF file's path, a PIL image, a matplotlib figure, or an array of
                shape (height, width) or (height, width, 1, 3 or 4): bytes, or floats from 0 to 1.
            name: What it is called; with a step ``name@step``, so that several make a series.
            step: The moment of the training.
            caption: A line below it.

        Returns:
            The content digest; empty if it could not be kept.

        Raises:
            ParameterError: If it is no picture.
            MissingPackageError: If an array is given and Pillow is not installed.
        """
        return self._log_media(_picture(image), "image", name, step, {"caption": caption})

    def log_audio(
        self, sound: Any, name: str, *, rate: int = 0, step: float | None = None, caption: str = ""
    ) -> str:
        """Keep a sound, which the UI plays; see `log_image`.

        Args:
            sound: A WAV file's path, or samples of shape (n,) or (n, channels): floats from -1 to 1
                or 16-bit numbers.
            name: See `log_image`.
            rate: Samples a second, for samples.
            step: See `log_image`.
            caption: See `log_image`.
        """
        return self._log_media(_sound(sound, rate), "audio", name, step, {"caption": caption})

    def log_histogram(
        self, values: Any, name: str, *, step: float | None = None, bins: int = 64
    ) -> str:
        """Keep how values are spread: counts between edges, which the UI draws.

        Args:
            values: Numbers of any shape; what is not finite is counted apart.
            name: See `log_image`.
            step: See `log_image`.
            bins: How many, 1 to 10,000, equally wide.
        """
        return self._log_value(_histogram(values, bins), _named(name, step))

    def log_table(self, rows: Any, name: str, *, step: float | None = None) -> str:
        """Keep a table: a polars or pandas frame, or a list of dicts with a row each.

        Args:
            rows: The table.
            name: See `log_image`.
            step: See `log_image`.
        """
        if isinstance(rows, list):
            import polars as pl

            rows = pl.DataFrame(rows)
        return self._log_value(rows, _named(name, step))

    def _log_media(
        self, data: bytes, kind: str, name: str, step: float | None, facts: Mapping[str, Any]
    ) -> str:
        try:
            digest, inline, size = self.store.keep_bytes(data)
        except StoreError as error:
            self.trouble.meet(error)
            return ""
        told = {"media": media_type(data), "step": step, **facts}
        record = ArtifactRecord(
            digest=digest,
            content_digest=digest_json(["bytes", digest]),
            format="bytes",
            type_name=kind,
            size_bytes=size,
            created_at=now(),
            inline=inline,
            metadata={key: value for key, value in told.items() if value not in {None, ""}},
        )
        return self._log_record(record, _named(name, step))

    def _log_record(self, record: ArtifactRecord, name: str) -> str:
        raise NotImplementedError

    def _log_value(self, value: Any, name: str) -> str:
        raise NotImplementedError


def media_type(data: bytes) -> str | None:
    """Name the type of a picture's or sound's bytes by their start; None for anything else.

    >>> media_type(b"GIF89a"), media_type(b"<svg>")
    ('image/gif', None)
    """
    return next((kind for start, kind in _STARTS.items() if data.startswith(start)), None)


def _named(name: str, step: float | None) -> str:
    return name if step is None else f"{name}@{step:g}"


def _picture(image: Any) -> bytes:
    if isinstance(image, str | Path):
        return _file(Path(image), "image/", "a PNG, JPEG or GIF picture")
    target = io.BytesIO()
    if hasattr(image, "savefig"):  # a matplotlib figure draws itself
        image.savefig(target, format="png", bbox_inches="tight")
    elif hasattr(image, "save") and hasattr(image, "mode"):  # a PIL image does too
        image.save(target, format="PNG")
    else:
        pillow = require("PIL.Image", extra="media", purpose=_PURPOSE)
        pillow.fromarray(_pixels(image)).save(target, format="PNG")
    return target.getvalue()


def _pixels(image: Any) -> "NDArray[np.uint8]":
    import numpy as np

    array = np.asarray(image.detach().cpu() if hasattr(image, "detach") else image)
    if array.ndim == _GREY + 1 and array.shape[-1] == 1:
        array = array[..., 0]
    coloured = array.ndim == _GREY + 1 and array.shape[-1] in _COLOURS
    if array.size == 0 or not (array.ndim == _GREY or coloured):
        raise ParameterError(
            what=f"An array of shape {array.shape} is no picture.",
            fix="Give shape (height, width) or (height, width, 3 or 4); of a torch tensor in"
            " channels first: image.permute(1, 2, 0).",
            shape=array.shape,
        )
    if array.dtype == np.uint8:
        return array
    if array.dtype == bool:
        return array.astype(np.uint8) * np.uint8(255)
    low, high = (float(array.min()), float(array.max())) if array.dtype.kind in "fiu" else (0, -1)
    if array.dtype.kind == "f" and low >= 0 and high <= 1:
        return (array * 255).round().astype(np.uint8)
    if array.dtype.kind in "iu" and low >= 0 and high <= 255:  # noqa: PLR2004 - a byte
        return array.astype(np.uint8)
    raise ParameterError(
        what=f"A picture of {array.dtype} has values from {low:g} to {high:g}.",
        why="Brightness is a byte from 0 to 255, or a float from 0 to 1.",
        fix="Scale it first, for example (x - x.min()) / (x.max() - x.min()).",
    )


def _sound(sound: Any, rate: int) -> bytes:
    if isinstance(sound, str | Path):
        return _file(Path(sound), "audio/", "a WAV file")
    import numpy as np

    array = np.asarray(sound)
    if array.size == 0 or array.ndim not in {1, 2} or rate <= 0:
        raise ParameterError(
            what=f"Samples of shape {array.shape} at {rate} a second are no sound.",
            fix="Give shape (n,) or (n, channels) and rate=, for example rate=16_000.",
        )
    if array.dtype.kind == "f":
        if not np.abs(array).max() <= 1:
            raise ParameterError(
                what="The samples go beyond 1, or are not numbers.",
                fix="Scale them to -1 to 1, or give 16-bit whole numbers.",
            )
        array = (array * _FULL_16).round()
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1 if array.ndim == 1 else array.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(array.astype("<i2").tobytes())
    return target.getvalue()


def _histogram(values: Any, bins: int) -> dict[str, Any]:
    import numpy as np

    if not 1 <= bins <= 10_000:  # noqa: PLR2004 - more cannot be seen
        raise ParameterError(what=f"{bins} bins were asked for.", fix="Give 1 to 10,000.")
    try:
        array = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values, float)
    except (TypeError, ValueError) as error:
        raise ParameterError(
            what=f"A histogram of {type(values).__name__} cannot be made.", fix="Give numbers."
        ) from error
    finite = array[np.isfinite(array)]
    counts, edges = np.histogram(finite, bins=bins)
    return {
        "histogram": {"edges": edges.tolist(), "counts": counts.tolist()},
        "count": int(array.size),
        "not_finite": int(array.size - finite.size),
    }


def _file(path: Path, kind: str, wanted: str) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ParameterError(
            what=f"{path} cannot be read ({error.strerror or error}).", fix="Check the path."
        ) from error
    if not (media_type(data) or "").startswith(kind):
        raise ParameterError(
            what=f"{path} is not {wanted}.",
            why="Other files could do something in the browser of who looks at them.",
            fix="Keep it with log_artifact, or convert it first.",
            path=path,
        )
    return data
