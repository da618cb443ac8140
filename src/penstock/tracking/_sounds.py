"""Sounds as the bytes of a file, for `Run.log_audio`."""

import io
import wave
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.core import (
    ParameterError,
    require_number,
)
from penstock.tracking._files import read_media

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LOUDEST = 32767
_MOST_CHANNELS = 8
_MONO, _SEVERAL = 1, 2  # dimensions


def sound(source: Any, rate: int) -> bytes:
    """Return a sound's bytes; see Run.log_audio.

    Raises:
        ParameterError: If the source is not a sound.
    """
    if isinstance(source, str | Path | bytes):
        return read_media(source, "audio/", "a WAV, MP3, Ogg or FLAC sound")
    samples = _samples(source, rate)
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1 if samples.ndim == _MONO else samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(int(rate))
        file.writeframes(samples.tobytes())
    return target.getvalue()


def sound_facts(data: bytes) -> dict[str, float]:
    """Read rate, channels and length of a WAV sound; empty for all but WAV."""
    try:
        with wave.open(io.BytesIO(data)) as file:
            rate, frames = file.getframerate(), file.getnframes()
            return {
                "rate": rate,
                "channels": file.getnchannels(),
                "seconds": round(frames / rate, 3),
            }
    except (wave.Error, EOFError, ZeroDivisionError):
        return {}


def _samples(source: Any, rate: int) -> "NDArray[np.int16]":
    import numpy as np

    array = np.asarray(source.detach().cpu() if hasattr(source, "detach") else source)
    shape = array.shape
    if array.ndim == _SEVERAL and shape[0] <= _MOST_CHANNELS < shape[1]:
        array = array.T  # channels stood first, as in torchaudio
    mono_or_more = array.ndim == _MONO or (
        array.ndim == _SEVERAL and array.shape[1] <= _MOST_CHANNELS
    )
    if array.size == 0 or not mono_or_more or array.dtype.kind not in "fiu":
        raise ParameterError(
            what=f"Samples of shape {shape} and type {array.dtype} are no sound.",
            fix=f"Give numbers of shape (n,) or (n, channels), with up to {_MOST_CHANNELS} channels.",
            shape=shape,
        )
    require_number(
        "rate", rate, low=1, whole=True, why="How many samples a second are played is the sound."
    )
    return _sixteen_bits(array)


def _sixteen_bits(array: "NDArray[Any]") -> "NDArray[np.int16]":
    import numpy as np

    if array.dtype.kind != "f":
        low, high = int(array.min()), int(array.max())
        if low < -_LOUDEST - 1 or high > _LOUDEST:
            raise ParameterError(
                what=f"The samples are whole numbers from {low} to {high}.",
                fix="Give 16-bit numbers, -32,768 to 32,767, or floats from -1 to 1.",
            )
        return array.astype("<i2")
    if not np.isfinite(array).all():
        raise ParameterError(
            what="The samples are not all finite numbers.", fix="Replace them, for example by 0."
        )
    peak = float(np.abs(array).max())
    if peak > 1:
        raise ParameterError(
            what=f"The samples go up to {peak:g}, beyond 1.",
            fix="Scale them to -1 to 1, for example x / abs(x).max(), or give 16-bit numbers.",
        )
    return (array * _LOUDEST).round().astype("<i2")
